"""What the authority acts on, and what its log tells: the two must be the same.

The audit judges the log by itself. Whether the tables from which the authority decides say the same
as the log is seen from neither alone: a row that was changed without its entry, or an entry whose
row was forgotten, lets something go on that everyone was told is over.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import JsonValue

from placet.authority import Store
from placet.authority._store import (
    Case,
    Checkpoint,
    DecisionRow,
    Delegation,
    Grant,
    HoldRow,
    Identity,
    IdentityKey,
    LedgerEntry,
    ProposalRow,
    Reader,
    Registered,
    SessionRow,
)
from placet.ledger import Entry, decode_entry
from placet.model import is_ours
from placet.tokens import PublicKey

Standing = dict[str, Any]
"""What stands, by what it is of: ``grant …``, ``case …``."""

_ENDS = {"suspended": "suspended", "resumed": "active", "offboarded": "offboarded"}
Data = dict[str, JsonValue]


async def differences(store: Store) -> list[str]:
    """What the tables say otherwise than the log, of everything that either has."""

    def read(reader: Reader) -> tuple[Standing, Standing]:
        entries = reader.all(LedgerEntry, order_by=[LedgerEntry.index])
        return _as_told(each.content for each in entries), _as_kept(reader)

    told, kept = await store.read(read)
    return [
        f"{each}: kept {kept.get(each)}, told {told.get(each)}"
        for each in sorted({*told, *kept})
        if kept.get(each) != told.get(each)
    ]


def _as_kept(reader: Reader) -> Standing:
    return {name: value for name, value in _kept(reader) if value is not None}


def _kept(reader: Reader) -> Iterator[tuple[str, Any]]:
    for identity in reader.all(Identity):
        yield f"identity {identity.principal}", identity.status
        if identity.kind == "operator":
            yield f"roles {identity.principal}", json.loads(identity.roles_json)
    for key in reader.all(IdentityKey, IdentityKey.session_id.is_(None)):  # type: ignore[union-attr]  # a column on the class
        yield f"key {key.thumbprint}", (key.principal, key.status)
    for session in reader.all(SessionRow):
        yield f"session {session.id}", (session.principal, session.status)
    for hold in reader.all(HoldRow, HoldRow.lifted_at.is_(None)):  # type: ignore[union-attr]  # a column on the class
        yield f"hold {hold.record}", hold.placed_by
    for given in reader.all(Delegation, Delegation.ended_at.is_(None)):  # type: ignore[union-attr]  # a column on the class
        ends = int(given.ends_at.timestamp())
        yield f"delegation {given.id}", (given.giver, given.delegate, given.process, ends)
    for proposal in reader.all(ProposalRow):
        yield f"proposal {proposal.jti}", proposal.status
    for known in [each for each in reader.all(Registered) if is_ours(each.identity)]:
        yield f"owner {known.identity}", known.owner
    for case in reader.all(Case):
        yield f"case {case.id}", (case.status, case.result)
        yield f"erased {case.id}", case.erased_at is not None
    for checkpoint in reader.all(Checkpoint):
        yield f"checkpoint {checkpoint.id}", checkpoint.status
        yield f"claim {checkpoint.id}", checkpoint.claimed_by
    for decision in reader.all(DecisionRow):
        yield f"decision {decision.jti}", decision.operator
    for grant in reader.all(Grant):
        yield f"grant {grant.id}", (grant.agent, grant.action, grant.record, grant.status)


def _as_told(entries: Iterable[bytes]) -> Standing:
    told: Standing = {}
    for each in entries:
        entry = decode_entry(each)
        told.update(_by(entry, told))
    return {name: value for name, value in told.items() if value is not None}


def _by(entry: Entry, told: Standing) -> Iterator[tuple[str, Any]]:
    """What stands by an entry, after what stood before; ``None`` is what ends."""
    data, (kind, what) = entry.data, entry.type.split(".")
    target = str(data.get("target"))
    match kind, what:
        case "key", "enrolled":
            yield from _enrolled(data, told)
        case "key", "revoked":
            for each in (target, *_texts(data["with_it"])):
                yield f"key {each}", (told[f"key {each}"][0], "revoked")
        case "agent" | "operator", ("suspended" | "resumed" | "offboarded"):
            yield f"identity {target}", _ENDS[what]
        case "operator", "roles_set":
            yield f"roles {target}", data["roles"]
        case "identity", _:
            yield from _of_an_identity(what, target, data, told)
        case "vendor", "switched_off":
            for each in _texts(data["identities"]):
                yield from _suspended(each, told)
        case "session", "started":
            yield f"session {data['session']}", (data["principal"], "active")
            if f"identity {data['principal']}" not in told:
                yield f"identity {data['principal']}", "active"
            yield f"roles {data['principal']}", data["roles"]
        case "session", "ended":
            yield f"session {data['session']}", (data["principal"], "ended")
        case "hold", _:
            yield f"hold {entry.record}", entry.actor if what == "placed" else None
        case "delegation", "given":
            given = (entry.actor, target, data["process"], data["ends_at"])
            yield f"delegation {data['act']}", given
        case "delegation", "ended":
            yield f"delegation {data['delegation']}", None
        case "act", ("proposed" | "countersigned" | "withdrawn" | "lapsed"):
            yield f"proposal {data['proposal']}", "effective" if what == "countersigned" else what
        case "case", _:
            yield from _of_a_case(what, str(entry.case), data, told)
        case "checkpoint" | "decision" | "grant", _:
            yield from _of_a_step(entry, told)
        case _:
            pass


def _enrolled(data: Data, told: Standing) -> Iterator[tuple[str, Any]]:
    principal = str(data["principal"])
    thumbprint = PublicKey.from_jwk(data["jwk"]).thumbprint
    yield f"key {thumbprint}", (principal, "active")
    if f"identity {principal}" not in told:
        yield f"identity {principal}", "active"
    if principal.startswith("operator:"):
        yield f"roles {principal}", data["roles"]
    elif f"owner {principal}" not in told:
        yield f"owner {principal}", data["owner"]


def _suspended(identity: str, told: Standing) -> Iterator[tuple[str, Any]]:
    if told.get(f"identity {identity}") == "active":
        yield f"identity {identity}", "suspended"


def _of_an_identity(
    what: str, target: str, data: Data, told: Standing
) -> Iterator[tuple[str, Any]]:
    if is_ours(target) and what in {"registered", "followed", "disowned"}:
        yield f"owner {target}", data.get("owner")
    if what == "disowned" or (what, data.get("beyond")) == ("exceeded", "suspend"):
        yield from _suspended(target, told)
    if (what, data.get("outcome")) == ("reviewed", "suspended"):
        yield from _suspended(target, told)
    if (what, data.get("outcome")) == ("reviewed", "ended") and f"identity {target}" in told:
        yield f"identity {target}", "offboarded"


def _of_a_case(what: str, case: str, data: Data, told: Standing) -> Iterator[tuple[str, Any]]:
    status, result = told.get(f"case {case}", ("opening", None))
    match what:
        case "opened":
            yield f"erased {case}", False
        case "erased":
            yield f"erased {case}", True
        case "started" | "admitted":
            status = "open"
        case "stopped":
            status = "stopped"
        case "closed":
            status, result = "closed", data["result"]
        case "resubmitted":
            yield f"checkpoint {data['checkpoint']}", "resubmitted"
        case _:
            pass
    yield f"case {case}", (status, result)


def _of_a_step(entry: Entry, told: Standing) -> Iterator[tuple[str, Any]]:
    data, (kind, what) = entry.data, entry.type.split(".")
    checkpoint = data.get("checkpoint")
    match kind, what:
        case "checkpoint", "opened":
            yield f"checkpoint {checkpoint}", "open"
        case "checkpoint", ("resolved" | "expired"):
            yield f"checkpoint {checkpoint}", data["status"]
        case "checkpoint", "voided":
            yield f"checkpoint {checkpoint}", "voided"
        case "checkpoint", "claimed":
            yield f"claim {data['target']}", entry.actor
        case "checkpoint", "unclaimed":
            yield f"claim {data['target']}", None
        case "decision", ("recorded" | "withdrawn"):
            yield f"decision {data['decision']}", entry.actor
        case "grant", "issued":
            issued = (entry.actor, data["action"], entry.record, "issued")
            yield f"grant {data['grant']}", issued
        case "grant", ("settled" | "revoked" | "expired"):
            yield f"grant {data['grant']}", (*told[f"grant {data['grant']}"][:3], what)
        case _:
            pass


def _texts(value: JsonValue) -> Iterator[str]:
    assert isinstance(value, list)
    yield from (str(each) for each in value)
