"""Who approves a large amount has signed in a moment ago (I6)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from placet.model import DecisionClaims, StepUp, Verdict, digest_bytes, spell_id
from placet.rules import DecisionRefused, Refusal, check_step_up

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
RULE = StepUp(above=Decimal("250000.00"), within_seconds=300)
FRESH, STALE = NOW - timedelta(seconds=300), NOW - timedelta(seconds=300, microseconds=1)


def claims(verdict: Verdict, amount: str | None) -> DecisionClaims:
    return DecisionClaims(
        iss="operator:ana",
        aud="https://authority.example",
        iat=int(NOW.timestamp()),
        jti="0123456789abcdef",
        sub=spell_id("ckpt", bytes(16)),
        txn=spell_id("case", bytes(16)),
        evidence_digest=digest_bytes(b"evidence"),
        requirement_digest=digest_bytes(b"requirement"),
        verdict=verdict,
        reason_code=None if verdict is Verdict.APPROVE else "findings",
        amount=None if amount is None else Decimal(amount),
    )


@pytest.mark.parametrize("amount", ["250000.01", None])
@pytest.mark.parametrize("signed_in_at", [STALE, None])
def test_a_large_approval_after_an_old_sign_in_is_refused(
    amount: str | None, signed_in_at: datetime | None
) -> None:
    """I6: an approval without an amount counts as above (docs/reference/people.md)."""
    with pytest.raises(DecisionRefused) as refused:
        check_step_up(RULE, claims(Verdict.APPROVE, amount), signed_in_at, NOW)
    assert refused.value.reasons == (Refusal.STEP_UP,)


@pytest.mark.parametrize(
    ("rule", "verdict", "amount", "signed_in_at"),
    [
        (RULE, Verdict.APPROVE, "250000.01", FRESH),
        (RULE, Verdict.APPROVE, None, FRESH),
        (RULE, Verdict.APPROVE, "250000.00", None),
        (RULE, Verdict.REJECT, None, None),
        (RULE, Verdict.RETURN, None, STALE),
        (None, Verdict.APPROVE, "250000.01", None),
    ],
)
def test_nobody_else_has_to_sign_in_again(
    rule: StepUp | None, verdict: Verdict, amount: str | None, signed_in_at: datetime | None
) -> None:
    check_step_up(rule, claims(verdict, amount), signed_in_at, NOW)
