"""Two cases side by side: the same things on one line, what only one has marked."""

from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, Static

from placet.model import CaseView, quantity
from tui import words
from tui.answers import Away, NotShown, Refused
from tui.asking import Asking
from tui.audit import audit_case
from tui.said import said
from tui.session import Session
from tui.steps import Step, of_flight, of_ledger, of_process, same_step, side_by_side
from tui.text import harmless
from tui.widgets.keys import Keys
from tui.widgets.table import Cell, Column, Rows, VirtualTable

if TYPE_CHECKING:
    from placet.audit import Flight


def _title(session: Session, case: CaseView) -> str:
    definition = session.gateway.newest_definition(case.process)
    return harmless(words.subject_words(definition, case.subject))


def _came_to(case: CaseView) -> str:
    return harmless(case.result or case.status.value)


class Choose(ModalScreen[None], Asking):
    """Which case to put beside it: first those of its process, and of these the ended ones."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel", id="choose.cancel"),
    ]

    def __init__(self, case: CaseView, flight: "Flight | None") -> None:
        super().__init__()
        self._case = case
        self._flight = flight
        self._cases: dict[str, CaseView] = {}

    def compose(self) -> ComposeResult:
        """Every other case."""
        with Vertical(id="choose", classes="dialog"):
            yield Static(said(("Compare with which case?", "head")), classes="dialog-title")
            table = VirtualTable(
                (
                    Column("What", 22, grow=1, names=True),
                    Column("Result", 12),
                    Column("Case", 31, drop=1),
                ),
                empty="Looking …",
            )
            table.styles.height = 14
            yield table
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="close")

    def on_mount(self) -> None:
        """Ask for them."""
        self.query_one(VirtualTable).focus()
        self.load()

    @work(exclusive=True, group="choose")
    async def load(self) -> None:
        """Ask for them."""
        found = await self.ask(self.session.gateway.cases())
        others = [each for each in found or () if each.id != self._case.id]
        others.sort(key=lambda each: (each.process != self._case.process, each.closed_at is None))
        self._cases = {each.id: each for each in others}

        def cells(at: int) -> tuple[Cell, ...]:
            case = others[at]
            return (
                Cell(_title(self.session, case)),
                Cell(_came_to(case)),
                Cell(case.id, "muted"),
            )

        table = self.query_one(VirtualTable)
        table.say("There is no other case.")
        table.show(Rows.of(list(self._cases), cells))

    @on(Button.Pressed, "#close")
    def close(self) -> None:
        """None of them."""
        self.dismiss()

    @on(VirtualTable.Opened)
    def chosen(self, event: VirtualTable.Opened) -> None:
        """Put it beside."""
        other = self._cases[event.row]
        self.dismiss()
        self.app.push_screen(Compare(self._case, self._flight, other))


class Compare(Screen[None], Asking):
    """Both stories, and what the two steps under the cursor say."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", id="compare.back"),
        Binding("n", "next", "Next difference", id="compare.next"),
    ]

    def __init__(self, case: CaseView, flight: "Flight | None", other: CaseView) -> None:
        super().__init__()
        self._case = case
        self._flight = flight
        self._other = other
        self._pairs: list[tuple[Step | None, Step | None]] = []

    def compose(self) -> ComposeResult:
        """Two columns, and below each a closer look."""
        yield Static(
            said(("Reading the other case …", "muted")), classes="headline", id="compare-head"
        )
        heads = [
            f"{_title(self.session, each)} · {_came_to(each)}" for each in (self._case, self._other)
        ]
        yield VirtualTable(
            (Column(heads[0], 30, grow=1), Column("", 1), Column(heads[1], 30, grow=1)),
            empty="Reading …",
        )
        with Horizontal(id="compare-looks"):
            for side in ("left", "right"):
                with VerticalScroll(classes="compare-look"):
                    yield Static(id=f"compare-{side}")
        yield Keys()

    def on_mount(self) -> None:
        """Read the other."""
        self.query_one(VirtualTable).focus()
        self.load()

    @work(exclusive=True, group="compare")
    async def load(self) -> None:
        """Read both in one way: what the process did if both are recorded, else the ledger."""
        flight = await self._recorded() if self._flight else None
        if flight is not None and self._flight is not None:
            stories = [of_process(of_flight(each)) for each in (self._flight, flight)]
            how = "what the process did"
        else:
            stories = [await self._of_ledger(each.id) for each in (self._case, self._other)]
            how = "what the ledger has, as not both can be replayed"
        self._pairs = side_by_side(*stories)
        differ = sum(not same_step(pair) for pair in self._pairs)
        self.query_one("#compare-head", Static).update(
            said(
                (f"{quantity(len(self._pairs), 'line')}, {differ} different", "head"),
                f"  {how}; ≠ where one case alone has it",
            )
        )
        ids = [str(at) for at in range(len(self._pairs))]
        self.query_one(VirtualTable).show(Rows.of(ids, self._cells))
        self.look()

    async def _of_ledger(self, case: str) -> list[Step]:
        return of_ledger(await self.ask(self.session.gateway.ledger.entries_of(case)) or [])

    async def _recorded(self) -> "Flight | None":
        try:
            return (await audit_case(self.session.gateway, self._other.id, lambda _: None)).flight
        except (Away, Refused, NotShown):
            return None

    def _cells(self, at: int) -> tuple[Cell, ...]:
        left, right = self._pairs[at]
        same = same_step(self._pairs[at])
        tone = "muted" if same else "warn"
        return (
            Cell(left.alike if left else "", tone),
            Cell("" if same else "≠", "warn"),
            Cell(right.alike if right else "", tone),
        )

    @on(VirtualTable.Moved)
    def look(self) -> None:
        """What the two steps say."""
        for side, step in zip(("left", "right"), self._here(), strict=True):
            shown = step.look if step else (("Nothing here.", "muted"),)
            self.query_one(f"#compare-{side}", Static).update(said(*shown))

    def _here(self) -> tuple[Step | None, Step | None]:
        at = self.query_one(VirtualTable).cursor
        return self._pairs[at] if at < len(self._pairs) else (None, None)

    @on(VirtualTable.Opened)
    def opened(self) -> None:
        """What they say, where there is room for it."""
        from tui.screens.look import Look  # noqa: PLC0415 - not before it is asked for

        both = [each.look for each in self._here() if each]
        self.app.push_screen(Look([piece for look in both for piece in (*look, "\n")]))

    def action_next(self) -> None:
        """To the next difference."""
        table = self.query_one(VirtualTable)
        later = range(table.cursor + 1, len(self._pairs))
        table.cursor = next((at for at in later if not same_step(self._pairs[at])), table.cursor)
