"""``placet checkpoint …``: one person's word on one checkpoint, signed on what they read."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from placet.cli._base import REFUSED, USAGE, fail, failures, money, operator_client, run, show
from placet.cli._identities import AsJson
from placet.cli._lists import checkpoint
from placet.cli._named import checkpoint_id
from placet.model import (
    CheckpointView,
    DecisionAnswer,
    Digest,
    Verdict,
)

__all__ = ["Comment", "checkpoint", "require_read"]

_DIGEST: TypeAdapter[str] = TypeAdapter(Digest)


def require_named(given: Decimal | None, proposed: Decimal | None) -> None:
    """Require that whoever approves names the amount that is proposed, and none where none is.

    Raises:
        CommandFailed: it is another.
    """
    if given == proposed:
        return
    if proposed is None:
        raise fail("no amount is asked for here: leave --amount out", REFUSED)
    raise fail(
        f"name the amount that you approve: --amount {proposed}; to approve less, "
        "take it off its rows, where the process lets you: placet checkpoint lower",
        REFUSED,
    )


def require_read(digests: Sequence[str], views: Sequence[CheckpointView]) -> None:
    """Require that the checkpoints' evidence is what was read, if its digests are given.

    A digest binds the evidence to its case and checkpoint, so their order says nothing.

    Raises:
        CommandFailed: it is another, one is no digest, or one is of none of them.
    """
    for each in digests:
        try:
            _DIGEST.validate_python(each)
        except ValidationError:
            said = f"--evidence: {each!r} is no digest; placet checkpoint show prints it"
            raise fail(said, USAGE) from None
    if not digests:
        return
    for view in views:
        if view.evidence_digest not in digests:
            look = f"look again: placet checkpoint show {view.id}"
            raise fail(f"the evidence is not what you read; {look}", REFUSED)
    if set(digests) - {view.evidence_digest for view in views}:
        raise fail("--evidence: one is of none of these checkpoints", USAGE)


def _decide(
    verdict: Verdict,
    identifier: str,
    *,
    comment: str | None,
    evidence: str | None,
    as_json: bool,
    amount: str | None = None,
    accept: list[str] | None = None,
    reason_code: str | None = None,
    stands_in_for: str | None = None,
) -> None:
    async def work() -> DecisionAnswer:
        async with operator_client() as client:
            view = await client.checkpoint(checkpoint_id(identifier))
            require_read([] if evidence is None else [evidence], [view])
            proposed = view.evidence.proposal.amount
            given = money(amount, "--amount") if amount is not None else None
            if verdict is Verdict.APPROVE:
                require_named(given, proposed)
            accepted = _accepted(accept)
            if accepted.keys() - set(view.requirement.exceptions):
                said = " ".join(view.requirement.exceptions) or "none is asked for"
                raise fail(f"accept blocking findings of this checkpoint alone: {said}", REFUSED)
            return await client.decide(
                view,
                verdict,
                amount=given,
                reason_code=reason_code,
                exceptions=accepted,
                comment=comment,
                stands_in_for=None if stands_in_for is None else f"operator:{stands_in_for}",
            )

    with failures():
        try:
            answer = run(work())
        except ValidationError:
            raise
        except ValueError as error:
            raise fail(str(error), USAGE) from None
        if as_json:
            show(answer, as_json=True)
        else:
            print(f"{verdict.value} is recorded as entry {answer.entry}")
            print(f"{answer.outcome.checkpoint} is {answer.outcome.status.value}")


def _accepted(given: list[str] | None) -> dict[str, str]:
    """The findings that are accepted with their reasons, as ``ID=REASON`` each."""
    found: dict[str, str] = {}
    for each in given or ():
        finding, equals, reason = each.partition("=")
        if not equals or not reason.strip():
            raise fail(f"--accept '{finding}=REASON': say why the finding is accepted", USAGE)
        if finding in found:
            raise fail(f"--accept {finding} is given twice", USAGE)
        found[finding] = reason.strip()
    return found


Comment = Annotated[str | None, typer.Option(help="For the record.")]
StandsInFor = Annotated[str | None, typer.Option(help="Who is away and has handed over to you.")]
Evidence = Annotated[
    str | None, typer.Option(help="The digest that show printed: refused if it is another by now.")
]
Code = Annotated[str | None, typer.Option("--reason-code", help="Why, in one word.")]


@checkpoint.command()
def approve(
    identifier: str,
    amount: Annotated[str | None, typer.Option(help="The amount you approve.")] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(help="A blocking finding accepted as an exception: ID=REASON."),
    ] = None,
    comment: Comment = None,
    evidence: Evidence = None,
    stands_in_for: StandsInFor = None,
    as_json: AsJson = False,
) -> None:
    """Approve, naming the amount and every exception."""
    _decide(
        Verdict.APPROVE,
        identifier,
        amount=amount,
        accept=accept,
        comment=comment,
        evidence=evidence,
        stands_in_for=stands_in_for,
        as_json=as_json,
    )


@checkpoint.command()
def reject(
    identifier: str,
    reason_code: Code = None,
    comment: Comment = None,
    evidence: Evidence = None,
    stands_in_for: StandsInFor = None,
    as_json: AsJson = False,
) -> None:
    """Reject."""
    _decide(
        Verdict.REJECT,
        identifier,
        reason_code=reason_code,
        comment=comment,
        evidence=evidence,
        stands_in_for=stands_in_for,
        as_json=as_json,
    )


@checkpoint.command("return")
def return_(
    identifier: str,
    reason_code: Code = None,
    comment: Comment = None,
    evidence: Evidence = None,
    stands_in_for: StandsInFor = None,
    as_json: AsJson = False,
) -> None:
    """Return, with questions."""
    _decide(
        Verdict.RETURN,
        identifier,
        reason_code=reason_code,
        comment=comment,
        evidence=evidence,
        stands_in_for=stands_in_for,
        as_json=as_json,
    )


@checkpoint.command()
def withdraw(
    identifier: str,
    comment: Comment = None,
    evidence: Evidence = None,
    as_json: AsJson = False,
) -> None:
    """Take back your own word, before the outcome."""
    _decide(Verdict.WITHDRAW, identifier, comment=comment, evidence=evidence, as_json=as_json)


@checkpoint.command()
def abstain(
    identifier: str,
    comment: Comment = None,
    evidence: Evidence = None,
    as_json: AsJson = False,
) -> None:
    """Abstain, for a conflict of interest; it is final."""
    _decide(Verdict.ABSTAIN, identifier, comment=comment, evidence=evidence, as_json=as_json)
