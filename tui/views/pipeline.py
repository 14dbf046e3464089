"""Cases by stage: where each stands, what is missing, who is waited for, what is due."""

from collections import Counter
from collections.abc import Callable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, Static

from placet.model import ADMINISTRATOR, CaseStatus, CaseView, CheckpointLine
from tui import acts, words
from tui.acts import Deed
from tui.answers import Me
from tui.said import Piece, said
from tui.screens.act import Act
from tui.stages import Stage, case_cells, case_look, stage_of, standing_still
from tui.text import harmless
from tui.views.base import View
from tui.waiting import line_look
from tui.widgets.table import Cell, Column, Rows, VirtualTable

_COLUMNS = (
    Column("What", 24, grow=2, most=40, names=True),
    Column("Stage", 18, grow=1, most=34),
    Column("Waits for", 20, grow=4, drop=1),
    Column("Due", 12, drop=2),
    Column("Opened by", 9, drop=3),
    Column("Opened", 15, right=True, drop=4),
)
_STAGE = "stage:"
SAVED: dict[str, tuple[str, Callable[[CaseView, Me], bool]]] = {
    "open": ("open", lambda case, me: case.status is not CaseStatus.CLOSED),  # noqa: ARG005 - one shape for all
    "mine": (
        "open, opened by me",
        lambda case, me: case.status is not CaseStatus.CLOSED and case.opened_by == me.principal,
    ),
    "closed": ("closed", lambda case, me: case.status is CaseStatus.CLOSED),  # noqa: ARG005 - the same
    "all": ("all", lambda case, me: True),  # noqa: ARG005 - the same
}


class Pipeline(View):
    """Every case, and its stage in the process's own words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "replay", "Replay", id="cases.replay", tooltip="Step through what happened"),
        Binding("slash", "filter", "Filter", id="cases.filter", tooltip="Filter by any word"),
        Binding("v", "saved", "View", id="cases.view", tooltip="Open, mine, closed, all"),
        Binding("s", "stages", "Sort", id="cases.stages", tooltip="By stage, or by age"),
        Binding("n", "take_in", "New case", id="cases.new", tooltip="Take a folder in as a case"),
        Binding("u", "answer", "Answer", id="cases.answer", tooltip="Answer a return"),
        Binding("h", "hold", "Hold", id="cases.hold", tooltip="Put a hold on the record"),
        Binding("l", "lift", "Lift hold", id="cases.lift", tooltip="Lift a hold from it"),
        Binding("m", "admit", "Admit", id="cases.admit", tooltip="Let a stopped case go on"),
        Binding("E", "end", "End case", id="cases.end", tooltip="End one that can't end by itself"),
        Binding("escape", "clear", "Clear", id="cases.clear", show=False),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._cases: list[CaseView] = []
        self._by_id: dict[str, CaseView] = {}
        self._waiting: dict[str, CheckpointLine] = {}
        self._returned: dict[str, str] = {}
        self._by_stage = True
        self._saved = "open"

    def compose(self) -> ComposeResult:
        """Filter and list."""
        yield Static(id="cases-head", classes="view-head")
        yield Input(placeholder="any word of it; escape to clear", classes="filter")
        with Horizontal(classes="split"):
            yield VirtualTable(_COLUMNS, empty="Looking …", id="cases-table")
            with VerticalScroll(classes="side"):
                yield Static(id="cases-look")

    @work(exclusive=True, group="cases")
    async def load(self) -> None:
        """Ask for the cases and what waits."""
        if not self.console.signed_in:
            return
        cases = await self.ask(self.session.gateway.cases())
        lines = await self.ask(self.session.gateway.lines())
        returned = await self.ask(self.session.gateway.returned())
        if cases is None or lines is None or returned is None:
            return
        self._cases = sorted(cases, key=lambda each: each.opened_at, reverse=True)
        self._waiting = {each.case: each for each in lines}
        still = {each.id for each in cases if each.status is CaseStatus.OPEN}
        self._returned = {
            each.case: each.id
            for each in returned[::-1]  # the newest last
            if each.case in still and each.case not in self._waiting
        }
        self._show()

    def _show(self) -> None:
        me = self.session.me
        label, keep = SAVED[self._saved]
        wanted = self.query_one(Input).value.casefold().split()
        chosen = [
            each
            for each in self._cases
            if keep(each, me) and all(word in self._haystack(each) for word in wanted)
        ]
        self._by_id = {each.id: each for each in chosen}
        stages: dict[Stage, list[CaseView]] = {}
        for each in chosen:
            stages.setdefault(self._stage(each), []).append(each)
        rows: list[tuple[str, tuple[Stage, int] | CaseView]] = []
        if self._by_stage:
            for stage in sorted(stages):
                rows.append((f"{_STAGE}{stage.name}", (stage, len(stages[stage]))))
                rows += [(each.id, each) for each in stages[stage]]
        else:
            rows = [(each.id, each) for each in chosen]
        table = self.query_one(VirtualTable)
        table.say(f"No case here: {label}.")
        shown = [each for each in _COLUMNS if each.label != "Stage" or not self._by_stage]
        table.show(Rows.of([row for row, _ in rows], lambda at: self._cells(rows[at][1])), shown)
        if table.cursor == 0 and table.row.startswith(_STAGE):
            table.cursor = 1  # the first case, so that what can be done with it is offered
        summary = "  ·  ".join(f"{len(stages[each])} {each.name}" for each in sorted(stages))
        order = "by stage" if self._by_stage else "the newest first"
        self.query_one("#cases-head", Static).update(
            said(
                (f"cases, {label}: {len(chosen)}", "strong"),
                (f"  ·  {order}", "muted"),
                f"  ·  {summary}" if summary else "",
            )
        )
        self._look()
        self.screen.refresh_bindings()

    def _subject(self, case: CaseView) -> str:
        definition = self.session.gateway.newest_definition(case.process)
        return harmless(words.subject_words(definition, case.subject))

    def _haystack(self, case: CaseView) -> str:
        stage = self._stage(case).name
        parts = (case.id, case.subject, self._subject(case), case.opened_by, stage)
        return " ".join(parts).casefold()

    def _stage(self, case: CaseView) -> Stage:
        return stage_of(case, self._waiting.get(case.id), returned=case.id in self._returned)

    def _cells(self, row: tuple[Stage, int] | CaseView) -> tuple[Cell, ...]:
        if isinstance(row, tuple):
            stage, count = row
            return (Cell(f"── {stage.name}: {count}", stage.tone),)
        line = self._waiting.get(row.id)
        cells = case_cells(row, self._subject(row), self._stage(row), line, words.now())
        return (cells[0], *cells[2:]) if self._by_stage else cells

    def _look(self) -> None:
        case = self._case()
        made: list[Piece] = [("Nothing is selected.", "muted")]
        if case is not None:
            line = self._waiting.get(case.id)
            definition = self.session.gateway.newest_definition(case.process)
            made = standing_still(case)
            made += (
                line_look(line, definition)
                if line
                else case_look(case, self._subject(case), self._stage(case), words.now())
            )
        self.query_one("#cases-look", Static).update(said(*made))

    # --- acts ----------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what this person can do with this case, as far as it is known."""
        if action not in {"hold", "lift", "admit", "end", "take_in", "answer"}:
            return super().check_action(action, parameters)
        if not self.console.signed_in:
            return False
        roles = set(self.session.me.roles)
        case = self._case()
        if action in {"take_in", "answer"}:
            opens = self._opens(roles)
            return opens and (
                action == "take_in" or (case is not None and case.id in self._returned)
            )
        if action in {"admit", "end"}:
            stopped = case is not None and case.status is CaseStatus.STOPPED
            return ADMINISTRATOR in roles and stopped
        if case is None or (action == "lift" and case.held_on is None):
            return False
        return bool(roles - {"auditor"})

    def _opens(self, roles: set[str]) -> bool:
        return bool(roles & set(self.session.gateway.openers()))

    def _case(self) -> CaseView | None:
        found = self.query(VirtualTable)
        return self._by_id.get(found.first().row) if found else None

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """Other acts fit another row."""
        self._look()
        self.screen.refresh_bindings()

    @on(VirtualTable.Opened)
    def opened(self, event: VirtualTable.Opened) -> None:
        """To what waits, or else to what happened."""
        line = self._waiting.get(event.row)
        if line is not None:
            from tui.screens.case import CaseScreen  # noqa: PLC0415 - not before the first screen

            self.app.push_screen(CaseScreen(line.id))
        elif event.row in self._by_id:
            self._replay(event.row)

    def action_replay(self) -> None:
        """Step through what happened."""
        case = self._case()
        if case is not None:
            self._replay(case.id)

    def _replay(self, case: str) -> None:
        from tui.screens.replay import Replay  # noqa: PLC0415 - not before the first screen

        self.app.push_screen(Replay(case))

    def _ask_act(self, deed: Deed) -> None:
        self.app.push_screen(Act(deed), self._done)

    def _done(self, done: str | None) -> None:
        if done:
            self.app.notify(done, markup=False)
            self.load()

    def action_hold(self) -> None:
        """A signed stop on the record."""
        case = self._case()
        if case is not None:
            self._ask_act(acts.hold(case.subject, self._subject(case)))

    def action_lift(self) -> None:
        """Lift it."""
        case = self._case()
        if case is not None and case.held_on is not None:
            self._ask_act(acts.lift(case.held_on, self._subject(case)))

    def action_admit(self) -> None:
        """Let a stopped case go on."""
        case = self._case()
        if case is not None:
            self._ask_act(acts.admit(case, self._subject(case)))

    def action_end(self) -> None:
        """End one that can't end by itself."""
        case = self._case()
        if case is not None:
            self._ask_act(acts.end(case, self._subject(case)))

    def action_take_in(self) -> None:
        """Take work in."""
        self._take_in(None)

    def action_answer(self) -> None:
        """Answer a return."""
        case = self._case()
        if case is not None:
            self._take_in(case)

    def _take_in(self, case: CaseView | None) -> None:
        from tui.screens.intake import Intake  # noqa: PLC0415 - not before it is asked for

        opened = Counter(each.process for each in self._cases).most_common(1)
        usual = opened[0][0] if opened else ""
        returned_at = self._returned.get(case.id, "") if case else ""
        self.app.push_screen(Intake(case, usual, returned_at), self._done)

    def action_stages(self) -> None:
        """By stage, or the newest first."""
        self._by_stage = not self._by_stage
        self._show()

    def action_saved(self) -> None:
        """The next saved view."""
        names = list(SAVED)
        self._saved = names[(names.index(self._saved) + 1) % len(names)]
        self._show()

    def action_filter(self) -> None:
        """Type a filter."""
        box = self.query_one(Input)
        box.display = True
        self.screen.set_focus(box)  # at once: what is typed next is the filter's

    def action_clear(self) -> None:
        """Take the filter away."""
        box = self.query_one(Input)
        box.value = ""
        box.display = False
        self.query_one(VirtualTable).focus()

    @on(Input.Changed)
    def filtered(self) -> None:
        """Filter while it is typed."""
        if self.console.signed_in:
            self._show()

    @on(Input.Submitted)
    def filter_done(self) -> None:
        """Back to the list."""
        self.query_one(VirtualTable).focus()
