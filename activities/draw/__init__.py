"""The governed steps of the loan draw review, by the agent that takes them."""

from activities.draw._requests import (
    AnalysisRef,
    DisbursementRef,
    LoanRef,
    LookRef,
    PacketRef,
)

__all__ = [
    "AnalysisRef",
    "DisbursementRef",
    "LoanRef",
    "LookRef",
    "PacketRef",
]
