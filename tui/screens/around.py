"""What people do around a checkpoint, beside deciding: each act by key, palette and mouse.

Each is offered to whom it is open to, as far as roles and the process tell; the authority decides.
"""

from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen

from placet.cli import File, files_of
from placet.model import ADMINISTRATOR, CheckpointDefinition, CheckpointStatus, Governance
from tui import acts, words
from tui.acts import Deed
from tui.answers import CaseFile
from tui.asking import Asking
from tui.evidence import documents, lowerable
from tui.panels import PanelRow
from tui.screens.act import Act
from tui.screens.comment import Comment
from tui.screens.document import AttachedScreen, DocumentScreen
from tui.text import harmless
from tui.widgets.table import VirtualTable

AUDITOR = "auditor"
_ACTS = frozenset(
    {
        *("claim", "comment", "attach", "lower", "key", "recall", "emergency", "hold", "lift"),
        *("document", "write"),
    }
)


class Around(Screen[None], Asking):
    """A screen of one checkpoint: what it reads and shows, its rows among it, is its heir's."""

    # The decisions, which are the heir's, stand first at the foot of the screen.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="case.back", tooltip="Back to the list"),
        Binding("a", "decide('approve')", "Approve", id="case.approve", tooltip="Approve this"),
        Binding(
            "r", "decide('reject')", "Reject", id="case.reject", tooltip="Reject this for good"
        ),
        Binding(
            "b",
            "decide('return')",
            "Return",
            id="case.return",
            tooltip="Send it back: whoever opened it answers, and the checks run again",
        ),
        Binding(
            "x",
            "decide('abstain')",
            "Abstain",
            id="case.abstain",
            tooltip="Stand aside for good, say for a conflict of interest",
            show=False,
        ),
        Binding(
            "w", "decide('withdraw')", "Withdraw", id="case.withdraw", tooltip="Take my word back"
        ),
        Binding("t", "claim", "Claim", id="case.claim", tooltip="Say that you see to it, or not"),
        Binding("m", "comment", "Comment", id="case.comment", tooltip="Say something about it"),
        Binding("f", "attach", "Attach", id="case.attach", tooltip="Attach a file", show=False),
        Binding(
            "l", "lower", "Lower", id="case.lower", tooltip="Approve less: take amounts off rows"
        ),
        Binding("K", "key", "Key", id="case.key", tooltip="Key what could not be read there"),
        Binding("v", "document", "Document", id="case.document", tooltip="Read it where it stands"),
        Binding("e", "write", "Write", id="case.write", tooltip="A letter, a worksheet, …"),
        Binding(
            "R",
            "recall",
            "Recall",
            id="case.recall",
            tooltip="Ask everybody anew (administrators)",
            show=False,
        ),
        Binding("h", "hold", "Hold", id="case.hold", tooltip="Put a hold on it", show=False),
        Binding("H", "lift", "Lift hold", id="case.lift", tooltip="Lift a hold", show=False),
        Binding(
            "exclamation_mark",
            "emergency",
            "Emergency",
            id="case.emergency",
            tooltip="Let it be approved by the emergency path, for a while",
            show=False,
        ),
    ]

    _file: CaseFile | None = None
    _governance: Governance | None = None
    _rows: tuple[PanelRow, ...] = ()
    _own_act = False  # in one's own name, and what came of it is not read yet

    class Acted(Message):
        """An act was done: what is shown is to be read again."""

    def _row(self) -> PanelRow | None:
        """The row under the cursor."""
        at = self.query_one("#rows", VirtualTable).row
        return self._rows[int(at)] if at and int(at) < len(self._rows) else None

    # --- what is offered -----------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what this person can do here, and nothing else."""
        if action not in _ACTS:
            return super().check_action(action, parameters)
        file = self._file
        if file is None or not self.console.signed_in:
            return False
        return self._offers(action, file, frozenset(self.session.me.roles))

    def _offers(self, action: str, file: CaseFile, roles: frozenset[str]) -> bool:
        open_ = file.checkpoint.status is CheckpointStatus.OPEN
        works = roles != {AUDITOR}
        asked = self._asked(file)
        match action:
            case "document":
                attached = any(each.name for each in file.checkpoint.remarks)
                return attached or bool(self._files(file))
            case "write":
                return bool(roles - {AUDITOR})
            case "hold":
                return works
            case "lift":
                return works and file.case.held_on is not None
            case "comment" | "attach":
                return open_ and works
            case "claim":
                return open_ and file.prospect.may_decide
            case "lower":
                lowers = asked is not None and asked.adjustments is not None
                may = file.prospect.may_decide and self._lowerable(file) is not None
                return open_ and lowers and may
            case "key":
                matrix = self.session.gateway.matrix(file.case.process)
                keyers = frozenset(matrix.keyers if matrix else ())
                keyed = asked is not None and asked.keyed is not None
                fields = file.definition.presentation.keyed if file.definition else ()
                may = bool(roles & keyers) and bool(fields) and bool(self._files(file))
                return open_ and keyed and may
            case "recall":
                return open_ and ADMINISTRATOR in roles
            case _:
                rule = self._governance.break_glass if self._governance else None
                return open_ and rule is not None and not roles.isdisjoint(rule.openers)

    def _asked(self, file: CaseFile) -> CheckpointDefinition | None:
        return file.definition.checkpoint(file.checkpoint.name) if file.definition else None

    def _files(self, file: CaseFile) -> tuple[File, ...]:
        return files_of(file.definition.presentation, file.parts) if file.definition else ()

    def _lowerable(self, file: CaseFile) -> object:
        return lowerable(file.definition, file.parts) if file.definition else None

    def _subject(self, file: CaseFile) -> str:
        return words.subject_words(file.definition, file.checkpoint.subject)

    # --- acts ----------------------------------------------------------------------------------

    def _ask_act(self, deed: Deed) -> None:
        self.app.push_screen(Act(deed), self._done)

    def _done(self, done: str | None) -> None:
        if done:
            self._own_act = True
            self.app.notify(done, markup=False)
            self.post_message(self.Acted())

    def action_claim(self) -> None:
        """Say that I see to it, or that I no longer do."""
        self.claim()

    @work(exclusive=True, group="claim")
    async def claim(self) -> None:
        """A signed act without a passphrase: it decides nothing."""
        if self._file is None:
            return
        view = self._file.checkpoint
        back = view.claim is not None and view.claim.operator == self.session.me.principal
        if await self.ask(self.session.gateway.claim(view.id, back=back)) is not None:
            self.app.notify("No longer claimed." if back else "Claimed.", markup=False)
            self.post_message(self.Acted())

    def action_comment(self) -> None:
        """Say something about it."""
        if self._file is not None:
            self.app.push_screen(Comment(self._file.checkpoint.id), self._done)

    def action_attach(self) -> None:
        """Attach a file."""
        if self._file is not None:
            self._ask_act(acts.attach(self._file.checkpoint, self._subject(self._file)))

    def action_recall(self) -> None:
        """Ask everybody anew."""
        if self._file is not None:
            self._ask_act(acts.recall(self._file.checkpoint, self._subject(self._file)))

    def action_emergency(self) -> None:
        """The emergency path."""
        if self._file is not None:
            self._ask_act(acts.break_glass(self._file.checkpoint, self._subject(self._file)))

    def action_hold(self) -> None:
        """A signed stop on the record."""
        if self._file is not None:
            self._ask_act(acts.hold(self._file.checkpoint.subject, self._subject(self._file)))

    def action_lift(self) -> None:
        """The end of a hold."""
        held_on = self._file.case.held_on if self._file is not None else None
        if self._file is not None and held_on is not None:
            self._ask_act(acts.lift(held_on, self._subject(self._file)))

    def action_lower(self) -> None:
        """Take amounts off rows; the row under the cursor first."""
        file = self._file
        rows = lowerable(file.definition, file.parts) if file and file.definition else None
        if file is None or rows is None:
            return
        from tui.screens.lower import Lower  # noqa: PLC0415 - not before it is asked for

        row = self._row()
        self.app.push_screen(Lower(file, rows, row.item if row else ""), self._done)

    def action_key(self) -> None:
        """Key what could not be read at the row's place."""
        file, place = self._file, self._place()
        if file is None or file.definition is None or place is None:
            return
        from tui.screens.key import KeyIn  # noqa: PLC0415 - not before it is asked for

        document, spot = place
        found = documents(file.parts, file.checkpoint.evidence.proposal.findings)
        unread = next((each.unread for each in found if each.name == document.name), ())
        fields = file.definition.presentation.keyed
        self.app.push_screen(KeyIn(file, document, spot, fields, unread), self._done)

    def action_document(self) -> None:
        """Read the document of the row under the cursor, where it is cited; or an attached file."""
        row, file = self._row(), self._file
        if row is not None and file is not None and row.attached:
            remark = next(each for each in file.checkpoint.remarks if each.act == row.attached)
            self.app.push_screen(AttachedScreen(file.checkpoint, remark))
            return
        place = self._place()
        if file is not None and place is not None:
            self.app.push_screen(DocumentScreen(file.case.process, file.checkpoint.subject, *place))

    def _place(self) -> tuple[File, str] | None:
        """The document of the row under the cursor, and the spot in it."""
        row, file = self._row(), self._file
        files = self._files(file) if file else ()
        for document, spot in row.places if row else ():
            for each in files:
                if each.name == document:
                    return each, spot
        cited = harmless(row.places[0][0]) if row and row.places else ""
        self.app.notify(
            f"{cited} is no document of this case."
            if cited
            else "Put the cursor on a row that cites a document: a finding, or under Documents.",
            markup=False,
        )
        return None

    def action_write(self) -> None:
        """A letter, a worksheet: what the process's package writes from what is shown."""
        if self._file is not None:
            from tui.screens.papers import Papers  # noqa: PLC0415 - not before it is asked for

            self.app.push_screen(Papers(self._file))
