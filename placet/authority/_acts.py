"""Signed acts: everything that people do besides deciding.

1. (I6) An act counts once, signed by an enrolled key of an active operator whose role allows it.
2. (I4) The act, what it changes and the ledger entry are one transaction. Sent again, the same act
   is answered the same (I11).
3. A refused act is on the ledger as ``act.refused``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from placet.authority._cases import ARCHIVING
from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._endings import END, ENDED, end_case
from placet.authority._errors import Conflict, Forbidden, Invalid, Unauthenticated
from placet.authority._facts import FactsClient, FetchedFacts, UnknownRecord
from placet.authority._holds import revoke_below
from placet.authority._http import describe
from placet.authority._identities import ACTIVE, key_standing, roles_of
from placet.authority._outbox import ADMITTED, put_signal
from placet.authority._resubmissions import RESUBMIT, source_of, take_back
from placet.authority._revocations import revoke_all_of
from placet.authority._store import (
    Case,
    ContextBlob,
    HoldRow,
    Identity,
    IdentityKey,
    Matrix,
    PolicySet,
    ProcessVersion,
    Reader,
    SignedActRow,
    Tx,
)
from placet.model import (
    ActAnswer,
    ActClaims,
    AuthorityMatrix,
    CaseStatus,
    EnrolIdentity,
    Hold,
    OpenCase,
    Principal,
    ProcessDefinition,
    PublishPolicy,
    Reason,
    RecordId,
    Resubmit,
    SignedAct,
    canonical_json,
    digest_bytes,
    digest_json,
    salted_digest,
)
from placet.rules import BadPolicies, OutOfScope, load_policies, subject_variables
from placet.tokens import (
    KeyRefused,
    PublicKey,
    TokenError,
    UnknownKey,
    claimed_issuer,
    verify_act,
)

ADMINISTRATOR = "administrator"
OPEN = "case.open"


@dataclass(frozen=True)
class _Act:
    """One act being carried out."""

    claims: ActClaims
    body: Mapping[str, JsonValue]
    roles: tuple[str, ...]
    seen: FetchedFacts

    @property
    def actor(self) -> str:
        """Who signed it."""
        return self.claims.iss


@dataclass(frozen=True)
class _Refused:
    description: str
    reasons: tuple[str, ...]


class _No(Exception):
    """The act is not allowed; it is recorded as refused."""

    def __init__(self, description: str, *reasons: str) -> None:
        super().__init__(description)
        self.refused = _Refused(description, reasons or ("not_allowed",))


_M = TypeVar("_M", bound=BaseModel)
_Handler = Callable[[Tx, _Act], ActAnswer]


class Acts:
    """Carries out signed acts."""

    def __init__(self, core: Core, definitions: Definitions, facts: FactsClient) -> None:
        self._core = core
        self._definitions = definitions
        self._facts = facts
        named: dict[str, _Handler] = {
            "agent.enrol": self._enrol,
            "operator.enrol": self._enrol,
            "system.enrol": self._enrol,
            "key.revoke": self._revoke_key,
            "policy.publish": self._publish_policy,
            "process.publish": self._publish_process,
            "matrix.publish": self._publish_matrix,
            OPEN: self._open_case,
            "case.admit": self._admit_case,
            END: self._end_case,
            RESUBMIT: self._resubmit,
            "hold.place": self._place_hold,
            "hold.lift": self._lift_hold,
        }
        changes: dict[str, _Handler] = {
            f"{kind}.{verb}": self._change_status
            for kind in ("agent", "operator", "system")
            for verb in _STATUS
        }
        self._handlers = named | changes

    async def perform(self, signed: SignedAct) -> ActAnswer:
        """Carry out an act.

        Raises:
            Unauthenticated: the signature does not hold, or no enrolled key made it.
            Forbidden: the signer may not do this; it is on the ledger.
            Conflict: the state does not allow it.
            Invalid: the body does not fit the act.
            Unavailable: a system of record that the act depends on is away.
        """
        seen = await self._look(signed)
        answer = await self._core.store.write(lambda tx: self._perform(tx, signed, seen))
        if isinstance(answer, _Refused):
            raise Forbidden(answer.description, answer.reasons)
        return answer

    async def _look(self, signed: SignedAct) -> FetchedFacts:
        """What systems of record say now of the records that the act is about."""
        asked = await self._core.store.read(lambda reader: self._about(reader, signed))
        if asked is None:
            return FetchedFacts()
        try:
            return await self._facts.fetch(*asked)
        except UnknownRecord as error:
            raise Conflict(error.problem.error_description) from None

    def _about(
        self, reader: Reader, signed: SignedAct
    ) -> tuple[ProcessDefinition, str, tuple[str, ...]] | None:
        """Process, subject and fact sources to ask; ``None`` where the act will be refused."""
        claims, key = self._verify(reader, signed.act, self._core.clock())
        about = {OPEN: self._about_opening, RESUBMIT: self._about_resubmission}.get(claims.act)
        identity = reader.get(Identity, claims.iss)
        if about is None or identity is None or reader.get(SignedActRow, claims.jti) is not None:
            return None
        if key_standing(reader, claims.iss, key.thumbprint) != ACTIVE:
            return None
        try:
            return about(reader, _Act(claims, signed.body, roles_of(identity), FetchedFacts()))
        except Invalid:
            return None

    def _about_opening(
        self, reader: Reader, act: _Act
    ) -> tuple[ProcessDefinition, str, tuple[str, ...]] | None:
        body = _body(act, OpenCase)
        definition = self._definitions.newest_process(reader, body.process)
        if definition is None or not self._opens(reader, act, body.process):
            return None
        try:
            subject_variables(definition, body.subject)
        except OutOfScope:
            return None
        names = [
            each.name
            for each in definition.facts
            if definition.relation(each.relation).template == definition.subject
        ]
        return definition, body.subject, tuple(names)

    def _about_resubmission(
        self, reader: Reader, act: _Act
    ) -> tuple[ProcessDefinition, str, tuple[str, ...]] | None:
        body = _body(act, Resubmit)
        case = reader.get(Case, act.claims.target)
        if case is None or not self._opens(reader, act, case.process):
            return None
        definition = self._definitions.process(reader, case.process, case.version)
        source = source_of(definition, case.subject, body.record)
        return None if source is None else (definition, case.subject, (source.name,))

    def _opens(self, reader: Reader, act: _Act, process: str) -> bool:
        found = self._definitions.matrix(reader, process)
        return found is not None and bool(set(found[1].openers) & set(act.roles))

    def _perform(self, tx: Tx, signed: SignedAct, seen: FetchedFacts) -> ActAnswer | _Refused:
        claims, key = self._verify(tx, signed.act, tx.now)
        if claims.body_digest != digest_json(signed.body):
            raise Invalid("invalid_request", "the body is not the one whose digest was signed")
        before = tx.get(SignedActRow, claims.jti)
        if before is not None:
            if before.jws != signed.act or before.answer_json is None:
                raise Conflict("this jti was used for another act")
            return ActAnswer.model_validate_json(before.answer_json)
        handler = self._handlers.get(claims.act)
        if handler is None:
            raise Invalid("invalid_request", f"there is no act {claims.act!r}")
        identity = tx.get(Identity, claims.iss)
        act = _Act(claims, signed.body, () if identity is None else roles_of(identity), seen)
        standing = key_standing(tx, claims.iss, key.thumbprint)
        try:
            if standing != ACTIVE:
                raise _No(f"{claims.iss} or its key is {standing}", "I10", standing)
            answer = handler(tx, act)
        except _No as error:
            return self._refuse(tx, act, error.refused)
        self._keep(tx, signed, act, answer)
        return answer

    def _verify(self, tx: Reader, jws: str, now: datetime) -> tuple[ActClaims, PublicKey]:
        try:
            operator = claimed_issuer(jws)
            for row in tx.all(IdentityKey, IdentityKey.principal == operator):
                key = PublicKey.from_jwk(json.loads(row.jwk_json))
                try:
                    claims = verify_act(
                        jws, key, operator=operator, audience=self._core.issuer, now=now
                    )
                except UnknownKey:
                    continue
                return claims, key
        except TokenError as error:
            raise Unauthenticated("invalid_token", f"the act's signature: {error}") from None
        raise Unauthenticated("invalid_token", "the act is signed by no enrolled key")

    def _refuse(self, tx: Tx, act: _Act, refused: _Refused) -> _Refused:
        tx.append(
            "act.refused",
            act.actor,
            {"act": act.claims.act, "target": act.claims.target, "reasons": list(refused.reasons)},
        )
        return refused

    def _keep(self, tx: Tx, signed: SignedAct, act: _Act, answer: ActAnswer) -> None:
        tx.add(
            SignedActRow(
                jti=act.claims.jti,
                act=act.claims.act,
                target=act.claims.target,
                issuer=act.actor,
                jws=signed.act,
                body_json=canonical_json(dict(signed.body)).decode(),
                answer_json=answer.model_dump_json(exclude_none=True),
                at=tx.now,
                entry=answer.entry,
            )
        )

    def _entry(
        self,
        tx: Tx,
        type_: str,
        act: _Act,
        data: Mapping[str, JsonValue],
        *,
        case: str | None = None,
        record: str | None = None,
    ) -> int:
        signed = {"act": act.claims.jti, "target": act.claims.target}
        return tx.append(type_, act.actor, {**signed, **data}, case=case, record=record)

    # --- identities ---------------------------------------------------------------------------

    def _enrol(self, tx: Tx, act: _Act) -> ActAnswer:
        _require_role(act, ADMINISTRATOR)
        kind, principal = act.claims.act.split(".")[0], act.claims.target
        body = _body(act, EnrolIdentity)
        if not principal.startswith(f"{kind}:") or not _is_principal(principal):
            raise Invalid("invalid_request", f"target: {kind}.enrol enrols a {kind}:<name>")
        if kind == "agent" and body.owner is None:
            raise Invalid("invalid_request", "owner: an agent needs a person who owns it")
        if kind == "operator" and not body.roles:
            raise Invalid("invalid_request", "roles: an operator has at least one role")
        if principal == act.actor:
            raise _No("nobody enrols keys for themselves", "segregation")
        try:
            key = PublicKey.from_jwk(body.jwk)
        except KeyRefused as error:
            raise Invalid("invalid_request", f"jwk: {error}") from None
        if tx.get(IdentityKey, key.thumbprint) is not None:
            raise Conflict("this key is enrolled already")
        entry = enrol(tx, principal, key, body, by=act.actor, act=act.claims.jti)
        return ActAnswer(act=act.claims.act, target=principal, entry=entry)

    def _change_status(self, tx: Tx, act: _Act) -> ActAnswer:
        _require_role(act, ADMINISTRATOR)
        body = _body(act, Reason)
        kind, verb = act.claims.act.split(".")
        principal = act.claims.target
        identity = tx.get(Identity, principal)
        if identity is None or not principal.startswith(f"{kind}:"):
            raise Conflict(f"there is no {kind} {principal}")
        if principal == act.actor:
            raise _No("nobody changes their own status", "segregation")
        allowed, status, entry_type = _STATUS[verb]
        if identity.status not in allowed:
            raise Conflict(f"{principal} is {identity.status}; it can't be {status} now")
        tx.change(Identity, principal, status=status, status_at=tx.now, status_by=act.actor)
        revoked = 0
        if status != ACTIVE:
            revoked = revoke_all_of(tx, principal, entry_type, act.actor)
        entry = self._entry(
            tx,
            f"{'agent' if kind == 'system' else kind}.{entry_type}",
            act,
            {"revoked_grants": revoked, "reason_digest": _kept_apart(self._core, tx, body.reason)},
        )
        return ActAnswer(act=act.claims.act, target=principal, entry=entry)

    def _revoke_key(self, tx: Tx, act: _Act) -> ActAnswer:
        """Revoke a key for good, and its owner's live grants: any of them may be the thief's."""
        _require_role(act, ADMINISTRATOR)
        body = _body(act, Reason)
        thumbprint = act.claims.target
        key = tx.get(IdentityKey, thumbprint)
        if key is None or key.status != ACTIVE:
            raise Conflict(f"there is no active key {thumbprint}")
        if key.principal == act.actor:
            raise _No("nobody revokes their own keys", "segregation")
        tx.change(IdentityKey, thumbprint, status="revoked", revoked_at=tx.now)
        revoked = revoke_all_of(tx, key.principal, "key_revoked", act.actor)
        entry = self._entry(
            tx,
            "key.revoked",
            act,
            {
                "principal": key.principal,
                "revoked_grants": revoked,
                "reason_digest": _kept_apart(self._core, tx, body.reason),
            },
        )
        return ActAnswer(act=act.claims.act, target=thumbprint, entry=entry)

    # --- what is published --------------------------------------------------------------------

    def _publish_policy(self, tx: Tx, act: _Act) -> ActAnswer:
        _require_role(act, ADMINISTRATOR)
        body = _body(act, PublishPolicy)
        try:
            loaded = load_policies(body.policies, body.cedar_schema)
        except BadPolicies as error:
            raise Invalid("invalid_request", f"policies: {error}") from None
        for row in tx.all(PolicySet, PolicySet.current.is_(True)):  # type: ignore[attr-defined]  # a column on the class
            tx.change(PolicySet, row.digest, current=False)
        entry = self._entry(tx, "policy.published", act, {"policy_digest": loaded.digest})
        if tx.get(PolicySet, loaded.digest) is not None:
            tx.change(PolicySet, loaded.digest, current=True)
        else:
            tx.add(
                PolicySet(
                    digest=loaded.digest,
                    policies=body.policies,
                    policy_schema=body.cedar_schema,
                    published_at=tx.now,
                    published_by=act.actor,
                    current=True,
                    entry=entry,
                )
            )
        return ActAnswer(act=act.claims.act, target=act.claims.target, entry=entry)

    def _publish_process(self, tx: Tx, act: _Act) -> ActAnswer:
        _require_role(act, ADMINISTRATOR)
        definition = _body(act, ProcessDefinition)
        digest = digest_json(definition)
        row = tx.get(ProcessVersion, (definition.name, definition.version))
        if row is not None and row.digest != digest:
            raise Conflict(f"{definition.name} version {definition.version} is published already")
        entry = self._entry(
            tx,
            "process.published",
            act,
            {"process": definition.name, "version": definition.version, "digest": digest},
        )
        if row is None:
            tx.add(
                ProcessVersion(
                    name=definition.name,
                    version=definition.version,
                    digest=digest,
                    body_json=canonical_json(definition).decode(),
                    published_at=tx.now,
                )
            )
        return ActAnswer(act=act.claims.act, target=act.claims.target, entry=entry)

    def _publish_matrix(self, tx: Tx, act: _Act) -> ActAnswer:
        _require_role(act, ADMINISTRATOR)
        matrix = _body(act, AuthorityMatrix)
        digest = digest_json(matrix)
        found = self._definitions.matrix(tx, matrix.process)
        if found is not None and found[1].version >= matrix.version and found[0] != digest:
            raise Conflict(
                f"version {found[1].version} is in force; a new matrix has a higher version"
            )
        entry = self._entry(
            tx,
            "matrix.published",
            act,
            {"process": matrix.process, "version": matrix.version, "matrix_digest": digest},
        )
        if tx.get(Matrix, digest) is None:
            tx.add(
                Matrix(
                    digest=digest,
                    process=matrix.process,
                    version=matrix.version,
                    body_json=canonical_json(matrix).decode(),
                    published_at=tx.now,
                )
            )
        return ActAnswer(act=act.claims.act, target=act.claims.target, entry=entry)

    # --- cases --------------------------------------------------------------------------------

    def _open_case(self, tx: Tx, act: _Act) -> ActAnswer:
        body = _body(act, OpenCase)
        if body.subject != act.claims.target:
            raise Invalid("invalid_request", "target: must be the case's subject")
        definition = self._definitions.newest_process(tx, body.process)
        found = self._definitions.matrix(tx, body.process)
        if definition is None or found is None:
            raise Conflict(f"process {body.process} or its matrix is not published")
        _require_role(act, *found[1].openers)
        try:
            subject_variables(definition, body.subject)
        except OutOfScope as error:
            raise Invalid("invalid_request", f"subject: {error}") from None
        if tx.first(
            Case,
            Case.process == body.process,
            Case.subject == body.subject,
            Case.closed_at.is_(None),  # type: ignore[union-attr]  # a column on the class
        ):
            raise Conflict(f"{body.subject} has an open case already")
        case_id = self._core.new_id("case")
        digest = digest_json(definition)
        entry = self._entry(
            tx,
            "case.opened",
            act,
            {
                "process": definition.name,
                "version": definition.version,
                "process_digest": digest,
                "matrix_digest": found[0],
            },
            case=case_id,
            record=body.subject,
        )
        tx.add(
            Case(
                id=case_id,
                process=definition.name,
                version=definition.version,
                process_digest=digest,
                subject=body.subject,
                status=CaseStatus.OPENING.value,
                opened_by=act.actor,
                opened_at=tx.now,
                workflow_id=case_id,
                workflow_type=definition.workflow_type,
                task_queue=definition.orchestrator,
                request_id=digest_bytes(f"start {case_id}".encode()),
                matrix_digest=found[0],
                entry=entry,
            )
        )
        tx.notify(OPENING)
        return ActAnswer(act=act.claims.act, target=body.subject, entry=entry, case=case_id)

    def _admit_case(self, tx: Tx, act: _Act) -> ActAnswer:
        _require_role(act, ADMINISTRATOR)
        body = _body(act, Reason)
        case = tx.get(Case, act.claims.target)
        if case is None or case.status != CaseStatus.STOPPED:
            raise Conflict("there is no such stopped case")
        tx.change(Case, case.id, status=CaseStatus.OPEN.value, stopped_for=None)
        put_signal(tx, case, ADMITTED, f"admitted/{act.claims.jti}")
        entry = self._entry(
            tx,
            "case.admitted",
            act,
            {"reason_digest": _kept_apart(self._core, tx, body.reason)},
            case=case.id,
            record=case.subject,
        )
        return ActAnswer(act=act.claims.act, target=case.id, entry=entry)

    def _end_case(self, tx: Tx, act: _Act) -> ActAnswer:
        _require_role(act, ADMINISTRATOR)
        body = _body(act, Reason)
        case = tx.get(Case, act.claims.target)
        if case is None:
            raise Conflict("there is no such case")
        end_case(tx, case)
        entry = self._entry(
            tx,
            "case.closed",
            act,
            {"result": ENDED, "reason_digest": _kept_apart(self._core, tx, body.reason)},
            case=case.id,
            record=case.subject,
        )
        tx.notify(ARCHIVING)
        return ActAnswer(act=act.claims.act, target=case.id, entry=entry, case=case.id)

    def _resubmit(self, tx: Tx, act: _Act) -> ActAnswer:
        body = _body(act, Resubmit)
        case = tx.get(Case, act.claims.target)
        if case is None:
            raise Conflict("there is no such case")
        found = self._definitions.matrix(tx, case.process)
        _require_role(act, *(() if found is None else found[1].openers))
        definition = self._definitions.process(tx, case.process, case.version)
        checkpoint, replaced = take_back(tx, definition, case, body, act.seen)
        entry = self._entry(
            tx,
            "case.resubmitted",
            act,
            {"checkpoint": checkpoint, "version": body.version, "replaces": replaced},
            case=case.id,
            record=body.record,
        )
        return ActAnswer(act=act.claims.act, target=case.id, entry=entry, case=case.id)

    # --- holds --------------------------------------------------------------------------------

    def _place_hold(self, tx: Tx, act: _Act) -> ActAnswer:
        body, record = _body(act, Hold), _record(act)
        if tx.first(HoldRow, HoldRow.record == record, HoldRow.lifted_at.is_(None)):  # type: ignore[union-attr]  # a column on the class
            raise Conflict(f"{record} is on hold already")
        entry = self._entry(
            tx,
            "hold.placed",
            act,
            {"reason_digest": _kept_apart(self._core, tx, body.reason)},
            record=record,
        )
        tx.add(HoldRow(record=record, reason=body.reason, placed_by=act.actor, placed_at=tx.now))
        revoke_below(tx, record)
        return ActAnswer(act=act.claims.act, target=record, entry=entry)

    def _lift_hold(self, tx: Tx, act: _Act) -> ActAnswer:
        body, record = _body(act, Reason), _record(act)
        hold = tx.first(HoldRow, HoldRow.record == record, HoldRow.lifted_at.is_(None))  # type: ignore[union-attr]  # a column on the class
        if hold is None:
            raise Conflict(f"{record} is not on hold")
        if act.actor != hold.placed_by:
            _require_role(act, ADMINISTRATOR)
        tx.change(HoldRow, hold.id, lifted_by=act.actor, lifted_at=tx.now)
        entry = self._entry(
            tx,
            "hold.lifted",
            act,
            {"reason_digest": _kept_apart(self._core, tx, body.reason)},
            record=record,
        )
        return ActAnswer(act=act.claims.act, target=record, entry=entry)


OPENING = "opening"
"""The topic that wakes whoever starts the workflows of cases that were opened."""

_STATUS = {
    "suspend": ({ACTIVE}, "suspended", "suspended"),
    "resume": ({"suspended"}, ACTIVE, "resumed"),
    "offboard": ({ACTIVE, "suspended"}, "offboarded", "offboarded"),
}


def enrol(
    tx: Tx, principal: str, key: PublicKey, body: EnrolIdentity, *, by: str, act: str | None
) -> int:
    """Write an identity's key (and the identity, if it is new) and its entry."""
    kind = principal.split(":", maxsplit=1)[0]
    identity = tx.get(Identity, principal)
    if identity is None:
        tx.add(
            Identity(
                principal=principal,
                kind=kind,
                status=ACTIVE,
                owner=body.owner,
                roles_json=json.dumps(body.roles),
                url=body.url,
                enrolled_at=tx.now,
                enrolled_by=by,
            )
        )
    elif kind == "operator" and roles_of(identity) != body.roles:
        raise Conflict(f"{principal} is enrolled with other roles")
    elif identity.status == "offboarded":
        raise Conflict(f"{principal} is offboarded")
    elif kind == "system" and body.url is not None:
        tx.change(Identity, principal, url=body.url)
    jwk: dict[str, JsonValue] = dict(key.jwk())
    entry = tx.append(
        "key.enrolled",
        by,
        {
            "act": act,
            "principal": principal,
            "jwk": jwk,
            "roles": list(body.roles),
            "owner": body.owner,
        },
    )
    tx.add(
        IdentityKey(
            thumbprint=key.thumbprint,
            principal=principal,
            jwk_json=canonical_json(jwk).decode(),
            status=ACTIVE,
            enrolled_at=tx.now,
        )
    )
    return entry


def _require_role(act: _Act, *roles: str) -> None:
    if not set(roles) & set(act.roles):
        raise _No(f"{act.claims.act} needs the role {' or '.join(roles) or '(nobody)'}", "role")


def _body(act: _Act, model: type[_M]) -> _M:
    if _has_nul(dict(act.body)):
        raise Invalid("invalid_request", "body: no text of an act has the character U+0000")
    try:
        return model.model_validate_json(json.dumps(act.body))
    except ValidationError as error:
        raise Invalid("invalid_request", f"body: {describe(error)}") from None


def _is_principal(text: str) -> bool:
    try:
        TypeAdapter(Principal).validate_python(text)
    except ValidationError:
        return False
    return True


def _has_nul(value: JsonValue) -> bool:
    """Whether a text in it has U+0000, which PostgreSQL can't keep."""
    if isinstance(value, dict):
        return any("\0" in name or _has_nul(each) for name, each in value.items())
    if isinstance(value, list):
        return any(_has_nul(each) for each in value)
    return isinstance(value, str) and "\0" in value


def _record(act: _Act) -> str:
    try:
        return TypeAdapter(RecordId).validate_python(act.claims.target)
    except ValidationError:
        raise Invalid("invalid_request", "target: must be a record") from None


def _kept_apart(core: Core, tx: Tx, text: str) -> str:
    """Keep a person's words beside the ledger; their salted digest goes on it."""
    salt = core.new_salt()
    digest = salted_digest(salt, text.encode())
    tx.add(ContextBlob(digest=digest, salt=salt, content=text.encode()))
    return digest
