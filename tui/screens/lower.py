"""Approving less: amounts taken off rows, each with its reason; what is left is said."""

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from placet.model import RowCut, parse_money
from tui import words
from tui.answers import Away, CaseFile, NotShown, Refused
from tui.asking import leave
from tui.drafts import BACK, Drafting
from tui.evidence import Lowerable
from tui.said import said
from tui.session import WrongKey
from tui.text import harmless
from tui.widgets.table import Cell, Column, Rows, VirtualTable


class Lower(ModalScreen[str | None], Drafting):
    """Rows, what is taken off the one under the cursor, and why."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="lower.cancel", tooltip="Sign nothing"),
    ]

    def __init__(self, file: CaseFile, rows: Lowerable, start: str = "") -> None:
        super().__init__()
        self._file = file
        self._rows = rows
        self._start = start
        self._cuts: dict[str, RowCut] = {}

    @property
    def _proposed(self) -> Decimal:
        return self._file.checkpoint.evidence.proposal.amount or Decimal(0)

    @property
    def _left(self) -> Decimal:
        return self._proposed - sum((each.amount for each in self._cuts.values()), Decimal(0))

    @property
    def _act(self) -> str:
        sign = words.currency(self._file.definition)
        subject = words.subject_words(self._file.definition, self._file.checkpoint.subject)
        proposed = words.money(self._proposed, sign)
        to = f" to {words.money(self._left, sign)}" if self._cuts else ""
        return harmless(f"Lower {subject} from {proposed}{to}")

    @property
    def about(self) -> str:
        """What one checkpoint proposes."""
        return self._file.checkpoint.id

    def compose(self) -> ComposeResult:
        """The rows, two lines for the one under the cursor, and two buttons."""
        labels = self._rows.labels
        columns = [Column("Row", 8)]
        columns += [
            Column(each, 13, right=number, grow=0 if number else 1, drop=at)
            for at, (each, number) in enumerate(labels)
        ]
        columns += [Column("Taken off", 14, right=True), Column("Why", 12, grow=1)]
        with VerticalScroll(id="lower", classes="dialog -wide-dialog", can_focus=False):
            yield Static(id="lower-title", classes="dialog-title")
            effect = "Earlier approvals are void; the checks run again, and all are asked anew."
            yield Static(said((effect, "muted")))
            fixed = words.fixed_words(self._file.checkpoint.evidence)
            yield Static(said((f"what is signed: {fixed}", "accent")))
            table = VirtualTable(columns, id="lower-rows")
            table.styles.height = min(len(self._rows.items) + 1, 11)
            yield table
            yield Label("Take off the row under the cursor, and why; enter takes it over")
            with Horizontal(classes="pair"):
                yield Input(id="off", max_length=20, placeholder="0.00")
                yield Input(id="row-why", max_length=200, placeholder="why")
            if self.session.protected:
                yield Label("Passphrase of your key")
                yield Input(password=True, id="passphrase", placeholder=harmless(self.console.hint))
            yield Static(id="lower-said", classes="dialog-said")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel")
                yield Button("Lower", id="sign", variant="warning", disabled=True)

    def on_mount(self) -> None:
        """The rows first: nothing is signed from there."""
        table = self.query_one(VirtualTable)
        with self.prevent(VirtualTable.Moved):  # which would empty the fields that are filled here
            self._show()
            table.go_to(self._start)
            if self.take_up():
                self._say(BACK, "muted")
            self._show()
        self.set_focus(table)

    def written(self) -> dict[str, str]:
        """What is taken off each row, and what was typed of the row under the cursor."""
        cuts = {f"row {name}": f"{cut.amount:.2f} {cut.reason}" for name, cut in self._cuts.items()}
        typed = super().written()
        at = {"at": self.query_one(VirtualTable).row} if any(typed.values()) else {}
        return {**cuts, **typed, **at}

    def put_in(self, kept: Mapping[str, str]) -> None:
        """The same the other way, as far as the rows are still there."""
        for item in self._rows.items:
            off, _, why = kept.get(f"row {item}", "").partition(" ")
            if off:
                self._cuts[item] = RowCut(item=item, amount=parse_money(off), reason=why)
        if kept.get("at") in self._rows.items:
            self.query_one(VirtualTable).go_to(kept["at"])
            super().put_in(kept)

    def _show(self) -> None:
        self.query_one("#lower-title", Static).update(said((f"{self._act}?", "head")))
        button = self.query_one("#sign", Button)
        sign = words.currency(self._file.definition)
        button.label = said(f"Lower it to {words.money(self._left, sign)}")
        button.disabled = not self._cuts or self._left <= 0
        items = list(self._rows.items)

        def cells(at: int) -> tuple[Cell, ...]:
            item = items[at]
            cut = self._cuts.get(item)
            off = words.money(cut.amount) if cut else ""
            shown = (Cell(each) for each in self._rows.items[item])
            why = harmless(cut.reason) if cut else ""
            return (Cell(harmless(item)), *shown, Cell(off, "warn"), Cell(why, "warn"))

        self.query_one(VirtualTable).show(Rows.of(items, cells))

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """What was said of another row."""
        cut = self._cuts.get(self.query_one(VirtualTable).row)
        self.query_one("#off", Input).value = f"{cut.amount:.2f}" if cut else ""
        self.query_one("#row-why", Input).value = cut.reason if cut else ""

    @on(VirtualTable.Opened)
    def into(self) -> None:
        """Say what is taken off."""
        self.query_one("#off", Input).focus()

    @on(Input.Submitted, "#off")
    def onwards(self) -> None:
        """Now why."""
        self.query_one("#row-why", Input).focus()

    @on(Input.Submitted, "#row-why")
    def take_over(self) -> None:
        """Take it over for the row, and go to the rows again."""
        if self._taken_over():
            self.query_one(VirtualTable).focus()

    def _taken_over(self) -> bool:
        item = self.query_one(VirtualTable).row
        off = self.query_one("#off", Input).value.strip().replace(",", "")
        why = self.query_one("#row-why", Input).value.strip()
        if not off:
            self._cuts.pop(item, None)
        elif not why:
            self._say(f"Say why something is taken off row {item}.")
            self.query_one("#row-why", Input).focus()
            return False
        else:
            try:
                self._cuts[item] = RowCut(item=item, amount=parse_money(off), reason=why)
            except ValueError:
                self._say(f"{off!r} is no amount above nothing, such as 1200.00.")
                self.query_one("#off", Input).focus()
                return False
        self._say("" if self._left > 0 else "Nothing would be left: reject it, or return it.")
        self._show()
        return True

    @on(Input.Submitted, "#passphrase")
    def to_button(self) -> None:
        """Enter goes on to the button that names the act."""
        self.query_one("#sign", Button).focus()

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Sign nothing."""
        if not self.signing:
            self.put_down()
            self.dismiss(None)

    @on(Button.Pressed, "#sign")
    def pressed(self) -> None:
        """Look whether all is there, then sign what the button says."""
        secret = self.query_one("#passphrase", Input).value if self.session.protected else ""
        if self.session.protected and not secret:
            self._say("Type the passphrase of your key: it signs this.")
            self.query_one("#passphrase", Input).focus()
        elif not self.signing and self._cuts and self._left > 0:
            self.sign(secret)

    @work(exclusive=True, group="sign")
    async def sign(self, secret: str) -> None:
        """Sign and send; whatever goes wrong is said here."""
        self.signing = True
        self._say("Signing …", "muted")
        try:
            await self.session.confirm(secret, self.typed)
            cuts = list(self._cuts.values())
            answer = await self.session.gateway.lower(self._file.checkpoint, cuts)
        except WrongKey as error:
            self._say(str(error))
            self.ask_passphrase_again()
        except (Away, Refused, NotShown) as error:
            self._say(str(error))
        else:
            leave(self, f"{self._act}: recorded as entry {answer.entry}")
        self.signing = False

    def _say(self, text: str, tone: str = "bad") -> None:
        self.query_one("#lower-said", Static).update(said((harmless(text), tone)))
