"""``placet audit flight``: a case's recording as text."""

from collections.abc import Iterator

from rich.markup import escape

from placet.audit import Flight, Frame
from placet.cli._output import console

_WIDEST = 160


def print_flight(flight: Flight, event: int | None = None) -> None:
    """Print a recording, or one event of it with the whole state."""
    out = console()
    if event is not None:
        frame = flight.frames[flight.of_event(event)]
        for line in (*_lines(frame), *_state(frame)):
            out.print(line, soft_wrap=True)
        return
    for frame in flight.frames:
        for line in _lines(frame):
            out.print(line, soft_wrap=True)


def _lines(frame: Frame) -> Iterator[str]:
    because = f"  (because of {', '.join(str(each) for each in frame.causes)})"
    yield (
        f"{frame.event:>5}  {frame.time[:19].replace('T', ' ')}  [bold]{escape(frame.what)}[/bold]"
        f"{because if frame.causes else ''}"
    )
    for mark in frame.marks:
        yield f"       [bold]! {escape(mark)}[/bold]"
    for moment in frame.ledger:
        yield escape(f"       ledger {moment.index}: {moment.actor}: {moment.text}")
    for grant in frame.grants:
        said = "permitted by" if grant.permitted else "denied:"
        yield escape(
            f"       grant at entry {grant.entry}, attempt {grant.attempt}: {grant.agent} "
            f"{grant.action} {grant.record}: {said} {', '.join(grant.why)}"
        )
        if grant.facts:
            yield escape(f"         on {'; '.join(grant.facts)}")
        if grant.reasoning:
            yield escape(f"         it said: {_set_off(grant.reasoning)}")
        if grant.outcome:
            yield escape(f"         it ended {grant.outcome}")
    for decision in frame.decisions:
        amount = f" {decision.amount}" if decision.amount else ""
        yield escape(
            f"       decision at entry {decision.entry}: {decision.verdict}{amount} by "
            f"{decision.operator} as {', '.join(decision.roles)}; signature {decision.signature}"
        )
        said = ": ".join(filter(None, (decision.reason_code, decision.comment)))
        if said:
            yield escape(f"         they said: {_set_off(said)}")
        yield from (escape(f"         accepts {each}") for each in decision.exceptions)
    for change in frame.changes:
        yield escape(f"       {change.name}: {_short(change.before)} -> {_short(change.after)}")
    troubles = (
        *frame.troubles,
        *(each for grant in frame.grants for each in grant.troubles),
    )
    for trouble in troubles:
        yield f"       [bold]DOES NOT HOLD[/bold] {escape(f'{trouble.name}: {trouble.found}')}"


def _set_off(words: str) -> str:
    """Someone's words: each further line is behind a bar, so that none passes for one of ours."""
    return words.replace("\n", "\n         │ ")


def _state(frame: Frame) -> Iterator[str]:
    yield "       the whole state after it:"
    for name, value in frame.state.items():
        yield escape(f"         {name} = {value}")


def _short(value: object) -> str:
    told = "nothing" if value is None else str(value)
    return told if len(told) <= _WIDEST else f"{told[:_WIDEST]}…"
