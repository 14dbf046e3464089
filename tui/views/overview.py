"""The floor at a glance: what waits, what is late, how fast, and what agents did."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from placet.ledger import EntryType
from placet.model import Count, Overview
from tui import words
from tui.answers import Listed
from tui.figures import AgentFigures, by_agent, decision_times, growth, of_types, ranked, sparkline
from tui.said import said
from tui.tail import since
from tui.text import harmless
from tui.views.base import View
from tui.widgets.table import Cell, Column, Rows, VirtualTable

DAY = timedelta(hours=24)
_MOST = 8192  # entries that the rates are made of: what a day has, or its end
_BAR = 24  # an hour a column
_COLUMNS = (
    Column("What", 25, grow=1, most=44),
    Column("How many", 11, right=True),
    Column("", _BAR, drop=1),
    Column("", 20, grow=3, drop=2),
)
Figure = tuple[str, str, str, str, str]
_NOTHING: Figure = ("", "", "", "", "plain")


class Floor(View):
    """Figures as rows: what it is, how much, a picture of it, and a few words."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._entries: list[Listed] = []

    def compose(self) -> ComposeResult:
        """Figures."""
        yield Static(id="overview-head", classes="view-head")
        yield VirtualTable(_COLUMNS, empty="Looking …", id="overview-table")

    @work(exclusive=True, group="overview")
    async def load(self) -> None:
        """Ask for what waits, and for the entries that have come since."""
        if not self.console.signed_in:
            return
        gateway = self.session.gateway
        floor = await self.ask(gateway.overview())
        entries = await self.ask(since(gateway, self._entries, words.now() - DAY, _MOST))
        if floor is None or entries is None:
            return
        self._entries = entries
        now = words.now()
        figures = [
            *_waiting(floor),
            *_heading("Cases"),
            *_cases(floor, entries, now),
            *_heading("People"),
            *_people(entries, now),
            *_heading("Agents"),
            *_agents(by_agent(entries), now),
        ]

        def cells(at: int) -> tuple[Cell, ...]:
            label, count, picture, said_, tone = figures[at]
            if not count:
                return (Cell(f"── {label}" if label else "", "accent"),)
            return Cell(label), Cell(count, tone), Cell(picture, tone), Cell(said_, "muted")

        whole = len(entries) < _MOST
        span = "the last 24 hours" if whole else f"the newest {len(entries):,} entries"
        if entries and entries[0].entry is not None:
            span += f", since {words.clock(entries[0].entry.time)}"
        self.query_one("#overview-head", Static).update(
            said(("the floor now", "strong"), f"  ·  rates: {span}")
        )
        self.query_one(VirtualTable).show(Rows.of([str(at) for at in range(len(figures))], cells))


def _heading(text: str) -> tuple[Figure, Figure]:
    return _NOTHING, (text, "", "", "", "plain")


def _waiting(floor: Overview) -> Iterator[Figure]:
    total = max(1, floor.open.count)

    def row(label: str, count: Count, tone: str) -> Figure:
        text = f"{count.count:,}{'+' if count.more else ''}"
        return label, text, _bar(count.count, total), "", tone if count.count else "good"

    yield "Waiting", "", "", "", "plain"
    yield row("  waiting for people", floor.open, "accent")
    yield row("  waiting for you", floor.mine, "accent")
    yield row("  claimed by someone", floor.claimed, "plain")
    yield row("  with blocking findings", floor.blocking, "warn")
    yield row("  due within a day", floor.due_today, "warn")
    yield row("  over their time", floor.overdue, "bad")
    for name, count in sorted(floor.processes.items()):
        yield row(f"  in {harmless(name)}", count, "plain")


def _cases(floor: Overview, entries: Sequence[Listed], now: datetime) -> Iterator[Figure]:
    for status, count in floor.cases.items():
        if count.count or status.value in {"open", "stopped"}:
            tone = "bad" if status.value == "stopped" and count.count else "plain"
            yield (
                f"  {status.value} now",
                f"{count.count:,}{'+' if count.more else ''}",
                "",
                "",
                tone,
            )
    if floor.standing.count:
        text = f"{floor.standing.count:,}{'+' if floor.standing.more else ''}"
        yield "  standing still", text, "", "a step fails, or nobody takes it", "bad"
    for label, kind in (
        ("  opened", EntryType.CASE_OPENED),
        ("  closed", EntryType.CASE_CLOSED),
    ):
        yield _over_the_day(label, of_types(entries, kind), now, "accent")


def _people(entries: Sequence[Listed], now: datetime) -> Iterator[Figure]:
    yield _over_the_day(
        "  decisions", of_types(entries, EntryType.DECISION_RECORDED), now, "accent"
    )
    took = ranked(decision_times(entries))
    if took is None:
        yield (
            "  time to decision",
            "–",
            "",
            "nothing that was opened meanwhile was decided",
            "muted",
        )
    else:
        text = f"median of {took.count}; one in ten took {words.span(took.slow)} or more"
        yield "  time to decision", words.span(took.middle), "", text, "plain"
    refused = of_types(entries, EntryType.DECISION_REFUSED, EntryType.ACT_REFUSED)
    yield _over_the_day("  refused to people", refused, now, "warn")


def _agents(agents: Mapping[str, AgentFigures], now: datetime) -> Iterator[Figure]:
    most = max((each.issued for each in agents.values()), default=0)
    for name, each in sorted(agents.items(), key=lambda pair: (-pair[1].denied, -pair[1].issued)):
        told = [f"{each.denied} DENIED"] if each.denied else []
        told += [f"{each.live} live"] if each.live else []
        told += [f"last {words.ago(each.last, now)}"] if each.last else []
        told += each.actions
        yield (
            f"  {harmless(words.person(name))}",
            f"{each.issued:,}",
            _bar(each.issued, most),
            harmless("; ".join(told)),
            "bad" if each.denied else "accent",
        )
    denied = sum(each.denied for each in agents.values())
    yield "  denials, all agents", str(denied), "", "", "bad" if denied else "good"


def _over_the_day(label: str, entries: Sequence[Listed], now: datetime, tone: str) -> Figure:
    spans = growth(entries, now, minutes=24 * 60, width=_BAR)
    text = f"by the hour, {max(spans)} at most" if any(spans) else ""
    return label, f"{sum(spans):,}", sparkline(spans), text, tone if any(spans) else "good"


def _bar(count: int, most: int) -> str:
    return "█" * min(_BAR, count * _BAR // most) if most else ""
