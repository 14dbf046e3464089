"""The floor at a glance: what waits, what is late, how fast, and what agents were denied."""

from collections.abc import Mapping
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from placet.model import Count, Overview
from tui import words
from tui.answers import Listed
from tui.figures import by_agent, by_type, decision_times, growth, middle, sparkline
from tui.said import said
from tui.text import harmless
from tui.views.base import View
from tui.widgets.table import Cell, Column, Rows, VirtualTable

TAIL = 2048
_BAR = 30
_COLUMNS = (
    Column("", 30, grow=1),
    Column("", 10, right=True),
    Column("", _BAR, grow=1, drop=1),
)
Figure = tuple[str, str, str, str]


class Floor(View):
    """Figures as rows: what it is, how much, a picture of it."""

    name_shown = "Overview"
    BINDINGS: ClassVar[list[BindingType]] = []

    def compose(self) -> ComposeResult:
        """Figures."""
        yield Static(id="overview-head", classes="view-head")
        yield VirtualTable(_COLUMNS, empty="Looking …", id="overview-table")

    @work(exclusive=True, group="overview")
    async def load(self) -> None:
        """Ask for what waits, and for the newest entries."""
        if not self.console.signed_in:
            return
        gateway = self.session.gateway
        floor, tail = await self.ask(gateway.overview()), await self.ask(gateway.tail(TAIL))
        if floor is None or tail is None:
            return
        figures = [
            *_waiting(floor),
            ("", "", "", "plain"),
            *_bars("cases", {k.value: v.count for k, v in floor.cases.items()}),
            ("", "", "", "plain"),
            *_lately(tail),
            ("", "", "", "plain"),
            *_bars("grants to", {k: v.issued for k, v in by_agent(tail).items()}),
        ]

        def cells(at: int) -> tuple[Cell, ...]:
            label, count, picture, tone = figures[at]
            return Cell(label), Cell(count, tone), Cell(picture, tone)

        self.query_one("#overview-head", Static).update(
            said(("the floor now", "strong"), f"  ·  rates: the newest {len(tail)} entries")
        )
        self.query_one(VirtualTable).show(Rows.of([str(at) for at in range(len(figures))], cells))


def _waiting(floor: Overview) -> list[Figure]:
    total = max(1, floor.open.count)

    def row(label: str, count: Count, tone: str) -> Figure:
        text = f"{count.count:,}{'+' if count.more else ''}"
        return label, text, "█" * min(_BAR, count.count * _BAR // total), tone

    return [
        row("waiting for people", floor.open, "accent"),
        row("waiting for you", floor.mine, "accent"),
        row("claimed by someone", floor.claimed, "plain"),
        row("with blocking findings", floor.blocking, "warn"),
        row("due today", floor.due_today, "warn" if floor.due_today.count else "good"),
        row("over their time", floor.overdue, "bad" if floor.overdue.count else "good"),
    ]


def _lately(tail: list[Listed]) -> list[Figure]:
    kinds = by_type(tail)
    middle_ = middle(decision_times(tail))
    denied = kinds["grant.denied"]
    refused = kinds["decision.refused"] + kinds["act.refused"]
    hour = growth(tail, words.now(), minutes=60, width=_BAR)
    return [
        ("entries in the last hour", str(sum(hour)), sparkline(hour), "accent"),
        ("decisions", str(kinds["decision.recorded"]), "", "accent"),
        (
            "time to decision, median",
            words.span(middle_) if middle_ is not None else "–",
            "",
            "plain",
        ),
        ("denials to agents", str(denied), "", "bad" if denied else "good"),
        ("refusals to people", str(refused), "", "warn" if refused else "good"),
    ]


def _bars(what: str, counts: Mapping[str, int]) -> list[Figure]:
    most = max(counts.values(), default=1) or 1
    return [
        (
            harmless(f"{what} {words.person(name)}"),
            str(count),
            "█" * (count * _BAR // most),
            "accent",
        )
        for name, count in sorted(counts.items(), key=lambda each: -each[1])
    ]
