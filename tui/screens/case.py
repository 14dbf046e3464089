"""A case: all that a person needs to decide, on one screen.

On the left what there is to read, the findings first; on the right its rows, and below them a
closer look at the row under the cursor. Nothing is decided here: acts open a dialog.
"""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from placet.ledger import EntryType
from placet.model import CheckpointStatus, Verdict
from tui import words
from tui.answers import CaseFile, Listed, changed
from tui.asking import Asking, Listener
from tui.checkpoint_panels import around, my_word, panels, ticking
from tui.conversations import conversation_panels
from tui.panels import Panel
from tui.said import said
from tui.screens.around import Around
from tui.screens.decide import Decide
from tui.stages import standing_still
from tui.story import reasoning_panel, story_panel
from tui.text import harmless
from tui.widgets.keys import Keys
from tui.widgets.table import Cell, Column, Rows, VirtualTable

_INDEX = (Column("Read", 12, grow=1), Column("", 3, right=True))
_NUMBERED = 9  # sections that have a key of their own


class CaseScreen(Around, Listener):
    """One checkpoint of a case, with its evidence."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "place", "Show place", id="case.place", tooltip="Where it was read"),
        Binding("p", "replay", "Replay", id="case.replay", tooltip="Step through what happened"),
        Binding("n", "anew", "Asked anew", id="case.anew", tooltip="Where people are asked anew"),
        Binding("tab", "pane", "Other pane", id="case.pane", show=False),
        Binding("f5,ctrl+r", "load", "Refresh", id="case.refresh", show=False),
        *(
            Binding(
                str(at),
                f"section({at})",
                f"Section {at}",
                id=f"case.section-{at}",
                tooltip=f"The rows of section {at}, as the list on the left numbers them",
                show=False,
            )
            for at in range(1, _NUMBERED + 1)
        ),
    ]

    def __init__(self, checkpoint: str) -> None:
        super().__init__()
        self._checkpoint = checkpoint
        self._panels: list[Panel] = []
        self._late: list[Panel] = []
        self._stale = False
        self._cited_by: tuple[str, int] | None = None
        self._read_at = words.now()

    def compose(self) -> ComposeResult:
        """What is asked; an index; rows; a closer look."""
        yield Static(said(("Reading the case …", "muted")), id="case-headline", classes="headline")
        with Horizontal(id="panels"):
            yield VirtualTable(_INDEX, empty="…", id="index")
            with Vertical(id="panel"):
                yield Static(id="panel-title")
                yield VirtualTable((Column("", 10, grow=1),), empty="Nothing here.", id="rows")
                with VerticalScroll(id="detail"):
                    yield Static(id="detail-text")
        yield Keys()

    def on_mount(self) -> None:
        """Read it."""
        self.query_one("#index", VirtualTable).focus()
        self.set_interval(1, self.tick)
        self.load()

    # --- reading -------------------------------------------------------------------------------

    @on(Around.Acted)
    def acted(self) -> None:
        """It may look different now."""
        self.load()

    @work(exclusive=True, group="case")
    async def load(self) -> None:
        """Read the checkpoint, its parts, and what the ledger tells of the case."""
        gateway = self.session.gateway
        file = await self.ask(gateway.case_file(self._checkpoint))
        if file is None:
            self._say_headline()
            return
        if self._governance is None:
            self._governance = await self.ask(gateway.governance())
        self._file, self._stale, self._own_act = file, False, False
        self._read_at = words.now()
        self._panels = panels(file, self._read_at)
        self._panels += conversation_panels(file.definition, file.parts)
        self._show_index()
        entries = await self.ask(gateway.ledger.entries_of(file.case.id))
        if entries is not None:
            told = await self._reasonings(entries)
            self._late = ([reasoning_panel(told)] if told else []) + [story_panel(entries)]
            self._show_index()

    async def _reasonings(self, entries: list[Listed]) -> list[tuple[Listed, str, str]]:
        steps: dict[object, str] = {}
        told: list[tuple[Listed, str, str]] = []
        for each in entries:
            if each.entry is None:
                continue
            data = each.entry.data
            activity = data.get("activity")
            if each.entry.type is EntryType.GRANT_ISSUED and isinstance(activity, dict):
                steps[data.get("grant")] = str(activity.get("activity_type"))
            digest = data.get("reasoning_digest")
            if isinstance(digest, str):
                text = await self.ask(self.session.gateway.ledger.kept(digest))
                if text:
                    told.append((each, steps.get(data.get("grant"), "?"), text))
        return told

    def heard(self, size: int) -> None:
        """Something changed: look whether it was this."""
        del size
        if self._file is not None:
            self.look_again()

    @work(exclusive=True, group="look-again")
    async def look_again(self) -> None:
        """Take over what is new, a hold among it, and say so where other evidence is shown."""
        held = self._file
        if held is None:
            return
        now = await self.ask(self.session.gateway.checkpoint(self._checkpoint))
        mine = await self.ask(self.session.gateway.prospect(self._checkpoint))
        if now is None or mine is None or (now, mine) == (held.checkpoint, held.prospect):
            return
        if changed(held.checkpoint, now):
            self._stale = True
            self.call_later(self._say_changed)  # after what a dialog did that ends just now
        self.load()

    def _say_changed(self) -> None:
        """Unless it was an act of one's own, which says itself what came of it."""
        above = (each for each in self.app.screen_stack if isinstance(each, Asking))
        if not self._own_act and not any(each.signing for each in above):
            self.app.notify(
                "This checkpoint has changed while you were reading it.",
                severity="warning",
                markup=False,
            )

    def tick(self) -> None:
        """Say anew how long something is ago, and what time is left."""
        file, now = self._file, words.now()
        if file is None or not self.console.signed_in:
            return
        fresh = {each.title: each for each in ticking(file, now)}
        if all(each in self._panels for each in fresh.values()):
            return
        self._panels = [fresh.get(each.title, each) for each in self._panels]
        self._say_headline()
        shown = self._panel()
        if shown is not None and shown.title in fresh:
            self._show_rows(shown)
        deadline = file.checkpoint.deadline
        if file.checkpoint.status is CheckpointStatus.OPEN and self._read_at < deadline <= now:
            self._read_at = now
            self.load()  # what may be done now is for the authority to say

    def _say_headline(self) -> None:
        file = self._file
        if file is None:
            self.query_one("#case-headline", Static).update(
                said(
                    ("The case can't be read now; it is asked again when something changes.", "bad")
                )
            )
            return
        view = file.checkpoint
        sign = words.currency(file.definition)
        proposal = view.evidence.proposal
        left, tone = words.time_left(view.deadline, words.now())
        amount = proposal.amount
        what = words.act_words("", file.definition, view.subject, amount, file.about).strip()
        word, weight = my_word(file, words.now())
        requested = (
            f"  of {words.money(proposal.requested, sign)} requested"
            if proposal.requested not in {None, proposal.amount}
            else ""
        )
        open_ = view.status is CheckpointStatus.OPEN
        self.query_one("#case-headline", Static).update(
            said(
                (f"{harmless(view.title)}: {harmless(what)}", "head"),
                f"{requested}  ·  ",
                (left if open_ else view.status.value, tone if open_ else "muted"),
                "\n",
                *standing_still(file.case),
                *around(file),
                (word, weight),
            )
        )

    def _show_index(self) -> None:
        self._say_headline()
        shown = [*self._panels, *self._late]
        index = self.query_one("#index", VirtualTable)

        def cells(at: int) -> tuple[Cell, Cell]:
            panel = shown[at]
            count = str(panel.marked) if panel.marked else ""
            number = f"{at + 1} " if at < _NUMBERED else "  "
            return Cell(f"{number}{panel.title}", panel.tone if count else "plain"), Cell(
                count, panel.tone
            )

        before = index.row
        index.show(Rows.of([each.title for each in shown], cells))
        if index.row == before or not before:
            self._show_panel()
        self.refresh_bindings()

    def _panel(self) -> Panel | None:
        row = self.query_one("#index", VirtualTable).row
        return next((each for each in (*self._panels, *self._late) if each.title == row), None)

    def _show_panel(self) -> None:
        panel = self._panel()
        if panel is None:
            return
        self.query_one("#panel-title", Static).update(
            said((harmless(panel.title), "head"), (f"  {len(panel.rows)}", "muted"))
        )
        self.query_one("#rows", VirtualTable).say(panel.nothing or "Nothing here.")
        self._show_rows(panel)
        self.query_one("#detail", VerticalScroll).scroll_home(animate=False)

    def _show_rows(self, panel: Panel) -> None:
        self._rows = panel.rows
        ids = [str(at) for at in range(len(panel.rows))]
        rows = Rows.of(ids, lambda at: panel.rows[at].cells)
        self.query_one("#rows", VirtualTable).show(rows, panel.columns)
        self._show_look()

    def _show_look(self) -> None:
        row = self._row()
        self.query_one("#detail-text", Static).update(said(*(row.look if row else ())))

    # --- acts ----------------------------------------------------------------------------------

    @on(VirtualTable.Moved, "#index")
    def other_panel(self) -> None:
        """Another panel, from its first row."""
        self._cited_by = None
        self.query_one("#rows", VirtualTable).cursor = 0
        self._show_panel()

    @on(VirtualTable.Opened, "#index")
    def into_panel(self) -> None:
        """Into its rows."""
        self.query_one("#rows", VirtualTable).focus()

    @on(VirtualTable.Moved, "#rows")
    def other_row(self) -> None:
        """A closer look at another row."""
        self._show_look()
        self.query_one("#detail", VerticalScroll).scroll_home(animate=False)

    @on(VirtualTable.Opened, "#rows")
    def action_place(self) -> None:
        """From a finding or a row to the place where it was read."""
        row, here = self._row(), self._panel()
        target = next((each for each in self._panels if each.title == "Documents"), None)
        if here is target and row is not None and row.places:
            self.action_document()
            return
        if row is None or not row.places or target is None:
            return
        places = [each.places[0] for each in target.rows if each.places]
        first = row.places[0]
        wanted = first if first in places else (first[0], "")
        if wanted not in places:
            self.app.notify(f"{harmless(first[0])} is no document that was read.", markup=False)
            return
        cited_by = (here.title, self.query_one("#rows", VirtualTable).cursor) if here else None
        self._go_to(target.title, places.index(wanted))
        self._cited_by = cited_by

    def action_section(self, number: int) -> None:
        """To the rows of a section, by its number."""
        self._go_to((*self._panels, *self._late)[number - 1].title, 0)

    def _go_to(self, title: str, row: int) -> None:
        """To a row of a section."""
        self._cited_by = None
        with self.prevent(VirtualTable.Moved):  # which would go to the section's first row
            self.query_one("#index", VirtualTable).go_to(title)
        self._show_panel()
        rows = self.query_one("#rows", VirtualTable)
        rows.cursor = row
        rows.focus()

    def action_pane(self) -> None:
        """To the other pane."""
        index = self.query_one("#index", VirtualTable)
        (self.query_one("#rows", VirtualTable) if index.has_focus else index).focus()

    def action_back(self) -> None:
        """From a place to what cites it, from the rows to the index, from there to the list."""
        index = self.query_one("#index", VirtualTable)
        if index.has_focus:
            self.dismiss()
        elif self._cited_by is not None:
            self._go_to(*self._cited_by)
        else:
            index.focus()

    def action_load(self) -> None:
        """Read it again."""
        self.load()

    def action_anew(self) -> None:
        """From what is void to what is asked instead."""
        after = None if self._file is None else self._file.checkpoint.replaced_by
        if after is not None:
            self._checkpoint, self._stale = after, True
            self.load()

    def action_replay(self) -> None:
        """Step through what happened in this case."""
        if self._file is not None:
            from tui.screens.replay import Replay  # noqa: PLC0415 - not before it is asked for

            self.app.push_screen(Replay(self._file.case.id))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what this person can do here, and nothing else."""
        if action == "section":
            return int(str(parameters[0])) <= len(self._panels) + len(self._late)
        if action == "anew":
            return self._file is not None and self._file.checkpoint.replaced_by is not None
        if action != "decide":
            return super().check_action(action, parameters)
        if self._file is None or not self.console.signed_in:
            return False
        return self._offered(self._file, str(parameters[0]))

    def _offered(self, file: CaseFile, verdict: str) -> bool:
        mine = file.prospect
        match verdict:
            case Verdict.APPROVE.value:
                return mine.may_approve
            case Verdict.WITHDRAW.value:
                return mine.may_withdraw
            case _:
                return mine.may_decide

    def action_decide(self, verdict: str) -> None:
        """Open the dialog of an act."""
        if self._file is None:
            return
        if self._stale:
            self.app.notify("It is being read again: look first.", markup=False)
            return
        self.app.push_screen(Decide(self._file, Verdict(verdict)), self._done)
