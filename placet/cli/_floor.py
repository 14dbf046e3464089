"""``placet checkpoint …`` beyond deciding one: claim, remark, lower, key, stand in, prove."""

import mimetypes
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape

from placet.audit import HASTY_SECONDS, Oversight, PersonOverseen, oversight
from placet.cli._base import (
    REFUSED,
    USAGE,
    console,
    fail,
    failures,
    money,
    operator_client,
    run,
    show,
)
from placet.cli._cases import held_words
from placet.cli._commands import TakesId
from placet.cli._deciding import checkpoint
from placet.cli._fetch import fetch_entries
from placet.cli._identities import AsJson, Why
from placet.cli._named import checkpoint_id
from placet.cli._output import harmless
from placet.client import OperatorClient
from placet.model import (
    AT_SPOT,
    MAX_ATTACHMENT,
    AcceptedView,
    ActAnswer,
    DelegationView,
    KeyedValue,
    OutcomeProof,
    Prospect,
    RowCut,
    first_error,
)
from placet.rules import why_more

__all__ = ["checkpoint"]


@checkpoint.command()
def claim(identifier: str, as_json: AsJson = False) -> None:
    """Tell others that you are working at it."""
    _acted(lambda client: client.claim(checkpoint_id(identifier)), as_json=as_json)


@checkpoint.command()
def unclaim(identifier: str, as_json: AsJson = False) -> None:
    """Leave it to others again."""
    _acted(lambda client: client.unclaim(checkpoint_id(identifier)), as_json=as_json)


@checkpoint.command()
def comment(identifier: str, text: str, as_json: AsJson = False) -> None:
    """Leave a comment; it decides nothing."""
    _acted(lambda client: client.comment(checkpoint_id(identifier), text), as_json=as_json)


@checkpoint.command()
def attach(
    identifier: str,
    file: Path,
    media_type: Annotated[str | None, typer.Option(help="What kind of file it is.")] = None,
    as_json: AsJson = False,
) -> None:
    """Attach a file of at most 1 MiB."""
    with failures():
        if file.exists() and not file.is_file():
            raise fail(f"{file}: no file", USAGE)  # a device may have no end, and a pipe no writer
        with file.open("rb") as opened:
            content = opened.read(MAX_ATTACHMENT + 1)
        if len(content) > MAX_ATTACHMENT:
            raise fail(f"{file}: larger than {MAX_ATTACHMENT} bytes", USAGE)
        if not content:
            raise fail(f"{file}: it is empty", USAGE)
    kind = media_type or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    _acted(
        lambda client: client.attach(checkpoint_id(identifier), file.name, content, kind),
        as_json=as_json,
    )


@checkpoint.command()
def recall(identifier: str, reason: Why, as_json: AsJson = False) -> None:
    """Take it back, so that people are asked anew (administrators)."""
    _acted(lambda client: client.recall(checkpoint_id(identifier), reason), as_json=as_json)


@checkpoint.command()
def lower(
    identifier: str,
    row: Annotated[
        list[str], typer.Option(help="What is taken off a row: ITEM=AMOUNT=REASON; repeat it.")
    ],
    amount: Annotated[str, typer.Option(help="What is left, to the cent.")],
    as_json: AsJson = False,
) -> None:
    """Approve less: take amounts off rows. The checks run again, and people are asked anew."""
    with failures():
        cuts = [_row(each) for each in row]

    async def work(client: OperatorClient) -> ActAnswer:
        view = await client.checkpoint(checkpoint_id(identifier))
        proposed = view.evidence.proposal.amount
        left = None if proposed is None else proposed - sum(each.amount for each in cuts)
        if left is None or left != money(amount, "--amount"):
            raise fail(f"the rows leave {left} of {proposed}, not {amount}", REFUSED)
        return await client.lower(view, cuts)

    _acted(work, as_json=as_json)


@checkpoint.command()
def key(
    identifier: str,
    document: Annotated[str, typer.Option(help="The file, as the finding names it.")],
    value: Annotated[list[str], typer.Option(help="What you read on the page; repeat it.")],
    field: Annotated[
        list[str] | None,
        typer.Option(help="What a value is, such as title.effective, in that order."),
    ] = None,
    spot: Annotated[
        list[str] | None,
        typer.Option(help="Where it stands, as the finding names it: one for all, or one each."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Key a value that could not be read, looking at its page; who keys approves nothing here.

    With --spot alone it is the very value that could not be read there.
    """
    fields = field or [AT_SPOT] * len(value)
    spots = spot or [""]
    spots = spots * len(value) if len(spots) == 1 else spots

    async def work(client: OperatorClient) -> ActAnswer:
        view = await client.checkpoint(checkpoint_id(identifier))
        keyed = [
            KeyedValue(document=document, spot=at, field=name, value=read)
            for name, at, read in zip(fields, spots, value, strict=True)
        ]
        return await client.key_in(view, keyed)

    with failures():
        if len(fields) != len(value) or len(spots) != len(value):
            raise fail("give as many --value as --field or --spot, in the same order", USAGE)
        if not field and "" in spots:
            raise fail("give --field, or --spot: what is keyed", USAGE)

    _acted(work, as_json=as_json)


@checkpoint.command("delegate")
def delegate(
    name: str,
    until: Annotated[str, typer.Option(help="RFC 3339, such as 2026-12-24T08:00:00Z.")],
    reason: Why,
    start: Annotated[str | None, typer.Option("--from", help="Now, if it is left out.")] = None,
    process: Annotated[str | None, typer.Option(help="For one process alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let a person of the same authority stand in for you, for a time."""
    with failures():
        begins = datetime.now(UTC) if start is None else _time(start, "--from")
        ends = _time(until, "--until")
        if ends <= begins:
            raise fail("--until: that is over before it begins", USAGE)
    _acted(
        lambda client: client.hand_over(f"operator:{name}", begins, ends, reason, process),
        as_json=as_json,
    )


@checkpoint.command("undelegate", cls=TakesId)
def undelegate(delegation: str, as_json: AsJson = False) -> None:
    """End a delegation of yours before its time."""
    _acted(lambda client: client.end_delegation(delegation), as_json=as_json)


@checkpoint.command("delegations")
def delegations(as_json: AsJson = False) -> None:
    """List what you have handed over, and what was handed over to you."""

    async def work() -> list[DelegationView]:
        async with operator_client() as client:
            return await client.delegations()

    columns = ("id", "giver", "delegate", "process", "starts_at", "ends_at", "ended_at")
    with failures():
        found = run(work())
        rows = [{"id": each.act, **each.model_dump(mode="json")} for each in found]
        show(found if as_json else rows, as_json=as_json, columns=columns)


@checkpoint.command("prospect")
def prospect(identifier: str, as_json: AsJson = False) -> None:
    """May I decide this, what would my word do, and what is missing."""

    async def work() -> Prospect:
        async with operator_client() as client:
            return await client.prospect(checkpoint_id(identifier))

    with failures():
        found = run(work())
        if as_json:
            show(found, as_json=True)
            return
        if found.held_on is not None:
            print(held_words(found.held_on))
        if found.may_approve:
            place = "no place that is empty" if found.fills is None else _roles(found.fills.roles)
            print(f"you may approve: your approval fills {place}, and leaves it {found.then}")
            for finding in found.accepts:
                print(f"to accept: {finding}")
        else:
            print(harmless(f"you may not approve: {'; '.join(found.needed)}"))
        for line in found.missing:
            print(f"missing: {line}")


@checkpoint.command("proof")
def proof(identifier: str, as_json: AsJson = False) -> None:
    """Print why it stands where it stands: which word fills which place, who is excluded."""

    async def work() -> OutcomeProof:
        async with operator_client() as client:
            return await client.proof(checkpoint_id(identifier))

    with failures():
        found = run(work())
        if as_json:
            show(found, as_json=True)
        else:
            _print_proof(found)


def _print_proof(found: OutcomeProof) -> None:
    out = console()
    out.print(f"[bold]{found.name}[/bold] is {found.status.value}")
    limit = "above every limit" if found.tier is None else f"up to {found.tier}"
    out.print(
        f"matrix version {found.matrix_version} ({found.matrix_digest}), {limit}"
        f", for {found.amount}",
        soft_wrap=True,
    )
    for fact in found.facts:
        out.print(
            escape(f"  fact {fact.name} = {fact.value} ({fact.record} version {fact.version})"),
            soft_wrap=True,
        )
    for name in found.added:
        out.print(escape(f"  more people are asked: {why_more(name)}"), soft_wrap=True)
    for seat in found.seats:
        filled = "empty" if seat.operator is None else f"{seat.operator} ({seat.decision})"
        stand_in = f" for {seat.stands_in_for}" if seat.stands_in_for else ""
        stage = f"stage {seat.need.stage}, " if seat.need.stage > 1 else ""
        out.print(f"place  {stage}{_roles(seat.need.roles)}: {filled}{stand_in}", soft_wrap=True)
    for each in found.exceptions:
        by = "; ".join(_accepted(each)) or "nobody yet"
        out.print(escape(harmless(f"exception {each.finding}: accepted by {by}")), soft_wrap=True)
    for out_of in found.excluded:
        of = f" {out_of.of}" if out_of.of else ""
        out.print(f"excluded {out_of.person}: {out_of.why.value}{of}", soft_wrap=True)
    for hand in found.named:
        said = f"excluded whoever is {hand.name!r}: {hand.why.value} ({hand.of})"
        out.print(escape(harmless(said)), soft_wrap=True)
    for lost in found.uncounted:
        out.print(f"{lost.operator} said {lost.verdict}: {lost.why}", soft_wrap=True)
    for line in found.missing:
        out.print(f"missing: {escape(line)}")


def _accepted(exception: AcceptedView) -> Iterator[str]:
    """Who has accepted it, and why; an authority of before this release does not tell why."""
    told = zip_longest(exception.accepted_by, exception.reasons, fillvalue="")
    for who, why in told:
        yield f"{who}: {why}" if why else who


@checkpoint.command("report")
def report(
    hasty: Annotated[
        int, typer.Option(min=0, help="List approvals given sooner than so many seconds.")
    ] = HASTY_SECONDS,
    since: Annotated[str | None, typer.Option("--from", help="RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="RFC 3339, not included.")] = None,
    as_json: AsJson = False,
) -> None:
    """Report overrides, and approvals in seconds: who may only have stamped (auditors)."""

    async def work() -> Oversight:
        begins = None if since is None else _time(since, "--from")
        ends = None if until is None else _time(until, "--to")
        async with operator_client() as client:
            entries = await fetch_entries(client)
        return oversight(entries, hasty_seconds=hasty, since=begins, until=ends)

    with failures():
        found = run(work())
        if as_json:
            show(found, as_json=True)
            return
        show(list(found.people), as_json=False, columns=tuple(PersonOverseen.model_fields))
        for name, listed in (("override", found.overrides), ("hasty", found.hasty)):
            for each in listed:
                waited = "never opened" if each.seconds is None else f"{each.seconds} s"
                print(f"{name}  {each.kind}  {each.operator}  {each.checkpoint}  {waited}")


def _acted(work: Callable[[OperatorClient], Awaitable[ActAnswer]], *, as_json: bool) -> None:
    async def acted() -> ActAnswer:
        async with operator_client() as client:
            return await work(client)

    with failures():
        try:
            show(run(acted()), as_json=as_json)
        except ValidationError as error:
            where, said = first_error(error)
            member, _, _ = where.partition(".")
            raise fail(f"{member}: {said}" if member else said, USAGE) from None


def _row(text: str) -> RowCut:
    item, _, rest = text.partition("=")
    amount, equals, reason = rest.partition("=")
    if not equals or not reason.strip():
        raise fail(f"--row {text!r}: write it as ITEM=AMOUNT=REASON", USAGE)
    return RowCut(item=item, amount=money(amount, "--row"), reason=reason.strip())


def _time(text: str, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise fail(f"{name}: {text!r} is no time such as 2026-12-24T08:00:00Z", USAGE) from None
    if found.tzinfo is None:
        raise fail(f"{name}: say the zone, such as Z", USAGE)
    return found


def _roles(roles: tuple[str, ...]) -> str:
    return " or ".join(roles)
