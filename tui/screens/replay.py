"""Replaying a case: its story step by step, and beside it the audit, running in view."""

from datetime import datetime
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from placet.model import ArchiveState, CaseView, quantity
from tui import words
from tui.answers import Away, NotShown, Refused
from tui.asking import Asking, Listener
from tui.audit import STAGES, Audited, audit_case
from tui.keeping import keep
from tui.said import Piece, said
from tui.steps import Step, find, of_flight, of_ledger
from tui.text import harmless
from tui.widgets.keys import Keys
from tui.widgets.slider import Slider
from tui.widgets.table import Cell, Column, Rows, VirtualTable

_COLUMNS = (Column("Time", 8, drop=1), Column("Event", 18), Column("What", 16, grow=1))


class Replay(Screen[None], Asking, Listener):
    """One case, live or archived."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", id="replay.back"),
        Binding("right", "step(1)", "Step", id="replay.step", tooltip="One step on"),
        Binding("left", "step(-1)", "Back a step", id="replay.step-back", show=False),
        Binding("c", "jump('checkpoint',1)", "Checkpoint", id="replay.checkpoint"),
        Binding(
            "C", "jump('checkpoint',-1)", "Last checkpoint", id="replay.checkpoint-back", show=False
        ),
        Binding("d", "jump('trouble',1)", "Denial or failure", id="replay.trouble"),
        Binding("D", "jump('trouble',-1)", "Last denial", id="replay.trouble-back", show=False),
        Binding("n", "jump('change',1)", "Next change", id="replay.change"),
        Binding("N", "jump('change',-1)", "Last change", id="replay.change-back", show=False),
        Binding("e", "export", "Export", id="replay.export", tooltip="Write the evidence bundle"),
        Binding("y", "verify", "Verify again", id="replay.verify", show=False),
        Binding(
            "equals_sign", "compare", "Compare", id="replay.compare", tooltip="With another case"
        ),
    ]

    def __init__(self, case: str) -> None:
        super().__init__()
        self._case = case
        self._steps: list[Step] = []
        self._view: CaseView | None = None
        self._audited: Audited | None = None

    def compose(self) -> ComposeResult:
        """The verdict, the line, the steps, a closer look."""
        yield Static(id="replay-headline", classes="headline")
        yield Slider(id="slider")
        with Horizontal(classes="split"):
            yield VirtualTable(_COLUMNS, empty="Reading …", id="steps")
            with VerticalScroll(id="step"):
                yield Static(id="step-text")
        yield Keys()

    def on_mount(self) -> None:
        """Read the story, then prove it."""
        self.query_one("#steps", VirtualTable).focus()
        self._headline(("reading …", "muted"))
        self.load()

    @work(exclusive=True, group="replay")
    async def load(self) -> None:
        """First the ledger's words, at once; then the audit, which takes a while."""
        gateway = self.session.gateway
        entries = await self.ask(gateway.ledger.entries_of(self._case))
        cases = await self.ask(gateway.cases())
        self._view = next((each for each in cases or () if each.id == self._case), None)
        if self._view is not None:
            await self.ask(gateway.definition(self._view.process, self._view.process_version))
        if entries is not None:
            self._take(of_ledger(entries))
        await self._audit()

    async def _audit(self) -> None:
        def tell(stage: int) -> None:
            bar = "█" * (stage + 1) + "░" * (len(STAGES) - stage - 1)
            self._headline((f"{bar} {STAGES[stage]} …", "accent"))

        not_yet = _not_yet(self._view, words.now())
        try:
            audited = await audit_case(self.session.gateway, self._case, tell, not_yet=not_yet)
        except (Away, Refused, NotShown) as error:
            self._headline((f"not verified: {harmless(str(error))}", "warn"))
            return
        self._audited = audited
        if audited.troubles:
            said = "DOES NOT HOLD" if audited.refuted else "NOT JUDGED"
            self._headline((f"● {said} in {quantity(audited.troubles, 'place')}", "bad"))
        elif audited.flight is None:
            self._headline(
                (f"✓ holds so far: {quantity(audited.checked, 'thing')} checked", "good"),
                (f"; {harmless(audited.why_not)}", "muted"),
            )
            self.look()  # it may have ended meanwhile
        elif self._view is not None and self._view.archive is ArchiveState.ERASED:
            self._headline(
                (f"✓ holds: {quantity(audited.checked, 'thing')} checked", "good"),
                ("; erased under two signatures, the ledger's words are what is left", "muted"),
            )
        else:
            self._headline(
                (f"✓ holds: {quantity(audited.checked, 'thing')} checked, replayed", "good")
            )
        if audited.flight is not None:
            steps = of_flight(audited.flight) or list(self._steps)
            troubles = (*audited.proof.troubles, *audited.flight.report.troubles)
            steps += [
                Step(
                    "",
                    "not judged" if each.is_fault else "does not hold",
                    harmless(each.found),
                    "bad",
                    (
                        (f"{harmless(each.name)}\n", "bad"),
                        f"{harmless(each.place)}\n",
                        harmless(each.found),
                    ),
                    frozenset({"trouble"}),
                )
                for each in troubles
            ]
            self._take(steps)

    def _headline(self, *verdict: Piece) -> None:
        view = self._view
        what: list[Piece] = [(self._case, "head")]
        if view is not None:
            definition = self.session.gateway.newest_definition(view.process)
            ended = f"closed: {view.result}" if view.result else view.status.value
            what = [
                (harmless(words.subject_words(definition, view.subject)), "head"),
                f"  {harmless(ended)}  ",
                (self._case, "muted"),
            ]
        self.query_one("#replay-headline", Static).update(said(*what, "\n", *verdict))

    def _take(self, steps: list[Step]) -> None:
        self._steps = steps
        table = self.query_one("#steps", VirtualTable)
        table.say("The ledger has nothing of this case.")
        ids = [str(at) for at in range(len(steps))]
        table.show(Rows.of(ids, self._cells))
        self.query_one(Slider).show(
            len(steps), {at: each.kinds for at, each in enumerate(steps) if each.kinds}
        )
        self._look()

    def _cells(self, at: int) -> tuple[Cell, ...]:
        step = self._steps[at]
        return (
            Cell(step.time, "muted"),
            Cell(step.what, step.tone),
            Cell(step.detail, "muted" if step.tone == "plain" else step.tone),
        )

    def _look(self) -> None:
        table = self.query_one("#steps", VirtualTable)
        self.query_one(Slider).at = table.cursor
        step = self._steps[table.cursor] if table.cursor < len(self._steps) else None
        self.query_one("#step-text", Static).update(said(*(step.look if step else ())))
        self.query_one("#step", VerticalScroll).scroll_home(animate=False)

    # --- acts ----------------------------------------------------------------------------------

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """Another step."""
        self._look()

    @on(Slider.Chosen)
    def chosen(self, event: Slider.Chosen) -> None:
        """To a place on the line."""
        self.query_one("#steps", VirtualTable).cursor = event.at

    def action_step(self, by: int) -> None:
        """A step on or back."""
        self.query_one("#steps", VirtualTable).cursor += by

    def action_jump(self, kind: str, by: int) -> None:
        """To the next of a kind."""
        table = self.query_one("#steps", VirtualTable)
        place = find(self._steps, kind, table.cursor, by)
        if place == table.cursor:
            self.app.notify("There is no other that way.", markup=False)
        table.cursor = place

    def heard(self, size: int) -> None:
        """What was verified before it had ended, or was archived, is verified again then."""
        del size
        if self._audited is not None and self._audited.flight is None:
            self.look()

    @work(exclusive=True, group="replay-look")
    async def look(self) -> None:
        """Whether the case stands otherwise than when it was verified."""
        cases = await self.ask(self.session.gateway.cases())
        now = next((each for each in cases or () if each.id == self._case), self._view)
        if now != self._view:
            self.load()

    def action_verify(self) -> None:
        """Fetch and prove it again."""
        self.load()

    def action_export(self) -> None:
        """Write the bundle, as ``placet audit export`` does."""
        if self._audited is None:
            self.app.notify("The bundle is not there yet.", markup=False)
            return
        name = _free(f"{self._case}.zip")
        try:
            kept = keep(self.app, Path(name), self._audited.bundle)
        except ValueError as error:
            self.app.notify(str(error), severity="error", markup=False)
        else:
            self.app.notify(f"{kept}\nplacet audit verify {name}", timeout=20, markup=False)

    def action_compare(self) -> None:
        """Beside another case."""
        from tui.screens.compare import Choose  # noqa: PLC0415 - it is rarely asked for

        if self._view is None:
            self.app.notify("The case is not read yet.", markup=False)
            return
        self.app.push_screen(Choose(self._view, self._audited.flight if self._audited else None))


def _not_yet(case: CaseView | None, now: datetime) -> str:
    """Why a case can't be replayed so far; nothing if it must be possible."""
    if case is None or case.archived or case.archive_late(now):
        return ""
    if case.closed_at is None:
        return "it is open still, and replayed once it has ended"
    return "it has just ended, and is verified again once its history is archived"


def _free(name: str) -> str:
    """A name that nothing has here yet: a case is exported again after something was added."""
    path, number = Path(name), 2
    while path.exists():
        path, number = Path(name).with_stem(f"{Path(name).stem}-{number}"), number + 1
    return path.name
