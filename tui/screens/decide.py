"""The dialog of a decision: it names the act and the amount, and signs only what was shown.

1. It begins where something must be filled in, else at Cancel; nothing is one key away.
2. The digest is computed here, from what is shown, and is what gets signed. The checkpoint and the
   record stand below it as it fixes them: the words of the process above them are signed by nobody.
3. If the checkpoint changes while it is open, it says so and can't sign the old evidence.
4. A refusal stays in the dialog, in sight, with its reasons; what was typed is kept, and after
   Cancel too.
5. A hold that comes meanwhile is told, and what an approval comes to under it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Input, Label, Select, Static

from placet.model import Verdict, digest_json
from tui import words
from tui.answers import Away, CaseFile, NotShown, Refused, TooLong, changed
from tui.asking import Listener, leave
from tui.drafts import BACK, Drafting
from tui.findings import in_short
from tui.said import said
from tui.session import WrongKey
from tui.text import harmless
from tui.widgets.act_button import ActButton
from tui.widgets.exception import ExceptionAsked, earlier

VERBS: Mapping[Verdict, str] = {
    Verdict.APPROVE: "Approve",
    Verdict.REJECT: "Reject",
    Verdict.RETURN: "Return",
    Verdict.ABSTAIN: "Abstain from",
    Verdict.WITHDRAW: "Withdraw my word on",
}


@dataclass(frozen=True)
class _Told:
    """What was typed and chosen in the dialog."""

    reason: str | None
    accepted: Mapping[str, str]
    comment: str | None
    stands_in_for: str | None


class Decide(ModalScreen[str | None], Drafting, Listener):
    """One act on one checkpoint."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="decide.cancel", tooltip="Sign nothing"),
    ]
    AUTO_FOCUS = ""  # of Textual's own, which scrolls

    def __init__(self, file: CaseFile, verdict: Verdict) -> None:
        super().__init__()
        self._file = file
        self._shown = file.checkpoint
        self._verdict = verdict
        self._held_on = file.case.held_on
        self._over = False
        self._signed = ""

    @property
    def about(self) -> str:
        """One act on one checkpoint."""
        return f"{self._verdict.value} {self._shown.id}"

    @property
    def _act(self) -> str:
        amount = self._shown.evidence.proposal.amount if self._verdict is Verdict.APPROVE else None
        file, verb = self._file, VERBS[self._verdict]
        return harmless(
            words.act_words(verb, file.definition, self._shown.subject, amount, file.about)
        )

    @property
    def _in_short(self) -> str:
        """The act beside its whole name in the title: the verb, and the amount if it has one."""
        amount = self._shown.evidence.proposal.amount if self._verdict is Verdict.APPROVE else None
        verb = VERBS[self._verdict].removesuffix(" from").removesuffix(" on")
        money = words.money(amount, words.currency(self._file.definition))
        return harmless(f"{verb} for {money}" if money else verb)

    @property
    def _effect(self) -> str:
        return harmless(words.effect_words(self._file.asked, self._verdict))

    @property
    def _held(self) -> str:
        """What an approval comes to while a hold stops the case."""
        if self._held_on is None or self._verdict is not Verdict.APPROVE:
            return ""
        void = "Approved before that, it is refused, and every approval of it is void."
        return harmless(f"{words.hold_words(self._held_on)} {void}")

    @property
    def _exceptions(self) -> tuple[str, ...]:
        """The blocking findings that an approval of mine must accept."""
        if self._verdict is not Verdict.APPROVE:
            return ()
        return self._shown.requirement.acceptable_by(frozenset(self.session.me.roles))

    @property
    def _others(self) -> tuple[str, ...]:
        """Those that others accept."""
        mine = self._exceptions
        asked = self._shown.requirement.exceptions if self._verdict is Verdict.APPROVE else ()
        return tuple(each for each in asked if each not in mine)

    @property
    def _absent(self) -> tuple[str, ...]:
        """Who has handed over to me for now."""
        own = self._verdict in {Verdict.ABSTAIN, Verdict.WITHDRAW}
        return () if own else self._file.prospect.stands_in_for

    def _left(self, finding: str) -> str:
        roles = self._shown.requirement.accepting(finding) or ()
        return f"  left to {' or '.join(roles)}"

    def compose(self) -> ComposeResult:
        """The act, what it accepts, what is signed, and two buttons."""
        danger = (
            "-danger" if self._exceptions or self._others or self._verdict is Verdict.REJECT else ""
        )
        with VerticalScroll(id="decide", classes=f"dialog {danger}", can_focus=False):
            yield Static(said((f"{self._act}?", "head")), classes="dialog-title", id="decide-act")
            yield Static(said((self._effect, "muted")), id="decide-effect")
            if self._file.emergency is not None:
                begun = harmless(words.emergency_words(self._file.emergency))
                yield Static(said((f"▲ Emergency {begun}", "warn")), id="decide-emergency")
            yield Static(id="decide-held")
            if self._exceptions:
                yield Static(
                    said(
                        ("Blocking findings that you accept as exceptions, each by itself:", "bad")
                    )
                )
            findings = {each.id: each for each in self._shown.evidence.proposal.findings}
            for at, each in enumerate(self._exceptions):
                told = (*in_short(findings.get(each), each), *earlier(self._shown, each))
                yield ExceptionAsked(at, each, told)
            for each in self._others:
                left = ((self._left(each), "muted"), *earlier(self._shown, each))
                yield Static(said(*in_short(findings.get(each), each), *left))
            if self._verdict in {Verdict.REJECT, Verdict.RETURN}:
                yield Label("Reason")
                yield Select(
                    [(each.replace("_", " "), each) for each in self._reasons()],
                    prompt="choose a reason",
                    id="reason",
                    compact=True,
                )
            if self._absent:
                yield Label("Whose place you take; the word is yours, and you two have one")
                yield Select(
                    [(f"I stand in for {words.person(each)}", each) for each in self._absent],
                    prompt="my own",
                    id="stands-in-for",
                    compact=True,
                )
            what = "What is to come back" if self._verdict is Verdict.RETURN else "Comment"
            yield Label(f"{what}, kept with the decision")
            yield Input(id="comment", max_length=2000)
            yield Label("Evidence signed, its digest computed here from what you were shown")
            yield Static(said((digest_json(self._shown.evidence), "accent")), id="digest")
            yield Static(said((words.fixed_words(self._shown.evidence), "accent")), id="fixed")
            if self.session.protected:
                yield Label(f"Passphrase of {harmless(self.session.given.key_file.name)}")
                yield Input(password=True, id="passphrase", placeholder=harmless(self.console.hint))
            with Vertical(classes="dialog-foot"):
                yield Static(id="decide-said", classes="dialog-said")
                with Horizontal(classes="dialog-buttons"):
                    yield Button("Cancel", id="cancel")
                    yield ActButton(
                        self._act,
                        self._in_short,
                        id="sign",
                        variant="error" if danger else "primary",
                        tooltip=self._effect,
                    )

    def _reasons(self) -> tuple[str, ...]:
        definition = self._file.definition
        return (definition.presentation.reasons if definition else ()) or ("other",)

    def on_mount(self) -> None:
        """Begin at Cancel: nothing is signed by accident."""
        self._show_hold()
        if self.take_up():
            self._say(BACK, "muted")
        each = (name for at in range(len(self._exceptions)) for name in _fields_of(at))
        self.begin("reason", *each)

    def _show_hold(self) -> None:
        held = self.query_one("#decide-held", Static)
        held.display = bool(self._held)
        held.update(said((self._held, "bad")))

    # --- what changes below ----------------------------------------------------------------------

    def heard(self, size: int) -> None:
        """Something changed: look whether it was this."""
        del size
        if not self._over and not self.signing and self.console.signed_in:
            self.look_again()

    @work(exclusive=True, group="dialog-look")
    async def look_again(self) -> None:
        """Whether the checkpoint still asks and shows the same, and no hold has come or gone."""
        now = await self.ask(self.session.gateway.checkpoint(self._shown.id))
        mine = await self.ask(self.session.gateway.prospect(self._shown.id))
        if now is None or mine is None:
            return
        if self._signed and any(each.jws == self._signed for each in now.decisions):
            leave(self, f"{self._act}: recorded, {now.status.value}")  # its answer was lost
        elif changed(self._shown, now):
            self._end(
                "This changed while the dialog was open: "
                + (
                    f"it is {now.status.value} now."
                    if now.status != self._shown.status
                    else "it shows other evidence now."
                )
                + " What you were shown can't be signed any more; close this and read it again."
            )
        elif mine.held_on != self._held_on:
            held, self._held_on = self._held, mine.held_on
            self._show_hold()
            if self._held != held:
                came = ("This went on hold while the dialog was open.", "bad")
                self._say(*(came if self._held else ("The hold is lifted.", "good")))

    def _end(self, why: str) -> None:
        self._over = True
        self.query_one("#sign", Button).disabled = True
        self._say(why)

    # --- acts ----------------------------------------------------------------------------------

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Sign nothing, if it is not on its way."""
        if self.signing:
            self._say("It is on its way: the authority has not answered yet.", "muted")
        else:
            self.put_down()
            self.dismiss(None)

    @on(Input.Submitted, "#comment, .why")
    def to_passphrase(self) -> None:
        """Enter goes on, and never signs."""
        self.focus_next()

    @on(Input.Submitted, "#passphrase")
    def to_button(self) -> None:
        """Enter goes on to the button that names the act."""
        self.query_one("#sign", Button).focus()

    @on(Button.Pressed, "#sign")
    def pressed(self) -> None:
        """Look whether all is there that must be, then sign."""
        if self._over or self.signing:
            return
        accepted: dict[str, str] = {}
        for at, each in enumerate(self._exceptions):
            box, why = (
                self.query_one(f"#exception-{at}", Checkbox),
                self.query_one(f"#why-{at}", Input),
            )
            if not box.value:
                self._say("Accept each blocking finding by itself, or cancel.")
                box.focus()
                return
            if not why.value.strip():
                self._say("Say why each exception is acceptable.")
                why.focus()
                return
            accepted[each] = why.value.strip()
        reason = None
        if self._verdict in {Verdict.REJECT, Verdict.RETURN}:
            chosen = self.query_one("#reason", Select).value
            if not isinstance(chosen, str):
                self._say("Choose a reason.")
                self.query_one("#reason", Select).focus()
                return
            reason = chosen
        secret = self.query_one("#passphrase", Input).value if self.session.protected else ""
        if self.session.protected and not secret:
            self._say("Type the passphrase of your key: it signs this.")
            self.query_one("#passphrase", Input).focus()
            return
        comment = self.query_one("#comment", Input).value.strip() or None
        absent = self.query_one("#stands-in-for", Select).value if self._absent else None
        stands_in_for = absent if isinstance(absent, str) else None
        self.sign(_Told(reason, accepted, comment, stands_in_for), secret)

    @work(exclusive=True, group="sign")
    async def sign(self, told: _Told, secret: str) -> None:
        """Sign and send; whatever goes wrong is said here."""
        self.signing = True
        button = self.query_one("#sign", Button)
        button.disabled = True
        self._say("Signing …", "muted")
        try:
            amount = self._shown.evidence.proposal.amount
            await self.session.prove(
                secret,
                self.typed,
                (self._verdict, amount),
                lambda text: self._say(text, "accent"),
            )
            if not self._signed:
                self._signed = await self.session.gateway.sign(
                    self._shown,
                    self._verdict,
                    amount=amount if self._verdict is Verdict.APPROVE else None,
                    reason_code=told.reason,
                    exceptions=told.accepted,
                    comment=told.comment,
                    stands_in_for=told.stands_in_for,
                )
            answer = await self.session.gateway.send(self._shown.id, self._signed)
        except WrongKey as error:
            self._say(str(error))
            self.ask_passphrase_again()
        except TooLong as error:
            self._say(f"Not signed: {error}.")
        except NotShown as error:
            self._end(f"Not signed: {error}.")
        except Refused as error:
            self._say(f"The authority refused: {error}")
            self._signed = ""
        except Away as error:
            self._say(
                f"{error}. What you signed is kept: press again to send the same; it counts once."
                if self._signed
                else f"{error}. Nothing is signed yet, and what you typed is kept: try again."
            )
        else:
            self.signing = False
            leave(
                self,
                f"{self._act}: recorded as entry {answer.entry}, {answer.outcome.status.value}",
            )
            return
        self.signing = False
        button.disabled = self._over
        if self._signed and not self._over:
            self.look_again()  # it may have arrived all the same

    def _say(self, text: str, tone: str = "bad") -> None:
        self.query_one("#decide-said", Static).update(said((harmless(text), tone)))


def _fields_of(at: int) -> tuple[str, str]:
    """An exception's fields: why it is accepted, and the box."""
    return f"why-{at}", f"exception-{at}"
