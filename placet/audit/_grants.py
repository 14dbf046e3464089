"""Grants: issued for a step of the signed process, decided again, ended once, used as granted."""

from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

from placet.audit._asked import Asked
from placet.audit._checkpoints import Checkpoints
from placet.audit._conversations import Conversations
from placet.audit._decisions import decided_again
from placet.audit._holds import Holds
from placet.audit._models import Models
from placet.audit._people import People
from placet.audit._registry import named
from placet.audit._scene import ALL, Case, Grant, Scene
from placet.ledger import Entry, EntryType
from placet.model import (
    EvidenceItem,
    GrantedDetails,
    Settled,
    SettlementOutcome,
    Step,
    UseStage,
    digest_json,
    system_urn,
)
from placet.rules import PolicyRequest
from placet.tokens import CLOCKS_APART, SHORT_LIFETIME, verify_settlement, verify_use

ENDS = {EntryType.GRANT_SETTLED, EntryType.GRANT_REVOKED, EntryType.GRANT_EXPIRED}
STAGES = {
    UseStage.INTENT: EntryType.ACTION_REQUESTED,
    UseStage.RESULT: EntryType.ACTION_PERFORMED,
    UseStage.USE: EntryType.GRANT_USED,
}
_STAGE_OF = {type_: stage for stage, type_ in STAGES.items()}
USES = set(STAGES.values())

_SETTLED = tuple(Settled.model_fields)


class Grants:
    """Grants as the log issues, denies, uses and ends them."""

    def __init__(
        self, scene: Scene, people: People, checkpoints: Checkpoints, holds: Holds
    ) -> None:
        self._scene = scene
        self._people = people
        self._checkpoints = checkpoints
        self.models = Models(scene)
        self._conversations = Conversations(scene)
        self._holds = holds
        self._asked = Asked(scene, checkpoints, holds)
        self._done: dict[tuple[JsonValue, ...], int] = {}
        """Where the newest grant was issued under which something was done."""

    def issued(self, entry: Entry) -> None:
        """A grant: in an open case, for the agent and action of its step, permitted by policy."""
        self._scene.collector.count("grants")
        grant = str(entry.data.get("grant"))
        if grant in self._scene.grants:
            self._scene.trouble("grant-twice", f"{grant} was issued before")
        case = self._scene.cases.get(entry.case or "")
        if case is None or not case.is_open:
            self._scene.trouble("grant-without-case", f"{grant} was issued in no open case")
        if self._people.key(entry.actor, str(entry.data.get("key")), entry.time) is None:
            self._scene.trouble("grant-key", f"{entry.actor} has no such key")
        if not self._people.active(entry.actor):
            self._scene.trouble("grant-key", f"{entry.actor} was not active")
        if case is not None and not _in_its_run(entry, case):
            self._scene.trouble("grant-activity", f"{grant} is for a step of no run of its case")
        if entry.data.get("jkt") != entry.data.get("key"):
            self._scene.trouble("grant-key", f"{grant} is bound to another key than asked for it")
        expires = entry.data.get("expires")
        if not isinstance(expires, int) or expires > (entry.time + SHORT_LIFETIME).timestamp():
            self._scene.trouble("grant-expires", f"{grant} is good for longer than any grant is")
        self._people.registry.granted(entry.actor, entry.time, entry.data)
        self.models.granted(entry, self._scene.process(entry.case))
        self._scene.grants[grant] = Grant(entry, self._scene.index)
        self._step(entry)
        self._conversations.asked(entry, self._scene.process(entry.case))
        question, step = self.decided(entry, permitted=True), self._step_of(entry)
        if question is not None and step is not None:
            self._asked.permitted(entry, step, question)

    def denied(self, entry: Entry) -> None:
        """A denial, decided again; it voids no approval on which the very same was done (I11)."""
        if "context_digest" in entry.data:
            self.decided(entry, permitted=False)
        case, reasons = self._scene.cases.get(entry.case or ""), entry.data.get("reasons")
        if case is not None and isinstance(reasons, list):
            case.denied.update(map(str, reasons))
        for standing in self._checkpoints.voided_for(self._scene.index):
            if self._done.get(_action_of(entry), -1) > (standing.resolved or 0):
                said = f"{standing.id} was voided for what had been done on it"
                self._scene.trouble("approval-voided", said)

    def _step(self, entry: Entry) -> None:
        step = self._step_of(entry)
        told = (entry.actor, entry.data.get("action"), entry.data.get("system"))
        if step is None or (f"agent:{step.agent}", step.action, step.system) != told:
            self._scene.trouble("grant-step", "the process lets this agent do no such step")
            return
        fixed: Mapping[str, object] | None = {"max_amount": entry.data.get("amount")}
        if step.approval is not None:
            fixed = self._checkpoints.fixed(entry)
            self.prefixed(entry)
            if not self._checkpoints.approved(entry, step.approval):
                self._scene.trouble(
                    "grant-approval", f"no approval of {step.approval} stands behind it"
                )
            for name, said in self._checkpoints.doubts(entry):
                self._scene.trouble(name, said)
        if fixed is not None and entry.data.get("details_digest") != _details_digest(entry, fixed):
            self._scene.trouble("grant-details", "it was given with other details")

    def _step_of(self, entry: Entry) -> Step | None:
        definition = self._scene.process(entry.case)
        activity = entry.data.get("activity")
        if definition is None or not isinstance(activity, dict):
            return None
        return definition.step(str(activity.get("activity_type")))

    def decided(self, entry: Entry, *, permitted: bool) -> PolicyRequest | None:
        """A policy decision: asked again of the policies in force, in the context that was kept."""
        scene, policies = self._scene, entry.data.get("policy_digest")
        question = decided_again(scene, entry, permitted=permitted)
        if str(policies) in scene.policies:
            scene.known("policy", scene.policies, policies)
            scene.in_force("policy", ALL, policies)
        definition, matrix = scene.process(entry.case), entry.data.get("matrix_digest")
        scene.known("matrix", scene.matrices, matrix)
        if definition is not None:
            scene.in_force("matrix", definition.name, matrix)
        return question

    def ended(self, entry: Entry) -> None:
        """A grant's one end; a settlement is its agent's, and leaves what its step may leave."""
        name = str(entry.data.get("grant"))
        grant = self._scene.grants.get(name)
        if grant is None:
            self._scene.trouble("end-without-grant", f"{name} ended and was never issued")
            return
        if grant.ended is not None:
            self._scene.trouble("grant-ended-twice", f"{name} was {grant.ended} before")
        grant.ended = entry.type.value
        if (entry.case, entry.record) != (grant.issued.case, grant.issued.record):
            self._scene.trouble("end-of-another", f"{name} was issued in {grant.issued.case}")
        if entry.type is EntryType.GRANT_SETTLED:
            if entry.actor != grant.issued.actor:
                self._scene.trouble("end-by-another", f"{name} was settled by {entry.actor}")
            self._settled(entry, grant)

    def own(self, entry: Entry) -> None:
        """An agent's own entry under a grant, which is that agent's, in this case."""
        grant = self.exists(entry)
        if grant is not None and grant.issued.actor != entry.actor:
            self._scene.trouble("under-another-grant", f"it is no grant of {entry.actor}")
        if grant is not None and grant.ended is not None:
            self._scene.trouble("under-another-grant", f"the grant was {grant.ended} before")

    def prefixed(self, entry: Entry) -> None:
        """What people decide on, or have approved, says how its run's history began by then."""
        case, told = self._scene.cases.get(entry.case or ""), entry.data.get("history")
        if case is None or not isinstance(told, dict) or told.get("run_id") != case.run:
            self._scene.trouble("history-prefix", "it does not say what the history was by then")

    def goes_on(self, entry: Entry) -> None:
        """What an agent does in a case is done while it is open."""
        case = self._scene.cases.get(entry.case or "")
        if case is None or not case.is_open:
            self._scene.trouble("case-not-open", f"{entry.case} was closed, or stopped")

    def exists(self, entry: Entry) -> Grant | None:
        """The grant under which something was done, which is one of this case."""
        name = str(entry.data.get("grant"))
        grant = self._scene.grants.get(name)
        if grant is None or grant.issued.case != entry.case:
            self._scene.trouble("under-another-grant", f"{name} is no grant of {entry.case}")
        return grant

    def stopped(self, entry: Entry) -> None:
        """Someone's standing, or key, has ended: no grant that rests on it lives on (I10)."""
        whose = {str(entry.data.get("principal" if "principal" in entry.data else "target"))}
        whose |= set(named(entry))
        for name, grant in self._scene.grants.items():
            if grant.ended is not None:
                continue
            if grant.issued.actor in whose:
                said = f"{name} of {grant.issued.actor} lives on"
                self._scene.trouble("grant-outlives", said)
            elif self._checkpoints.rests_on_the_inactive(grant.issued):
                self._scene.trouble("grant-outlives", f"{name} lives on without its approval")

    def _signed(self, entry: Entry, grant: Grant) -> None:
        """What a settlement tells is its agent's word, under the key that asked for the grant."""
        self._scene.collector.count("settlements")
        key = self._people.key(entry.actor, str(grant.issued.data.get("key")), entry.time)
        if key is None:
            self._scene.trouble("settlement-key", f"{entry.actor} had the grant's key no more")
            return
        word, issuer = str(entry.data.get("settlement")), self._scene.files.issuer
        claims = self._scene.word(
            "settlement",
            lambda: verify_settlement(
                word, key, agent=entry.actor, audience=issuer, now=entry.time
            ),
        )
        if claims is None:
            return
        if claims.ledger_head is not None:  # most have none: each head is signed once
            self._people.heads.signed(entry, claims.ledger_head)
        try:
            told = Settled.model_validate({each: entry.data.get(each) for each in _SETTLED})
        except ValidationError:
            told = None
        signed = (claims.sub, claims.txn, claims.settlement_digest)
        if told is None or signed != (told.grant, entry.case, told.digest):
            self._scene.trouble("settlement-says-other", "its agent signed another settlement")
        if claims.iat < (grant.issued.time - CLOCKS_APART).timestamp():
            self._scene.trouble("settlement-early", "its agent settled it before it was granted")
        if claims.details_digest != grant.issued.data.get("details_digest"):
            said = "its agent was given a grant of other details"
            self._scene.trouble("settlement-says-other", said)

    def _settled(self, entry: Entry, grant: Grant) -> None:
        self._signed(entry, grant)
        step = self._step_of(grant.issued)
        if str(entry.data.get("outcome")) not in set(SettlementOutcome):
            self._scene.trouble("settled-otherwise", "nothing is known that came of it")
        inputs = entry.data.get("inputs")
        read = frozenset(map(str, inputs if isinstance(inputs, list) else ()))
        grant.read = read
        for digest in sorted(read):
            if self._scene.part_cases.get(digest) != entry.case:
                self._scene.trouble("part-unsettled", f"it has read {digest}, which nobody left")
        said = entry.data.get("reasoning_digest")
        if said is not None:
            self._scene.collector.count("agents' words")
            self._scene.content("reasoning", self._scene.files.kept, str(said))
        parts = entry.data.get("parts")
        for part in parts if isinstance(parts, list) else ():
            told: Mapping[str, JsonValue] = part if isinstance(part, dict) else {}
            self._scene.collector.count("parts")
            if step is None or told.get("name") not in step.produces:
                self._scene.trouble("part-not-produced", f"the step leaves no {told.get('name')}")
            digest = str(told.get("digest"))
            if digest in self._scene.parts:
                self._scene.trouble("part-twice", f"{told.get('name')} was left before")
            if step is not None and told.get("name") in step.told:
                name = str(told.get("name"))
                if self._scene.told.get((entry.case or "", name)) != digest:
                    self._scene.trouble("part-told", f"{name} is not what the authority told")
            self._scene.content("part", self._scene.files.parts, digest)
            try:
                item = EvidenceItem.model_validate(
                    {
                        **told,
                        "record": entry.record,
                        "agent": entry.actor,
                        "grant": entry.data.get("grant"),
                    }
                )
            except ValidationError:
                self._scene.trouble("part-not-produced", "the settlement names no part")
                continue
            self._scene.left(item, entry.case or "")
            if entry.case in self._scene.cases:
                self._scene.cases[entry.case].agents.add(entry.actor)
                self._scene.cases[entry.case].settled.add(item.name)
        self._conversations.settled(entry, grant.issued, self._scene.process(grant.issued.case))

    def used(self, entry: Entry) -> None:
        """A use at a system of record: of a grant for it, for this action and record."""
        self._scene.collector.count("uses")
        name = str(entry.data.get("grant"))
        grant = self._scene.grants.get(name)
        if grant is None:
            self._scene.trouble("use-without-grant", f"{name} was used and never issued")
            return
        issued = grant.issued
        told = (entry.actor, entry.data.get("action"), entry.record, entry.case)
        granted = (f"system:{issued.data.get('system')}", issued.data.get("action"))
        if told != (*granted, issued.record, issued.case):
            self._scene.trouble("use-of-another", f"{name} was not granted for this use")
        if entry.type is EntryType.ACTION_REQUESTED:
            self._requested(entry, grant)
        elif entry.type is EntryType.ACTION_PERFORMED and _was_done(entry):
            self._done[_action_of(issued)], grant.done = grant.index, True
            if not grant.asked:
                said = f"{name}: it was done, and not asked for before"
                self._scene.trouble("use-unasked", said)
        grant.intents.told(str(entry.data.get("use")), _STAGE_OF[entry.type])
        self._told_by_its_system(entry, issued)

    def _requested(self, entry: Entry, grant: Grant) -> None:
        """What is about to be done: under a live grant, in an open case, on no held record."""
        case, until = self._scene.cases.get(entry.case or ""), grant.issued.data.get("expires")
        grant.asked = True
        if grant.ended is not None:
            self._scene.trouble("use-refusable", f"the grant was {grant.ended} before")
        if not isinstance(until, int) or entry.time.timestamp() >= until + 1:
            self._scene.trouble("use-refusable", "the grant had expired")
        if case is None or not case.is_open:
            self._scene.trouble("use-refusable", "its case was not open")
        if self._holds.cover(entry.record or ""):
            self._scene.trouble("use-refusable", f"{entry.record} was on hold")

    def _told_by_its_system(self, entry: Entry, issued: Entry) -> None:
        """What a use tells is its system's word, under the key that it told it with."""
        key = self._people.key(entry.actor, str(entry.data.get("key")), entry.time)
        if key is None:
            self._scene.trouble("use-key", f"{entry.actor} has no such key")
            return
        word, issuer = str(entry.data.get("word")), self._scene.files.issuer
        claims = self._scene.word(
            "use",
            lambda: verify_use(word, key, system=entry.actor, audience=issuer, now=entry.time),
        )
        if claims is None:
            return
        signed: dict[str, JsonValue] = {
            "use": claims.jti,
            "grant": claims.sub,
            "action": claims.action,
            "status": claims.status,
            "body_digest": claims.body_digest,
            "used_at": claims.used_at,
        }
        told = {name: entry.data.get(name) for name in signed}
        if (told, entry.type, entry.record) != (signed, STAGES[claims.stage], claims.record):
            self._scene.trouble("use-says-other", "its system signed another use")
        shown = (claims.details_digest, claims.jkt)
        if claims.used_at < (issued.time - CLOCKS_APART).timestamp():
            self._scene.trouble("use-early", "its system was shown it before it was granted")
        if shown != (issued.data.get("details_digest"), issued.data.get("jkt")):
            said = "its system was shown a grant of other details, or bound to another key"
            self._scene.trouble("use-says-other", said)


def _action_of(entry: Entry) -> tuple[JsonValue, ...]:
    """What a grant, or its denial, is about."""
    return (entry.case, entry.data.get("system"), entry.data.get("action"), entry.record)


def _was_done(entry: Entry) -> bool:
    """Whether a system of record says that it did what was asked."""
    status = entry.data.get("status")
    return isinstance(status, int) and 200 <= status < 300


def _details_digest(entry: Entry, fixed: Mapping[str, object]) -> str | None:
    """The digest of what was granted, as the entry tells it, with what was fixed for it."""
    data = entry.data
    try:
        details = GrantedDetails.model_validate(
            {
                "locations": [system_urn(str(data.get("system")))],
                "actions": [data.get("action")],
                "identifier": entry.record,
                "case": entry.case,
                "activity": data.get("activity"),
                "model": data.get("model"),
                **fixed,
            }
        )
    except ValidationError:
        return None
    return digest_json(details)


def _in_its_run(entry: Entry, case: Case) -> bool:
    """Whether a grant's step is of its case's workflow, in the run that the case is in."""
    activity = entry.data.get("activity")
    told = activity if isinstance(activity, dict) else {}
    return (told.get("workflow_id"), told.get("run_id")) == (entry.case, case.run)
