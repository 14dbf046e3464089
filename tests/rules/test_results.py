"""Which results a case may close with."""

import pytest

from placet.model import CheckpointStatus
from placet.rules import UnsupportedResult, require_supported
from tests.harness.processes import DEFINITION
from workflows.definition import DEFINITION as DRAW

APPROVED, REJECTED = CheckpointStatus.APPROVED, CheckpointStatus.REJECTED
VOIDED = CheckpointStatus.VOIDED


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
    require_supported(DEFINITION, result, settled, ends)


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
        require_supported(DEFINITION, result, settled, ends)


def test_a_draw_that_was_paid_closes_as_disbursed_alone() -> None:
    """I9: whatever people said at which checkpoint: the money is gone."""
    for result in DRAW.results:
        for status in CheckpointStatus:
            ends = {"compliance": status, "draw-approval": status}
            if result.name == "disbursed":
                require_supported(DRAW, result.name, {"disbursement"}, ends)
            else:
                with pytest.raises(UnsupportedResult):
                    require_supported(DRAW, result.name, {"disbursement"}, ends)
