"""Steps that several of the lender's processes have."""

from placet.model import Step

AUDIT_MODE = "policy:law.audit-mode-pays-nothing"
"""The reason for which nothing is paid or changed where agents only flag."""

READING_LOAN = (
    Step(
        activity_type="read_loan",
        agent="draw-analyst",
        action="loan:read",
        system="loan-servicing",
        relation="loan",
        produces=("loan",),
    ),
    Step(
        activity_type="read_loan_again",
        agent="draw-verifier",
        action="loan:read",
        system="loan-servicing",
        relation="loan",
        produces=("loan_again",),
        confirms="loan",
    ),
)
"""The loan is read by the agent that proposes, and again by the one that confirms what it read."""
