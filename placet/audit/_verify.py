"""Verifying a whole log: signatures, chains, and every decision made again.

1. (I8) Entries and head fit; every kept head lies on the way.
2. (I6) Every act and decision is signed by a key that was enrolled before, by someone who could.
3. (I5) Each checkpoint's end follows from its requirement and decisions, computed again.
4. (I3) Each policy decision comes out the same from its kept context and policy set.
5. (I4) Each grant was issued in a case that was open, and ended at most once.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue, ValidationError

from placet.audit._files import LogFiles
from placet.audit._report import Collector, Report
from placet.ledger import (
    Checkpoint,
    Entry,
    EntryType,
    LedgerError,
    NoteVerifier,
    open_checkpoint,
    verify_log,
)
from placet.model import (
    AuthorityMatrix,
    CheckpointStatus,
    CheckpointView,
    ProcessDefinition,
    digest_bytes,
    digest_json,
    salted_digest,
)
from placet.rules import (
    BadPolicies,
    CountedDecision,
    LoadedPolicies,
    Permitted,
    PolicyRequest,
    decide,
    load_policies,
    outcome_status,
)
from placet.tokens import (
    KeyRefused,
    PublicKey,
    TokenError,
    verify_act,
    verify_decision,
)

_ENDS = {EntryType.GRANT_SETTLED, EntryType.GRANT_REVOKED, EntryType.GRANT_EXPIRED}
_CHECKPOINT_ENDS = {
    EntryType.CHECKPOINT_RESOLVED,
    EntryType.CHECKPOINT_EXPIRED,
    EntryType.CHECKPOINT_VOIDED,
}
_WITH_ACT = {
    EntryType.POLICY_PUBLISHED,
    EntryType.MATRIX_PUBLISHED,
    EntryType.PROCESS_PUBLISHED,
    EntryType.CASE_OPENED,
    EntryType.CASE_ADMITTED,
    EntryType.CASE_RESUBMITTED,
    EntryType.HOLD_PLACED,
    EntryType.HOLD_LIFTED,
    EntryType.AGENT_SUSPENDED,
    EntryType.AGENT_RESUMED,
    EntryType.AGENT_OFFBOARDED,
    EntryType.OPERATOR_SUSPENDED,
    EntryType.OPERATOR_RESUMED,
    EntryType.OPERATOR_OFFBOARDED,
}


@dataclass
class _State:
    """What the log has said so far."""

    keys: dict[str, tuple[str, PublicKey]] = field(default_factory=dict)
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    administrators: dict[str, str] = field(default_factory=dict)
    grants: dict[str, str | None] = field(default_factory=dict)
    cases: dict[str, str] = field(default_factory=dict)
    checkpoints: dict[str, list[CountedDecision]] = field(default_factory=dict)


def verify(files: LogFiles) -> Report:
    """Verify a log with everything its entries refer to."""
    collector = Collector()
    verifier = _log_key(files, collector)
    if verifier is None:
        return collector.report()
    try:
        head = open_checkpoint(files.head, [verifier])
        kept = [open_checkpoint(each, [verifier]) for each in files.kept_heads]
    except LedgerError as error:
        collector.trouble("head", "the signed head", str(error))
        return collector.report()
    _Walk(files, collector, _Published(files, collector)).run(head, kept)
    return collector.report(trusted=files.trusted_log_key is not None)


def _log_key(files: LogFiles, collector: Collector) -> NoteVerifier | None:
    """The key of the log's heads: what the auditor brought, or what the log says of itself."""
    try:
        if files.trusted_log_key is not None:
            return NoteVerifier.from_vkey(files.trusted_log_key)
        for data in files.entries[:10]:
            entry = json.loads(data)
            if entry["type"] == "key.published" and entry["data"]["purpose"] == "heads":
                return log_verifier(files.origin, entry["data"]["jwk"])
    except (LedgerError, ValueError, KeyError, TypeError) as error:
        collector.trouble("log-key", "the log's key", str(error))
        return None
    collector.trouble("log-key", "the log's first entries", "no key for heads was published")
    return None


def log_verifier(origin: str, jwk: Mapping[str, str]) -> NoteVerifier:
    """The verifier of a log's heads from its published Ed25519 key."""
    x = jwk["x"]
    return NoteVerifier(origin, base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))


class _Published:
    """Processes, matrices and policy sets by their digests."""

    def __init__(self, files: LogFiles, collector: Collector) -> None:
        self.processes: dict[str, ProcessDefinition] = {}
        self.matrices: dict[str, AuthorityMatrix] = {}
        self.policies: dict[str, LoadedPolicies] = {}
        try:
            for body in files.processes:
                definition = ProcessDefinition.model_validate_json(body)
                self.processes[digest_json(definition)] = definition
            for body in files.matrices:
                matrix = AuthorityMatrix.model_validate_json(body)
                self.matrices[digest_json(matrix)] = matrix
            for policies, schema in files.policies:
                loaded = load_policies(policies, schema)
                self.policies[loaded.digest] = loaded
        except (ValidationError, BadPolicies) as error:
            collector.trouble("published", "what was published", str(error))


class _Walk:
    """One pass over the log."""

    def __init__(self, files: LogFiles, collector: Collector, published: _Published) -> None:
        self._files = files
        self._collector = collector
        self._published = published
        self._state = _State()
        self._place = ""

    def run(self, head: Checkpoint, kept: list[Checkpoint]) -> None:
        """Walk the entries; a broken log ends the walk at the first wrong place."""
        try:
            for index, entry in verify_log(self._files.entries, head, kept):
                self._place = f"entry {index}"
                self._collector.count("entries")
                self._entry(index, entry)
        except LedgerError as error:
            self._trouble("log", str(error))
        for ended in self._state.grants.values():
            if ended is None:
                self._collector.count("live grants")

    def _trouble(self, name: str, found: str) -> None:
        self._collector.trouble(name, self._place or "the log", found)

    def _entry(self, index: int, entry: Entry) -> None:
        data = entry.data
        if (index == 0) != (entry.type is EntryType.LOG_CREATED):
            self._trouble("log-created", "the first entry, and no other, creates the log")
        if entry.type is EntryType.LOG_CREATED:
            self._created(data)
        elif entry.type is EntryType.KEY_ENROLLED:
            self._key(entry)
        elif entry.type is EntryType.GRANT_ISSUED:
            self._issued(entry)
        elif entry.type is EntryType.GRANT_DENIED and "context_digest" in data:
            self._policy(entry, permitted=False)
        elif entry.type in _ENDS:
            self._ended(entry)
        elif entry.type in {EntryType.DECISION_RECORDED, EntryType.DECISION_WITHDRAWN}:
            self._decision(entry)
        elif entry.type is EntryType.CHECKPOINT_OPENED:
            self._opened(entry)
        elif entry.type in _CHECKPOINT_ENDS:
            self._checkpoint_end(entry)
        elif entry.type in _WITH_ACT:
            self._act(entry)
        if entry.type is EntryType.CASE_OPENED and entry.case:
            self._state.cases[entry.case] = "opened"
            self._known(self._published.processes, data.get("process_digest"), "process")
            self._known(self._published.matrices, data.get("matrix_digest"), "matrix")
        elif entry.type is EntryType.CASE_CLOSED and entry.case:
            self._state.cases[entry.case] = "closed"

    def _known(self, found: Mapping[str, object], digest: JsonValue, what: str) -> None:
        if digest not in found:
            self._trouble(f"{what}-missing", f"the {what} with digest {digest} is not there")

    # --- keys and acts ------------------------------------------------------------------------

    def _created(self, data: Mapping[str, JsonValue]) -> None:
        named = data.get("administrators")
        if not isinstance(named, dict) or not named:
            self._trouble("log-created", "no first administrators are named")
            return
        self._state.administrators = {str(name): str(key) for name, key in named.items()}
        trusted = set(self._files.trusted_administrators)
        if trusted and trusted != set(self._state.administrators.values()):
            self._trouble("administrators", "the first administrators are not those trusted")

    def _key(self, entry: Entry) -> None:
        self._collector.count("keys")
        data = entry.data
        principal = str(data.get("principal"))
        try:
            key = PublicKey.from_jwk(data.get("jwk"))
        except KeyRefused as error:
            self._trouble("key", str(error))
            return
        if data.get("act") is None:
            first = self._state.administrators.get(principal)
            if first != key.thumbprint:
                self._trouble("key-unsigned", f"a key of {principal} was enrolled by nobody")
        else:
            self._act(entry)
        self._state.keys[key.thumbprint] = (principal, key)
        roles = data.get("roles")
        if isinstance(roles, list) and roles:
            self._state.roles[principal] = tuple(str(role) for role in roles)

    def _act(self, entry: Entry) -> None:
        self._collector.count("acts")
        jti = str(entry.data.get("act"))
        act = self._files.acts.get(jti)
        if act is None:
            self._trouble("act-missing", f"the signed act {jti} is not there")
            return
        for key in self._keys_of(entry.actor):
            try:
                claims = verify_act(
                    act.jws,
                    key,
                    operator=entry.actor,
                    audience=self._files.issuer,
                    now=entry.time,
                    max_age=None,
                )
            except TokenError:
                continue
            body = json.loads(act.body)
            if claims.jti != jti or claims.body_digest != digest_json(body):
                self._trouble("act-body", f"the act {jti} signs another body")
            return
        self._trouble("act-signature", f"the act {jti} by {entry.actor} does not verify")

    def _keys_of(self, principal: str) -> list[PublicKey]:
        return [key for owner, key in self._state.keys.values() if owner == principal]

    # --- grants and policy --------------------------------------------------------------------

    def _issued(self, entry: Entry) -> None:
        self._collector.count("grants")
        grant = str(entry.data.get("grant"))
        if grant in self._state.grants:
            self._trouble("grant-twice", f"{grant} was issued before")
        if self._state.cases.get(entry.case or "") != "opened":
            self._trouble("grant-without-case", f"{grant} was issued in no open case")
        self._state.grants[grant] = None
        self._policy(entry, permitted=True)

    def _ended(self, entry: Entry) -> None:
        grant = str(entry.data.get("grant"))
        if grant not in self._state.grants:
            self._trouble("end-without-grant", f"{grant} ended and was never issued")
        elif self._state.grants[grant] is not None:
            self._trouble("grant-ended-twice", f"{grant} was {self._state.grants[grant]} before")
        self._state.grants[grant] = entry.type.value

    def _policy(self, entry: Entry, *, permitted: bool) -> None:
        self._collector.count("policy decisions")
        digest = str(entry.data.get("context_digest"))
        kept = self._files.kept.get(digest)
        loaded = self._published.policies.get(str(entry.data.get("policy_digest")))
        if kept is None or loaded is None:
            self._trouble("context-missing", "the context or the policy set is not there")
            return
        if salted_digest(kept.salt, kept.content.encode()) != digest:
            self._trouble("context-digest", "the kept context is not the one of the decision")
            return
        try:
            question = PolicyRequest.model_validate({**json.loads(kept.content), "salt": kept.salt})
        except ValidationError as error:
            self._trouble("context", str(error))
            return
        answer = decide(loaded, question)
        if isinstance(answer, Permitted) is not permitted:
            self._trouble("policy-differs", "the policies decide otherwise when asked again")
        elif list(answer.policies) != entry.data.get("policies"):
            self._trouble("policy-reasons", "other policies decided than the ledger says")

    # --- checkpoints --------------------------------------------------------------------------

    def _opened(self, entry: Entry) -> None:
        self._collector.count("checkpoints")
        checkpoint = str(entry.data.get("checkpoint"))
        self._state.checkpoints[checkpoint] = []
        view = self._files.checkpoints.get(checkpoint)
        if view is None:
            self._trouble("checkpoint-missing", f"{checkpoint} is not there")
            return
        if digest_json(view.evidence) != entry.data.get("evidence_digest"):
            self._trouble("evidence-digest", f"{checkpoint}: the evidence is another")
        if digest_json(view.requirement) != entry.data.get("requirement_digest"):
            self._trouble("requirement-digest", f"{checkpoint}: the requirement is another")

    def _decision(self, entry: Entry) -> None:
        self._collector.count("decisions")
        jti, checkpoint = str(entry.data.get("decision")), str(entry.data.get("checkpoint"))
        view = self._files.checkpoints.get(checkpoint)
        found = next((each for each in view.decisions if each.jti == jti), None) if view else None
        if view is None or found is None:
            self._trouble("decision-missing", f"the signed decision {jti} is not there")
            return
        if digest_bytes(found.jws.encode()) != entry.data.get("decision_digest"):
            self._trouble("decision-digest", f"the decision {jti} is another")
        self._signature(entry, view, found.jws)

    def _signature(self, entry: Entry, view: CheckpointView, jws: str) -> None:
        owner, key = self._state.keys.get(str(entry.data.get("key")), (None, None))
        if key is None or owner != entry.actor:
            self._trouble("decision-key", f"{entry.actor} signed with no enrolled key")
            return
        try:
            claims = verify_decision(
                jws,
                key,
                operator=entry.actor,
                audience=self._files.issuer,
                now=entry.time,
                max_age=None,
            )
        except TokenError as error:
            self._trouble("decision-signature", str(error))
            return
        if (claims.sub, claims.evidence_digest, claims.requirement_digest, claims.verdict) != (
            view.id,
            view.evidence_digest,
            view.requirement_digest,
            entry.data.get("verdict"),
        ):
            self._trouble("decision-claims", "the decision says something else than the ledger")
        roles = self._state.roles.get(entry.actor, ())
        if list(roles) != entry.data.get("roles"):
            self._trouble("decision-roles", f"{entry.actor} had other roles")
        self._state.checkpoints.setdefault(view.id, []).append(
            CountedDecision(
                jti=claims.jti, operator=entry.actor, roles=roles, verdict=claims.verdict
            )
        )

    def _checkpoint_end(self, entry: Entry) -> None:
        checkpoint = str(entry.data.get("checkpoint"))
        view = self._files.checkpoints.get(checkpoint)
        if view is None or entry.type is not EntryType.CHECKPOINT_RESOLVED:
            return
        computed = outcome_status(view.requirement, self._state.checkpoints.get(checkpoint, []))
        if computed is CheckpointStatus.OPEN or computed.value != entry.data.get("status"):
            self._trouble(
                "outcome",
                f"{checkpoint}: the decisions add up to {computed}, "
                f"the ledger says {entry.data.get('status')}",
            )
