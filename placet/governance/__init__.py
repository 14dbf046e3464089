"""Processes by which a lender governs its own identities; they run on the engine as any other."""

from placet.governance._definition import DEFINITION
from placet.governance._order_workflows import (
    OFFBOARDING_PROCESS,
    ROTATION_PROCESS,
    IdentityOffboarding,
    IdentityRotation,
)
from placet.governance._workflow import PROCESS, IdentityReview

__all__ = [
    "DEFINITION",
    "OFFBOARDING_PROCESS",
    "PROCESS",
    "ROTATION_PROCESS",
    "IdentityOffboarding",
    "IdentityReview",
    "IdentityRotation",
]
