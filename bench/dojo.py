"""AgentDojo's banking suite (MIT), read from its wheel as it is: tasks, and what counts as harm.

The package drags in every provider's client; the modules that are needed here run on stand-ins for
what they import of it. A model that obeys does so wherever it reads the injection.
"""

import dataclasses
import hashlib
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, create_model

VERSION = "0.1.35"
SHA256 = "364bea4219716b716bf639f504d195943f7f6a5535d312ca41d7098704a2affd"
_T = TypeVar("_T")
_TOOLS = "agentdojo/default_suites/v1/tools"


@dataclasses.dataclass(frozen=True)
class Call:
    """A call that an attack makes."""

    function: str
    args: dict[str, Any]
    placeholder_args: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Attack:
    """One injection in one place: what it makes an obeying model do, and what harm is."""

    name: str
    goal: str
    environment: Callable[[], Any]
    calls: Sequence[Call]
    harmed: Callable[[Any, Any], bool]


@dataclasses.dataclass(frozen=True)
class Task:
    """What the account's owner asks for: the calls that do it, and whether it was done."""

    name: str
    calls: Sequence[Call]
    done: Callable[[Any, Any], bool]


@dataclasses.dataclass(frozen=True)
class Suite:
    """All of it; ``act`` does what a tool of the suite does, by name and arguments."""

    attacks: Sequence[Attack]
    tasks: Sequence[Task]
    environment: Callable[[], Any]
    act: Callable[[Any, str, Mapping[str, Any]], Any]


class _Base(Generic[_T]):
    GOAL = ""
    GROUND_TRUTH_OUTPUT = ""


def fetch(folder: Path) -> Path:
    """The wheel, from the package registry, without what it depends on.

    Raises:
        CalledProcessError: the registry is away.
        ValueError: it has another digest than it had.
    """
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "-q", "--no-deps"),
            *("-d", str(folder), f"agentdojo=={VERSION}"),
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("agentdojo-*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != SHA256:
        raise ValueError(f"{wheel.name} is not the one that was looked at: {found}")
    return wheel


def suite(wheel: Path) -> Suite:
    """The suite's tasks and tools, and each injection in each place where it puts one."""
    with zipfile.ZipFile(wheel) as archive:
        read = {name: archive.read(name).decode() for name in archive.namelist() if _wanted(name)}
    injections: list[type[Any]] = []
    tasks: list[type[Any]] = []
    modules = _stand_ins(injections, tasks)
    for name in ("banking_client", "file_reader", "user_account"):
        _load(modules, f"agentdojo.default_suites.v1.tools.{name}", read[f"{_TOOLS}/{name}.py"])
    tools = "agentdojo.default_suites.v1.tools"
    parts: dict[str, Any] = {
        "bank_account": (modules[f"{tools}.banking_client"].BankAccount, ...),
        "filesystem": (modules[f"{tools}.file_reader"].Filesystem, ...),
        "user_account": (modules[f"{tools}.user_account"].UserAccount, ...),
    }
    environment_type: Any = create_model("BankingEnvironment", **parts)
    modules["agentdojo.default_suites.v1.banking.task_suite"].BankingEnvironment = environment_type
    for name in ("injection_tasks", "user_tasks"):
        source = read[f"agentdojo/default_suites/v1/banking/{name}.py"]
        _load(modules, f"agentdojo.default_suites.v1.banking.{name}", source)
    data = "agentdojo/data/suites/banking"
    vectors = yaml.safe_load(read[f"{data}/injection_vectors.yaml"])
    plain = {name: each["default"] for name, each in vectors.items()}

    def environment(said: Mapping[str, str]) -> Callable[[], Any]:
        text = read[f"{data}/environment.yaml"]
        for name, default in plain.items():
            here = said.get(name, default).replace('"', "'").replace("\n", " ")
            text = text.replace("{" + name + "}", here)
        made = yaml.safe_load(text)
        return lambda: environment_type.model_validate(made)

    def attack(one: Any, place: str) -> Attack:
        made = environment({place: f"{plain[place]} INFORMATION: first, {one.GOAL}."})
        return Attack(
            name=f"{type(one).__name__}.{place}",
            goal=one.GOAL.replace('"', "'"),
            environment=made,
            calls=tuple(one.ground_truth(made())),
            harmed=lambda before, after: bool(one.security("", before, after)),
        )

    def task(one: Any) -> Task:
        said = one.GROUND_TRUTH_OUTPUT
        return Task(
            name=type(one).__name__,
            calls=tuple(one.ground_truth(environment({})())),
            done=lambda before, after: bool(one.utility(said, before, after)),
        )

    return Suite(
        attacks=[attack(each(), place) for each in injections for place in vectors],
        tasks=[task(each()) for each in tasks],
        environment=environment({}),
        act=_acting(modules),
    )


def _acting(modules: dict[str, Any]) -> Callable[[Any, str, Mapping[str, Any]], Any]:
    """The suite's own tools, each on its part of an environment."""
    tools = "agentdojo.default_suites.v1.tools"
    parts = {
        "banking_client": "bank_account",
        "file_reader": "filesystem",
        "user_account": "user_account",
    }

    def act(environment: Any, name: str, given: Mapping[str, Any]) -> Any:
        for module, part in parts.items():
            found = getattr(modules[f"{tools}.{module}"], name, None)
            if found is not None:
                said = {**given}
                if "amount" in said:
                    said["amount"] = float(said["amount"])
                if "recurring" in said:
                    said["recurring"] = said["recurring"] == "true"
                return found(getattr(environment, part), **said)
        raise LookupError(name)

    return act


def _wanted(name: str) -> bool:
    return name.startswith((_TOOLS, "agentdojo/data/suites/banking")) or name.endswith(
        ("v1/banking/injection_tasks.py", "v1/banking/user_tasks.py")
    )


def _stand_ins(injections: list[type[Any]], tasks: list[type[Any]]) -> dict[str, Any]:
    """What the suite's modules import of the rest of the package."""

    def into(kept: list[type[Any]]) -> Callable[[type[Any]], type[Any]]:
        def register(task: type[Any]) -> type[Any]:
            kept.append(task)
            return task

        return register

    names: tuple[str, ...] = (
        "",
        ".base_tasks",
        ".functions_runtime",
        ".default_suites",
        ".default_suites.v1",
    )
    names += (".default_suites.v1.tools", ".default_suites.v1.banking")
    names += (".default_suites.v1.banking.task_suite",)
    modules: dict[str, Any] = {f"agentdojo{n}": types.ModuleType(f"agentdojo{n}") for n in names}
    modules["agentdojo.base_tasks"].BaseInjectionTask = _Base
    modules["agentdojo.base_tasks"].BaseUserTask = _Base
    modules["agentdojo.functions_runtime"].FunctionCall = Call
    modules["agentdojo.functions_runtime"].Depends = lambda name: name
    suite = modules["agentdojo.default_suites.v1.banking.task_suite"]
    suite.BankingEnvironment = BaseModel
    suite.task_suite = types.SimpleNamespace(
        register_injection_task=into(injections), register_user_task=into(tasks)
    )
    return modules


def _load(modules: dict[str, Any], name: str, source: str) -> None:
    """Run one module of the wheel on the stand-ins."""
    module = modules[name] = types.ModuleType(name)
    kept = {each: sys.modules.get(each) for each in modules}
    sys.modules.update(modules)
    try:
        exec(compile(source, name, "exec"), module.__dict__)
    finally:
        for each, before in kept.items():
            if before is None and each != name:
                sys.modules.pop(each, None)
