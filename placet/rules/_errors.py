"""What the rules refuse, as exceptions.

::

    RuleError
    ├── OutOfScope        a record is not one of the case's (I2)
    ├── MissingFact       a fact that a rule rests on was not given or has the wrong shape
    ├── NoRule            the lender's matrix says nothing of this checkpoint: nobody can approve it
    ├── BadCalendar       the lender's calendar can't be used
    ├── BadProposal       what people would be asked to approve contradicts itself
    ├── BadPolicies       Cedar policies or their schema can't be used (I3)
    ├── UnsupportedResult a case can't close so: its record does not show it
    └── DecisionRefused   a person's decision does not count (I6)
"""

from placet.rules._refusals import Refusal


class RuleError(Exception):
    """A rule does not allow it, or can't be applied."""


class OutOfScope(RuleError):
    """A record lies outside the case's scope. The text never tells what other records exist."""


class MissingFact(RuleError):
    """A rule rests on a fact that was not given, or that has not the shape it needs.

    What can't be judged is neither permitted nor the asker's fault: answer "unavailable".
    """

    def __init__(self, fact: str, expected: str) -> None:
        super().__init__(f"fact {fact!r} is needed and must be {expected}")
        self.fact = fact


class NoRule(RuleError):
    """The authority matrix has no rule for a checkpoint, so nobody can approve it."""


class BadCalendar(RuleError):
    """A calendar of the matrix can't be used; the message says which and why."""


class BadProposal(RuleError):
    """A proposal contradicts itself, so nobody may be asked to approve it."""


class BadPolicies(RuleError):
    """Policies or schema can't be used. ``problems`` names each, with the policy it is in."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class UnsupportedResult(RuleError):
    """A case may not close with this result; the message says what its record lacks."""


class DecisionRefused(RuleError):
    """A decision does not count. ``reasons`` has one id for each rule that it breaks.

    ``needed`` says what would have been needed, to someone who may know of the checkpoint.
    """

    def __init__(self, reasons: tuple[Refusal, ...], needed: tuple[str, ...] = ()) -> None:
        super().__init__("; ".join([*(reason.words for reason in reasons), *needed]))
        self.reasons = reasons
        self.needed = needed
