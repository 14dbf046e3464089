"""Acts on identities and their keys."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import JsonValue

from placet.authority._acts._act import (
    Act,
    Handler,
    No,
    body_of,
    fits,
    kept_apart,
    require_role,
    signatures,
    write_entry,
)
from placet.authority._core import Core
from placet.authority._errors import Conflict, Invalid
from placet.authority._identities import ACTIVE, roles_of
from placet.authority._key_ages import descendants, key_end
from placet.authority._leaving import owner_left
from placet.authority._registry import enrolled, require_person, suspended_without_a_key
from placet.authority._revocations import revoke_all_of, revoke_resting_on
from placet.authority._sessions import end_session
from placet.authority._store import (
    Identity,
    IdentityKey,
    InvitationRow,
    Registered,
    SessionRow,
    SubjectRow,
    Tx,
)
from placet.model import (
    ADMINISTRATOR,
    ActAnswer,
    AddKey,
    EnrolIdentity,
    Invite,
    Name,
    Principal,
    Reason,
    SetRoles,
    canonical_json,
)
from placet.tokens import KeyRefused, PublicKey

_STATUS = {
    "suspend": ({ACTIVE}, "suspended", "suspended"),
    "resume": ({"suspended"}, ACTIVE, "resumed"),
    "offboard": ({ACTIVE, "suspended"}, "offboarded", "offboarded"),
}


@dataclass(frozen=True)
class Worker:
    """The worker that enrols a key of its own, and what it joined with."""

    environment: Name
    instance: Name | None
    task_queues: tuple[str, ...]
    joined_with: str

    def on_the_ledger(self) -> dict[str, JsonValue]:
        """What the entry of its key says besides."""
        return {
            "environment": self.environment,
            "instance": self.instance,
            "task_queues": list(self.task_queues),
        }


class IdentityActs:
    """Enrols identities, changes their status and revokes their keys."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        named: dict[str, Handler] = {
            "key.revoke": self._revoke_key,
            "key.add": self._add_key,
            "operator.roles": self._set_roles,
            "operator.invite": self._invite,
            "session.end": self._end_session,
        }
        for kind in ("agent", "operator", "system"):
            named[f"{kind}.enrol"] = self._enrol
            named |= {f"{kind}.{verb}": self._change_status for verb in _STATUS}
        return named

    def _enrol(self, tx: Tx, act: Act) -> ActAnswer:
        require_role(act, ADMINISTRATOR)
        kind, principal = act.claims.act.split(".")[0], act.claims.target
        body = body_of(act, EnrolIdentity)
        if not principal.startswith(f"{kind}:") or not fits(Principal, principal):
            raise Invalid("invalid_request", f"target: {kind}.enrol enrols a {kind}:<name>")
        if kind == "agent" and body.owner is None:
            raise Invalid("invalid_request", "owner: an agent needs a person who owns it")
        if kind == "operator" and not body.roles:
            raise Invalid("invalid_request", "roles: an operator has at least one role")
        if principal == act.actor:
            raise No("nobody enrols keys for themselves", "segregation")
        key = _key_of(tx, body.jwk)
        if body.owner is not None:
            require_person(tx, body.owner, "owner")
        entry = enrol(tx, principal, key, body, by=act.actor, signed=signatures(act))
        return ActAnswer(act=act.claims.act, target=principal, entry=entry)

    def _add_key(self, tx: Tx, act: Act) -> ActAnswer:
        """A person's further key, for a second device: signed with an earlier one of their own."""
        identity = tx.get(Identity, act.actor)
        if act.claims.target != act.actor or identity is None:
            raise No("a key is added to oneself; for another, see operator.enrol", "segregation")
        with_key = tx.get(IdentityKey, act.key)
        if with_key is None or with_key.session_id is not None:
            raise No("a session's key adds no other; sign in on the other device", "session")
        body = EnrolIdentity(jwk=body_of(act, AddKey).jwk, roles=roles_of(identity))
        entry = enrol(
            tx, act.actor, _key_of(tx, body.jwk), body, by=act.actor, signed=signatures(act)
        )
        return ActAnswer(act=act.claims.act, target=act.actor, entry=entry)

    def _invite(self, tx: Tx, act: Act) -> ActAnswer:
        """Let someone enrol a key of theirs with a one-time code."""
        require_role(act, ADMINISTRATOR)
        body, principal = body_of(act, Invite), act.claims.target
        if not principal.startswith("operator:") or not fits(Principal, principal):
            raise Invalid("invalid_request", "target: operator.invite invites an operator:<name>")
        if principal == act.actor:
            raise No("nobody enrols keys for themselves", "segregation")
        identity = tx.get(Identity, principal)
        if identity is not None:
            _require_takes_keys(tx, identity, body.roles)
        if tx.get(InvitationRow, body.invitation_key) is not None:
            raise Conflict("this code was used for another invitation; make a new one")
        invitation = self._core.new_id("invitation")
        expires = tx.now + timedelta(minutes=body.minutes)
        entry = write_entry(
            tx,
            "operator.invited",
            act,
            {
                "invitation": invitation,
                "roles": list(body.roles),
                "invitation_key": body.invitation_key,
                "expires_at": int(expires.timestamp()),
            },
        )
        tx.add(
            InvitationRow(
                invitation_key=body.invitation_key,
                id=invitation,
                principal=principal,
                roles_json=json.dumps(body.roles),
                expires_at=expires,
                status="open",
            )
        )
        return ActAnswer(act=act.claims.act, target=principal, entry=entry)

    def _end_session(self, tx: Tx, act: Act) -> ActAnswer:
        """Sign out: one's own session, or, for administrators, anyone's."""
        session = tx.get(SessionRow, act.claims.target)
        if session is None or session.status != ACTIVE:
            raise Conflict("there is no such session, or it has ended")
        if session.principal != act.actor:
            require_role(act, ADMINISTRATOR)
        signed = {**signatures(act), "target": session.id}
        entry = end_session(tx, session, "signed_out", by=act.actor, signed=signed)
        return ActAnswer(act=act.claims.act, target=session.id, entry=entry)

    def _set_roles(self, tx: Tx, act: Act) -> ActAnswer:
        """Give an operator other roles; what was decided before was in the roles of then."""
        require_role(act, ADMINISTRATOR)
        body, principal = body_of(act, SetRoles), act.claims.target
        identity = tx.get(Identity, principal)
        if identity is None or identity.kind != "operator" or identity.status == "offboarded":
            raise Conflict(f"there is no operator {principal}")
        if principal == act.actor:
            raise No("nobody changes their own roles", "segregation")
        _require_own_keys(tx, principal)
        tx.change(Identity, principal, roles_json=json.dumps(body.roles))
        data: dict[str, JsonValue] = {"roles": list(body.roles)}
        entry = write_entry(tx, "operator.roles_set", act, data)
        return ActAnswer(act=act.claims.act, target=principal, entry=entry)

    def _change_status(self, tx: Tx, act: Act) -> ActAnswer:
        require_role(act, ADMINISTRATOR)
        body = body_of(act, Reason)
        kind, verb = act.claims.act.split(".")
        principal = act.claims.target
        identity = tx.get(Identity, principal)
        if identity is None or not principal.startswith(f"{kind}:"):
            raise Conflict(f"there is no {kind} {principal}")
        if principal == act.actor:
            raise No("nobody changes their own status", "segregation")
        allowed, status, entry_type = _STATUS[verb]
        if identity.status not in allowed:
            raise Conflict(f"{principal} is {identity.status}; it can't be {status} now")
        tx.change(Identity, principal, status=status, status_at=tx.now, status_by=act.actor)
        revoked = 0
        if status == ACTIVE and tx.get(Registered, principal) is not None:
            tx.change(Registered, principal, suspended_for=None)
        if status != ACTIVE:
            revoked = revoke_all_of(tx, principal, entry_type, act.actor)
            revoke_resting_on(tx, principal)
        entry = write_entry(
            tx,
            f"{'agent' if kind == 'system' else kind}.{entry_type}",
            act,
            {"revoked_grants": revoked, "reason_digest": kept_apart(self._core, tx, body.reason)},
        )
        if (kind, verb) == ("operator", "offboard"):
            owner_left(tx, principal)
        return ActAnswer(act=act.claims.act, target=principal, entry=entry)

    def _revoke_key(self, tx: Tx, act: Act) -> ActAnswer:
        """Revoke a key for good, the keys that replaced it, and its owner's live grants.

        Any of them may be the thief's.
        """
        require_role(act, ADMINISTRATOR)
        body = body_of(act, Reason)
        thumbprint = act.claims.target
        key = tx.get(IdentityKey, thumbprint)
        if key is None or key.status != ACTIVE:
            raise Conflict(f"there is no active key {thumbprint}")
        if key.principal == act.actor:
            raise No("nobody revokes their own keys", "segregation")
        with_it = [each.thumbprint for each in descendants(tx, thumbprint)]
        for each in (thumbprint, *with_it):
            tx.change(IdentityKey, each, status="revoked", revoked_at=tx.now)
        revoked = revoke_all_of(tx, key.principal, "key_revoked", act.actor)
        revoke_resting_on(tx, key.principal)
        entry = write_entry(
            tx,
            "key.revoked",
            act,
            {
                "principal": key.principal,
                "with_it": list(with_it),
                "revoked_grants": revoked,
                "reason_digest": kept_apart(self._core, tx, body.reason),
            },
        )
        return ActAnswer(act=act.claims.act, target=thumbprint, entry=entry)


def enrol(
    tx: Tx,
    principal: str,
    key: PublicKey,
    body: EnrolIdentity,
    *,
    by: str,
    signed: Mapping[str, JsonValue],
    worker: Worker | None = None,
) -> int:
    """Write an identity's key (and the identity, if it is new) and its entry."""
    kind = principal.split(":", maxsplit=1)[0]
    identity = tx.get(Identity, principal)
    if identity is None:
        _require_unsuspended(tx, principal)
        tx.add(
            Identity(
                principal=principal,
                kind=kind,
                status=ACTIVE,
                roles_json=json.dumps(body.roles),
                url=body.url,
                enrolled_at=tx.now,
                enrolled_by=by,
            )
        )
    else:
        _require_takes_keys(tx, identity, body.roles)
        if kind == "system" and body.url is not None:
            tx.change(Identity, principal, url=body.url)
    jwk: dict[str, JsonValue] = dict(key.jwk())
    entry = tx.append(
        "key.enrolled",
        by,
        {
            **signed,
            "principal": principal,
            "jwk": jwk,
            "roles": list(body.roles),
            "owner": body.owner,
            **({} if worker is None else worker.on_the_ledger()),
        },
    )
    if kind != "operator":
        enrolled(tx, principal, body.owner, entry, by)
    tx.add(
        IdentityKey(
            thumbprint=key.thumbprint,
            principal=principal,
            jwk_json=canonical_json(jwk).decode(),
            status=ACTIVE,
            enrolled_at=tx.now,
            expires_at=key_end(tx, principal, tx.now),
            instance=None if worker is None else worker.instance,
            runs_on_json=None if worker is None else json.dumps(worker.task_queues),
            joined_with=None if worker is None else worker.joined_with,
            entry=entry,
        )
    )
    return entry


def _key_of(tx: Tx, jwk: Mapping[str, Any]) -> PublicKey:
    """A public key that nobody has yet."""
    try:
        key = PublicKey.from_jwk(dict(jwk))
    except KeyRefused as error:
        raise Invalid("invalid_request", f"jwk: {error}") from None
    if tx.get(IdentityKey, key.thumbprint) is not None:
        raise Conflict("this key is enrolled already")
    return key


def _require_takes_keys(tx: Tx, identity: Identity, roles: tuple[Name, ...]) -> None:
    """Whoever has left gets no key, nor who signs in elsewhere, and nobody other roles by one."""
    _require_own_keys(tx, identity.principal)
    if identity.kind == "operator" and roles_of(identity) != roles:
        raise Conflict(f"{identity.principal} is enrolled with other roles")
    if identity.status == "offboarded":
        raise Conflict(f"{identity.principal} is offboarded")


def _require_unsuspended(tx: Tx, principal: str) -> None:
    """Who was suspended before the first key gets none until registered anew (I10)."""
    row = tx.get(Registered, principal)
    held = None if row is None else suspended_without_a_key(row, None)
    if held is not None:
        raise Conflict(held.description, (held.reason,))


def _require_own_keys(tx: Tx, principal: str) -> None:
    """Whoever signs in at the identity provider has no key or role that outlasts that."""
    if tx.get(SubjectRow, principal) is not None:
        raise Conflict(f"{principal} signs in through the identity provider")
