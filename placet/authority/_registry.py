"""The registry of non-human identities, inside one transaction (invariants I6, I10).

1. (I10) An identity that nobody owns, or whose end date has passed, gets no grant, and none that
   outlives that date.
2. (I6) It counts as whoever owned it while it worked: earlier owners are remembered by the entries
   of the ledger between which they owned it.
3. (I5) Whoever owns it now is asked about it, also in what was begun before.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from placet.authority._asking_anew import ask_anew
from placet.authority._core import Core
from placet.authority._errors import Conflict, NotFound
from placet.authority._identities import ACTIVE
from placet.authority._lacking import UNOWNED, NotEntitled, lacks
from placet.authority._store import (
    Identity,
    IdentityKey,
    Ownership,
    Reader,
    Registered,
    Tx,
    table_of,
)
from placet.authority._usage import at_work, narrowed_to
from placet.model import (
    InviteAgent,
    JoinAs,
    KeyView,
    Principal,
    RegisteredView,
    RegisterIdentity,
    canonical_json,
    is_ours,
    kind_of,
)

PAGE = 200
_REGISTERED = table_of(Registered)
_KEY = table_of(IdentityKey)
_ENTITLED = select(
    _REGISTERED.c.owner,
    _REGISTERED.c.owned_until,
    _REGISTERED.c.ends_at,
    _REGISTERED.c.environment,
    _REGISTERED.c.narrowed_json,
    _KEY.c.runs_on_json,
).where(
    _REGISTERED.c.identity == bindparam("identity"),
    _KEY.c.principal == _REGISTERED.c.identity,
    _KEY.c.thumbprint == bindparam("thumbprint"),
)


@dataclass(frozen=True)
class Entitled:
    """An identity that may be granted something, and what bounds it.

    Nothing outlives ``ends_at``; the key serves the task queues in ``runs_on`` alone, if it names
    some.
    """

    ends_at: datetime | None
    runs_on: tuple[str, ...] | None
    narrowed_to: tuple[str, ...] | None = None
    """All the actions that its owner's review has left it, if it was narrowed."""

    def serves(self, task_queue: str | None) -> bool:
        """Whether the key may serve a task queue."""
        return self.runs_on is None or task_queue is None or task_queue in self.runs_on


_ELSEWHERE = NotEntitled("the identity is registered for another environment", "environment")


def entitlement(
    reader: Reader, identity: str, thumbprint: str, environment: str | None, now: datetime
) -> Entitled | NotEntitled:
    """Whether the registry lets an identity have a grant now, with this key, where we serve."""
    row = reader.one(_ENTITLED, {"identity": identity, "thumbprint": thumbprint})
    if row is None:
        return UNOWNED
    found = lacks(row, now)
    if found:
        return found[0]
    if _is_elsewhere(row.environment, environment):
        return _ELSEWHERE
    runs_on = None if row.runs_on_json is None else tuple(json.loads(row.runs_on_json))
    return Entitled(row.ends_at, runs_on, narrowed_to(row))


def may_join(
    tx: Tx, identity: str, asked: JoinAs | InviteAgent, environment: str | None
) -> NotEntitled | None:
    """What keeps a worker from joining as an agent in an environment, on task queues."""
    row, known = tx.get(Registered, identity), tx.get(Identity, identity)
    if row is None:
        return NotEntitled("the registry has no such agent; see identity.register", "unknown")
    if known is not None and known.status != ACTIVE:
        return NotEntitled(f"{identity} is {known.status}", known.status)
    held = suspended_without_a_key(row, known)
    if held is not None:
        return held
    for found in lacks(row, tx.now):
        return found
    said = registration(tx, identity)
    if _is_elsewhere(row.environment, asked.environment) or _is_elsewhere(
        asked.environment, environment
    ):
        return _ELSEWHERE
    if said is not None and said.runs_on and not set(asked.task_queues) <= set(said.runs_on):
        return NotEntitled("the identity may not run on such a task queue", "task_queue")
    return None


def suspended_without_a_key(row: Registered, known: Identity | None) -> NotEntitled | None:
    """What keeps one of ours from its first key: until then it has no standing that says so."""
    if known is not None or row.suspended_for is None or not is_ours(row.identity):
        return None
    said = f"{row.identity} is suspended ({row.suspended_for}); an administrator registers it anew"
    return NotEntitled(said, "suspended")


def _is_elsewhere(registered: str | None, here: str | None) -> bool:
    return registered is not None and here is not None and registered != here


def registration(reader: Reader, identity: str) -> RegisterIdentity | None:
    """What was said of an identity, if anything was."""
    row = reader.get(Registered, identity)
    return None if row is None else said_of(row)


def said_of(row: Registered) -> RegisterIdentity | None:
    """What was said of an identity last, whatever was done to it since."""
    return None if row.said_json is None else RegisterIdentity.model_validate_json(row.said_json)


def owner_of(reader: Reader, identity: str) -> str | None:
    """Who owns an identity now."""
    row = reader.get(Registered, identity)
    return None if row is None else row.owner


def require_person(reader: Reader, person: str, what: str) -> None:
    """Go on if someone is a person who can answer for an identity.

    Raises:
        Conflict: they are no active operator.
    """
    found = reader.get(Identity, person)
    if found is None or found.kind != "operator" or found.status != ACTIVE:
        raise Conflict(f"{what}: there is no active operator {person}")


def enrolled(tx: Tx, identity: str, owner: str | None, entry: int, by: str) -> None:
    """A first key was enrolled: the identity stands in the registry, with its owner.

    Raises:
        Conflict: it is registered with another owner, or with none.
    """
    known = tx.get(Registered, identity)
    if known is None:
        tx.add(
            Registered(
                identity=identity,
                kind=kind_of(identity).value,
                owner=owner,
                first_seen=tx.now,
                registered_at=tx.now,
                registered_by=by,
            )
        )
        _own(tx, identity, None, owner, entry)
    elif owner is not None and known.owner != owner:
        raise Conflict(f"{identity} is owned by {known.owner or 'nobody'}; see identity.register")


def register(
    tx: Tx, identity: str, body: RegisterIdentity, entry: int, by: str, **imported: Any
) -> None:
    """All that is said of an identity from now on; ``imported`` is what only inventories tell.

    Who owns it and has left goes on for the grace, unless another is named.
    """
    known = tx.get(Registered, identity)
    grace = known.owned_until if known is not None and known.owner == body.owner else None
    said: dict[str, Any] = {
        "owner": body.owner,
        "owned_until": grace,
        "deputy": body.deputy,
        "environment": body.environment,
        "vendor": body.vendor,
        "credential_since": body.credential_since,
        "review_by": body.review_by,
        "ends_at": body.ends_at,
        "said_json": canonical_json(body).decode(),
        "suspended_for": None,
        "narrowed_json": None,
        "registered_at": tx.now,
        "registered_by": by,
        **imported,
    }
    if known is None:
        tx.add(
            Registered(identity=identity, kind=kind_of(identity).value, first_seen=tx.now, **said)
        )
    else:
        tx.change(Registered, identity, **said)
    _own(tx, identity, None if known is None else known.owner, body.owner, entry)
    if known is not None and known.owner != body.owner:
        ask_anew(tx, identity)


def _own(tx: Tx, identity: str, before: str | None, owner: str | None, entry: int) -> None:
    if before == owner:
        return
    if before is not None:
        owned = tx.all(Ownership, Ownership.identity == identity, Ownership.until.is_(None))  # type: ignore[union-attr]  # a column on the class
        for row in owned:
            tx.change(Ownership, (identity, row.since), until=entry)
    if owner is not None:
        tx.add(Ownership(identity=identity, since=entry, owner=owner))


def change_owner(tx: Tx, row: Registered, owner: str | None, entry: int) -> None:
    """Another person owns it from an entry on, or nobody."""
    tx.change(Registered, row.identity, owner=owner, owned_until=None)
    _own(tx, row.identity, row.owner, owner, entry)
    ask_anew(tx, row.identity)


def owners_since(
    reader: Reader, identities: Iterable[str], entry: int
) -> dict[Principal, tuple[Principal, ...]]:
    """Who owned each identity at any time after an entry of the ledger."""
    found: dict[Principal, tuple[Principal, ...]] = {}
    for identity in identities:
        owned = {
            row.owner
            for row in reader.all(Ownership, Ownership.identity == identity)
            if row.until is None or row.until > entry
        }
        if owned:
            found[identity] = tuple(sorted(owned))
    return found


# --- reading ----------------------------------------------------------------------------------


class Registry:
    """Reads for operators."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def page(self, kind: str | None, after: str) -> list[RegisteredView]:
        """A page of the registry by id, of one kind or of all."""
        where = [Registered.identity > after]
        where += [Registered.kind == kind] if kind else []
        return await self._core.store.read(
            lambda reader: [
                view(reader, row, self._core.clock())
                for row in reader.all(
                    Registered, *where, order_by=[Registered.identity], limit=PAGE
                )
            ]
        )

    async def show(self, identity: str) -> RegisteredView:
        """One identity.

        Raises:
            NotFound: the registry has no such identity.
        """

        def read(reader: Reader) -> RegisteredView:
            row = reader.get(Registered, identity)
            if row is None:
                raise NotFound("the registry has no such identity")
            return view(reader, row, self._core.clock())

        return await self._core.store.read(read)


_CHANGED_SINCE = {"owner", "deputy", "credential_since", "review_by", "ends_at"}
"""What acts and reviews change since it was said."""


def view(reader: Reader, row: Registered, now: datetime) -> RegisteredView:
    """One identity, as people's tools see it."""
    said = registration(reader, row.identity)
    keys = sorted(
        reader.all(IdentityKey, IdentityKey.principal == row.identity),
        key=lambda key: key.enrolled_at,
    )
    counting = [key.enrolled_at for key in keys if key.status == ACTIVE]
    since = min(counting, default=None if said is None else said.credential_since)
    shown = {} if said is None else said.model_dump(exclude=_CHANGED_SINCE)
    last, live = at_work(reader, row.identity)
    return RegisteredView(
        identity=row.identity,
        kind=kind_of(row.identity),
        status=_status(reader, row),
        owner=row.owner,
        deputy=row.deputy,
        credential_since=since,
        review_by=row.review_by,
        ends_at=row.ends_at,
        last_used=last or row.last_used,
        live_grants=live,
        lacks=tuple(each.description for each in lacks(row, now)),
        suspended_for=row.suspended_for,
        narrowed_to=narrowed_to(row),
        keys=tuple(
            KeyView(
                thumbprint=key.thumbprint,
                status=key.status,
                since=key.enrolled_at,
                expires_at=key.expires_at,
                replaces=key.replaces,
                instance=key.instance,
                runs_on=None if key.runs_on_json is None else tuple(json.loads(key.runs_on_json)),
            )
            for key in keys
        ),
        **shown,
    )


def _status(reader: Reader, row: Registered) -> str:
    found = reader.get(Identity, row.identity) if is_ours(row.identity) else None
    if found is not None:
        return found.status
    if row.suspended_for is not None:
        return "suspended"
    return "invited" if is_ours(row.identity) else "elsewhere"
