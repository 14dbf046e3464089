"""Signing in, and coming back after a lock: the passphrase opens the key, which stays in memory."""

from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from tui.answers import Away, Refused
from tui.asking import Asking
from tui.said import said
from tui.session import Given, Session, Transport, WrongKey, sign_in, sign_in_with_provider
from tui.text import harmless

_NOT_GIVEN = Path()


class SignIn(ModalScreen[Session], Asking):
    """Asks who you are. Locked, it asks the same person again and shows nothing else.

    In the browser (``fixed``) nobody types a path of the machine that serves it. ``failed`` says
    why signing in with what was given at the start did not do.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Quit", id="sign-in.quit", tooltip="End the console"),
    ]

    def __init__(
        self,
        given: Given,
        *,
        locked: bool = False,
        fixed: bool = False,
        failed: str = "",
        transport: Transport = lambda: None,
    ) -> None:
        super().__init__()
        self._given = given
        self._locked = locked
        self._fixed = fixed or locked
        self._failed = failed
        self._transport = transport

    def compose(self) -> ComposeResult:
        """The form."""
        with Vertical(id="sign-in", classes="dialog"):
            yield Static(
                said(("Locked" if self._locked else "Placet", "head")), classes="dialog-title"
            )
            yield Static(
                said(
                    (
                        "Your work is kept: the passphrase leads back to it."
                        if self._locked
                        else "Regulated work, done by agents, decided by people.",
                        "muted",
                    )
                )
            )
            yield Label("Authority")
            yield Input(self._given.issuer, id="issuer", disabled=self._fixed)
            yield Label("Who you are")
            yield Input(
                self._given.operator, id="operator", placeholder="omar", disabled=self._fixed
            )
            with Vertical(id="key-file-row"):
                yield Label("Key file")
                path = "" if self._given.key_file == _NOT_GIVEN else str(self._given.key_file)
                yield Input(path, id="key-file", placeholder="~/omar.key", disabled=self._fixed)
            yield Label("Passphrase of the key")
            yield Input(password=True, id="passphrase", placeholder="kept in memory only")
            if self.console.hint:
                yield Static(said((harmless(self.console.hint), "accent")))
            yield Static(id="sign-in-said", classes="dialog-said")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Quit", id="quit")
                if not self._locked:
                    yield Button(
                        "At the provider",
                        id="provider",
                        tooltip="Sign in at the lender's identity provider",
                    )
                yield Button("Sign in", id="enter", variant="primary")

    def on_mount(self) -> None:
        """Start where something is missing."""
        self.query_one("#key-file-row").display = not self._fixed
        first = "#passphrase" if self._given.operator else "#operator"
        self.set_focus(self.query_one(first, Input))
        if self._failed:
            self._say(self._failed)

    @on(Input.Changed, "#operator")
    def other_person(self, event: Input.Changed) -> None:
        """The key of someone else lies beside it, if it is called like them."""
        box = self.query_one("#key-file", Input)
        path = Path(box.value or ".").expanduser()
        beside = path.with_name(f"{event.value}.key") if path.name else path
        if path.suffix == ".key" and event.value.isidentifier() and beside.is_file():
            box.value = str(beside)

    def check_action(
        self,
        action: str,
        parameters: tuple[object, ...],  # noqa: ARG002 - as Textual calls it
    ) -> bool | None:
        """Locked, no Escape out of habit ends the console with the work that it keeps."""
        return not (action == "leave" and self._locked)

    def action_leave(self) -> None:
        """End the console."""
        self.app.exit()

    @on(Button.Pressed, "#quit")
    def quit(self) -> None:
        """End the console."""
        self.action_leave()

    @on(Button.Pressed, "#enter")
    @on(Input.Submitted)
    def submit(self) -> None:
        """Try what was typed."""
        issuer, operator, key_file = (
            self.query_one(f"#{each}", Input).value.strip()
            for each in ("issuer", "operator", "key-file")
        )
        passphrase = self.query_one("#passphrase", Input).value
        path = self._given.key_file if self._fixed else Path(key_file or ".").expanduser()
        if not operator:
            self._say("type who you are")
            return
        self.enter(Given(issuer.rstrip("/"), operator, path), passphrase)

    @on(Button.Pressed, "#provider")
    def at_the_provider(self) -> None:
        """Sign in where the lender's people do; the authority says who that is."""
        issuer, key_file = (
            self.query_one(f"#{each}", Input).value.strip() for each in ("issuer", "key-file")
        )
        path = self._given.key_file if self._fixed else Path(key_file or ".").expanduser()
        given = Given(issuer.rstrip("/"), "", path)
        self.enter(given, self.query_one("#passphrase", Input).value, at_provider=True)

    @work(exclusive=True, group="sign-in")
    async def enter(self, given: Given, passphrase: str, *, at_provider: bool = False) -> None:
        """Sign in, or say why not."""
        if given.key_file == _NOT_GIVEN:
            self._say("type where your key's file is")
            return
        self._say("asking the authority …", "muted")
        try:
            session = (
                await sign_in_with_provider(
                    given, passphrase, lambda text: self._say(text, "accent"), self._transport
                )
                if at_provider
                else await sign_in(given, passphrase, self._transport)
            )
        except (WrongKey, Refused) as error:
            self._say(str(error))
            self.ask_passphrase_again()
        except Away as error:
            self._say(f"{error}; what you typed is kept: try again")
        else:
            self.dismiss(session)

    def _say(self, text: str, tone: str = "bad") -> None:
        self.query_one("#sign-in-said", Static).update(said((harmless(text), tone)))
