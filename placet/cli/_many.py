"""``placet checkpoint …-many``: one word on many of one kind, each signed on its own evidence."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from pydantic import ValidationError

from placet.cli._base import REFUSED, AsJson, fail, failures, money, operator_client, run, show
from placet.cli._deciding import Comment, require_read
from placet.cli._floor import checkpoint
from placet.cli._named import checkpoint_id
from placet.cli._output import harmless
from placet.model import CheckpointView, DecisionAnswers, OneAnswer, Verdict

__all__ = ["checkpoint"]

Why = Annotated[str, typer.Option("--reason-code", help="Why, in one word, for all of them.")]
Evidence = Annotated[
    list[str] | None,
    typer.Option(help="The digest that show printed of one; give it of each, or of none."),
]


@checkpoint.command("approve-many")
def approve_many(
    identifiers: list[str],
    total: Annotated[str, typer.Option(help="What all of them come to, to the cent.")],
    evidence: Evidence = None,
    as_json: AsJson = False,
) -> None:
    """Approve many of one kind, each signed on its own evidence; none with exceptions."""
    with failures():
        meant = money(total, "--total")

    def come_to(views: Sequence[CheckpointView]) -> None:
        amounts = [view.requirement.amount for view in views]
        if any(each is None for each in amounts):
            raise fail("one of them has no amount: decide it by itself", REFUSED)
        found = sum(each for each in amounts if each is not None)
        if found != meant:
            raise fail(f"they come to {found}, not {total}", REFUSED)

    _decide_many(Verdict.APPROVE, identifiers, come_to, evidence=evidence, as_json=as_json)


@checkpoint.command("reject-many")
def reject_many(
    identifiers: list[str],
    reason_code: Why,
    comment: Comment = None,
    evidence: Evidence = None,
    as_json: AsJson = False,
) -> None:
    """Reject many of one kind for good, each on its own evidence, for one reason."""
    _turn_many(
        Verdict.REJECT, identifiers, reason_code, comment, evidence=evidence, as_json=as_json
    )


@checkpoint.command("return-many")
def return_many(
    identifiers: list[str],
    reason_code: Why,
    comment: Comment = None,
    evidence: Evidence = None,
    as_json: AsJson = False,
) -> None:
    """Return many of one kind with one question, each on its own evidence."""
    _turn_many(
        Verdict.RETURN, identifiers, reason_code, comment, evidence=evidence, as_json=as_json
    )


def _turn_many(
    verdict: Verdict,
    identifiers: list[str],
    reason_code: str,
    comment: str | None,
    *,
    evidence: list[str] | None,
    as_json: bool,
) -> None:
    _decide_many(
        verdict,
        identifiers,
        lambda _: None,
        reason_code=reason_code,
        comment=comment,
        evidence=evidence,
        as_json=as_json,
    )


def _decide_many(
    verdict: Verdict,
    identifiers: list[str],
    look: Callable[[Sequence[CheckpointView]], None],
    *,
    reason_code: str | None = None,
    comment: str | None = None,
    evidence: list[str] | None,
    as_json: bool,
) -> None:
    async def work() -> DecisionAnswers:
        async with operator_client() as client:
            views = [await client.checkpoint(checkpoint_id(each)) for each in identifiers]
            require_read(evidence or [], views)
            look(views)
            try:
                return await client.decide_many(
                    views, verdict, reason_code=reason_code, comment=comment
                )
            except ValidationError:
                raise
            except ValueError as error:
                raise fail(str(error), REFUSED) from None

    with failures():
        answers = run(work())
        if as_json:
            show(answers, as_json=True)
        else:
            for each in answers.answers:
                print(f"{each.checkpoint} {_became(each)}")
        if any(each.answer is None for each in answers.answers):
            raise fail("not all of them were recorded", REFUSED)


def _became(each: OneAnswer) -> str:
    if each.answer is not None:
        return f"is recorded as entry {each.answer.entry}, and {each.answer.outcome.status.value}"
    said = "" if each.problem is None else each.problem.error_description
    return f"is refused: {harmless(said)}"
