"""The dialog of every other signed act: it names act and target, asks what is needed, and signs."""

from typing import ClassVar

from pydantic import ValidationError
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from placet.model import first_error
from tui.acts import Ask, Deed
from tui.answers import Away, NotShown, Refused
from tui.asking import leave
from tui.drafts import BACK, Drafting
from tui.said import said
from tui.session import WrongKey
from tui.text import harmless
from tui.widgets.act_button import ActButton


class Act(ModalScreen[str | None], Drafting):
    """One act on one target."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="act.cancel", tooltip="Sign nothing"),
    ]
    AUTO_FOCUS = ""  # of Textual's own, which scrolls

    def __init__(self, deed: Deed) -> None:
        super().__init__()
        self._deed = deed
        self._words = harmless(deed.words)

    @property
    def about(self) -> str:
        """One act on one target."""
        return f"{self._deed.signs} {self._deed.words}"

    def compose(self) -> ComposeResult:
        """The act, what it asks, and two buttons."""
        with VerticalScroll(id="act", classes="dialog", can_focus=False):
            yield Static(said((f"{self._words}?", "head")), classes="dialog-title")
            yield Static(said((harmless(self._deed.effect), "muted")))
            signs = harmless(self._deed.signs)
            yield Static(said(("What is signed: ", "muted"), (signs, "accent")), id="act-signs")
            if self._deed.look:
                yield Static(said(*self._deed.look), id="act-look")
            for ask in self._deed.asks:
                yield Label(ask.label)
                yield _field(ask)
            if self.session.protected:
                yield Label("Passphrase of your key")
                yield Input(password=True, id="passphrase", placeholder=harmless(self.console.hint))
            with Vertical(classes="dialog-foot"):
                yield Static(id="act-said", classes="dialog-said")
                with Horizontal(classes="dialog-buttons"):
                    yield Button("Cancel", id="cancel")
                    yield ActButton(self._words, id="sign", variant="warning")

    def on_mount(self) -> None:
        """Begin at Cancel."""
        if self.take_up():
            self._say(BACK, "muted")
        self.begin(*(each.name for each in self._deed.asks if each.must))

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Sign nothing, if it is not on its way."""
        if self.signing:
            self._say("It is on its way: the authority has not answered yet.", "muted")
        else:
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
        """Look whether all is there, then sign."""
        told: dict[str, str] = {}
        for ask in self._deed.asks:
            told[ask.name] = self._told(ask)
            if ask.must and not told[ask.name]:
                self._say(ask.must)
                self.query_one(f"#{ask.name}").focus()
                return
        secret = self.query_one("#passphrase", Input).value if self.session.protected else ""
        if self.session.protected and not secret:
            self._say("Type the passphrase of your key: it signs this.")
            self.query_one("#passphrase", Input).focus()
        elif not self.signing:
            self.sign(told, secret)

    def _told(self, ask: Ask) -> str:
        if ask.choices:
            chosen = self.query_one(f"#{ask.name}", Select).value
            return chosen if isinstance(chosen, str) else ""
        return self.query_one(f"#{ask.name}", Input).value.strip()

    @work(exclusive=True, group="sign")
    async def sign(self, told: dict[str, str], secret: str) -> None:
        """Sign and send; whatever goes wrong is said here, and what was typed is kept."""
        self.signing = True
        self._say("Signing …", "muted")
        try:
            await self.session.confirm(secret, self.typed)
            answer = await self._deed.send(self.session.gateway, told)
        except WrongKey as error:
            self._say(str(error))
            self.ask_passphrase_again()
        except (Away, Refused, NotShown) as error:
            self._say(str(error))
        except ValidationError as error:
            self._say(first_error(error)[1])
        except ValueError as error:
            self._say(str(error))
        else:
            done = f"{self._words}: recorded as entry {answer.entry}"
            if answer.status == "proposed":
                done = f"{self._words}: proposed; it waits for a second administrator"
            if self._deed.handed:
                self.app.push_screen(Handed(self._deed), lambda _: self.dismiss(done))
            else:
                leave(self, done)
        self.signing = False

    def _say(self, text: str, tone: str = "bad") -> None:
        self.query_one("#act-said", Static).update(said((harmless(text), tone)))


class Handed(ModalScreen[None]):
    """What comes of an act and is shown once; ``c`` copies the secret in it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close", id="handed.close", tooltip="Never shown again"),
        Binding("c", "copy", "Copy", id="handed.copy", tooltip="Copy it through the terminal"),
    ]

    def __init__(self, deed: Deed) -> None:
        super().__init__()
        self._deed = deed

    def compose(self) -> ComposeResult:
        """What is handed over, and two buttons."""
        with VerticalScroll(id="handed", classes="dialog", can_focus=False):
            yield Static(said(*self._deed.handed))
            with Horizontal(classes="dialog-buttons"):
                yield Button("Copy", id="copy")
                yield Button("Close", id="close", variant="primary")

    def on_mount(self) -> None:
        """Copying first: closing loses it."""
        self.set_focus(self.query_one("#copy", Button))

    @on(Button.Pressed, "#copy")
    def action_copy(self) -> None:
        """Copy it."""
        self.app.copy_to_clipboard(self._deed.secret)
        self.app.notify("Copied.", markup=False)

    @on(Button.Pressed, "#close")
    def close(self) -> None:
        """It is gone from the screen."""
        self.dismiss()


def _field(ask: Ask) -> Input | Select[str]:
    if not ask.choices:
        shown = harmless(ask.value)  # a field draws what it holds; what is seen is what is signed
        return Input(shown, id=ask.name, max_length=ask.longest, placeholder=ask.hint)
    options = [(harmless(each), each) for each in ask.choices]
    if ask.value:
        return Select(options, value=ask.value, id=ask.name, compact=True)
    return Select(options, prompt="choose", id=ask.name, compact=True)
