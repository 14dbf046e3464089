"""The ids of the rules that a person's decision can break (invariant I6)."""

from enum import StrEnum


class Refusal(StrEnum):
    """Why a decision does not count. The ids are interface: they are recorded and shown."""

    WRONG_CHECKPOINT = "wrong_checkpoint"
    WRONG_CASE = "wrong_case"
    WRONG_PERSON = "wrong_person"
    WRONG_EVIDENCE = "wrong_evidence"
    WRONG_REQUIREMENT = "wrong_requirement"
    NOT_OPEN = "not_open"
    PAST_DEADLINE = "past_deadline"
    OPERATOR_NOT_ACTIVE = "operator_not_active"
    OUT_OF_ROLE = "out_of_role"
    SEGREGATION = "segregation"
    DECIDED_ALREADY = "decided_already"
    ABSTAINED = "abstained"
    NOTHING_TO_WITHDRAW = "nothing_to_withdraw"
    AMOUNT_DIFFERS = "amount_differs"
    ADJUSTMENTS_DIFFER = "adjustments_differ"
    EXCEPTIONS_NOT_ACCEPTED = "exceptions_not_accepted"
    EXCEPTIONS_UNKNOWN = "exceptions_unknown"
