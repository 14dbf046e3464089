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
    ANOTHERS = "anothers"
    DECIDED_ALREADY = "decided_already"
    ABSTAINED = "abstained"
    NOTHING_TO_WITHDRAW = "nothing_to_withdraw"
    AMOUNT_DIFFERS = "amount_differs"
    ADJUSTMENTS_DIFFER = "adjustments_differ"
    EXCEPTIONS_NOT_ACCEPTED = "exceptions_not_accepted"
    EXCEPTIONS_UNKNOWN = "exceptions_unknown"
    EXCEPTIONS_OUT_OF_ROLE = "exceptions_out_of_role"
    NOT_YOUR_TURN = "not_your_turn"
    NOT_STANDING_IN = "not_standing_in"
    STANDS_IN_FOR_EXCLUDED = "stands_in_for_excluded"
    SPOKEN_FOR = "spoken_for"
    ABSENT_HAS_DECIDED = "absent_has_decided"
    NO_REASON = "no_reason"
    NO_QUESTION = "no_question"
    STEP_UP = "step_up"

    @property
    def words(self) -> str:
        """What is wrong, for the person who decided."""
        return _WORDS[self]


_WORDS = {
    Refusal.STEP_UP: "an amount this large needs a fresh sign-in; sign in again, then decide",
    Refusal.WRONG_CHECKPOINT: "it was signed for another checkpoint",
    Refusal.WRONG_CASE: "it was signed for another case",
    Refusal.WRONG_PERSON: "it was signed in another person's name",
    Refusal.WRONG_EVIDENCE: "the evidence is not what was signed; look at the checkpoint again",
    Refusal.WRONG_REQUIREMENT: "the requirement is not what was signed; look again",
    Refusal.NOT_OPEN: "the checkpoint has ended",
    Refusal.PAST_DEADLINE: "the checkpoint's deadline is past",
    Refusal.OPERATOR_NOT_ACTIVE: "you, or the key that signed, are not active",
    Refusal.OUT_OF_ROLE: "you have none of the roles that are asked for",
    Refusal.SEGREGATION: "you may not decide here: you had a hand in it",
    Refusal.ANOTHERS: "someone else decides here, whom the evidence names",
    Refusal.DECIDED_ALREADY: "you have decided already; withdraw that first",
    Refusal.ABSTAINED: "you have abstained, which is final; someone else decides",
    Refusal.NOTHING_TO_WITHDRAW: "you have no decision here to withdraw",
    Refusal.AMOUNT_DIFFERS: "the amount is not the one that is proposed",
    Refusal.ADJUSTMENTS_DIFFER: "the adjustments are not those that are proposed",
    Refusal.EXCEPTIONS_NOT_ACCEPTED: "it leaves out blocking findings; accept each by its id",
    Refusal.EXCEPTIONS_UNKNOWN: "it accepts findings that are not blocking ones of this checkpoint",
    Refusal.EXCEPTIONS_OUT_OF_ROLE: "it accepts findings that none of your roles may accept",
    Refusal.NOT_YOUR_TURN: "others approve first",
    Refusal.NOT_STANDING_IN: "the person that it stands in for has not handed over to you now",
    Refusal.STANDS_IN_FOR_EXCLUDED: "the person that it stands in for may not decide here",
    Refusal.SPOKEN_FOR: "someone who stands in for you has decided",
    Refusal.ABSENT_HAS_DECIDED: "the person that it stands in for has decided already",
    Refusal.NO_REASON: "a rejection needs a reason code",
    Refusal.NO_QUESTION: "a return needs a question: a reason code or a comment",
}
