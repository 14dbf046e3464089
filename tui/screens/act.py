"""The dialog of every other signed act: it names act and target, asks why, and signs."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from placet.model import Hold, Reason
from tui.asking import Asking
from tui.gateway import Away, Refused
from tui.said import said
from tui.session import WrongKey
from tui.text import harmless

_BODIES: Mapping[str, type[BaseModel]] = {"hold.place": Hold}


class Act(ModalScreen[str | None], Asking):
    """One act on one target, with its reason."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="act.cancel", tooltip="Sign nothing"),
    ]

    def __init__(self, act: str, target: str, words: str, effect: str) -> None:
        super().__init__()
        self._act = act
        self._target = target
        self._words = harmless(words)
        self._effect = effect
        self._signing = False

    def compose(self) -> ComposeResult:
        """The act, why, and two buttons."""
        with VerticalScroll(id="act", classes="dialog", can_focus=False):
            yield Static(said((f"{self._words}?", "head")), classes="dialog-title")
            yield Static(said((self._effect, "muted")))
            yield Label("Why; it is kept beside the ledger")
            yield Input(id="why", max_length=500)
            if self.session.protected:
                yield Label("Passphrase of your key")
                yield Input(password=True, id="passphrase")
            yield Static(id="act-said", classes="dialog-said")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel")
                yield Button(said(self._words), id="sign", variant="warning")

    def on_mount(self) -> None:
        """Cancel first."""
        self.query_one("#cancel", Button).focus()

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Sign nothing."""
        if not self._signing:
            self.dismiss(None)

    @on(Input.Submitted)
    def onwards(self) -> None:
        """Enter goes on, and never signs."""
        self.focus_next()

    @on(Button.Pressed, "#sign")
    def pressed(self) -> None:
        """Look whether all is there, then sign."""
        why = self.query_one("#why", Input).value.strip()
        secret = self.query_one("#passphrase", Input).value if self.session.protected else ""
        if not why:
            self._say("Say why.")
            self.query_one("#why", Input).focus()
        elif self.session.protected and not secret:
            self._say("Type the passphrase of your key: it signs this.")
            self.query_one("#passphrase", Input).focus()
        elif not self._signing:
            self.sign(why, secret)

    @work(exclusive=True, group="sign")
    async def sign(self, why: str, secret: str) -> None:
        """Sign and send; whatever goes wrong is said here, and what was typed is kept."""
        self._signing = True
        self._say("Signing …", "muted")
        body: Any = _BODIES.get(self._act, Reason)(reason=why)
        try:
            await self.session.confirm(secret)
            answer = await self.session.gateway.act(self._act, self._target, body)
        except (WrongKey, Away, Refused) as error:
            self._say(str(error))
        else:
            done = f"{self._words}: recorded as entry {answer.entry}"
            if answer.status == "proposed":
                done = f"{self._words}: proposed; it waits for a second administrator"
            self.dismiss(done)
        self._signing = False

    def _say(self, text: str, tone: str = "bad") -> None:
        self.query_one("#act-said", Static).update(said((harmless(text), tone)))
