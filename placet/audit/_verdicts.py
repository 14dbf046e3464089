"""People's decisions at a checkpoint (I6).

1. Each is signed with a key that its person had enrolled by then, and says what its entry says.
2. It is on the evidence that the checkpoint was opened with.
3. That person could decide then: active, in a role that is asked for, signed in as the rules ask,
   with no hand in the case, before the checkpoint's end, and once.

What does not hold is told; the words count all the same, so that the outcome is held against what
the ledger itself has.
"""

from datetime import UTC, datetime

from pydantic import JsonValue, ValidationError

from placet.audit._people import People
from placet.audit._scene import Scene
from placet.audit._standing import Standing
from placet.ledger import Entry
from placet.model import CheckpointView, DecisionClaims, Verdict, digest_bytes
from placet.rules import (
    CheckpointStanding,
    CountedDecision,
    DecisionRefused,
    OperatorFacts,
    check_decision,
    check_step_up,
)
from placet.tokens import verify_decision

_LAST_SECOND = 253_402_300_799
"""Of the year 9999."""


class Verdicts:
    """Decisions, as they were signed."""

    def __init__(self, scene: Scene, people: People) -> None:
        self._scene = scene
        self._people = people

    def heard(
        self, entry: Entry, view: CheckpointView | None, standing: Standing | None
    ) -> DecisionClaims | None:
        """A decision; its words, which count from here on, if its signature holds."""
        jti = str(entry.data.get("decision"))
        found = next((each for each in view.decisions if each.jti == jti), None) if view else None
        if view is None or found is None or standing is None:
            self._scene.trouble("decision-missing", f"the signed decision {jti} is not there")
            return None
        if digest_bytes(found.jws.encode()) != entry.data.get("decision_digest"):
            self._scene.trouble("decision-digest", f"the decision {jti} is another")
        claims = self._verified(entry, found.jws)
        if claims is not None:
            self._fits(entry, standing, claims)
            roles = self._people.roles(entry.actor)
            self._could(entry, view, standing, claims, roles)
            _count(entry, standing, claims, roles)
        return claims

    def _verified(self, entry: Entry, jws: str) -> DecisionClaims | None:
        key = self._people.key(entry.actor, str(entry.data.get("key")), entry.time)
        if key is None:
            self._scene.trouble("decision-key", f"{entry.actor} signed with no enrolled key")
            return None
        return self._scene.word(
            "decision",
            lambda: verify_decision(
                jws,
                key,
                operator=entry.actor,
                audience=self._scene.files.issuer,
                now=entry.time,
                max_age=None,
            ),
        )

    def _fits(self, entry: Entry, standing: Standing, claims: DecisionClaims) -> None:
        """What was signed is what the entry tells, on the evidence of the checkpoint."""
        signed: dict[str, JsonValue] = {
            "decision": claims.jti,
            "verdict": claims.verdict,
            "evidence_digest": claims.evidence_digest,
            "requirement_digest": claims.requirement_digest,
            "exceptions": list(claims.accepted),
            "stands_in_for": claims.stands_in_for,
        }
        told = {name: entry.data.get(name) for name in signed}
        if told != signed or claims.txn != entry.case:
            self._scene.trouble("decision-claims", "the decision says other than the ledger")
        self._people.heads.signed(entry, claims.ledger_head)
        self._scene.fresh("decision", claims.iat, entry)
        if claims.evidence_digest != standing.opened.data.get("evidence_digest"):
            self._scene.trouble("decision-other-evidence", f"{entry.actor} saw other evidence")

    def _could(
        self,
        entry: Entry,
        view: CheckpointView,
        standing: Standing,
        claims: DecisionClaims,
        roles: tuple[str, ...],
    ) -> None:
        """The authority could not have refused it."""
        if list(roles) != entry.data.get("roles"):
            self._scene.trouble("decision-roles", f"{entry.actor} had other roles")
        opened, case = standing.opened.data, self._scene.cases.get(entry.case or "")
        if case is None or not case.is_open:
            self._scene.trouble("decision-refusable", "its case was not open")
        try:
            check_decision(
                standing.asked(view),
                str(opened.get("evidence_digest")),
                str(opened.get("requirement_digest")),
                claims,
                self._facts(entry, roles),
                CheckpointStanding(
                    id=standing.id,
                    case=standing.opened.case or "",
                    status=standing.status,
                    deadline=_end_of(opened.get("deadline")),
                    adjustments_digest=self._adjustments(view, claims),
                    decisions=tuple(standing.decisions),
                ),
                entry.time,
            )
            told = entry.data.get("signed_in_at")
            signed_in = _end_of(told) if isinstance(told, int) else None
            check_step_up(self._people.rules.step_up, claims, signed_in, entry.time)
        except DecisionRefused as error:
            self._scene.trouble("decision-refusable", str(error))
        except ValidationError as error:
            self._scene.trouble("decision-refusable", f"not a checkpoint: {error.error_count()}")

    def _adjustments(self, view: CheckpointView, claims: DecisionClaims) -> str | None:
        """The rows that are proposed; what they were is gone with an erased case."""
        if self._scene.case in self._scene.erased:
            return claims.adjustments_digest
        return view.evidence.proposal.adjustments_digest

    def _facts(self, entry: Entry, roles: tuple[str, ...]) -> OperatorFacts:
        process = self._scene.process(entry.case)
        return OperatorFacts(
            principal=entry.actor,
            active=self._people.active(entry.actor),
            roles=roles,
            stands_in_for=self._people.stands_in_for(
                entry.actor, None if process is None else process.name, entry.time
            ),
        )


def _count(
    entry: Entry, standing: Standing, claims: DecisionClaims, roles: tuple[str, ...]
) -> None:
    standing.keys[claims.jti] = str(entry.data.get("key"))
    if claims.verdict is Verdict.REJECT:
        standing.rejected_for = claims.reason_code
    standing.decisions.append(
        CountedDecision(
            jti=claims.jti,
            operator=claims.iss,
            roles=roles,
            verdict=claims.verdict,
            exceptions=claims.accepted,
            stands_in_for=claims.stands_in_for,
            escalated=standing.escalated,
        )
    )


def _end_of(told: JsonValue) -> datetime:
    """The end of the second that the ledger names; long ago if it names none."""
    seconds = told if isinstance(told, int) and 0 <= told < _LAST_SECOND else 0
    return datetime.fromtimestamp(seconds + 1, UTC)
