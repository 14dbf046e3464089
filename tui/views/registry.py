"""The registry of all kinds of identity, people, and what is wrong: a list, and a closer look."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Static

from placet.model import IdentityStanding, RegisteredView, ReportLine, ReviewOfIdentity, quantity
from tui import words
from tui.answers import Identity
from tui.directory import PAGE, Reported
from tui.registry import (
    COLUMNS,
    PEOPLE,
    VIEWS,
    WRONG,
    cells,
    look,
    person_look,
    wrong_cells,
    wrong_look,
)
from tui.said import Piece, said
from tui.screens.look import Look
from tui.text import harmless
from tui.views.base import View
from tui.widgets.table import Cell, Rows, VirtualTable

_AHEAD = 50  # rows below the cursor: the next page is asked for before they are reached

Seen = RegisteredView | Identity | ReportLine


class Registry(View):
    """What there is to read; what can be done with it is its heir's."""

    # The acts, which are the heir's, stand first at the foot of the screen.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "kind", "Kind", id="identities.kind", tooltip="One kind, people, or all"),
        Binding(
            "w",
            "wrong",
            "What is wrong",
            id="identities.wrong",
            tooltip="Stale, unowned, over-privileged, …: and what mends each",
        ),
        Binding(
            "i",
            "review",
            "Its review",
            id="identities.review",
            tooltip="The case of its review",
            show=False,  # suspending must have its place at the foot of a small terminal
        ),
        Binding(
            "r",
            "reviews",
            "Reviews",
            id="identities.reviews",
            tooltip="Campaigns of reviews, and whom the next one should look at",
        ),
        Binding("c", "copy", "Copy", id="identities.copy", tooltip="Copy what mends it"),
        Binding("f5,ctrl+r", "load", "Refresh", id="identities.refresh", show=False),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._kind = ""
        self._wrong = False
        self._people: list[Identity] = []
        self._registered: list[RegisteredView] = []
        self._more = False
        self._behind = False
        self._reported = Reported((), ())
        self._seen: dict[str, Seen] = {}
        self._whole: RegisteredView | None = None
        self._stands: IdentityStanding | None = None

    def compose(self) -> ComposeResult:
        """List and look."""
        yield Static(id="identities-head", classes="view-head")
        with Horizontal(classes="split"):
            yield VirtualTable(COLUMNS, empty="Looking …", id="identities-table")
            yield Static(id="identities-look", classes="side")

    # --- reading -------------------------------------------------------------------------------

    @work(exclusive=True, group="identities")
    async def load(self) -> None:
        """Ask again for what is looked at, but for long lists, which wait to be asked."""
        if not self.console.signed_in:
            return
        if len(self._registered) > PAGE and not (self._wrong or self._kind == PEOPLE):
            self._behind = True
            self._say()
            return
        await self._load_anew()

    @work(exclusive=True, group="identities")
    async def look_anew(self) -> None:
        """Another question, or all of it again: from its first page."""
        await self._load_anew()

    def action_load(self) -> None:
        """Ask again."""
        self.look_anew()

    async def _load_anew(self) -> None:
        gateway = self.session.gateway
        people = await self.ask(gateway.identities("operator"))
        if people is None:
            return
        self._people = people
        if self._wrong:
            reported = await self.ask(gateway.directory.reports())
            if reported is None:
                return
            self._reported = reported
        elif self._kind != PEOPLE:
            page = await self.ask(gateway.directory.page(self._kind or None))
            if page is None:
                return
            self._registered, self._more = page, len(page) >= PAGE
        self._behind = False
        self._show()

    @work(exclusive=True, group="identities-more")
    async def more(self) -> None:
        """The next page."""
        kind, last = self._kind, self._registered[-1].identity
        page = await self.ask(self.session.gateway.directory.page(kind or None, last))
        if page is None or kind != self._kind or self._registered[-1].identity != last:
            return
        self._registered += page
        self._more = len(page) >= PAGE
        self._show()

    @work(exclusive=True, group="identities-look")
    async def look_closer(self) -> None:
        """What the one under the cursor may do, and did."""
        each = self._here()
        if isinstance(each, RegisteredView) and self.console.signed_in:
            directory = self.session.gateway.directory
            self._whole = await self.ask(directory.one(each.identity))
            self._stands = await self.ask(directory.standing(each.identity))
            self._look()
            self.screen.refresh_bindings()

    def _show(self) -> None:
        found: list[tuple[str, Seen]]
        if self._wrong:
            found = [(f"{one.report} {one.identity}", one) for one in self._reported.lines]
        elif self._kind == PEOPLE:
            found = [(one.principal, one) for one in self._people]
        else:
            found = [(one.identity, one) for one in self._registered]
        self._seen = dict(found)
        now = words.now()
        table = self.query_one(VirtualTable)
        table.say("Nothing is wrong." if self._wrong else f"There are none: {VIEWS[self._kind]}.")

        def row(at: int) -> tuple[Cell, ...]:
            one = found[at][1]
            return wrong_cells(one) if isinstance(one, ReportLine) else cells(one, now)

        table.show(
            Rows.of([key for key, _ in found], row),
            WRONG if self._wrong else COLUMNS,
        )
        self._say()
        self._look()
        self.look_closer()
        self.screen.refresh_bindings()

    def _say(self) -> None:
        if self._wrong:
            counts = {one.report.value: 0 for one in self._reported.lines}
            for one in self._reported.lines:
                counts[one.report.value] += 1
            more = {one.value for one in self._reported.more}
            told = (f"{n}{'+' if name in more else ''} {name}" for name, n in counts.items())
            text, rest = "what is wrong", "  ·  ".join(("", *told)) or "  ·  nothing"
        elif self._kind == PEOPLE:
            active = sum(one.status == "active" for one in self._people)
            text, rest = f"{PEOPLE}: {len(self._people)}, {active} active", ""
        else:
            listed = self._registered
            text = f"{VIEWS[self._kind]}: {len(listed)}{'+' if self._more else ''}"
            live = sum(one.live_grants for one in listed)
            bad = sum(bool(one.lacks) for one in listed)
            rest = f"  ·  {quantity(live, 'live grant')}  ·  {bad} not in order"
        late = ("  ·  something changed: f5", "warn") if self._behind else ""
        self.query_one("#identities-head", Static).update(said((text, "strong"), rest, late))

    def _here(self) -> Seen | None:
        tables = self.query(VirtualTable)
        return self._seen.get(tables.first().row) if tables else None

    def _registered_here(self) -> RegisteredView | None:
        each = self._here()
        if isinstance(each, RegisteredView):
            whole = self._whole
            return whole if whole and whole.identity == each.identity else each
        return None

    def _pieces(self) -> list[Piece]:
        each = self._here()
        if isinstance(each, ReportLine):
            return list(wrong_look(each))
        if isinstance(each, Identity):
            return list(person_look(each))
        whole = self._registered_here()
        if whole is None:
            return [("Nothing is selected.", "muted")]
        return list(look(whole, words.now(), self._standing_of(whole.identity)))

    def _standing_of(self, identity: str) -> IdentityStanding | None:
        stands = self._stands
        return stands if stands is not None and stands.identity == identity else None

    def _review(self) -> ReviewOfIdentity | None:
        """The newest review of the one under the cursor, if it has begun."""
        each = self._here()
        stands = self._standing_of(each.identity) if isinstance(each, RegisteredView) else None
        return next((x for x in stands.reviews if x.case), None) if stands else None

    def _look(self) -> None:
        self.query_one("#identities-look", Static).update(said(*self._pieces()))

    @on(VirtualTable.Opened)
    def opened(self) -> None:
        """The same in a dialog, where there is no room beside the list."""
        self.app.push_screen(Look(self._pieces()))

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """Another one; ask for more before the last one is reached."""
        self._look()
        self.look_closer()
        table = self.query_one(VirtualTable)
        listed = not (self._wrong or self._kind == PEOPLE)
        if listed and self._more and table.cursor >= table.rows.count - _AHEAD:
            self.more()
        self.screen.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A command to copy is there where something is wrong."""
        if action == "copy":
            return isinstance(self._here(), ReportLine)
        if action == "review":
            return self._review() is not None
        return super().check_action(action, parameters)

    def action_kind(self) -> None:
        """The next kind."""
        names = list(VIEWS)
        self._kind = names[(names.index(self._kind) + 1) % len(names)]
        self._wrong = False
        self.look_anew()

    def action_wrong(self) -> None:
        """What is wrong, or the registry again."""
        self._wrong = not self._wrong
        self.look_anew()

    def action_review(self) -> None:
        """To where its owner decides, or else to what has happened."""
        review = self._review()
        if review is not None and review.checkpoint is not None:
            from tui.screens.case import CaseScreen  # noqa: PLC0415 - not before the first screen

            self.app.push_screen(CaseScreen(review.checkpoint))
        elif review is not None and review.case is not None:
            from tui.screens.replay import Replay  # noqa: PLC0415 - the same

            self.app.push_screen(Replay(review.case))

    def action_reviews(self) -> None:
        """Campaigns of reviews."""
        from tui.screens.reviews import Reviews  # noqa: PLC0415 - the same

        self.app.push_screen(Reviews())

    def action_copy(self) -> None:
        """Copy the command that mends it."""
        each = self._here()
        if isinstance(each, ReportLine):
            self.app.copy_to_clipboard(harmless(each.mend))  # it is pasted into a shell
            self.app.notify(f"Copied: {each.mend}", markup=False)
