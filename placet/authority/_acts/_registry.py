"""Acts on the registry of non-human identities: what is said of one, and who may join as it."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from placet.authority._acts._act import (
    Act,
    Handler,
    body_of,
    fits,
    kept_apart,
    require_role,
    write_entry,
)
from placet.authority._core import Core
from placet.authority._errors import Conflict, Invalid
from placet.authority._governance import governance
from placet.authority._inventories import changes, take_in
from placet.authority._leaving import MOST_AT_ONCE, switch_off, working_for
from placet.authority._registry import may_join, register, require_person
from placet.authority._revocations import revoke_all_of
from placet.authority._store import Identity, JoinToken, Registered, Tx
from placet.model import (
    ADMINISTRATOR,
    ActAnswer,
    IdentityId,
    ImportedIdentity,
    ImportIdentities,
    InviteAgent,
    Name,
    Principal,
    Reason,
    RegisterIdentity,
    SwitchOff,
    is_ours,
    secret_in,
)


class RegistryActs:
    """Registers identities, and lets workers join as agents."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        return {
            "identity.register": self._register,
            "identity.end": self._end,
            "vendor.off": self._switch_off,
            "identity.import": self._import,
            "agent.invite": self._invite_agent,
        }

    def _register(self, tx: Tx, act: Act) -> ActAnswer:
        """Say what a non-human identity is for, whose it is and until when."""
        require_role(act, ADMINISTRATOR)
        body, identity = body_of(act, RegisterIdentity), act.claims.target
        if not fits(IdentityId, identity):
            raise Invalid("invalid_request", "target: must be a non-human identity")
        _refuse_secret(identity, body, "")
        for person, what in ((body.owner, "owner"), (body.deputy, "deputy")):
            if person is not None:
                require_person(tx, person, what)
        if is_ours(identity) and body.credential_since is not None:
            raise Invalid("invalid_request", f"credential_since: it is known of {identity}")
        known = tx.get(Identity, identity)
        if known is not None and known.status == "offboarded":
            raise Conflict(f"{identity} is offboarded")
        revoked = 0
        if body.owner is None or body.ends_at <= tx.now:
            revoked = revoke_all_of(tx, identity, "not_entitled", act.actor)
        said = {**body.on_the_ledger(), "revoked_grants": revoked}
        entry = write_entry(tx, "identity.registered", act, said)
        register(tx, identity, body, entry, act.actor)
        return ActAnswer(act=act.claims.act, target=identity, entry=entry)

    def _end(self, tx: Tx, act: Act) -> ActAnswer:
        """End an identity now, ours or others': off at once, so one signature is enough."""
        require_role(act, ADMINISTRATOR)
        body, identity = body_of(act, Reason), act.claims.target
        known = tx.get(Registered, identity)
        if known is None:
            raise Conflict("the registry has no such identity")
        if known.ends_at is not None and known.ends_at <= tx.now:
            raise Conflict(f"{identity} has ended already")
        ends = datetime.fromtimestamp(int(tx.now.timestamp()), UTC)
        data: dict[str, JsonValue] = {
            "ends_at": int(ends.timestamp()),
            "revoked_grants": revoke_all_of(tx, identity, "ended", act.actor),
            "reason_digest": kept_apart(self._core, tx, body.reason),
        }
        entry = write_entry(tx, "identity.ended", act, data)
        tx.change(Registered, identity, ends_at=ends)
        return ActAnswer(act=act.claims.act, target=identity, entry=entry)

    def _import(self, tx: Tx, act: Act) -> ActAnswer:
        """Take in what an inventory says of identities that others own."""
        require_role(act, ADMINISTRATOR)
        body, source = body_of(act, ImportIdentities), act.claims.target
        if not fits(Name, source):
            raise Invalid("invalid_request", "target: must be the source's name")
        for number, row in enumerate(body.rows, 1):
            _refuse_secret(row.identity, row.said, f"row {number}, ")
        for person in {each for row in body.rows for each in (row.said.owner, row.said.deputy)}:
            if person is not None:
                require_person(tx, person, "owner")
        found = changes(tx, source, body.rows)
        if not found:
            raise Conflict("the registry says all of this already", ("unchanged",))
        if governance(tx).waits_for_second("identity.register"):
            _leave_owners(tx, [row for row, _ in found])
        new = sum(is_new for _, is_new in found)
        data: dict[str, JsonValue] = {
            "rows": len(body.rows),
            "new": new,
            "changed": len(found) - new,
            "rows_digest": act.claims.body_digest,
        }
        entry = write_entry(tx, "identity.imported", act, data)
        for row, _ in found:
            take_in(tx, source, row, entry, act.actor)
        return ActAnswer(act=act.claims.act, target=source, entry=entry)

    def _switch_off(self, tx: Tx, act: Act) -> ActAnswer:
        """Switch off all identities of a third party, as they were shown."""
        require_role(act, ADMINISTRATOR)
        body, vendor = body_of(act, SwitchOff), act.claims.target
        if list(body.identities) != working_for(tx, vendor, tx.now)[:MOST_AT_ONCE]:
            raise Conflict("the vendor has other identities than were shown; look again")
        data: dict[str, JsonValue] = {
            "identities": list(body.identities),
            "revoked_grants": switch_off(tx, body.identities, act.actor),
            "reason_digest": kept_apart(self._core, tx, body.reason),
        }
        entry = write_entry(tx, "vendor.switched_off", act, data)
        return ActAnswer(act=act.claims.act, target=vendor, entry=entry)

    def _invite_agent(self, tx: Tx, act: Act) -> ActAnswer:
        """Let a worker join as an agent with a one-time token."""
        require_role(act, ADMINISTRATOR)
        body, identity = body_of(act, InviteAgent), act.claims.target
        if not identity.startswith("agent:") or not fits(Principal, identity):
            raise Invalid("invalid_request", "target: agent.invite invites an agent:<name>")
        lacking = may_join(tx, identity, body, self._core.settings.environment)
        if lacking is not None:
            raise Conflict(lacking.description, (lacking.reason,))
        if tx.get(JoinToken, body.invitation_key) is not None:
            raise Conflict("this token was used for another invitation; make a new one")
        invitation = self._core.new_id("invitation")
        expires = tx.now + timedelta(minutes=body.minutes)
        entry = write_entry(
            tx,
            "agent.invited",
            act,
            {
                "invitation": invitation,
                "environment": body.environment,
                "task_queues": list(body.task_queues),
                "invitation_key": body.invitation_key,
                "expires_at": int(expires.timestamp()),
            },
        )
        tx.add(
            JoinToken(
                invitation_key=body.invitation_key,
                id=invitation,
                identity=identity,
                environment=body.environment,
                task_queues_json=json.dumps(body.task_queues),
                expires_at=expires,
                status="open",
            )
        )
        return ActAnswer(act=act.claims.act, target=identity, entry=entry)


def _leave_owners(tx: Tx, rows: Iterable[ImportedIdentity]) -> None:
    """Leave who decides about an identity, or may come to, to the act that two sign (I6)."""
    for row in rows:
        known, said = tx.get(Registered, row.identity), row.said
        if known is None or known.owner is None:
            continue
        if said.owner != known.owner or said.deputy not in (None, known.owner, known.deputy):
            raise Conflict(
                f"{row.identity} is owned by {known.owner}, and two administrators name another "
                "owner or deputy: take them out of its row, or see identity.register",
                ("second_signature",),
            )


def _refuse_secret(identity: str, said: RegisterIdentity, where: str) -> None:
    """Nothing is kept of what is refused so, and nothing of it repeated (I7)."""
    member = secret_in(identity, said)
    if member is not None:
        why = f"{where}{member}: it looks like a secret; take it out"
        raise Invalid("invalid_request", why)
