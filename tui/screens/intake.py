"""Taking work in: a case opened with what it is about, or a return answered with what came back.

What is attached is put into its system of record by the process's own package, from this machine;
only then is the authority told. What can be refused beforehand is asked beforehand.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from pydantic import TypeAdapter, ValidationError
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from placet.cli import CommandFailed, processes
from placet.model import (
    ActAnswer,
    CaseStatus,
    CaseView,
    RecordId,
    Verdict,
    template_variables,
)
from tui import words
from tui.answers import Away, NotShown, Refused
from tui.asking import leave
from tui.drafts import BACK, Drafting
from tui.said import said
from tui.session import WrongKey
from tui.text import harmless

_RECORD: TypeAdapter[str] = TypeAdapter(RecordId)


class Attached(Protocol):
    """What was put into a system of record, and its version there."""

    @property
    def record(self) -> str: ...  # noqa: D102 - as it says

    @property
    def version(self) -> str: ...  # noqa: D102 - the same


Attach = Callable[[str, Path], Attached]


class Intake(ModalScreen[str | None], Drafting):
    """A process, its subject, and what comes with it; without a choice where a case is given.

    ``usual`` is the process that it begins with, if this person may open its cases; ``returned_at``
    the checkpoint that returned the case, whose word says what is to come back.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="intake.cancel", tooltip="Open nothing"),
    ]

    def __init__(
        self, case: CaseView | None = None, usual: str = "", returned_at: str = ""
    ) -> None:
        super().__init__()
        self._case = case
        self._usual = usual
        self._returned_at = returned_at
        self._installed: Mapping[str, tuple[str, Mapping[str, Attach]]] = {}

    @property
    def about(self) -> str:
        """A new case, or the return of one."""
        return "" if self._case is None else self._case.id

    def compose(self) -> ComposeResult:
        """The form; its lines come once it is known what is installed here."""
        title = "Open a case"
        effect = "What you attach is stored first; then the case is opened in your name."
        if self._case is not None:
            definition = self.session.gateway.newest_definition(self._case.process)
            subject = words.subject_words(definition, self._case.subject)
            title = f"Answer the return of {subject}"
            effect = "What came back is stored as a new version, and the checks run again on it."
        with VerticalScroll(id="intake", classes="dialog", can_focus=False):
            yield Static(said((f"{harmless(title)}?", "head")), classes="dialog-title")
            yield Static(said((effect, "muted")))
            if self._returned_at:
                yield Static(id="intake-asked")
            yield Vertical(id="intake-lines")
            if self.session.protected:
                yield Label("Passphrase of your key")
                yield Input(password=True, id="passphrase", placeholder=harmless(self.console.hint))
            with Vertical(classes="dialog-foot"):
                yield Static(id="intake-said", classes="dialog-said")
                with Horizontal(classes="dialog-buttons"):
                    yield Button("Cancel", id="cancel")
                    button = "Send it again" if self._case else "Open the case"
                    yield Button(button, id="sign", variant="primary", disabled=True)

    def on_mount(self) -> None:
        """Cancel until it is known what is installed here."""
        self.set_focus(self.query_one("#cancel", Button))
        self.look()

    @work(exclusive=True, group="intake")
    async def look(self) -> None:
        """Which processes are installed here and may be opened by this person."""
        self._say("Looking what is installed here …", "muted")
        if self._returned_at:
            await self._say_what_is_asked()
        found, wrong = await asyncio.to_thread(_installed, again=self._case is not None)
        mine = frozenset(self.session.me.roles)
        self._installed = {
            name: each
            for name, each in found.items()
            if (matrix := self.session.gateway.matrix(name)) and mine & set(matrix.openers)
        }
        if self._case is not None:
            self._installed = {
                name: each for name, each in self._installed.items() if name == self._case.process
            }
        if not self._installed:
            self._say(wrong or "No process is installed here that you may do this for.")
            return
        lines = self.query_one("#intake-lines", Vertical)
        if self._case is None:
            names = [(each, each) for each in self._installed]
            first = self._usual if self._usual in self._installed else names[0][1]
            await lines.mount(
                Label("Process"),
                Select(names, value=first, allow_blank=False, id="process", compact=True),
            )
        for name, (template, attach) in self._installed.items():
            variables = () if self._case is not None else template_variables(template)
            asked = [
                *((f"subject-{each}", each.capitalize()) for each in variables),
                *((f"attach-{each}", f"{each.capitalize()}: a file or folder") for each in attach),
            ]
            made = [
                Vertical(Label(label), Input(id=f"{key}-of-{name}", max_length=500), classes="line")
                for key, label in asked
            ]
            await lines.mount(Vertical(*made, id=f"of-{name}", classes="lines"))
        self._say(BACK if self.take_up() else "", "muted")
        self.query_one("#sign", Button).disabled = False
        self._choose()
        if self.focused is self.query_one("#cancel"):
            self.begin(*(each.id or "" for each in self.query(f"#of-{self._process} Input")))

    @on(Select.Changed, "#process")
    def chosen(self) -> None:
        """The lines of another process."""
        self._choose()

    @property
    def _process(self) -> str:
        if self._case is not None:
            return self._case.process
        value = self.query_one("#process", Select).value
        return value if isinstance(value, str) else ""

    def _choose(self) -> None:
        for each in self.query(".lines"):
            each.display = each.id == f"of-{self._process}"

    @on(Input.Submitted)
    def onwards(self, event: Input.Submitted) -> None:
        """Enter goes on, at last to the button that names the act, and never signs."""
        if event.input.id == "passphrase":
            self.query_one("#sign", Button).focus()
        else:
            self.focus_next()

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Open nothing."""
        if not self.signing:
            self.put_down()
            self.dismiss(None)

    @on(Button.Pressed, "#sign")
    def pressed(self) -> None:
        """Look whether all is there, then store and sign."""
        name = self._process
        template, attach = self._installed[name]
        typed = {
            (each.id or "").removesuffix(f"-of-{name}"): each.value.strip()
            for each in self.query(Input)
            if (each.id or "").endswith(f"-of-{name}")
        }
        missing = next((each for each, value in typed.items() if not value), None)
        secret = self.query_one("#passphrase", Input).value if self.session.protected else ""
        if missing is not None:
            self._say(f"Say what is asked: {missing.partition('-')[2]}.")
            self.query_one(f"#{missing}-of-{name}", Input).focus()
        elif self.session.protected and not secret:
            self._say("Type the passphrase of your key: it signs this.")
            self.query_one("#passphrase", Input).focus()
        elif not self.signing:
            paths = {each: (attach[each], typed[f"attach-{each}"]) for each in attach}
            values = {
                each.removeprefix("subject-"): value
                for each, value in typed.items()
                if each.startswith("subject-")
            }
            self.take_in(name, template, values, paths, secret)

    @work(exclusive=True, group="sign")
    async def take_in(
        self,
        process: str,
        template: str,
        values: Mapping[str, str],
        paths: Mapping[str, tuple[Attach, str]],
        secret: str,
    ) -> None:
        """Store what comes with it, then sign and send; what goes wrong is said here."""
        self.signing = True
        self._say("Storing and signing …", "muted")
        gateway = self.session.gateway
        try:
            await self.session.confirm(secret, self.typed)
            if self._case is not None:
                answer = await self._send_again(self._case, paths)
            else:
                subject = _subject(template, values)
                taken = [each for each in await gateway.cases() if each.subject == subject]
                if any(each.status is not CaseStatus.CLOSED for each in taken):
                    raise Refused(f"{subject} has an open case already")
                for attach, path in paths.values():
                    await asyncio.to_thread(_store, attach, subject, path)
                answer = await gateway.open_case(process, subject)
        except WrongKey as error:
            self._say(str(error))
            self.ask_passphrase_again()
        except (Away, Refused, NotShown, ValueError, OSError) as error:
            self._say(str(error))
        else:
            leave(self, f"Recorded as entry {answer.entry}: {answer.case or answer.target}")
        self.signing = False

    async def _send_again(
        self, case: CaseView, paths: Mapping[str, tuple[Attach, str]]
    ) -> ActAnswer:
        ((attach, path),) = paths.values()
        stored = await asyncio.to_thread(_store, attach, case.subject, path)
        return await self.session.gateway.resubmit(case.id, stored.record, stored.version)

    async def _say_what_is_asked(self) -> None:
        view = await self.ask(self.session.gateway.checkpoint(self._returned_at))
        for each in view.decisions if view else ():
            if each.verdict == Verdict.RETURN:
                by, told = words.person(each.operator), harmless(each.said, lines=True)
                self.query_one("#intake-asked", Static).update(
                    said((f"{by} returned it  ", "warn"), told or "and said nothing to it")
                )

    def _say(self, text: str, tone: str = "bad") -> None:
        self.query_one("#intake-said", Static).update(said((harmless(text), tone)))


def _subject(template: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        try:
            _RECORD.validate_python(f"any/{value}")
        except ValidationError:
            raise ValueError(f"{name}: {value!r} is no part of a record's path") from None
        if "/" in value:
            raise ValueError(f"{name}: {value!r} is no part of a record's path")
    return template.format_map(values)


def _store(attach: Attach, subject: str, path: str) -> Attached:
    try:
        return attach(subject, Path(path).expanduser())
    except CommandFailed as error:  # a setting of this machine is missing
        raise ValueError(str(error)) from None


def _installed(*, again: bool) -> tuple[dict[str, tuple[str, Mapping[str, Attach]]], str]:
    """The processes that take something along, and why one can't be loaded, if one can't."""
    found: dict[str, tuple[str, Mapping[str, Attach]]] = {}
    wrong = ""
    installed = processes()
    for name in installed:
        try:
            each = installed[name]
        except CommandFailed as error:  # it stands in no other's way
            wrong = str(error)
            continue
        if each.attach:
            found[name] = (each.definition.subject, each.attaching(again=again))
    return found, wrong
