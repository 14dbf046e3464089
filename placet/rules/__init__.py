"""Deciding, as functions of values: scope, policy, requirement, quorum, segregation. No I/O.

Clock and randomness come in as arguments. What guards something raises or answers with a union;
nothing here returns a bare yes.
"""

from placet.rules._context import (
    ApprovalFacts,
    Fact,
    StepFacts,
    cents,
    guarded_context,
    step_context,
)
from placet.rules._deciding import (
    CheckpointStanding,
    OperatorFacts,
    check_decision,
    without_a_hand,
)
from placet.rules._emergency import emergency_requirement
from placet.rules._errors import (
    BadCalendar,
    BadPolicies,
    BadProposal,
    DecisionRefused,
    MissingFact,
    NoRule,
    OutOfScope,
    RuleError,
    UnsupportedResult,
)
from placet.rules._explaining import explain, missing, people_of, prospect
from placet.rules._fitting import dead_ends, left_to_nobody, misfits
from placet.rules._limits import (
    Counts,
    denial_counts,
    exceeded_in_words,
    hours_of,
    limits_of,
    opens_next,
)
from placet.rules._policy import (
    DenialCause,
    Denied,
    LoadedPolicies,
    Permitted,
    PolicyRequest,
    decide,
    load_policies,
)
from placet.rules._policy_changes import PolicyChanges, policy_changes
from placet.rules._quorum import approvals, outcome_status
from placet.rules._refusals import Refusal
from placet.rules._requirement import (
    AutomaticFacts,
    confirmed,
    goes_alone,
    requirement,
    said_digest,
    why_more,
)
from placet.rules._results import require_supported
from placet.rules._schedule import (
    business_time,
    escalated,
    next_instant,
    schedule_of,
)
from placet.rules._scope import needed_fact, require_in_scope, subject_variables
from placet.rules._segregation import excluded, named_decider, named_hands, named_subject
from placet.rules._step_up import check_step_up
from placet.rules._unusual import compare, unusual
from placet.rules._waiting import (
    standing_words,
    waiting_roles,
)
from placet.rules._words import CountedDecision, entitled

__all__ = [
    "ApprovalFacts",
    "AutomaticFacts",
    "BadCalendar",
    "BadPolicies",
    "BadProposal",
    "CheckpointStanding",
    "CountedDecision",
    "Counts",
    "DecisionRefused",
    "DenialCause",
    "Denied",
    "Fact",
    "LoadedPolicies",
    "MissingFact",
    "NoRule",
    "OperatorFacts",
    "OutOfScope",
    "Permitted",
    "PolicyChanges",
    "PolicyRequest",
    "Refusal",
    "RuleError",
    "StepFacts",
    "UnsupportedResult",
    "approvals",
    "business_time",
    "cents",
    "check_decision",
    "check_step_up",
    "compare",
    "confirmed",
    "dead_ends",
    "decide",
    "denial_counts",
    "emergency_requirement",
    "entitled",
    "escalated",
    "exceeded_in_words",
    "excluded",
    "explain",
    "goes_alone",
    "guarded_context",
    "hours_of",
    "left_to_nobody",
    "limits_of",
    "load_policies",
    "misfits",
    "missing",
    "named_decider",
    "named_hands",
    "named_subject",
    "needed_fact",
    "next_instant",
    "opens_next",
    "outcome_status",
    "people_of",
    "policy_changes",
    "prospect",
    "require_in_scope",
    "require_supported",
    "requirement",
    "said_digest",
    "schedule_of",
    "standing_words",
    "step_context",
    "subject_variables",
    "unusual",
    "waiting_roles",
    "why_more",
    "without_a_hand",
]
