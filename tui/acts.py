"""Signed acts other than decisions, as a dialog asks for them: words, effect, what is sent.

What was typed is read here; what can't be meant is a ``ValueError`` that the dialog shows.
"""

import asyncio
import mimetypes
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from placet.model import (
    MAX_ATTACHMENT,
    ActAnswer,
    AdmitCase,
    CaseView,
    CheckpointView,
    CloseReview,
    Delegate,
    Hold,
    ProposalView,
    Reason,
    RecordId,
    ReviewView,
)
from tui import words
from tui.between import proposal_details
from tui.gateway import Gateway
from tui.said import Piece
from tui.text import harmless

_RECORD: TypeAdapter[str] = TypeAdapter(RecordId)
Answers = Mapping[str, str]
Send = Callable[[Gateway, Answers], Awaitable[ActAnswer]]


@dataclass(frozen=True)
class Ask:
    """One line of a dialog. ``must`` is what is said when it is left empty; empty: it may be."""

    name: str
    label: str
    must: str = ""
    value: str = ""
    hint: str = ""
    choices: tuple[str, ...] = ()
    longest: int = 500


@dataclass(frozen=True)
class Deed:
    """One act on one target. ``look`` is what to read before it is signed.

    ``signs`` is the act and its target as the signature fixes them: ``words`` are the process's.
    ``handed`` is told once it is done, with the ``secret`` in it that can be copied.
    """

    words: str
    effect: str
    signs: str
    send: Send
    asks: tuple[Ask, ...]
    look: tuple[Piece, ...] = ()
    handed: tuple[Piece, ...] = ()
    secret: str = field(default="", repr=False)


WHY = Ask("why", "Why; it is kept beside the ledger", "Say why.")


def on_id(act: str, target: str) -> str:
    """What is signed of an act on an id that says nothing by itself."""
    return f"{act} on {target}. What this id is about is not signed with it."


def plain(
    act: str,
    target: str,
    said: str,
    effect: str,
    look: tuple[Piece, ...] = (),
    signs: str = "",
) -> Deed:
    """An act whose body is a reason alone."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        return await gateway.act(act, target, Reason(reason=told["why"]))

    return Deed(said, effect, signs or f"{act} on {target}", send, (WHY,), look)


# --- a record, and a case ---------------------------------------------------------------------


def hold(record: str, said: str) -> Deed:
    """A signed stop on a record; the person may name one above it."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        return await gateway.act("hold.place", _typed(told), Hold(reason=told["why"]))

    effect = "Nothing guarded happens on it, or on what is below it, until the hold is lifted."
    return Deed(f"Hold {said}", effect, _on_record("hold.place"), send, (_record(record), WHY))


def lift(record: str, said: str) -> Deed:
    """The end of a hold."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        return await gateway.act("hold.lift", _typed(told), Reason(reason=told["why"]))

    effect = "Who placed it may lift it, and administrators."
    signs = _on_record("hold.lift")
    return Deed(f"Lift the hold on {said}", effect, signs, send, (_record(record), WHY))


def _on_record(act: str) -> str:
    return f"{act} on the record in the field below"


def _record(record: str) -> Ask:
    return Ask("record", "The record, or one above it", "Name the record.", record, longest=200)


def _typed(told: Answers) -> str:
    try:
        return _RECORD.validate_python(told["record"])
    except ValidationError:
        raise ValueError(f"{told['record']!r} is no record, such as shop/S1") from None


def admit(case: CaseView, said: str) -> Deed:
    """Let a stopped case go on, or a closed one be sealed as it is: for what is shown, no other."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        body = AdmitCase(reason=told["why"], trouble_digest=case.trouble_digest)
        return await gateway.act("case.admit", case.id, body)

    stopped = "" if case.stopped_for is None else f"It was stopped: {case.stopped_for}. "
    alarm = "" if case.alarm is None else f"Alarm: {case.alarm}."
    signs = f"{on_id('case.admit', case.id)} What stopped it is."
    return Deed(f"Admit {said}", (stopped + alarm).strip(), signs, send, (WHY,))


def end(case: CaseView, said: str) -> Deed:
    """End a case that can't end by itself."""
    effect = "Its subject is free for another case then."
    signs = on_id("case.end", case.id)
    return plain("case.end", case.id, f"End the case on {said}", effect, signs=signs)


# --- around a checkpoint ----------------------------------------------------------------------


def recall(checkpoint: CheckpointView, said: str) -> Deed:
    """Ask everybody anew."""
    effect = "Approvals given so far are void, and everybody is asked anew."
    signs = on_id("checkpoint.recall", checkpoint.id)
    said = f"Recall the checkpoint on {said}"
    return plain("checkpoint.recall", checkpoint.id, said, effect, signs=signs)


def break_glass(checkpoint: CheckpointView, said: str) -> Deed:
    """The emergency path."""
    effect = "For a while fewer may approve it; who declares it and who approves is reviewed after."
    signs = on_id("glass.break", checkpoint.id)
    said = f"Declare an emergency for {said}"
    return plain("glass.break", checkpoint.id, said, effect, signs=signs)


def attach(checkpoint: CheckpointView, said: str) -> Deed:
    """A file beside the checkpoint."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        name, content = await asyncio.to_thread(_read, told["file"])
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return await gateway.attach(checkpoint.id, name, content, kind)

    effect = "Everybody who decides here can read it. Its digest is signed, and on the ledger."
    ask = Ask("file", "Which file, of at most 1 MiB", "Name a file.", hint="~/photo.jpg")
    signs = on_id("checkpoint.attach", checkpoint.id)
    return Deed(f"Attach a file to {said}", effect, signs, send, (ask,))


def _read(typed: str) -> tuple[str, bytes]:
    path = Path(typed).expanduser()
    try:
        if not path.is_file():
            raise ValueError(f"{path.name}: there is no such file")
        with path.open("rb") as file:
            content = file.read(MAX_ATTACHMENT + 1)
    except OSError as error:
        raise ValueError(f"{path.name}: {error.strerror}") from None
    if len(content) > MAX_ATTACHMENT:
        raise ValueError(f"{path.name}: larger than {MAX_ATTACHMENT} bytes")
    if not content:
        raise ValueError(f"{path.name}: it is empty")
    return path.name, content


# --- people -----------------------------------------------------------------------------------


def delegate(people: tuple[str, ...], processes: tuple[str, ...]) -> Deed:
    """Let someone of the same authority stand in."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        begins = _moment(told["from"]) if told["from"] else words.now()
        body = Delegate(
            process=told["process"] or None,
            starts_at=begins,
            ends_at=_moment(told["until"]),
            reason=told["why"],
        )
        return await gateway.act("delegation.give", f"operator:{told['who']}", body)

    zone = words.now().astimezone().tzname()
    return Deed(
        "Let someone stand in for you",
        "They need all of your roles, sign in their own name, and you two have one word.",
        "delegation.give on the person chosen below",
        send,
        (
            Ask("who", "Who", "Choose who.", choices=people),
            Ask(
                "until", f"Until, that moment not included ({zone})", "Say until when.", hint=_WHEN
            ),
            Ask("from", f"From; now if it is left empty ({zone})", hint=_WHEN),
            Ask("process", "For one process alone; for all if it is left", choices=processes),
            Ask("why", "Why", "Say why.", longest=200),
        ),
    )


_WHEN = "2026-12-24 08:00"


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time such as {_WHEN}") from None
    return found if found.tzinfo is not None else found.astimezone()


def end_delegation(act: str, delegate_: str) -> Deed:
    """End a delegation of one's own."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        del told
        return await gateway.act("delegation.end", act, {})

    said = f"End the delegation to {words.person(delegate_)}"
    signs = on_id("delegation.end", act)
    return Deed(said, "From now on they decide for themselves alone.", signs, send, ())


def revoke_key(principal: str, thumbprints: tuple[str, ...]) -> Deed:
    """End one key for good; its owner goes on with another."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        return await gateway.act("key.revoke", told["key"], Reason(reason=told["why"]))

    only = thumbprints[0] if len(thumbprints) == 1 else ""
    ask = Ask("key", "Which key", "Choose a key.", only, choices=thumbprints)
    effect = "The key is refused from that instant, and grants that were bound to it end."
    said, signs = f"Revoke a key of {words.person(principal)}", "key.revoke on the key chosen below"
    return Deed(said, effect, signs, send, (ask, WHY))


# --- two administrators, and reviews ----------------------------------------------------------


def countersign(proposal: ProposalView) -> Deed:
    """The second signature under an act."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        del told
        return await gateway.countersign(proposal)

    proposer = words.person(proposal.proposed_by)
    return Deed(
        f"Countersign {proposal.act} on {harmless(proposal.target)}",
        f"{proposer} has signed it; with your signature it takes effect at once.",
        f"act.countersign on {proposal.jti}: {proposal.act} on {proposal.target}, and the digest",
        send,
        (),
        (
            (f"{proposal.body_digest}\n", "accent"),
            harmless(proposal_details(proposal), lines=True),
        ),
    )


def withdraw(proposal: ProposalView) -> Deed:
    """Let a proposal lapse at once."""
    said = f"Withdraw {proposal.act} on {harmless(proposal.target)}"
    signs = on_id("act.withdraw", proposal.jti)
    return plain("act.withdraw", proposal.jti, said, "It never takes effect.", signs=signs)


def close_review(review: ReviewView, said: str) -> Deed:
    """What came of looking at an emergency."""

    async def send(gateway: Gateway, told: Answers) -> ActAnswer:
        body = CloseReview(justified=told["verdict"] == _JUSTIFIED, reason=told["why"])
        return await gateway.act("review.close", review.id, body)

    return Deed(
        f"Close the review of the emergency for {said}",
        f"{words.person(review.opened_by)} declared the emergency.",
        on_id("review.close", review.id),
        send,
        (
            Ask("verdict", "Was it justified", "Say whether.", choices=(_JUSTIFIED, _NOT)),
            WHY,
        ),
    )


_JUSTIFIED, _NOT = "it was justified", "it was not justified"
