"""Words as they are heard: whose stand, in whose turn, and which place each of them fills.

1. Words are heard in the order in which they were recorded. One person has one word at a time, and
   who stands in for someone speaks for both: neither is heard a second time meanwhile.
2. An approval is heard in its turn alone: in a role of a stage that has been reached. The stages
   before it are met then, and stay met, unless somebody withdraws.
3. Withdrawing takes with it the approvals of later stages that rested on what was withdrawn; their
   people may speak again. An abstention stays.
4. Approval wants a different person for every place of every need: a matching, since a senior
   approver may be able to fill a place that someone else could have filled as well.
5. Each word is heard under what was asked when it was recorded. At an escalation those that stand
   then are heard anew under the wider roles; what had been taken back, or had fallen with another,
   counts never again, unless its giver says it anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import NonNegativeInt

from placet.model import FindingId, Jti, Model, Name, Need, Principal, Requirement, Verdict
from placet.rules._schedule import levels


class CountedDecision(Model):
    """One decision that was accepted, with the roles its operator had at that moment.

    ``escalated`` is how many escalations of its checkpoint had happened by then.
    """

    jti: Jti
    operator: Principal
    roles: tuple[Name, ...]
    verdict: Verdict
    exceptions: tuple[FindingId, ...] = ()
    stands_in_for: Principal | None = None
    escalated: NonNegativeInt = 0

    @property
    def people(self) -> frozenset[str]:
        """Whom the word is of: its operator, and whoever they stand in for."""
        return frozenset(each for each in (self.operator, self.stands_in_for) if each is not None)


@dataclass(frozen=True)
class Word:
    """A word that is heard, and the stage that had been reached then."""

    decision: CountedDecision
    stage: int


@dataclass(frozen=True)
class Seat:
    """A place of a need, and whose approval fills it, if one does."""

    need: int
    place: Need
    word: CountedDecision | None


class Words:
    """The words that stand at a checkpoint, as they are heard one after the other."""

    def __init__(self, requirement: Requirement) -> None:
        self._levels = levels(requirement)
        self._level = 0
        self._heard: list[Word] = []
        self._ask(self._levels[0])

    def _ask(self, requirement: Requirement) -> None:
        self.asked = requirement
        self._places = [
            (index, need) for index, need in enumerate(requirement.needs) for _ in range(need.count)
        ]

    @classmethod
    def of(cls, requirement: Requirement, decisions: Iterable[CountedDecision]) -> "Words":
        """The words that stand after all these decisions."""
        words = cls(requirement)
        for decision in decisions:
            words.hear(decision)
        words.escalate()
        return words

    def escalate(self, level: int | None = None) -> None:
        """Let the escalations up to this one happen, or all: what stands then is heard anew."""
        last = len(self._levels) - 1
        while self._level < (last if level is None else min(level, last)):
            self._level += 1
            self._ask(self._levels[self._level])
            self._hear_anew(self.standing)

    def hear(self, decision: CountedDecision) -> bool:
        """Let a word take its place, as the checkpoint stood when it was said; whether it did."""
        self.escalate(decision.escalated)
        return self._hear(decision)

    def _hear(self, decision: CountedDecision) -> bool:
        if not entitled(self.asked, decision.people, decision.roles):
            return False
        if decision.verdict is Verdict.WITHDRAW:
            return self._withdraw(decision.operator)
        if any(self.of_person(each) is not None for each in decision.people):
            return False
        if decision.verdict is Verdict.APPROVE and not self.in_turn(decision.roles):
            return False
        self._heard.append(Word(decision, self.stage))
        return True

    def _withdraw(self, operator: Principal) -> bool:
        own = self.own(operator)
        if own is None or own.verdict is Verdict.ABSTAIN:
            return False
        self._hear_anew(each for each in self.standing if each is not own)
        return True

    def _hear_anew(self, decisions: Iterable[CountedDecision]) -> None:
        stood = tuple(decisions)
        self._heard = []
        for decision in stood:
            self._hear(decision)

    def own(self, person: Principal) -> CountedDecision | None:
        """The word that a person has signed and not taken back."""
        return next(
            (each.decision for each in self._heard if each.decision.operator == person), None
        )

    def of_person(self, person: Principal) -> CountedDecision | None:
        """A person's word, or that of whoever stands in for them."""
        return next((each.decision for each in self._heard if person in each.decision.people), None)

    def in_turn(self, roles: Iterable[str]) -> bool:
        """Whether an approval in these roles is heard now: its stage has been reached."""
        stage = self.stage
        return any(fits(roles, need) and need.stage <= stage for need in self.asked.needs)

    @property
    def stage(self) -> int:
        """The stage that waits: the lowest with a place that is empty, or else the last."""
        seats = self.seats()
        waiting = [seat.place.stage for seat in seats if seat.word is None]
        return min(waiting, default=max((seat.place.stage for seat in seats), default=1))

    @property
    def verdicts(self) -> frozenset[Verdict]:
        """What the standing words say, all together."""
        return frozenset(each.decision.verdict for each in self._heard)

    @property
    def approvers(self) -> tuple[CountedDecision, ...]:
        """The approvals that stand, in order."""
        return tuple(
            each.decision for each in self._heard if each.decision.verdict is Verdict.APPROVE
        )

    @property
    def standing(self) -> tuple[CountedDecision, ...]:
        """Every word that stands, in order."""
        return tuple(each.decision for each in self._heard)

    def seats(self) -> tuple[Seat, ...]:
        """Fill as many places as can be filled at once, each person one (Kuhn's augmenting paths).

        Places of lower stages come first, and nobody sits in a stage that had not been reached
        when they were heard.
        """
        order = sorted(range(len(self._places)), key=lambda at: self._places[at][1].stage)
        filled: dict[int, Word] = {}

        def seat(word: Word, tried: set[int]) -> bool:
            for at in order:
                need = self._places[at][1]
                if at in tried or need.stage > word.stage or not fits(word.decision.roles, need):
                    continue
                tried.add(at)
                seated = filled.get(at)
                if seated is None or seat(seated, tried):
                    filled[at] = word
                    return True
            return False

        for word in self._heard:
            if word.decision.verdict is Verdict.APPROVE:
                seat(word, set())
        return tuple(
            Seat(index, need, filled[at].decision if at in filled else None)
            for at, (index, need) in enumerate(self._places)
        )

    def unaccepted(self) -> tuple[FindingId, ...]:
        """The exceptions that no approval in a role that may accept them has accepted."""
        accepted = {
            finding
            for word in self.approvers
            for finding in word.exceptions
            if finding in self.asked.acceptable_by(frozenset(word.roles))
        }
        return tuple(each for each in self.asked.exceptions if each not in accepted)

    def independent(self) -> bool:
        """Whether an approval is of people outside ``not_all_of``, or none has to be."""
        apart = set(self.asked.not_all_of)
        return not apart or any(apart.isdisjoint(each.people) for each in self.approvers)


def fits(roles: Iterable[str], need: Need) -> bool:
    """Whether someone in these roles can fill a place of a need."""
    return not set(need.roles).isdisjoint(roles)


def entitled(requirement: Requirement, people: Iterable[str], roles: Sequence[str]) -> bool:
    """Whether a word is heard at all: in a role that is asked for, of nobody who is excluded."""
    return not requirement.bars(*people) and any(fits(roles, need) for need in requirement.needs)
