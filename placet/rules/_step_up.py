"""Step-up: who approves a large amount has proved a moment ago that they are there (I6)."""

from datetime import datetime, timedelta

from placet.model import DecisionClaims, StepUp, Verdict
from placet.rules._errors import DecisionRefused
from placet.rules._refusals import Refusal


def check_step_up(
    rule: StepUp | None, claims: DecisionClaims, signed_in_at: datetime | None, now: datetime
) -> None:
    """Hold an approval against the lender's rule for large amounts.

    Args:
        rule: the rule in force, if there is one.
        claims: what was signed.
        signed_in_at: when its signer last signed in, if that is known.
        now: the authority's clock.

    Raises:
        DecisionRefused: the amount is above the rule's, and the sign-in too long ago.
    """
    if rule is None or claims.verdict is not Verdict.APPROVE:
        return
    if claims.amount is not None and claims.amount <= rule.above:
        return
    within = timedelta(seconds=rule.within_seconds)
    if signed_in_at is None or now - signed_in_at > within:
        raise DecisionRefused(
            (Refusal.STEP_UP,),
            (f"above {rule.above}, sign in at most {rule.within_seconds} seconds before",),
        )
