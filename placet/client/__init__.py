"""Typed client of the authority, for people's tools.

It signs nothing that it has not checked: before a decision is signed, the evidence digest is
computed again from what is shown, and the last head that was seen goes into what is signed. Once a
head does not continue the one before, nothing is.
"""

from placet.client._operator import OperatorClient, check_evidence
from placet.client._sending import (
    DEVICE_GRANT,
    JWT_BEARER,
    AnotherPast,
    AuthorityAway,
    AuthorityError,
    EvidenceMismatch,
)

__all__ = [
    "DEVICE_GRANT",
    "JWT_BEARER",
    "AnotherPast",
    "AuthorityAway",
    "AuthorityError",
    "EvidenceMismatch",
    "OperatorClient",
    "check_evidence",
]
