"""Break-glass: what an open checkpoint asks instead, for a while, in an emergency.

1. At least two people, in the roles that the lender set for emergencies; one person fills one
   place.
2. Who may not decide, may not in an emergency either; whose independence is asked for, still is;
   and who may accept which finding stays as it was.
"""

from datetime import datetime, timedelta

from placet.model import BreakGlass, Requirement


def emergency_requirement(asked: Requirement, rule: BreakGlass, begun: datetime) -> Requirement:
    """What is asked from ``begun`` on, until ``emergency_until``.

    Raises:
        ValueError: it is an emergency already.
    """
    if asked.emergency_until is not None:
        raise ValueError("it is an emergency already")
    return asked.model_copy(
        update={
            "needs": rule.needs,
            "schedule": None,
            "emergency_until": begun + timedelta(seconds=rule.seconds),
        }
    )
