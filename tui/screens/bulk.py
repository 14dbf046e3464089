"""One word on many: each read, named and signed on its own evidence."""

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from placet.model import CheckpointLine, CheckpointView, FindingCounts, Verdict
from tui import words
from tui.answers import Away, NotShown, Refused, TooLong
from tui.drafts import BACK, Drafting
from tui.said import said
from tui.screens.decide import VERBS
from tui.session import WrongKey
from tui.text import harmless
from tui.waiting import findings_cell
from tui.widgets.act_button import ActButton
from tui.widgets.table import Cell, Column, Rows, VirtualTable

MAX_AT_ONCE = 50
_TOLD = 5  # refusals that are told whole
_HELD = ("left out: on hold", "warn")
_TONES = {True: "good", False: "bad"}
_COLUMNS = (
    Column("What", 22, grow=3, names=True),
    Column("Amount", 14, right=True),
    Column("Findings", 12, grow=1, least=5),
    Column("How it went", 14, grow=2),
)
_WITHOUT_AMOUNTS = (Column("What", 38, grow=3, names=True), *_COLUMNS[2:])


class Bulk(ModalScreen[None], Drafting):
    """Decides the lines that can be decided so: open, mine.

    To approve, with no blocking finding and under no hold: what is approved under one ends void.

    Rejecting and returning take one reason for all of them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Close", id="bulk.close", tooltip="Sign nothing more"),
    ]
    AUTO_FOCUS = ""  # of Textual's own, which scrolls

    def __init__(self, lines: Sequence[CheckpointLine], verdict: Verdict) -> None:
        super().__init__()
        self._verdict = verdict
        self._lines = list(lines)[:MAX_AT_ONCE]
        self._left_out = len(lines) - len(self._lines)
        self._views: dict[str, CheckpointView] = {}
        self._went: dict[str, tuple[str, str]] = {}
        self._busy = False
        self._over = False

    @property
    def about(self) -> str:
        """One word on these."""
        return " ".join([self._verdict.value, *sorted(each.id for each in self._lines)])

    def compose(self) -> ComposeResult:
        """What would be signed, one by one."""
        with VerticalScroll(id="bulk", classes="dialog -wide-dialog", can_focus=False):
            yield Static(id="bulk-title", classes="dialog-title")
            columns = _COLUMNS if self._amounts else _WITHOUT_AMOUNTS
            table = VirtualTable(columns, id="bulk-table")
            table.styles.height = min(len(self._lines) + 1, 12)
            yield table
            yield Static(id="fixed")
            for effect in self._effects():
                yield Static(said((harmless(effect), "muted")))
            if self._turns_back:
                yield Label("Reason, for all of them")
                yield Select(
                    [(each.replace("_", " "), each) for each in self._reasons()],
                    prompt="choose a reason",
                    id="reason",
                    compact=True,
                )
                yield Label("Comment, kept with each")
                yield Input(id="comment", max_length=2000)
            if self.session.protected:
                yield Label("Passphrase of your key")
                yield Input(password=True, id="passphrase")
            yield Static(id="bulk-said", classes="dialog-said")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel")
                yield ActButton(
                    VERBS[self._verdict],
                    id="sign",
                    variant="error" if self._verdict is Verdict.REJECT else "primary",
                    disabled=True,
                )

    @property
    def _amounts(self) -> bool:
        return any(each.amount is not None for each in self._lines)

    @property
    def _turns_back(self) -> bool:
        return self._verdict is not Verdict.APPROVE

    def _effects(self) -> tuple[str, ...]:
        """What the word does there, each sentence once."""
        asked = [
            made.checkpoint(each.name) if made else None
            for each in self._lines
            for made in (self.session.gateway.newest_definition(each.process),)
        ]
        return tuple(dict.fromkeys(words.effect_words(each, self._verdict) for each in asked))

    def _reasons(self) -> tuple[str, ...]:
        """The reasons that the processes of all of them know."""
        gateway = self.session.gateway
        known = [gateway.newest_definition(each.process) for each in self._lines]
        told = [each.presentation.reasons if each else () for each in known]
        return tuple(each for each in told[0] if all(each in x for x in told)) or ("other",)

    def on_mount(self) -> None:
        """Begin at Cancel, and read each meanwhile."""
        back = self.take_up()
        self.begin("reason")
        self._show()
        self.read(BACK if back else "")

    @work(exclusive=True, group="bulk")
    async def read(self, then: str) -> None:
        """Read each checkpoint, since each is signed on what it shows."""
        self._say("Reading each …", "muted")
        for line in self._lines:
            if not line.mine:
                self._went[line.id] = ("left out: not for you", "muted")
            elif line.findings.blocking and not self._turns_back:
                self._went[line.id] = ("left out: blocking", "warn")
            elif line.held_on is not None and not self._turns_back:
                self._went[line.id] = _HELD
            else:
                await self._read_one(line)
            self._show()
        self._say(then, "muted")
        button = self.query_one("#sign", ActButton)
        button.say(self._act)
        button.disabled = not self._views

    async def _read_one(self, line: CheckpointLine) -> None:
        """Read one; what the list names must be what is signed, or it is left out."""
        gateway = self.session.gateway
        made = gateway.newest_definition(line.process)
        asked = made.checkpoint(line.name) if made else None
        view, about = None, None
        if line.about is None and (asked is None or asked.about is None):
            view = await self.ask(gateway.checkpoint(line.id))
        elif (file := await self.ask(gateway.case_file(line.id))) is not None:
            view, about = file.checkpoint, file.about
        if view is None:
            self._went[line.id] = ("left out: can't be read now", "warn")
        elif not _is_listed(line, view, about):
            self._went[line.id] = ("left out: not as listed", "bad")
        else:
            self._views[line.id] = view

    @property
    def _act(self) -> str:
        total = sum(
            (each.evidence.proposal.amount or Decimal(0) for each in self._views.values()),
            Decimal(0),
        )
        sign = words.currency(self.session.gateway.newest_definition(self._lines[0].process))
        verb, count = VERBS[self._verdict], len(self._views)
        if self._turns_back or not count or not self._amounts:
            return f"{verb} {count or 'none'} together"
        return f"{verb} {count} for {words.money(total, sign)} together"

    def _show(self) -> None:
        left = f" ({self._left_out} more than can be done at once are left out)" * bool(
            self._left_out
        )
        self.query_one("#bulk-title", Static).update(said((f"{self._act}?{left}", "head")))

        def cells(at: int) -> tuple[Cell, ...]:
            line = self._lines[at]
            definition = self.session.gateway.newest_definition(line.process)
            amount = Cell(words.money(line.amount, words.currency(definition)))
            text, tone = self._went.get(line.id, ("", "plain"))
            return (
                Cell(harmless(self._words_of(line))),
                *((amount,) if self._amounts else ()),
                findings_cell(line),
                Cell(harmless(text), tone),
            )

        self.query_one(VirtualTable).show(Rows.of([each.id for each in self._lines], cells))
        self.show_what_is_fixed()

    @on(VirtualTable.Moved)
    def show_what_is_fixed(self) -> None:
        """What is signed of the row under the cursor, as its evidence names it."""
        view = self._views.get(self.query_one(VirtualTable).row)
        text = f"what is signed: {words.fixed_words(view.evidence)}" if view else ""
        self.query_one("#fixed", Static).update(said((text, "accent")))

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Close; what was signed stays signed."""
        if self._busy:
            return
        if not self._over:
            self.put_down()
        self.dismiss(None)

    @on(Input.Submitted)
    def onwards(self, event: Input.Submitted) -> None:
        """Enter goes on, at last to the button that names the act, and never signs."""
        if event.input.id == "passphrase":
            self.query_one("#sign", Button).focus()
        else:
            self.focus_next()

    @on(Button.Pressed, "#sign")
    def pressed(self) -> None:
        """Sign each."""
        secret = self.query_one("#passphrase", Input).value if self.session.protected else ""
        if self.session.protected and not secret:
            self._say("Type the passphrase of your key: it signs each of these.")
            self.query_one("#passphrase", Input).focus()
            return
        why, comment = None, ""
        if self._turns_back:
            chosen = self.query_one("#reason", Select)
            why = chosen.value if isinstance(chosen.value, str) else None
            comment = self.query_one("#comment", Input).value.strip()
            if why is None:
                self._say("Choose a reason: it stands for all of them.")
                chosen.focus()
                return
        self.sign(secret, why, comment or None)

    @work(exclusive=True, group="sign")
    async def sign(self, secret: str, why: str | None, comment: str | None) -> None:
        """One after the other; one that fails stops no other."""
        try:
            amounts = [each.evidence.proposal.amount for each in self._views.values()]
            most = None if None in amounts else max(each for each in amounts if each is not None)
            await self.session.prove(
                secret, self.typed, (self._verdict, most), lambda text: self._say(text, "accent")
            )
        except WrongKey as error:
            self._say(str(error))
            self.ask_passphrase_again()
            return
        except (Away, Refused) as error:
            self._say(str(error))
            return
        self._busy = self._over = True
        self.query_one("#sign", Button).disabled = True
        for name, view in self._views.items():
            self._went[name] = await self._sign_one(view, why, comment)
            self._show()
        done = sum(tone == "good" for _, tone in self._went.values())
        self._busy = False
        self._say(f"{done} of {len(self._views)} recorded.{self._not_done()}", _TONES[bool(done)])
        button = self.query_one("#cancel", Button)
        button.label = "Close"
        button.focus()

    def _not_done(self) -> str:
        """Why each that was to be signed was not, whole: the table may have to cut it."""
        refused = [
            f"\n{self._words_of(line)}: {self._went[line.id][0]}"
            for line in self._lines
            if line.id in self._views and self._went[line.id][1] == "bad"
        ]
        more = f"\nand {len(refused) - _TOLD} more" if len(refused) > _TOLD else ""
        return "".join(refused[:_TOLD]) + more

    def _words_of(self, line: CheckpointLine) -> str:
        definition = self.session.gateway.newest_definition(line.process)
        return words.line_words(definition, line.subject, line.about)

    async def _sign_one(
        self, view: CheckpointView, why: str | None, comment: str | None
    ) -> tuple[str, str]:
        gateway = self.session.gateway
        try:
            if not self._turns_back and (await gateway.prospect(view.id)).held_on is not None:
                return _HELD
            signed = await gateway.sign(
                view,
                self._verdict,
                amount=None if self._turns_back else view.evidence.proposal.amount,
                reason_code=why,
                exceptions={},
                comment=comment,
            )
            answer = await gateway.send(view.id, signed)
        except (Refused, NotShown, TooLong) as error:
            return f"refused: {error}", "bad"
        except Away as error:
            return f"not known: {error}", "bad"
        return f"recorded, {answer.outcome.status.value}", "good"

    def _say(self, text: str, tone: str = "bad") -> None:
        self.query_one("#bulk-said", Static).update(said((harmless(text, lines=True), tone)))


def _is_listed(line: CheckpointLine, view: CheckpointView, about: str | None) -> bool:
    """Whether a list's row says what the evidence does: nobody signed the list."""
    proposal = view.evidence.proposal
    found = [each.severity.value for each in proposal.findings]
    counts = FindingCounts(**{each: found.count(each) for each in set(found)})
    said = (line.case, line.name, line.subject, line.amount, line.findings, line.about)
    return said == (view.case, view.name, view.subject, proposal.amount, counts, about)
