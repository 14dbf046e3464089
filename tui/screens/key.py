"""Keying what could not be read: the page's text on one side, the values on the other."""

from typing import ClassVar

from pydantic import ValidationError
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from placet.cli import File
from placet.model import AT_SPOT, KeyedValue, ShownValue
from tui import words
from tui.answers import Away, CaseFile, NotShown, Refused
from tui.asking import Asking
from tui.said import said
from tui.screens.document import PageTable
from tui.session import WrongKey
from tui.text import harmless

_THERE = ShownValue(path=AT_SPOT, label="What you read there")
_WORDS = {AT_SPOT: "the value at that place"}


class KeyIn(ModalScreen[str | None], Asking):
    """Every value that may be keyed, one line each; those that are left empty are not keyed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="key.cancel", tooltip="Sign nothing"),
        Binding("ctrl+e", "view", "Open it", id="key.view", tooltip="In the system's viewer"),
    ]

    def __init__(
        self, file: CaseFile, document: File, spot: str, fields: tuple[ShownValue, ...]
    ) -> None:
        super().__init__()
        self._file = file
        self._document = document
        self._spot = spot
        self._fields = (_THERE, *fields) if spot else fields
        self._signing = False

    @property
    def _act(self) -> str:
        return harmless(f"Key values of {self._document.name}")

    def compose(self) -> ComposeResult:
        """Page, fields, two buttons."""
        subject = words.subject_words(self._file.definition, self._file.checkpoint.subject)
        with Vertical(id="key", classes="dialog -wide-dialog"):
            yield Static(
                said((f"{self._act}, for {harmless(subject)}?", "head")), classes="dialog-title"
            )
            effect = "It is marked as keyed, the checks run again, and you approve nothing here."
            yield Static(said((effect, "warn")))
            with Horizontal(id="key-sides"):
                yield PageTable(id="key-page")
                with VerticalScroll(id="key-fields", can_focus=False):
                    yield Label("What it is")
                    yield Select(
                        [(_WORDS.get(each, each), each) for each in self._forms()],
                        value=self._guess(),
                        allow_blank=False,
                        id="form",
                        compact=True,
                    )
                    for at, each in enumerate(self._fields):
                        with Vertical(id=f"line-{at}", classes="line"):
                            yield Label(harmless(each.label))
                            yield Input(
                                id=f"field-{at}", max_length=200, placeholder=each.kind.value
                            )
            if self.session.protected:
                yield Label("Passphrase of your key")
                yield Input(password=True, id="passphrase", placeholder=harmless(self.console.hint))
            yield Static(id="key-said", classes="dialog-said")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel")
                yield Button(said(self._act), id="sign", variant="warning")

    def on_mount(self) -> None:
        """Cancel first; the page is fetched meanwhile."""
        self.set_focus(self.query_one("#cancel", Button))
        subject = self._file.checkpoint.subject
        page = self.query_one(PageTable)
        page.read(self._file.case.process, subject, self._document, self._spot)

    def _forms(self) -> list[str]:
        return list(dict.fromkeys(form_of(each) for each in self._fields))

    def _guess(self) -> str:
        forms, name = self._forms(), self._document.name.casefold()
        if self._spot:
            return AT_SPOT
        return next((each for each in forms if each in name), forms[0])

    @on(Select.Changed, "#form")
    def other_form(self, event: Select.Changed) -> None:
        """The lines of another form; what was typed into others is not keyed."""
        for at, each in enumerate(self._fields):
            self.query_one(f"#line-{at}").display = form_of(each) == event.value

    def action_view(self) -> None:
        """Look at it in the system's viewer."""
        self.query_one(PageTable).view()

    @on(Input.Submitted)
    def onwards(self) -> None:
        """Enter goes on, and never signs."""
        self.focus_next()

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Sign nothing."""
        if not self._signing:
            self.dismiss(None)

    @on(Button.Pressed, "#sign")
    def pressed(self) -> None:
        """Look whether all is there, then sign."""
        form = self.query_one("#form", Select).value
        typed = [
            (each.path, self.query_one(f"#field-{at}", Input).value.strip())
            for at, each in enumerate(self._fields)
            if form_of(each) == form
        ]
        secret = self.query_one("#passphrase", Input).value if self.session.protected else ""
        if not any(value for _, value in typed):
            self._say("Key at least one value.")
            self.query_one(Select).focus()
        elif self.session.protected and not secret:
            self._say("Type the passphrase of your key: it signs this.")
            self.query_one("#passphrase", Input).focus()
        elif not self._signing:
            self.sign([(name, value) for name, value in typed if value], secret)

    @work(exclusive=True, group="sign")
    async def sign(self, typed: list[tuple[str, str]], secret: str) -> None:
        """Sign and send; whatever goes wrong is said here."""
        self._signing = True
        self._say("Signing …", "muted")
        try:
            values = [
                KeyedValue(document=self._document.name, spot=self._spot, field=name, value=value)
                for name, value in typed
            ]
            await self.session.confirm(secret)
            answer = await self.session.gateway.key_in(self._file.checkpoint, values)
        except ValidationError as error:
            self._say(error.errors(include_input=False, include_url=False)[0]["msg"])
        except (WrongKey, Away, Refused, NotShown) as error:
            self._say(str(error))
        else:
            self.dismiss(f"{self._act}: recorded as entry {answer.entry}")
        self._signing = False

    def _say(self, text: str, tone: str = "bad") -> None:
        self.query_one("#key-said", Static).update(said((harmless(text), tone)))


def form_of(field: ShownValue) -> str:
    """What kind of document has such a value: the first word of its name."""
    return field.path.partition(".")[0]
