"""Keying what could not be read: the page's text on one side, the values on the other."""

from typing import ClassVar

from pydantic import ValidationError
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from placet.cli import File
from placet.model import AT_SPOT, KeyedValue, ShownValue, first_error
from tui import words
from tui.answers import Away, CaseFile, NotShown, Refused
from tui.asking import leave
from tui.drafts import BACK, Drafting
from tui.said import said
from tui.screens.document import PageTable
from tui.session import WrongKey
from tui.text import harmless

_LABEL = 60
_WORDS = {AT_SPOT: "the values at their places"}


class KeyIn(ModalScreen[str | None], Drafting):
    """Every value that may be keyed, one line each; those that are left empty are not keyed.

    First the value at the place where the cursor was, and those at the other places of the same
    document that could not be read, the cells of a table's row among them. The page follows the
    line that has the focus.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="key.cancel", tooltip="Sign nothing"),
        Binding(
            "ctrl+e",
            "view",
            "Open it",
            id="key.view",
            tooltip="In the system's viewer",
            priority=True,  # in a field too, which has its own use for the key
        ),
    ]
    AUTO_FOCUS = ""  # of Textual's own, which scrolls

    def __init__(
        self,
        file: CaseFile,
        document: File,
        spot: str,
        fields: tuple[ShownValue, ...],
        unread: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self._file = file
        self._document = document
        self._spot = spot
        spots = [each for each in dict.fromkeys((spot, *unread)) if each]
        self._lines = (
            *((each, ShownValue(path=AT_SPOT, label=_at(each))) for each in spots),
            *((spot, each) for each in fields),
        )

    @property
    def about(self) -> str:
        """The values of one document, from one place on."""
        return f"{self._file.checkpoint.id} {self._spot} {self._document.name}"

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
            fixed = words.fixed_words(self._file.checkpoint.evidence)
            yield Static(said((f"what is signed: {fixed}", "accent")))
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
                    for at, (spot, each) in enumerate(self._lines):
                        with Vertical(id=f"line-{at}", classes="line"):
                            named = "" if each.path == AT_SPOT else f"  {each.path}"
                            yield Label(said(each.label, (named, "accent")))
                            yield Input(
                                name=f"{spot} {each.path}",
                                id=f"field-{at}",
                                max_length=200,
                                placeholder=each.kind.value,
                            )
            if self.session.protected:
                yield Label("Passphrase of your key")
                yield Input(password=True, id="passphrase", placeholder=harmless(self.console.hint))
            yield Static(id="key-said", classes="dialog-said")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel")
                yield Button("Open it", id="view", tooltip="In the system's viewer")
                yield Button(said(self._act), id="sign", variant="warning")

    def on_mount(self) -> None:
        """Begin at the first value; the page is fetched meanwhile."""
        if self.take_up():
            self._say(BACK, "muted")
        form = self.query_one("#form", Select).value
        fields = enumerate(each for _, each in self._lines)
        self.begin(*[f"field-{at}" for at, each in fields if form_of(each) == form][:1])
        subject = self._file.checkpoint.subject
        page = self.query_one(PageTable)
        page.read(self._file.case.process, subject, self._document, self._spot)

    def _forms(self) -> list[str]:
        return list(dict.fromkeys(form_of(each) for _, each in self._lines))

    def _guess(self) -> str:
        forms, name = self._forms(), self._document.name.casefold()
        if AT_SPOT in forms:
            return AT_SPOT
        return next((each for each in forms if each in name), forms[0])

    @on(Select.Changed, "#form")
    def other_form(self, event: Select.Changed) -> None:
        """The lines of another form; what was typed into others is not keyed."""
        for at, (_, each) in enumerate(self._lines):
            self.query_one(f"#line-{at}").display = form_of(each) == event.value

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Turn the page to the place whose value is typed."""
        name = event.widget.id or ""
        if name.startswith("field-"):
            spot, _ = self._lines[int(name.removeprefix("field-"))]
            self.query_one(PageTable).seek(spot)

    @on(Button.Pressed, "#view")
    def action_view(self) -> None:
        """Look at it in the system's viewer."""
        self.query_one(PageTable).view()

    @on(Input.Submitted)
    def onwards(self, event: Input.Submitted) -> None:
        """Enter goes on, at last to the button that names the act, and never signs."""
        if event.input.id == "passphrase":
            self.query_one("#sign", Button).focus()
        else:
            self.focus_next()

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Sign nothing."""
        if not self.signing:
            self.put_down()
            self.dismiss(None)

    @on(Button.Pressed, "#sign")
    def pressed(self) -> None:
        """Look whether all is there, then sign."""
        form = self.query_one("#form", Select).value
        typed = [
            (spot, each.path, self.query_one(f"#field-{at}", Input).value.strip())
            for at, (spot, each) in enumerate(self._lines)
            if form_of(each) == form
        ]
        secret = self.query_one("#passphrase", Input).value if self.session.protected else ""
        if not any(value for *_, value in typed):
            self._say("Key at least one value.")
            self.query_one(Select).focus()
        elif self.session.protected and not secret:
            self._say("Type the passphrase of your key: it signs this.")
            self.query_one("#passphrase", Input).focus()
        elif not self.signing:
            self.sign([each for each in typed if each[-1]], secret)

    @work(exclusive=True, group="sign")
    async def sign(self, typed: list[tuple[str, str, str]], secret: str) -> None:
        """Sign and send; whatever goes wrong is said here."""
        self.signing = True
        self._say("Signing …", "muted")
        try:
            values = [
                KeyedValue(document=self._document.name, spot=spot, field=name, value=value)
                for spot, name, value in typed
            ]
            await self.session.confirm(secret, self.typed)
            answer = await self.session.gateway.key_in(self._file.checkpoint, values)
        except ValidationError as error:
            self._say(first_error(error)[1])
        except WrongKey as error:
            self._say(str(error))
            self.ask_passphrase_again()
        except (Away, Refused, NotShown) as error:
            self._say(str(error))
        else:
            leave(self, f"{self._act}: recorded as entry {answer.entry}")
        self.signing = False

    def _say(self, text: str, tone: str = "bad") -> None:
        self.query_one("#key-said", Static).update(said((harmless(text), tone)))


def _at(spot: str) -> str:
    """A spot as a label; what a document calls its places may be long."""
    said_ = f"what stands at {spot}"
    return said_ if len(said_) <= _LABEL else f"{said_[: _LABEL - 1]}…"


def form_of(field: ShownValue) -> str:
    """What kind of document has such a value: the first word of its name."""
    return field.path.partition(".")[0]
