"""Which results a case may close with."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from placet.model import CheckpointEnd, CheckpointStatus
from placet.rules import UnsupportedResult, require_supported
from tests.harness.processes import DEFINITION
from workflows.definition import DEFINITION as DRAW
from workflows.steps import AUDIT_MODE

APPROVED, REJECTED = CheckpointStatus.APPROVED, CheckpointStatus.REJECTED
VOIDED = CheckpointStatus.VOIDED


def stand(ends: dict[str, CheckpointStatus], amount: str | None = None) -> list[CheckpointEnd]:
    """How checkpoints stand, the approved ones for an amount."""
    return [
        CheckpointEnd(
            checkpoint=name,
            status=status,
            amount=None if amount is None or status is not APPROVED else Decimal(amount),
        )
        for name, status in ends.items()
    ]


@pytest.mark.parametrize(
    ("result", "settled", "ends"),
    [
        ("dispatched", {"weight", "dispatched"}, {"release": APPROVED}),
        ("rejected", {"weight"}, {"release": REJECTED}),
        ("refused", {"weight"}, {"release": VOIDED}),
    ],
)
def test_what_the_record_shows_closes_the_case(
    result: str, settled: set[str], ends: dict[str, CheckpointStatus]
) -> None:
    require_supported(DEFINITION, result, settled, stand(ends), ())


@pytest.mark.parametrize(
    ("result", "settled", "ends", "said"),
    [
        ("sent", {"dispatched"}, {"release": APPROVED}, "no result sent"),
        ("dispatched", {"weight"}, {"release": APPROVED}, "needs a settled dispatched"),
        ("rejected", {"weight", "dispatched"}, {"release": REJECTED}, "has settled a dispatched"),
        ("rejected", {"weight"}, {"release": APPROVED}, "needs release rejected"),
        ("rejected", {"weight"}, {"customs": REJECTED}, "needs release rejected"),
        ("rejected", set[str](), dict[str, CheckpointStatus](), "needs release rejected"),
    ],
)
def test_what_the_record_does_not_show_closes_no_case(
    result: str, settled: set[str], ends: dict[str, CheckpointStatus], said: str
) -> None:
    """I9: the workflow's word is held against what was settled and decided."""
    with pytest.raises(UnsupportedResult, match=said):
        require_supported(DEFINITION, result, settled, stand(ends), ())


def test_a_draw_that_was_paid_closes_as_disbursed_alone() -> None:
    """I9: whatever people said at which checkpoint: the money is gone."""
    for result in DRAW.results:
        for status in CheckpointStatus:
            ends = {"compliance": status, "draw-approval": status}
            if result.name == "disbursed":
                require_supported(
                    DRAW, result.name, {"disbursement"}, stand(ends, "0.00"), {AUDIT_MODE}
                )
            else:
                with pytest.raises(UnsupportedResult):
                    require_supported(
                        DRAW, result.name, {"disbursement"}, stand(ends, "0.00"), {AUDIT_MODE}
                    )


@pytest.mark.parametrize(
    ("amount", "borne_out"), [("0.00", True), ("0", True), ("9644.69", False), (None, False)]
)
def test_there_was_nothing_to_pay_only_where_people_approved_nothing(
    amount: str | None, borne_out: bool
) -> None:
    """I9, I13: no agent's word makes a case close as if what people approved were nothing."""
    ends = stand({"draw-approval": APPROVED}, amount)
    if borne_out:
        require_supported(DRAW, "nothing_to_pay", {"analysis"}, ends, ())
        return
    with pytest.raises(UnsupportedResult, match=r"needs draw-approval approved for 0\.00, and no"):
        require_supported(DRAW, "nothing_to_pay", {"analysis"}, ends, ())


def test_agents_only_flag_where_policy_has_denied_them_that() -> None:
    """I9: no agent's word that it was denied closes what people approved, unpaid."""
    ends = stand({"draw-approval": APPROVED}, "9644.69")
    require_supported(DRAW, "flagged", {"analysis"}, ends, {"I3", "forbidden", AUDIT_MODE})
    with pytest.raises(UnsupportedResult, match="flagged needs a denial for policy:law.audit-mode"):
        require_supported(DRAW, "flagged", {"analysis"}, ends, {"I3", "policy:law.no-hold"})


def test_only_an_approval_is_for_an_amount() -> None:
    with pytest.raises(ValidationError, match="release: only an approval is for an amount"):
        CheckpointEnd(checkpoint="release", status=REJECTED, amount=Decimal(1))
