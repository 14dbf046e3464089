"""Every act that the console signs is a command as well: for screen readers, and for scripts.

Both lists are read from the sources, so that an act that is added to one side alone fails here.
"""

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

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
    "resubmit": "case.resubmit",
    "decide": "decision",
    "sign_decision": "decision",
    "decide_many": "decisions",
    "send_many": "decisions",
}
"""Methods of the client that sign an act of their own."""

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


def acts(folder: str) -> set[str]:
    """The names of all acts that the sources of a folder sign."""
    found: set[str] = set()
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
