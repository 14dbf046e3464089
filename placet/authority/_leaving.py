"""What happens when someone or something leaves: owners, agents, whole vendors (invariant I10).

1. When an owner is offboarded, the named deputy owns at once. Without one who is active, the
   identity goes on until the grace is over that the rules give: from that instant it has no owner,
   is suspended, and its live grants end.
2. All identities of a third party are switched off in one act, which names those that its signer
   was shown: if there are others by now, it is refused. Who has not joined yet does not join.
3. (I4) Everything that follows stands on the ledger, in the same transaction.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue
from sqlalchemy import bindparam, func, select

from placet.authority._core import Core
from placet.authority._errors import NotFound
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE
from placet.authority._notices import put_notice
from placet.authority._registry import change_owner, suspended_without_a_key
from placet.authority._revocations import revoke_all_of
from placet.authority._store import (
    Case,
    Grant,
    Identity,
    IdentityKey,
    JoinToken,
    Reader,
    Registered,
    Tx,
    table_of,
)
from placet.authority._suspending import suspend
from placet.authority._usage import steps_of
from placet.model import ADMINISTRATOR, AUTHORITY, LeftBehind, MayDo, VendorView, is_ours

PAGE = 100
MOST_AT_ONCE = 400
_GRANT, _CASE = table_of(Grant), table_of(Case)
_LIVE = select(_GRANT.c.case_id, _GRANT.c.guarded_json).where(
    _GRANT.c.agent == bindparam("agent"), _GRANT.c.status == "issued"
)
_OPEN = (
    select(_CASE.c.id, func.count().over().label("total"))
    .where(_CASE.c.process == bindparam("process"), _CASE.c.closed_at.is_(None))
    .order_by(_CASE.c.id)
    .limit(PAGE)
)


def owner_left(tx: Tx, person: str) -> None:
    """A person was offboarded: their identities go to the deputies, or have a grace."""
    grace = timedelta(days=governance(tx).identities.owner_grace_days)
    for row in tx.all(Registered, Registered.owner == person, order_by=[Registered.identity]):
        deputy = None if row.deputy is None else tx.get(Identity, row.deputy)
        if deputy is not None and deputy.status == ACTIVE:
            said: dict[str, JsonValue] = {"target": row.identity, "owner": deputy.principal}
            entry = tx.append("identity.followed", AUTHORITY, {**said, "before": person})
            change_owner(tx, row, deputy.principal, entry)
            tx.change(Registered, row.identity, deputy=None)
            continue
        until = datetime.fromtimestamp(int((tx.now + grace).timestamp()), UTC)
        said = {"target": row.identity, "before": person, "until": int(until.timestamp())}
        tx.append("identity.orphaned", AUTHORITY, said)
        tx.change(Registered, row.identity, owned_until=until)
        put_notice(
            tx,
            "identity.orphaned",
            f"{row.identity} {int(until.timestamp())}",
            to=(f"role:{ADMINISTRATOR}",),
            data={"identity": row.identity, "until": until.isoformat()},
        )


async def disown_orphans(core: Core) -> None:
    """Suspend what nobody owns any more, when its grace is over."""
    now = core.clock()
    due = await core.store.read(
        lambda reader: reader.all(Registered, Registered.owned_until <= now, limit=PAGE)  # type: ignore[operator]  # a column on the class
    )

    def disown(tx: Tx) -> None:
        for each in due:
            row = tx.get(Registered, each.identity)
            if row is None or row.owned_until is None or tx.now < row.owned_until:
                continue
            revoked = suspend(tx, row.identity, "no_owner")
            said: dict[str, JsonValue] = {"target": row.identity, "revoked_grants": revoked}
            entry = tx.append("identity.disowned", AUTHORITY, said)
            change_owner(tx, row, None, entry)

    if due:
        await core.store.write(disown)


def switch_off(tx: Tx, identities: Iterable[str], by: str) -> int:
    """Suspend or end identities now, and their join tokens; how many live grants ended so."""
    revoked = 0
    ends = datetime.fromtimestamp(int(tx.now.timestamp()), UTC)
    for identity in identities:
        known = tx.get(Identity, identity)
        if known is not None:
            tx.change(Identity, identity, status="suspended", status_at=tx.now, status_by=by)
        elif is_ours(identity):
            tx.change(Registered, identity, suspended_for="vendor_off")
        else:
            tx.change(Registered, identity, ends_at=ends)
        for token in _open_tokens(tx, identity):
            tx.change(JoinToken, token.invitation_key, status="ended")
        revoked += revoke_all_of(tx, identity, "vendor_off", by)
    return revoked


def working_for(reader: Reader, vendor: str, now: datetime) -> list[str]:
    """The identities of a third party that are neither off nor ended, by id."""
    rows = reader.all(Registered, Registered.vendor == vendor, order_by=[Registered.identity])
    return [row.identity for row in rows if _works(reader, row, now)]


def _works(reader: Reader, row: Registered, now: datetime) -> bool:
    known = reader.get(Identity, row.identity)
    off = known is not None and known.status != ACTIVE
    held = off or suspended_without_a_key(row, known) is not None
    return not held and (row.ends_at is None or row.ends_at > now)


def _open_tokens(reader: Reader, identity: str) -> list[JoinToken]:
    return reader.all(JoinToken, JoinToken.identity == identity, JoinToken.status == "open")


class Leaving:
    """Reads for operators: what would go, and what is left."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def vendor(self, vendor: str) -> VendorView:
        """What switching off a third party would stop now.

        Raises:
            NotFound: no identity of such a vendor was ever registered.
        """
        now = self._core.clock()

        def read(reader: Reader) -> VendorView:
            if reader.first(Registered, Registered.vendor == vendor) is None:
                raise NotFound("there is no such vendor")
            working, steps = working_for(reader, vendor, now), steps_of(reader)
            live = [row for each in working for row in reader.execute(_LIVE, {"agent": each}).all()]
            may = [step for each in working for step in steps.get(each, ())]
            cases, count = _open_cases(reader, may)
            return VendorView(
                vendor=vendor,
                identities=tuple(working[:MOST_AT_ONCE]),
                running=tuple(sorted({row.case_id for row in live})),
                cases=cases,
                live_grants=len(live),
                payments_in_flight=sum(row.guarded_json is not None for row in live),
                further=len(working[MOST_AT_ONCE:]),
                open_cases=count,
            )

        return await self._core.store.read(read)

    async def left(self, identity: str) -> LeftBehind:
        """What an identity leaves behind: all empty, and its offboarding is complete.

        Raises:
            NotFound: the registry has no such identity.
        """

        def read(reader: Reader) -> LeftBehind:
            row = reader.get(Registered, identity)
            if row is None:
                raise NotFound("the registry has no such identity")
            may = steps_of(reader).get(identity, [])
            cases, count = _open_cases(reader, may)
            live = reader.execute(_LIVE, {"agent": identity}).all()
            keys = reader.all(
                IdentityKey, IdentityKey.principal == identity, IdentityKey.status == ACTIVE
            )
            now = self._core.clock()
            works = _works(reader, row, now)
            tokens = [each for each in _open_tokens(reader, identity) if each.expires_at > now]
            return LeftBehind(
                identity=identity,
                works=works,
                keys=len(keys) if works else 0,
                live_grants=len(live),
                join_tokens=len(tokens) if works else 0,
                steps=tuple(f"{each.process}: {each.activity_type}" for each in may),
                open_cases=count,
                cases=cases,
            )

        return await self._core.store.read(read)


def _open_cases(reader: Reader, may: Iterable[MayDo]) -> tuple[tuple[str, ...], int]:
    """The first open cases of the processes that have such steps, and how many there are."""
    found: list[str] = []
    total = 0
    for process in sorted({each.process for each in may}):
        rows = reader.execute(_OPEN, {"process": process}).all()
        found += [row.id for row in rows]
        total += rows[0].total if rows else 0
    return tuple(sorted(found)[:PAGE]), total
