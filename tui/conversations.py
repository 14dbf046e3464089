"""What a model was told, said, asked for, was refused and concluded, turn by turn. Pure.

Everything in a conversation was written by documents, models and strangers: it is made harmless.
"""

import json
import re
from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from placet.model import (
    CallResult,
    CallStatus,
    Conversation,
    InputPart,
    ProcessDefinition,
    Told,
    Turn,
    Use,
    quantity,
)
from tui.panels import Panel, PanelRow
from tui.said import Piece
from tui.text import harmless
from tui.widgets.table import Cell, Column

_FIRST = 400
"""Characters of a text that its row can show; the closer look has all."""

_REFUSED = {CallStatus.DENIED, CallStatus.UNKNOWN}
_COLUMNS = (
    Column("Turn", 4, right=True),
    Column("What", 12),
    Column("Of what", 24, grow=1),
    Column("Words", 30, grow=2, drop=1),
)


def conversation_panels(
    definition: ProcessDefinition | None, parts: Sequence[InputPart]
) -> list[Panel]:
    """A panel for each model that reasoned; ``marked`` is how often it was refused."""
    return [
        _panel(reasoning.name, part)
        for reasoning in ((definition.reasonings or ()) if definition else ())
        for part in parts
        if part.part.name == reasoning.conversation
    ]


def _panel(name: str, part: InputPart) -> Panel:
    title = f"Model: {name.replace('_', ' ')}"
    try:
        said = Conversation.model_validate(part.part.data)
    except ValidationError:
        row = PanelRow((Cell(""), Cell("unreadable", "bad"), Cell("it is no conversation")))
        return Panel(title, _COLUMNS, (row,), 1)
    rows = list(_rows(said))
    refused = sum(row.cells[1].tone == "bad" for row in rows)
    return Panel(title, _COLUMNS, tuple(rows), refused)


def _rows(said: Conversation) -> Iterator[PanelRow]:
    yield _row(0, ("told", "muted"), "what it is to do", said.instructions)
    yield _row(0, ("told", "muted"), "what it is about", said.opening)
    for number, turn in enumerate(said.turns, 1):
        after = said.turns[number].told if number < len(said.turns) else ()
        if turn.thought:
            yield _row(number, ("thinks", "muted"), "", turn.thought, _about(turn))
        if turn.said:
            yield _row(number, ("says", "plain"), "", turn.said, _about(turn))
        for use in turn.uses:
            if turn.conclusion is None or use.called.refused is not CallStatus.DONE:
                yield _use(number, use, after, _about(turn))
        if turn.conclusion is not None:
            yield _row(number, ("concludes", "accent"), "", _json(turn.conclusion), _about(turn))
        if turn.trouble is not None:
            why = turn.why or turn.trouble.value
            what = turn.trouble.value.replace("_", " ")
            yield _row(number, (what, "bad"), turn.answered_by or turn.model, why, _about(turn))


def _json(conclusion: object) -> str:
    """As JSON; a line break inside a string is one here, and what follows it behind a bar."""
    text = json.dumps(conclusion, indent=1, ensure_ascii=False)
    return re.sub(r"\\(.)", lambda found: "\n  │ " if found[1] == "n" else found[0], text)


def _use(number: int, use: Use, after: Sequence[Told], about: str) -> PanelRow:
    """A call: what became of it, and what the model was told then."""
    told = next((each for each in after if each.result.key == use.called.key), None)
    result = told.result if told else None
    status = result.status if result else use.called.refused
    asked = f"{use.name} {_arguments(use)}"
    words = "\n".join(each for each in (use.problem or "", told.text if told else "") if each)
    return _row(number, _status(status), asked, words or "it was told no more", about, result)


def _status(status: CallStatus | None) -> tuple[str, str]:
    if status is None:
        return "asks", "plain"
    if status in _REFUSED:
        return "denied" if status is CallStatus.DENIED else "no such tool", "bad"
    return ("reads", "good") if status is CallStatus.DONE else (status.value, "warn")


def _arguments(use: Use) -> str:
    """A call's arguments, without braces where they are an object as they should be."""
    try:
        given = json.loads(use.arguments or "{}")
    except (ValueError, RecursionError):
        return use.arguments
    if not isinstance(given, dict):
        return use.arguments
    said = [f"{name}: {value}" for name, value in given.items() if name != "record"]
    record = use.called.record or given.get("record")
    return ", ".join([*said, *([f"of {record}"] if record else [])])


def _about(turn: Turn) -> str:
    """Who answered, and what it took."""
    cost = "cost unknown" if turn.cost is None else f"${turn.cost}"
    answered = turn.answered_by or "nobody"
    return f"{turn.model}, answered by {answered} · {quantity(turn.tokens, 'token')} · {cost}"


def _row(
    number: int,
    what: tuple[str, str],
    of: str,
    words: str,
    about: str = "",
    result: CallResult | None = None,
) -> PanelRow:
    word, tone = what
    look: list[Piece] = [(f"turn {number}  " if number else "", "muted"), (f"{word}  ", tone)]
    look += [(f"{harmless(of)}\n", "strong")]
    if result is not None and result.reasons:
        look.append((f"  because: {harmless(', '.join(result.reasons))}\n", tone))
    if about:
        look.append((f"  {harmless(about)}\n", "muted"))
    look.append(harmless(words, lines=True))
    first = " ".join(words[:_FIRST].split())
    cells = (
        Cell(str(number) if number else "", "muted"),
        Cell(word, tone),
        Cell(harmless(of)),
        Cell(harmless(first), "muted"),
    )
    return PanelRow(cells, tuple(look))
