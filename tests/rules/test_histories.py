"""Thousands of histories of one checkpoint against the real rules: none lost, doubled, miscounted.

A second book-keeper, written from the rules' words alone and by trying every seating, hears the
same people. Both must agree after every step on who was refused, on whose words stand, and on where
the checkpoint stands. It withdraws, abstains, comes back, stands in, lets delegations end, escalates,
sends twice, out of order and late, and opens the checkpoint anew on other evidence. Hypothesis looks
for the shortest history that goes wrong; beside it many run at random, which go deeper: three people
and more have spoken in most of them. Some dozens of each run each time, and thousands with
``PLACET_EXAMPLES=50``.
"""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from placet.model import (
    AcceptedException,
    Acceptors,
    CheckpointStatus,
    DecisionClaims,
    Exclusion,
    ExclusionReason,
    Need,
    PlannedEscalation,
    Prospect,
    Requirement,
    Schedule,
    Verdict,
    digest_bytes,
    digest_json,
    spell_id,
)
from placet.rules import (
    CheckpointStanding,
    CountedDecision,
    DecisionRefused,
    OperatorFacts,
    approvals,
    check_decision,
    escalated,
    explain,
    missing,
    outcome_status,
    prospect,
    standing_words,
)
from tests.harness.examples import examples

START = datetime(2026, 11, 24, 9, tzinfo=UTC)
PEOPLE = ("ana", "ben", "cy", "dee", "eve", "flo")
ROLES = ("officer", "senior", "compliance")
FINDING = "payee.screened#p-1"
HELD = [frozenset((each,)) for each in ROLES * 2] + [
    frozenset(each) for each in (("officer", "senior"), ("officer", "compliance"), (), ROLES)
]
CASE = spell_id("case", bytes(16))
OPEN = CheckpointStatus.OPEN


def _need(roles: list[str], count: int, stage: int) -> Need:
    return Need(roles=tuple(roles), count=count, stage=stage)


NEEDS = st.lists(
    st.builds(
        _need,
        st.lists(st.sampled_from(ROLES), min_size=1, max_size=2, unique=True),
        st.integers(1, 3),
        st.integers(1, 3),
    ),
    min_size=2,
    max_size=3,
)


STAGED = st.builds(
    lambda roles, many, more: [_need([roles[0]], 1, 1), _need(roles[1 : 2 + more], many, 2)],
    st.permutations(ROLES),
    st.integers(2, 4),
    st.integers(0, 1),
)
"""One before several others: what rests on whose word."""

FLAWS = ("evidence", "requirement", "exceptions")
OTHER = digest_bytes(b"something else")
PAIRS = list(itertools.permutations(PEOPLE, 2))
WHO = st.integers(0, 2 * len(PEOPLE) - 1)
BARRED = st.lists(st.sampled_from(PEOPLE), max_size=2, unique=True)
APART = st.just([]) | st.lists(st.sampled_from(PEOPLE), max_size=4, unique=True)
ACCEPTORS = st.none() | st.just(()) | st.just(("senior",))


@dataclass
class Person:
    """What the authority knows of someone."""

    roles: frozenset[str]
    active: bool = True
    away: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """Who stands in for them, and when."""


@dataclass(frozen=True)
class Said:
    """A word as the book-keeper remembers it."""

    who: str
    roles: frozenset[str]
    verdict: str
    accepts: bool
    absent: str | None
    stage: int


class Book:
    """The second book-keeper: slow, and plain."""

    def __init__(self, asked: Requirement) -> None:
        self.needs = [(set(n.roles), n.stage) for n in asked.needs for _ in range(n.count)]
        self.barred = {each.person.partition(":")[2] for each in asked.excluded}
        self.apart = {each.partition(":")[2] for each in asked.not_all_of}
        self.exception = bool(asked.exceptions)
        acceptors = asked.accepting(FINDING) if self.exception else None
        self.acceptors = None if acceptors is None else set(acceptors)
        self.words: list[Said] = []
        self.ended: str | None = None

    def escalate(self, roles: tuple[str, ...]) -> None:
        """These roles may fill every place as well, and nobody's place before is closed to them.

        Only what stands at this moment is heard again. Whoever took a word back, or lost it with
        another's, has said nothing until they speak anew.
        """
        self.needs = [(held | set(roles), stage) for held, stage in self.needs]
        self.words = self._again(self.words)
        self._judge()

    def seating(self, words: list[Said], upto: int) -> bool:
        """Whether every place up to a stage can be filled at once, by trying every seating."""
        places = [roles for roles, stage in self.needs if stage <= upto]
        stages = [stage for _, stage in self.needs if stage <= upto]
        approvers = [each for each in words if each.verdict == "approve"]
        return any(
            all(
                each.roles & roles and stage <= each.stage
                for each, roles, stage in zip(seated, places, stages, strict=True)
            )
            for seated in itertools.permutations(approvers, len(places))
        )

    def stage(self, words: list[Said]) -> int:
        """The lowest stage that waits, or the last."""
        stages = sorted({stage for _, stage in self.needs})
        return next((each for each in stages if not self.seating(words, each)), stages[-1])

    def may_accept(self, roles: frozenset[str]) -> bool:
        return self.exception and (self.acceptors is None or bool(roles & self.acceptors))

    def spoken(self, who: str) -> Said | None:
        return next((each for each in self.words if who in (each.who, each.absent)), None)

    def hear(self, who: str, person: Person, verdict: str, absent: str | None, right: bool) -> bool:
        """Take a word, if it counts; ``right`` says that nothing else is wrong with it."""
        in_role = any(person.roles & roles for roles, _ in self.needs)
        if not right or self.ended or not in_role or who in self.barred or absent in self.barred:
            return False
        own = next((each for each in self.words if each.who == who), None)
        if own is not None and own.verdict == "abstain":
            return False
        if verdict == "withdraw":
            if own is None:
                return False
            self.words = self._again([each for each in self.words if each is not own])
        elif self.spoken(who) is not None or (absent and self.spoken(absent) is not None):
            return False
        elif not self._take(self.words, who, person.roles, verdict, absent):
            return False
        self._judge()
        return True

    def _take(
        self, words: list[Said], who: str, roles: frozenset[str], verdict: str, absent: str | None
    ) -> bool:
        stage = self.stage(words)
        if verdict == "approve" and not any(
            roles & wanted and reached <= stage for wanted, reached in self.needs
        ):
            return False
        accepts = verdict == "approve" and self.may_accept(roles)
        words.append(Said(who, roles, verdict, accepts, absent, stage))
        return True

    def _again(self, rest: list[Said]) -> list[Said]:
        words: list[Said] = []
        for each in rest:
            self._take(words, each.who, each.roles, each.verdict, each.absent)
        return words

    def _judge(self) -> None:
        said = [each.verdict for each in self.words]
        approvers = [each for each in self.words if each.verdict == "approve"]
        last = max(stage for _, stage in self.needs)
        independent = not self.apart or any(
            each.who not in self.apart and each.absent not in self.apart for each in approvers
        )
        accepted = not self.exception or any(each.accepts for each in approvers)
        if "reject" in said:
            self.ended = "rejected"
        elif "return" in said:
            self.ended = "returned"
        elif independent and accepted and self.seating(self.words, last):
            self.ended = "approved"


class Histories(RuleBasedStateMachine):
    """One checkpoint after the other, and everybody who might decide."""

    signed = Bundle("signed")

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.number = 0
        self.people: dict[str, Person] = {}
        self.recorded: dict[str, tuple[DecisionClaims, str]] = {}
        self.decisions: list[CountedDecision] = []
        self.fallen: set[str] = set()
        self.stood: set[str] = set()

    @initialize(
        roles=st.lists(
            st.sampled_from(HELD),
            min_size=len(PEOPLE),
            max_size=len(PEOPLE),
        ),
        needs=STAGED | NEEDS,
        barred=BARRED,
        apart=APART,
        acceptors=ACCEPTORS,
    )
    def enrol(
        self,
        roles: list[frozenset[str]],
        needs: list[Need],
        barred: list[str],
        apart: list[str],
        acceptors: tuple[str, ...] | None,
    ) -> None:
        self.people = {name: Person(each) for name, each in zip(PEOPLE, roles, strict=True)}
        self._open(tuple(needs), tuple(barred), tuple(apart), acceptors)

    def _open(
        self,
        needs: tuple[Need, ...],
        barred: tuple[str, ...],
        apart: tuple[str, ...],
        acceptors: tuple[str, ...] | None,
    ) -> None:
        self.number += 1
        self.late = 0
        self.last_asked = (needs, barred, apart, acceptors)
        self.checkpoint = spell_id("ckpt", self.number.to_bytes(16))
        self.evidence = digest_bytes(f"evidence {self.number}".encode())
        self.base = Requirement(
            checkpoint="release",
            matrix_digest=digest_bytes(b"matrix"),
            matrix_version=1,
            needs=needs,
            excluded=tuple(
                Exclusion(person=f"operator:{each}", why=ExclusionReason.PREPARED)
                for each in barred
            ),
            not_all_of=tuple(f"operator:{each}" for each in apart),
            exceptions=() if acceptors is None else (FINDING,),
            acceptors=(Acceptors(checks=("payee.screened",), roles=acceptors),)
            if acceptors
            else (),
            schedule=Schedule(
                due_at=self.now + timedelta(hours=4),
                expires_at=self.now + timedelta(hours=8),
                escalations=tuple(
                    PlannedEscalation(at=self.now + timedelta(hours=hours), roles=(role,))
                    for hours, role in ((2, "compliance"), (5, "senior"))
                ),
            ),
        )
        self.asked, self.level = self.base, 0
        self.fixed = digest_json(self.base)
        self.status = OPEN
        self.deadline = self.now + timedelta(hours=8)
        self.decisions = []
        self.fallen, self.stood = set(), set()
        self.book = Book(self.asked)

    @precondition(lambda self: self.status is not OPEN or len(self.decisions) > 5)
    @rule(
        needs=STAGED | NEEDS,
        barred=BARRED,
        apart=APART,
        acceptors=ACCEPTORS,
    )
    def open_anew(
        self,
        needs: list[Need],
        barred: list[str],
        apart: list[str],
        acceptors: tuple[str, ...] | None,
    ) -> None:
        """Other evidence: whatever was said before counts no more, and is no longer taken."""
        self._open(tuple(needs), tuple(barred), tuple(apart), acceptors)

    # --- time and people ------------------------------------------------------------------------

    @precondition(lambda self: self.status is OPEN)
    @rule(minutes=st.sampled_from([1, 1, 30, 60, 150, 479]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        if self.now >= self.deadline:
            self._expire()

    def _expire(self) -> None:
        self.status = CheckpointStatus.EXPIRED
        self.book.ended = "expired"

    @rule()
    def look(self) -> None:
        """Whoever looks finds done what is due: who may decide is widened, each step once."""
        planned = self.base.schedule
        assert planned is not None
        for level, each in enumerate(planned.escalations, start=1):
            due = level > self.level and each.at <= self.now < self.deadline
            if due and self.status is OPEN:
                self.level, self.asked = level, escalated(self.base, level)
                self.book.escalate(each.roles)
                self.status = outcome_status(self.asked, self.decisions)

    @precondition(lambda self: self.status is OPEN)
    @rule(who=st.sampled_from(PEOPLE))
    def to_the_deadline(self, who: str) -> None:
        """A word at the very deadline, and one just before it."""
        if self.now < self.deadline:
            self.now = self.deadline - timedelta(microseconds=1)
            self.look()
            self._send(self._sign(who, "approve", None))
            self.now = self.deadline
            assert not self._send(self._sign(who, "withdraw", None))
            if self.status is OPEN:
                self._expire()

    @precondition(lambda self: self.status is OPEN)
    @rule(who=st.sampled_from(PEOPLE))
    def suspend_or_resume(self, who: str) -> None:
        self.people[who].active = not self.people[who].active

    @precondition(lambda self: self.status is OPEN)
    @rule(which=st.integers(0, 29), minutes=st.sampled_from([1, 60, 480]))
    def hand_over(self, which: int, minutes: int) -> None:
        """Only to someone of the same authority, as the authority sees to it."""
        roles = {name: person.roles for name, person in self.people.items()}
        pairs = [pair for pair in PAIRS if roles[pair[0]] and roles[pair[0]] <= roles[pair[1]]]
        if pairs:
            giver, delegate = pairs[which % len(pairs)]
            ends = self.now + timedelta(minutes=minutes)
            self.people[giver].away[delegate] = (self.now, ends)

    def _stands_in_for(self, who: str) -> tuple[str, ...]:
        return tuple(
            f"operator:{giver}"
            for giver, person in self.people.items()
            if person.active
            and who in person.away
            and person.away[who][0] <= self.now < person.away[who][1]
        )

    # --- words ----------------------------------------------------------------------------------

    def _sign(
        self, who: str, verdict: str, absent: str | None, flaw: str | None = None
    ) -> DecisionClaims:
        approves = verdict == "approve"
        mine = self.asked.acceptable_by(self.people[who].roles) if approves else ()
        if flaw == "exceptions":
            mine = () if mine else (FINDING,)
        self.signatures = getattr(self, "signatures", 0) + 1
        return DecisionClaims(
            iss=f"operator:{who}",
            aud="https://authority.example",
            iat=int(self.now.timestamp()),
            jti=f"{self.signatures:016}",
            sub=self.checkpoint,
            txn=CASE,
            evidence_digest=OTHER if flaw == "evidence" else self.evidence,
            requirement_digest=OTHER if flaw == "requirement" else self.fixed,
            verdict=Verdict(verdict),
            reason_code="so" if verdict in {"reject", "return"} else None,
            exceptions=tuple(AcceptedException(finding=each, reason="looked at") for each in mine),
            stands_in_for=None if absent is None else f"operator:{absent}",
        )

    @rule(
        target=signed,
        who=WHO,
        verdict=st.sampled_from(["approve"] * 6 + ["withdraw", "abstain", "reject", "return"]),
        absent=st.none() | st.none() | st.sampled_from(PEOPLE),
    )
    def sign(self, who: int, verdict: str, absent: str | None) -> DecisionClaims:
        """A word is signed; it may come later, twice, or never."""
        return self._sign(self._person(who), verdict, absent)

    @rule(
        target=signed,
        who=WHO,
        verdict=st.sampled_from(["approve"] * 6 + ["withdraw", "abstain"]),
        absent=st.none() | st.none() | st.sampled_from(PEOPLE),
    )
    def decide(self, who: int, verdict: str, absent: str | None) -> DecisionClaims:
        claims = self._sign(self._person(who), verdict, absent)
        self._send(claims)
        return claims

    def _person(self, which: int) -> str:
        """Anyone; or, as often, someone who may approve now: most happens deep in a history."""
        if self.late > 2:  # enough was said too late: other evidence, and the same is asked
            self._open(*self.last_asked)
        if which >= len(PEOPLE) and self.status is OPEN:
            self.look()
            at = which % len(PEOPLE)
            for each in (*PEOPLE[at:], *PEOPLE[:at]):
                if self._foreseen(each).may_approve:
                    return each
        return PEOPLE[which % len(PEOPLE)]

    @rule(who=WHO, flaw=st.sampled_from(FLAWS))
    def decide_on_something_else(self, who: int, flaw: str) -> None:
        """What was signed is not what is shown, asked, or to be accepted."""
        assert not self._send(self._sign(self._person(who), "approve", None, flaw))

    @rule(target=signed, one=WHO, other=WHO)
    def two_at_once(self, one: int, other: int) -> object:
        """Two people, or one on two devices, in the same instant: the ledger has an order."""
        first, second = self._person(one), self._person(other)
        words = (self._sign(first, "approve", None), self._sign(second, "approve", None))
        counted = [self._send(each) for each in words]
        assert first != second or counted != [True, True]
        return multiple(*words)

    @precondition(lambda self: self.status is OPEN and len(self.decisions) > 0)
    @rule(which=st.integers(0, 9))
    def take_back(self, which: int) -> None:
        """Someone who has spoken takes their word back, and may say another."""
        spoken = standing_words(self.asked, self.decisions) or self.decisions
        who = spoken[which % len(spoken)].operator.partition(":")[2]
        self._send(self._sign(who, "withdraw", None))

    @precondition(lambda self: self.status is OPEN and len(self.decisions) > 1)
    @rule()
    def take_back_just_before_an_escalation(self) -> None:
        """The first who stands takes it back; then the roles widen, and someone else speaks."""
        stand = standing_words(self.asked, self.decisions)
        if stand:
            self._send(self._sign(stand[0].operator.partition(":")[2], "withdraw", None))
            self.what_has_fallen_stays_fallen()
        planned = self.base.schedule
        assert planned is not None
        coming = [each.at for each in planned.escalations if each.at > self.now]
        if coming:
            self.now = coming[0]
            self.look()

    @precondition(
        lambda self: self.status is OPEN and any(each.away for each in self.people.values())
    )
    @rule(which=st.integers(0, 9), verdict=st.sampled_from(["approve", "approve", "abstain"]))
    def stand_in(self, which: int, verdict: str) -> None:
        """Whoever was handed over to speaks for both, in time or too late."""
        pairs = [(who, each) for who, person in self.people.items() for each in person.away]
        giver, delegate = pairs[which % len(pairs)]
        self._send(self._sign(delegate, verdict, giver))
        self._send(self._sign(giver, "approve", None))

    @rule(claims=signed)
    def arrives(self, claims: DecisionClaims) -> None:
        """Late, twice or out of order: what was recorded is answered as it was."""
        self._send(claims)

    def _send(self, claims: DecisionClaims) -> bool:
        if claims.jti in self.recorded:
            assert self.recorded[claims.jti][0] == claims
            return False
        if claims.sub == self.checkpoint:
            self.look()
        self.late += self.status is not OPEN
        who = claims.iss.partition(":")[2]
        absent = None if claims.stands_in_for is None else claims.stands_in_for.partition(":")[2]
        person = self.people[who]
        facts = self._facts(who)
        counts = True
        try:
            check_decision(
                self.asked,
                self.evidence,
                self.fixed,
                claims,
                facts,
                self._standing(),
                self.now,
            )
        except DecisionRefused as refused:
            counts = False
            assert refused.reasons
            assert str(refused)
        mine = self.asked.acceptable_by(person.roles) if claims.verdict == "approve" else ()
        right = (
            claims.sub == self.checkpoint
            and self.now < self.deadline
            and person.active
            and (absent is None or f"operator:{absent}" in facts.stands_in_for)
            and set(claims.accepted) == set(mine)
            and (claims.evidence_digest, claims.requirement_digest) == (self.evidence, self.fixed)
        )
        heard = self.book.hear(who, person, claims.verdict.value, absent, right)
        assert counts == heard, claims
        if counts:
            self.recorded[claims.jti] = (claims, self.checkpoint)
            self.decisions.append(
                CountedDecision(
                    jti=claims.jti,
                    operator=claims.iss,
                    roles=tuple(sorted(person.roles)),
                    verdict=claims.verdict,
                    exceptions=claims.accepted,
                    stands_in_for=claims.stands_in_for,
                    escalated=self.level,
                )
            )
            self.status = outcome_status(self.asked, self.decisions)
        return counts

    def _facts(self, who: str) -> OperatorFacts:
        return OperatorFacts(
            principal=f"operator:{who}",
            active=self.people[who].active,
            roles=tuple(sorted(self.people[who].roles)),
            stands_in_for=self._stands_in_for(who),
        )

    def _foreseen(self, who: str) -> Prospect:
        return prospect(
            self.asked, self._facts(who), self._standing(), self.evidence, self.fixed, self.now
        )

    def _standing(self) -> CheckpointStanding:
        return CheckpointStanding(
            id=self.checkpoint,
            case=CASE,
            status=self.status,
            deadline=self.deadline,
            decisions=tuple(self.decisions),
        )

    # --- what holds after every step ------------------------------------------------------------

    @invariant()
    def both_books_agree(self) -> None:
        """I6: where it stands, and whose approvals count."""
        if not self.people:
            return
        assert self.status.value == (self.book.ended or "open")
        counted = [each.operator for each in approvals(self.asked, self.decisions)]
        assert counted == [
            f"operator:{each.who}" for each in self.book.words if each.verdict == "approve"
        ]
        people = [
            person for each in approvals(self.asked, self.decisions) for person in each.people
        ]
        assert len(people) == len(set(people)), "one person counts twice"

    @invariant()
    def what_has_fallen_stays_fallen(self) -> None:
        """I6: a word that was taken back, or fell with another's, counts never again."""
        if not self.people:
            return
        stand = {each.jti for each in standing_words(self.asked, self.decisions)}
        self.fallen |= self.stood - stand
        self.stood = stand
        assert not self.fallen & stand

    @invariant()
    def the_proof_says_so(self) -> None:
        """Every recorded word fills one place or is told why not; what is missing is said."""
        if not self.people:
            return
        proof = explain(self.asked, self.decisions, self._standing(), self.evidence, self.fixed)
        seated = [each.decision for each in proof.seats if each.decision is not None]
        rest = [each.decision for each in proof.uncounted]
        assert sorted([*seated, *rest]) == sorted(each.jti for each in self.decisions)
        if self.status is CheckpointStatus.APPROVED:
            assert all(each.decision is not None for each in proof.seats)
            assert proof.independent
            assert all(each.accepted_by for each in proof.exceptions)
        if self.status is OPEN:
            assert proof.missing == missing(self.asked, self.decisions) != ()

    @precondition(lambda self: self.status is OPEN)
    @rule(who=st.sampled_from(PEOPLE))
    def ask_first(self, who: str) -> None:
        """What a word would do is what it then does."""
        self.look()
        foreseen = self._foreseen(who)
        before = list(self.decisions)
        counted = self._send(self._sign(who, "approve", None))
        assert counted == foreseen.may_approve
        if counted:
            assert self.status is foreseen.then
            assert len(self.decisions) == len(before) + 1


TestHistories = pytest.mark.timeout(600)(Histories.TestCase)
TestHistories.settings = settings(
    max_examples=examples(60),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


# --- the same without a search: many more of them, and none that is like the one before ------------


def _some(dice: random.Random, of: Sequence[str], most: int) -> list[str]:
    return dice.sample(of, dice.randint(0, most))


def _asked(dice: random.Random) -> tuple[list[Need], list[str], list[str], tuple[str, ...] | None]:
    roles = dice.sample(ROLES, 3)
    if dice.random() < 0.5:
        needs = [
            _need(roles[:1], 1, 1),
            _need(roles[1 : dice.randint(2, 3)], dice.randint(2, 4), 2),
        ]
    else:
        needs = [
            _need(dice.sample(ROLES, dice.randint(1, 2)), dice.randint(1, 2), dice.randint(1, 3))
            for _ in range(dice.randint(2, 3))
        ]
    apart = _some(dice, PEOPLE, 5) if dice.random() < 0.5 else []
    return needs, _some(dice, PEOPLE, 1), apart, dice.choice((None, None, (), ("senior",)))


def _history(seed: int) -> None:
    """One history of sixty steps; the seed makes it again."""
    dice = random.Random(seed)  # noqa: S311 - the same history each time, not a secret
    floor, sent = Histories(), list[DecisionClaims]()
    floor.enrol(dice.choices(HELD, k=len(PEOPLE)), *_asked(dice))

    def person() -> int:
        return dice.randrange(2 * len(PEOPLE))

    def word() -> None:
        verdict = dice.choices(("approve", "withdraw", "abstain", "return"), (30, 2, 1, 0.3))[0]
        absent = dice.choice(PEOPLE) if dice.random() < 0.1 else None
        sent.append(floor.decide(person(), verdict, absent))

    def stand_in() -> None:
        if any(each.away for each in floor.people.values()):
            floor.stand_in(dice.randrange(10), dice.choice(("approve", "approve", "abstain")))

    def take_back() -> None:
        if floor.decisions:
            floor.take_back(dice.randrange(4))

    def again() -> None:
        if sent:
            floor.arrives(dice.choice(sent))

    steps: dict[Callable[[], object], float] = {
        word: 12,
        take_back: 3,
        stand_in: 3,
        again: 2,
        lambda: floor.two_at_once(person(), person()): 2,
        lambda: floor.hand_over(dice.randrange(30), dice.choice((60, 480))): 2,
        lambda: floor.decide_on_something_else(person(), dice.choice(FLAWS)): 1,
        lambda: floor.ask_first(dice.choice(PEOPLE)): 2,
        lambda: floor.time_passes(dice.choice((1, 30, 60, 121))): 1,
        lambda: floor.suspend_or_resume(dice.choice(PEOPLE)): 0.5,
        lambda: floor.to_the_deadline(dice.choice(PEOPLE)): 0.3,
        lambda: floor.open_anew(*_asked(dice)): 0.3,
    }
    for number, step in enumerate(dice.choices(list(steps), list(steps.values()), k=60)):
        step()
        floor.both_books_agree()
        floor.what_has_fallen_stays_fallen()
        if number % 5 == 0:
            floor.the_proof_says_so()


def test_many_histories_at_random() -> None:
    """I6, I11: nothing is lost, doubled or counted wrongly in any of them."""
    for seed in range(examples(40)):
        try:
            _history(seed)
        except AssertionError as wrong:
            raise AssertionError(f"the history of seed {seed}") from wrong
