"""The public face of the rules."""

import placet.rules


def test_the_public_names_are_pinned() -> None:
    assert placet.rules.__all__ == [
        "ApprovalFacts",
        "AutomaticFacts",
        "BadPolicies",
        "BadProposal",
        "CheckpointStanding",
        "CountedDecision",
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
        "PolicyRequest",
        "Refusal",
        "RuleError",
        "StepFacts",
        "approvals",
        "cents",
        "check_decision",
        "confirmed",
        "decide",
        "excluded",
        "explain",
        "goes_alone",
        "guarded_context",
        "load_policies",
        "missing",
        "needed_fact",
        "outcome_status",
        "people_of",
        "prospect",
        "require_in_scope",
        "requirement",
        "said_digest",
        "step_context",
        "subject_variables",
    ]
    assert all(hasattr(placet.rules, name) for name in placet.rules.__all__)
