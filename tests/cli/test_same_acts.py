"""Every act that people do is a command: for screen readers, and for scripts.

What the authority carries out, what the console signs and what the command line does are read from
the sources, so that an act that is added to one of them alone fails here.
"""

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

from placet.authority._acts import Acts
from tests.authority.site import routes_of_the_app

ROOT = Path(__file__).parents[2]
_SIGNING = {
    "claim": "checkpoint.claim",
    "unclaim": "checkpoint.unclaim",
    "comment": "checkpoint.comment",
    "attach": "checkpoint.attach",
    "recall": "checkpoint.recall",
    "lower": "checkpoint.adjust",
    "key_in": "checkpoint.key",
    "hand_over": "delegation.give",
    "end_delegation": "delegation.end",
    "countersign": "act.countersign",
    "open_case": "case.open",
    "import_identities": "identity.import",
    "resubmit": "case.resubmit",
    "decide": "decision",
    "sign_decision": "decision",
    "decide_many": "decisions",
    "send_many": "decisions",
}
"""Methods of the client that sign an act of their own."""

_PEOPLES = {
    "/oauth/device_authorization": {"begin_sign_in"},
    "/oauth/token": {"finish_sign_in"},  # each command signs in anew: none has to prove it again
    "/v1/enrolments": {"enrol_with_code"},
    "/v1/acts": {"act", *_SIGNING} - {"decide", "sign_decision", "decide_many", "send_many"},
    "/v1/checkpoints/{checkpoint}/decisions": {"decide"},
    "/v1/decisions": {"decide_many"},
    "/v1/cases/{case}/payloads": {"open_payloads"},  # who reads them is on the ledger
}
"""Routes that change something for a person, and the client's methods, each of them a command's."""

_MACHINES = {
    "/oauth/introspect": "systems of record",
    "/oauth/revoke": "agents",
    "/v1/uses": "systems of record",
    "/v1/grants": "agents",
    "/v1/settlements": "agents",
    "/v1/joins": "workers that join",
    "/v1/keys": "agents that renew their key",
    "/v1/cases/{case}/keys": "agents",
    "/v1/cases/{case}/checkpoints": "the orchestrator",
    "/v1/cases/{case}/close": "the orchestrator",
    "/v1/cases/{case}/stop": "the orchestrator",
    "/v1/cases/{case}/review-outcome": "the steps of an identity review",
    "/v1/cases/{case}/tool": "the steps that carry an order to an owner's tool",
    "/v1/cases/{case}/tool-proof": "the same",
}
"""Routes that change something at the word of a machine, under its own credential: whose."""

_KINDS = ("agent", "operator", "system")


def calls(folder: str) -> Iterator[tuple[str, ast.Call]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                yield name or (node.func.id if isinstance(node.func, ast.Name) else ""), node


def strings(folder: str) -> set[str]:
    """What ``change(…)`` is called with: the verbs of people, agents and systems."""
    said = (call.args for name, call in calls(folder) if name in {"change", "Binding"})
    words = (arg.value for args in said for arg in args if isinstance(arg, ast.Constant))
    return {str(each) for each in words}


def in_order(folder: str) -> Iterator[str]:
    """The names of acts that are signed one after the other, out of a mapping with their bodies."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "self.acts":
                assert isinstance(node.value, ast.Dict)
                yield from (str(ast.literal_eval(key)) for key in node.value.keys if key)


def acts(folder: str) -> set[str]:
    """The names of all acts that the sources of a folder sign."""
    found = set(in_order(folder))
    for name, call in calls(folder):
        first = call.args[0] if call.args else None
        if name in _SIGNING:
            found.add(_SIGNING[name])
        elif name in {"act", "_act", "plain"} and first is not None:
            match first:
                case ast.Constant(value=str(act)):
                    found.add(act)
                case ast.JoinedStr():
                    said = strings(folder)
                    verbs = [
                        verb
                        for verb in ("suspend", "resume", "offboard", "enrol")
                        if any(verb in each for each in said) or f".{verb}" in ast.unparse(first)
                    ]
                    found |= {f"{k}.{v}" for k, v in itertools.product(_KINDS, verbs)}
    return found


def test_the_command_line_signs_every_act_that_the_console_does() -> None:
    console, commands = acts("tui"), acts("placet/cli")
    assert {"decision", "case.open", "agent.suspend", "vendor.off", "hold.place"} <= console
    assert console - commands == set()


def test_every_act_that_the_authority_carries_out_is_a_command() -> None:
    nobody = MagicMock()
    carried_out = set(Acts(nobody, nobody, nobody, nobody, nobody)._handlers)
    assert {"case.open", "review.close", "identity.import", "campaign.start"} <= carried_out
    assert carried_out - acts("placet/cli") == set()


def test_every_route_that_changes_something_for_a_person_is_a_commands() -> None:
    changing = {path for method, path in routes_of_the_app() if method != "GET"}
    assert changing == {*_PEOPLES, *_MACHINES}
    called = {name for name, _ in calls("placet/cli")}
    lacking = {
        path: sorted(methods - called) for path, methods in _PEOPLES.items() if methods - called
    }
    assert lacking == {}


def test_every_verdict_and_what_it_takes_along_is_a_command() -> None:
    """A word is given, excused and taken back with the same choices on both sides."""
    from typer.main import get_command  # noqa: PLC0415 - for this one test

    from placet.cli._papers import checkpoint  # noqa: PLC0415 - the whole group, with all of it
    from placet.model import Verdict  # noqa: PLC0415 - the same
    from tui.screens.decide import VERBS  # noqa: PLC0415 - the same

    group = get_command(checkpoint)
    assert set(VERBS) == set(Verdict)
    for verdict in Verdict:
        options = {each.name for each in group.commands[verdict.value].params}  # type: ignore[attr-defined]
        assert "comment" in options
        own = verdict in {Verdict.ABSTAIN, Verdict.WITHDRAW}
        assert own or "stands_in_for" in options
        if verdict in {Verdict.REJECT, Verdict.RETURN}:
            assert "reason_code" in options
