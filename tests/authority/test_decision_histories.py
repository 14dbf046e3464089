"""Histories of one checkpoint against the real store: none lost, doubled or wrongly counted (I11).

Smaller than ``tests/rules/test_histories.py``, and on real parts: signatures, transactions, the
ledger. Decisions come twice, out of order and at the same instant, while the authority is stopped
and started, around an escalation, at the very deadline and after a delegation's end. What was
recorded is always exactly what was accepted, in the ledger's order; the outcome is what the rules
make of that; and a word that has fallen once never counts again.
"""

import asyncio
import json
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic import SecretStr

from placet.authority import AuthoritySettings, SigningKeys, Store, create_log
from placet.authority._core import Core
from placet.authority._counted import counted_decisions
from placet.authority._decisions import Decisions
from placet.authority._errors import Forbidden
from placet.authority._outcomes import settle_status
from placet.authority._store import (
    Case,
    Checkpoint,
    Delegation,
    Identity,
    IdentityKey,
    LedgerEntry,
    OutboxRow,
    Reader,
    Tx,
)
from placet.model import (
    CaseStatus,
    CheckpointStatus,
    DecisionAnswer,
    DecisionClaims,
    Evidence,
    EvidenceItem,
    Need,
    PlannedEscalation,
    Proposal,
    Requirement,
    Schedule,
    Verdict,
    canonical_json,
    digest_bytes,
    digest_json,
    spell_id,
)
from placet.rules import escalated, outcome_status, standing_words
from placet.tokens import SigningKey, sign_decision
from tests.harness.examples import examples
from tests.harness.world import PASSPHRASE

START = datetime(2026, 11, 24, 9, tzinfo=UTC)
PEOPLE = {"ana": ("officer",), "ben": ("officer",), "sam": ("senior",), "tia": ("senior",)}
KEYS = {name: SigningKey.generate() for name in PEOPLE}
CASE, CKPT, GRANT = (spell_id(kind, bytes(16)) for kind in ("case", "ckpt", "grant"))
SUBJECT = "depot/D1/parcel/1"
ASKED = Requirement(
    checkpoint="release",
    matrix_digest=digest_bytes(b"matrix"),
    matrix_version=1,
    needs=(
        Need(roles=("officer",), count=1),
        Need(roles=("senior",), count=2, stage=2),
    ),
    schedule=Schedule(
        due_at=START + timedelta(hours=4),
        expires_at=START + timedelta(hours=8),
        escalations=(PlannedEscalation(at=START + timedelta(hours=1), roles=("senior",)),),
    ),
)
EVIDENCE = Evidence(
    case=CASE,
    checkpoint="release",
    subject=SUBJECT,
    salt="A" * 43,
    items=(
        EvidenceItem(
            name="weight",
            record=SUBJECT,
            digest=digest_bytes(b"weight"),
            agent="agent:scale",
            grant=GRANT,
        ),
    ),
    proposal=Proposal(),
)
Sent = tuple[str, DecisionClaims]


class Histories(RuleBasedStateMachine):
    """One authority, stopped and started; one checkpoint; four people."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.now = START
        self.signed: list[Sent] = []
        self.answers: dict[str, DecisionAnswer] = {}
        self.stood: set[str] = set()
        self.fallen: set[str] = set()
        self.settings = AuthoritySettings(
            issuer="http://127.0.0.1:8600",
            database_url=f"sqlite:///{Path(self.folder.name)}/authority.db",
            key_passphrase=SecretStr(PASSPHRASE),
        )
        self.store: Store | None = None

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    async def _start(self) -> None:
        url, origin = self.settings.database_url, self.settings.origin
        self.store = await Store.open(url, origin=origin, clock=lambda: self.now)
        await self.store.__aenter__()
        keys = SigningKeys(PASSPHRASE)
        core = Core(
            self.settings, self.store, cast("Any", None), keys, lambda: self.now, os.urandom
        )
        self.decisions = Decisions(core)

    async def _stop(self) -> None:
        if self.store is not None:
            await self.store.__aexit__(None, None, None)
            self.store = None

    @initialize()
    def open(self) -> None:
        async def work() -> None:
            url, origin = self.settings.database_url, self.settings.origin
            async with await Store.open(url, origin=origin) as store:
                admin = SigningKey.generate()
                await create_log(store, SigningKeys(PASSPHRASE), [("ada", admin.public)])
            await self._start()
            assert self.store is not None
            await self.store.write(self._lay_out)

        self.run(work())

    def _lay_out(self, tx: Tx) -> None:
        for name, roles in PEOPLE.items():
            principal, key = f"operator:{name}", KEYS[name].public
            tx.add(
                Identity(
                    principal=principal,
                    kind="operator",
                    status="active",
                    roles_json=json.dumps(roles),
                    enrolled_at=self.now,
                    enrolled_by="operator:ada",
                )
            )
            tx.add(
                IdentityKey(
                    thumbprint=key.thumbprint,
                    principal=principal,
                    jwk_json=canonical_json(dict(key.jwk())).decode(),
                    status="active",
                    enrolled_at=self.now,
                )
            )
        tx.add(
            Case(
                id=CASE,
                process="parcel-check",
                version=1,
                subject=SUBJECT,
                status=CaseStatus.OPEN.value,
                opened_by="operator:pat",
                opened_at=self.now,
                workflow_id=CASE,
                workflow_type="ParcelCheck",
                task_queue="orchestrator",
                request_id="one",
            )
        )
        row = Checkpoint(
            id=CKPT,
            case_id=CASE,
            name="release",
            title="Release",
            status="open",
            opened_at=self.now,
            deadline=self.now + timedelta(hours=8),
            evidence_digest=digest_json(EVIDENCE),
            evidence_json=canonical_json(EVIDENCE).decode(),
            requirement_digest=digest_json(ASKED),
            requirement_json=canonical_json(ASKED).decode(),
            entry=0,
        )
        tx.add(row)
        case = tx.get(Case, CASE)
        assert case is not None
        settle_status(tx, case, row, ASKED, ())
        tx.add(
            Delegation(
                id="a-delegation-of-ana",
                giver="operator:ana",
                delegate="operator:ben",
                starts_at=self.now,
                ends_at=self.now + timedelta(hours=2),
                entry=0,
            )
        )

    def teardown(self) -> None:
        """Stop it, whatever happened."""
        self.run(self._stop())
        self.runner.close()
        self.folder.cleanup()

    # --- what happens ---------------------------------------------------------------------------

    def _sign(self, who: str, verdict: str, absent: str | None = None) -> Sent:
        claims = DecisionClaims(
            iss=f"operator:{who}",
            aud=self.settings.issuer,
            iat=int(self.now.timestamp()),
            jti=f"{len(self.signed):016}",
            sub=CKPT,
            txn=CASE,
            evidence_digest=digest_json(EVIDENCE),
            requirement_digest=digest_json(ASKED),
            verdict=Verdict(verdict),
            reason_code="so",
            stands_in_for=absent,
        )
        self.signed.append((sign_decision(claims, KEYS[who]), claims))
        return self.signed[-1]

    async def _send(self, sent: Sent) -> bool:
        jws, claims = sent
        try:
            answer = await self.decisions.decide(CKPT, jws)
        except Forbidden:
            assert claims.jti not in self.answers, "what was recorded is answered as it was"
            return False
        assert self.answers.setdefault(claims.jti, answer) == answer
        return True

    @rule(
        who=st.sampled_from(sorted(PEOPLE)),
        verdict=st.sampled_from(["approve"] * 5 + ["withdraw", "abstain", "return"]),
    )
    def decide(self, who: str, verdict: str) -> None:
        self.run(self._send(self._sign(who, verdict)))

    @rule()
    def stand_in(self) -> None:
        self.run(self._send(self._sign("ben", "approve", "operator:ana")))

    @rule(first=st.sampled_from(sorted(PEOPLE)), second=st.sampled_from(sorted(PEOPLE)))
    def at_the_same_instant(self, first: str, second: str) -> None:
        """Two people, or one on two devices."""

        async def both() -> list[bool]:
            words = (self._sign(first, "approve"), self._sign(second, "approve"))
            return list(await asyncio.gather(*(self._send(each) for each in words)))

        counted = self.run(both())
        assert first != second or counted != [True, True]

    @precondition(lambda self: self.signed)
    @rule(which=st.integers(0, 30))
    def again(self, which: int) -> None:
        """A decision that was sent before comes once more, perhaps after others."""
        self.run(self._send(self.signed[which % len(self.signed)]))

    @rule()
    def stopped_and_started(self) -> None:
        async def work() -> None:
            await self._stop()
            await self._start()

        self.run(work())

    @rule(officer=st.sampled_from(["ana", "ben"]), senior=st.sampled_from(["sam", "tia"]))
    def one_takes_back_just_before_the_escalation(self, officer: str, senior: str) -> None:
        """A senior's word falls with the officer's that it rested on; then seniors may do both."""
        for who, verdict in ((officer, "approve"), (senior, "approve"), (officer, "withdraw")):
            self.run(self._send(self._sign(who, verdict)))
            self.what_is_recorded_is_what_was_accepted()
        self.now = max(self.now, START + timedelta(hours=1))
        self.run(self._send(self._sign("tia" if senior == "sam" else "sam", "approve")))

    @rule(minutes=st.sampled_from([1, 60, 120, 480]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    # --- what holds -----------------------------------------------------------------------------

    @invariant()
    def what_is_recorded_is_what_was_accepted(self) -> None:
        """I6, I11: each accepted word once, in the ledger's order, and the outcome from these."""
        if self.store is None:
            return

        def look(reader: Reader) -> None:
            row = reader.get(Checkpoint, CKPT)
            assert row is not None
            counted = counted_decisions(reader, CKPT)
            assert {each.jti for each in counted} == set(self.answers)
            told = [
                json.loads(each.content)["data"]["decision"]
                for each in reader.all(LedgerEntry, order_by=[LedgerEntry.index])
                if each.type in {"decision.recorded", "decision.withdrawn"}
            ]
            assert told == [each.jti for each in counted]
            asked = escalated(ASKED, row.escalated)
            if row.status != CheckpointStatus.EXPIRED:
                assert row.status == outcome_status(asked, counted).value
            stand = {each.jti for each in standing_words(asked, counted)}
            self.fallen |= self.stood - stand
            self.stood = stand
            assert not stand & self.fallen
            bells = [each for each in reader.all(OutboxRow) if each.key == f"bell/{CKPT}"]
            assert len(bells) == (0 if row.status == "open" else 1)

        self.run(self.store.read(look))


TestHistories = pytest.mark.timeout(600)(Histories.TestCase)
TestHistories.settings = settings(
    max_examples=examples(10),
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
