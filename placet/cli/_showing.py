"""``placet checkpoint show``: what is asked, on a terminal or for a screen reader."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.markup import escape

from placet.cli._base import (
    USAGE,
    AsJson,
    console,
    fail,
    failures,
    operator_client,
    run,
    show,
)
from placet.cli._cases import held_words
from placet.cli._documents import subject_named
from placet.cli._many import checkpoint
from placet.cli._named import checkpoint_id
from placet.cli._output import harmless
from placet.client import OperatorClient, check_evidence
from placet.model import (
    CaseView,
    CheckpointDefinition,
    CheckpointStatus,
    CheckpointView,
    InputPart,
    ProcessDefinition,
    RecordId,
    ReviewView,
    format_time,
    quantity,
)

__all__ = ["checkpoint", "published_process"]


async def published_process(client: OperatorClient, case: CaseView) -> ProcessDefinition | None:
    """The version of its process that a case runs by."""
    published = await client.get("/v1/published")
    found = (ProcessDefinition.model_validate_json(each) for each in published["processes"])
    wanted = (case.process, case.process_version)
    return next((each for each in found if (each.name, each.version) == wanted), None)


@checkpoint.command("show")
def show_checkpoint(identifier: str, as_json: AsJson = False) -> None:
    """Show what is asked: the findings first, then what is proposed, and what it rests on."""
    with failures():
        view, parts, asked, held_on, emergency = run(_asked(identifier))
        if as_json:
            told = view.model_dump(mode="json", exclude_none=True)
            show(told if held_on is None else {**told, "held_on": held_on}, as_json=True)
            return
        proposal = view.evidence.proposal
        out = console()
        out.print(f"[bold]{_safe(view.title)}[/bold] · {view.subject} · {view.status.value}")
        about = subject_named(asked, parts)
        if about is not None:
            out.print(f"about {_safe(about)}", soft_wrap=True)
        for line in _standing(view, held_on):
            out.print(line, soft_wrap=True)
        for line in (*_begun(emergency), *_said_first(view)):
            out.print(f"  {_safe(line)}", soft_wrap=True)
        for finding in proposal.findings:
            out.print(
                f"  {finding.severity.value.upper():9} {_safe(finding.message)}"
                f" [dim]{escape(finding.id)}[/dim]"
            )
            for side in finding.compared:
                place = f"{side.place.document} {side.place.spot}".strip()
                out.print(f"            {_safe(side.label)}: {_safe(side.value)} ({_safe(place)})")
        if proposal.amount is not None:
            out.print(f"amount {proposal.amount} of {proposal.requested} requested")
        for effect in (asked.effects or ()) if asked else ():
            out.print(f"to {effect.verdict.value}: {_safe(effect.says)}", soft_wrap=True)
        payments = next((each.part.data.get("payments") for each in parts), None)
        for payment in payments if isinstance(payments, list) else ():
            out.print(f"  payment  {_safe(_in_line(payment))}", soft_wrap=True)
        fixed = f"{view.name} of {view.subject}, made of"
        out.print(f"evidence {view.evidence_digest}, {fixed}", soft_wrap=True)
        for item in view.evidence.items:
            out.print(f"  {item.name} of {item.record}, by {item.agent}", soft_wrap=True)
        for line in _words(view):
            out.print(_safe(line), soft_wrap=True)
        for line in view.missing:
            out.print(f"missing: {_safe(line)}")
        if view.status is CheckpointStatus.OPEN:
            out.print(f"open until {_second(view.deadline)}")


@checkpoint.command("part")
def show_part(identifier: str, name: str) -> None:
    """Print the evidence parts of a name as JSON, each held against its digest."""

    async def work() -> list[InputPart]:
        async with operator_client() as client:
            view = await client.checkpoint(checkpoint_id(identifier))
            wanted = [each for each in view.evidence.items if each.name == name]
            if not wanted:
                names = ", ".join(dict.fromkeys(each.name for each in view.evidence.items))
                raise fail(f"the checkpoint has no part {name!r}; it has {names}", USAGE)
            return [await client.part(view.case, each.digest) for each in wanted]

    with failures():
        show(run(work()), as_json=True)


async def _asked(
    identifier: str,
) -> tuple[
    CheckpointView, list[InputPart], CheckpointDefinition | None, RecordId | None, ReviewView | None
]:
    """A checkpoint, its leading part (or none), how its process describes it, hold, emergency.

    Raises:
        EvidenceMismatch: it shows what its digests do not fix.
    """
    async with operator_client() as client:
        view = await client.checkpoint(checkpoint_id(identifier))
        if not view.erased:
            check_evidence(view)
        leading = () if view.erased else view.evidence.items[:1]
        parts = [await client.part(view.case, each.digest) for each in leading]
        case = await client.case(view.case)
        made = await published_process(client, case)
        described = None if made is None else made.checkpoint(view.name)
        return view, parts, described, case.held_on, await _emergency(client, view)


async def _emergency(client: OperatorClient, view: CheckpointView) -> ReviewView | None:
    if view.requirement.emergency_until is None:
        return None
    return next((e for e in await client.reviews(None) if e.checkpoint == view.id), None)


def _standing(view: CheckpointView, held_on: RecordId | None) -> Iterator[str]:
    if view.erased:
        yield "the case was erased: what people saw, and why they decided so, is gone"
    if held_on is not None:
        yield held_words(held_on)


def _begun(emergency: ReviewView | None) -> Iterator[str]:
    """Who declared an emergency, until when it lasts, and why."""
    if emergency is not None:
        why = f": {emergency.reason}" if emergency.reason else ""
        yield f"EMERGENCY until {_second(emergency.until)}, begun by {emergency.opened_by}{why}"


def _said_first(view: CheckpointView) -> Iterator[str]:
    """What stands out, and what is different from what was asked before or is asked since."""
    if view.replaced_by is not None:
        yield f"people are asked anew: {view.replaced_by}"
    for each in view.unusual:
        if each.kind not in {"blocking", "warning"}:  # those follow, each with its place
            yield f"{each.heading}: {each.text}"
    diff = view.changed
    for changed in () if diff is None else (*diff.amounts, *diff.findings, *diff.rows):
        yield f"changed: {changed.what}: {_difference(changed.before, changed.after)}"
    if view.claim is not None:
        yield f"claimed by {view.claim.operator}"
    for remark in view.remarks:
        size = quantity(remark.size or 0, "byte")
        yield f"{remark.operator}: {remark.text or f'[file {remark.name}, {size}]'}"


def _words(view: CheckpointView) -> Iterator[str]:
    """What each person said, and why they accept what they accept."""
    for decision in view.decisions:
        when = _second(decision.decided_at)
        told = f": {decision.said}" if decision.said else ""
        yield f"{decision.operator} says {decision.verdict} at {when}{told}"
        for each in decision.accepted:
            yield f"  accepts {each.finding}: {each.reason}"


def _difference(before: Any, after: Any) -> str:
    """What was and what is; of a row only what of it is different."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [each for each in {**before, **after} if before.get(each) != after.get(each)]
        return ", ".join(f"{name} {before.get(name)} → {after.get(name)}" for name in names)
    said = ("nothing" if each is None else _in_line(each) for each in (before, after))
    return " → ".join(said)


def _in_line(said: Any) -> str:
    if not isinstance(said, Mapping):
        return str(said)
    return ", ".join(f"{name} {value}" for name, value in said.items() if value)


def _second(moment: datetime) -> str:
    return format_time(moment.replace(microsecond=0))


def _safe(text: str) -> str:
    """What someone else wrote, say a document: neither markup nor orders to the terminal (I12)."""
    return escape(harmless(text))
