"""What identities may do and did, and what is wrong with those that still work.

Each report is one question that the database answers by an index, however many grants there are.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Select, and_, bindparam, exists, func, or_, select

from placet.authority._core import Core
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE
from placet.authority._sessions import LEFT
from placet.authority._store import (
    Grant,
    Identity,
    IdentityKey,
    ProcessVersion,
    Reader,
    Registered,
    SessionRow,
    table_of,
)
from placet.model import (
    Did,
    IdentityReport,
    IdentityRules,
    MayDo,
    ProcessDefinition,
    RegisteredView,
    ReportLine,
    is_ours,
    quantity,
)

PAGE = 200
SOON = timedelta(days=7)
"""How long before something ends people are told."""
_REG, _GRANT = table_of(Registered), table_of(Grant)
_KEY, _IDENTITY = table_of(IdentityKey), table_of(Identity)
_DID = (
    select(_GRANT.c.action, func.count(), func.max(_GRANT.c.issued_at))
    .where(_GRANT.c.agent == bindparam("agent"))
    .group_by(_GRANT.c.action)
    .order_by(_GRANT.c.action)
)
_LAST = (
    select(_GRANT.c.issued_at)
    .where(_GRANT.c.agent == bindparam("agent"))
    .order_by(_GRANT.c.issued_at.desc())
    .limit(1)
)
_LIVE = select(func.count()).where(
    _GRANT.c.agent == bindparam("agent"), _GRANT.c.status == "issued"
)
OF_ONE = (_DID, _LAST, _LIVE)
"""What is asked of one identity's grants."""
_LASTS = or_(_REG.c.ends_at.is_(None), _REG.c.ends_at > bindparam("now"))
_WORKS = and_(
    _LASTS,
    ~exists().where(_IDENTITY.c.principal == _REG.c.identity, _IDENTITY.c.status != ACTIVE),
)
"""What has ended, or is off, is wrong no more."""
_COMES_BACK = and_(
    _LASTS,
    ~exists().where(_IDENTITY.c.principal == _REG.c.identity, _IDENTITY.c.status == "offboarded"),
)
"""What is suspended since nobody owns it waits for someone all the same."""

_SESSION, _OTHER = table_of(SessionRow), table_of(SessionRow).alias()
_OWNER_GONE = exists().where(
    _SESSION.c.principal == _REG.c.owner,
    _SESSION.c.ended_for == LEFT,
    ~exists().where(
        _OTHER.c.principal == _SESSION.c.principal,
        or_(_OTHER.c.status == ACTIVE, _OTHER.c.started_at > _SESSION.c.started_at),
    ),
)
"""The identity provider ended the owner's last session. That may mean less than that they left: so
somebody looks, and nothing follows by itself."""

_GRANTED_SINCE = exists().where(
    _GRANT.c.agent == _REG.c.identity, _GRANT.c.issued_at > bindparam("since")
)
_KEY_SINCE = exists().where(
    _KEY.c.principal == _REG.c.identity, _KEY.c.enrolled_at > bindparam("since")
)
_OLD_KEY = exists().where(
    _KEY.c.principal == _REG.c.identity,
    _KEY.c.status == ACTIVE,
    _KEY.c.enrolled_at <= bindparam("since"),
)
_UNREPLACED = (
    *(_KEY.c.principal == _REG.c.identity, _KEY.c.status == ACTIVE, _KEY.c.overlap_until.is_(None)),
    _KEY.c.expires_at > bindparam("now"),
)
_KEY_ENDS = exists().where(*_UNREPLACED, _KEY.c.expires_at <= bindparam("key_soon"))
_KEY_LASTS = exists().where(*_UNREPLACED, _KEY.c.expires_at > bindparam("key_soon"))
_ENDS = _REG.c.ends_at <= bindparam("soon")
_IS_SYSTEM = _REG.c.identity.startswith("system:")
"""Its keys never end by themselves, and its use of them leaves no grant of its own."""
_HAS_KEY = exists().where(_KEY.c.principal == _REG.c.identity, _KEY.c.status == ACTIVE)


def _of(*where: Any, still: Any = _WORKS) -> Select[Any, Any, Any, Any, Any, Any, Any]:
    told = (_REG.c.owner, _REG.c.environment, _REG.c.last_used, _REG.c.ends_at)
    more = (_REG.c.source, _REG.c.narrowed_json)
    chosen = select(_REG.c.identity, *told, *more).where(
        _REG.c.identity > bindparam("after"), still, *where
    )
    return chosen.order_by(_REG.c.identity).limit(PAGE)


QUESTIONS: Mapping[IdentityReport, Select[Any, Any, Any, Any, Any, Any, Any]] = {
    IdentityReport.STALE: _of(
        ~_IS_SYSTEM,
        ~_GRANTED_SINCE,
        ~_KEY_SINCE,
        or_(_REG.c.last_used.is_(None), _REG.c.last_used <= bindparam("since")),
        _REG.c.first_seen <= bindparam("since"),
    ),
    IdentityReport.UNOWNED: _of(or_(_REG.c.owner.is_(None), _OWNER_GONE), still=_COMES_BACK),
    IdentityReport.LONG_LIVED: _of(
        or_(
            and_(_OLD_KEY, or_(_IS_SYSTEM, ~_KEY_SINCE)),
            _REG.c.credential_since <= bindparam("since"),
        )
    ),
    IdentityReport.CROSS_ENVIRONMENT: _of(
        _HAS_KEY, _REG.c.environment.is_not(None), _REG.c.environment != bindparam("here")
    ),
    IdentityReport.OVERDUE: _of(_REG.c.review_by <= bindparam("now")),
    IdentityReport.ENDING: _of(or_(_ENDS, _KEY_ENDS)),
}
WHOLLY_ENDING = _of(or_(_ENDS, and_(_KEY_ENDS, ~_KEY_LASTS)))
"""What ends altogether: an agent of which another key lasts goes on with that one."""
_UNUSED = ~exists().where(
    _GRANT.c.agent == _REG.c.identity,
    _GRANT.c.action == bindparam("action"),
    _GRANT.c.issued_at > bindparam("since"),
)
UNUSED = _of(
    _REG.c.identity == bindparam("agent"), _REG.c.first_seen <= bindparam("since"), _UNUSED
)
"""Whether an agent did not do an action that it may do."""


class Narrowed(Protocol):
    """What of an identity says whether a review has narrowed it."""

    @property
    def narrowed_json(self) -> str | None: ...


def narrowed_to(row: Narrowed) -> tuple[str, ...] | None:
    """All the actions that a review has left to an identity; ``None``: none has narrowed it."""
    return None if row.narrowed_json is None else tuple(json.loads(row.narrowed_json))


def at_work(reader: Reader, identity: str) -> tuple[datetime | None, int]:
    """When an identity was last granted something, and how many grants of it are live."""
    if not is_ours(identity):
        return None, 0
    asked = {"agent": identity}
    return reader.scalar(_LAST, asked), reader.scalar(_LIVE, asked)


def did_of(reader: Reader, identity: str) -> tuple[Did, ...]:
    """What an identity was granted, by action."""
    rows = reader.execute(_DID, {"agent": identity}) if is_ours(identity) else ()
    seen = (tuple(row) for row in rows)
    return tuple(Did(action=action, times=times, last=last) for action, times, last in seen)


class Usage:
    """Reads for operators."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def with_usage(self, view: RegisteredView) -> RegisteredView:
        """One identity with what it may do, what it did, and when last."""
        agent = view.identity

        def read(reader: Reader) -> RegisteredView:
            may = tuple(steps_of(reader).get(agent, ()))
            return view.model_copy(update={"did": did_of(reader, agent), "may": may})

        return await self._core.store.read(read)

    async def report(self, report: IdentityReport, after: str) -> list[ReportLine]:
        """A page of one report, by id."""
        now, here = self._core.clock(), self._core.settings.environment

        def read(reader: Reader) -> list[ReportLine]:
            rules = governance(reader).identities
            if report is IdentityReport.SHARED:
                return list(_shared(reader, after, now))
            if report is IdentityReport.OVER_PRIVILEGED:
                return list(_over_privileged(reader, after, now, rules))
            if report is IdentityReport.ENDING:
                rows = ending(reader, after, now)
                return [_ending_line(row, *end_of(reader, row, now)) for row in rows]
            if report is IdentityReport.CROSS_ENVIRONMENT and here is None:
                return []
            days = rules.key_days if report is IdentityReport.LONG_LIVED else rules.stale_days
            values = {"after": after, "now": now, "since": now - timedelta(days=days), "here": here}
            asked = QUESTIONS[report]
            wanted = {name: values[name] for name in asked.compile().params if name in values}
            return [
                _line(report, row, _why(reader, report, row, days, here))
                for row in reader.execute(asked, wanted)
            ]

        return await self._core.store.read(read)


def ending(reader: Reader, after: str, now: datetime, *, wholly: bool = False) -> Sequence[Any]:
    """A page of what ends within a week, or of which a key does; or of what ends altogether.

    A key whose worker has less than a fortnight to replace it is told when half of that is over.
    """
    rules = governance(reader).identities
    late = timedelta(days=rules.key_days - rules.rotate_days) / 2
    values = {"after": after, "now": now, "soon": now + SOON, "key_soon": now + min(SOON, late)}
    asked = WHOLLY_ENDING if wholly else QUESTIONS[IdentityReport.ENDING]
    return reader.execute(asked, values).all()


def end_of(reader: Reader, row: Any, now: datetime) -> tuple[datetime, IdentityKey | None]:
    """When one that ends soon does, and the key whose end that is, if it is a key's."""
    if row.ends_at is not None and row.ends_at <= now + SOON:
        return row.ends_at, None
    key = reader.first(
        IdentityKey,
        IdentityKey.principal == row.identity,
        IdentityKey.status == ACTIVE,
        _KEY.c.overlap_until.is_(None),
        _KEY.c.expires_at > now,
        order_by=[IdentityKey.expires_at],
    )
    assert key is not None
    assert key.expires_at is not None
    return key.expires_at, key


def _ending_line(row: Any, end: datetime, key: IdentityKey | None) -> ReportLine:
    identity: str = row.identity
    if key is None:
        why, mend = f"it ends on {end.date()}", f"placet identity register {identity} --ends …"
    else:
        of = f" of {key.instance}" if key.instance else ""
        why = f"its key {key.thumbprint}{of} ends on {end.date()}, and no worker has replaced it"
        mend = _fresh_key(row)
    return ReportLine(
        report=IdentityReport.ENDING, identity=identity, owner=row.owner, why=why, mend=mend
    )


def _shared(reader: Reader, after: str, now: datetime) -> Iterable[ReportLine]:
    """Agents that several processes use."""
    for agent, steps in sorted(steps_of(reader).items()):
        processes = sorted({each.process for each in steps})
        if len(processes) < 2 or agent <= after:
            continue
        values = {"after": after, "now": now, "agent": agent}
        for row in reader.execute(_of(_REG.c.identity == bindparam("agent")), values):
            why = f"the processes {', '.join(processes)} use it"
            yield _line(IdentityReport.SHARED, row, why)


def _over_privileged(
    reader: Reader, after: str, now: datetime, rules: IdentityRules
) -> Iterable[ReportLine]:
    since = now - timedelta(days=rules.unused_days)
    for agent, steps in sorted(steps_of(reader).items()):
        unused = []
        found: Any = None
        for action in sorted({each.action for each in steps}):
            values = {"after": after, "now": now, "agent": agent, "action": action, "since": since}
            row: Any = reader.execute(UNUSED, values).first()
            left = None if row is None else narrowed_to(row)
            if row is not None and (left is None or action in left):
                unused.append(action)
                found = row
        if found is not None:
            idle = quantity(rules.unused_days, "day")
            why = f"it may do {', '.join(unused)}, and did not for {idle}"
            yield _line(IdentityReport.OVER_PRIVILEGED, found, why)


def steps_of(reader: Reader) -> dict[str, list[MayDo]]:
    """What the newest version of each process lets each agent do."""
    newest: dict[str, ProcessVersion] = {}
    for row in reader.all(ProcessVersion, order_by=[ProcessVersion.version]):
        newest[row.name] = row
    found: dict[str, list[MayDo]] = {}
    for name in sorted(newest):
        definition = ProcessDefinition.model_validate_json(newest[name].body_json)
        for step in definition.steps:
            may = MayDo(
                process=name,
                activity_type=step.activity_type,
                action=step.action,
                system=step.system,
            )
            found.setdefault(f"agent:{step.agent}", []).append(may)
    return found


def _why(reader: Reader, report: IdentityReport, row: Any, days: int, here: str | None) -> str:
    if report is IdentityReport.UNOWNED:
        if row.owner is None:
            return "nobody owns it"
        return (
            f"the identity provider has ended the last session of {row.owner}, as of one who left"
        )
    if report is IdentityReport.LONG_LIVED:
        return f"a credential of it is older than {quantity(days, 'day')}"
    if report is IdentityReport.CROSS_ENVIRONMENT:
        return f"it has a key in {here}, and is registered for {row.environment}"
    if report is IdentityReport.OVERDUE:
        return "the day on which its owner was to look at it again has passed"
    last = reader.scalar(_LAST, {"agent": row.identity}) or row.last_used
    return f"it did nothing for {quantity(days, 'day')}; last {last.date() if last else 'never'}"


def _line(report: IdentityReport, row: Any, why: str) -> ReportLine:
    return ReportLine(
        report=report,
        identity=row.identity,
        owner=row.owner,
        why=why,
        mend=_MENDS[report](row),
    )


def _end(row: Any) -> str:
    return f"placet identity end {row.identity} --reason …"


def _fresh_key(row: Any) -> str:
    """How it comes by another credential, which is another way for each kind."""
    kind, _, name = row.identity.partition(":")
    if kind == "agent":
        return f"placet agent invite {name} --environment … --queue …"
    if kind == "system":
        return f"placet system enrol {name} --public-key … (then placet system revoke-key …)"
    if row.source is None:
        return f"placet identity register {row.identity} --since … (once its owner has rotated it)"
    return f"placet identity rotate {row.identity} --reason …"


_MENDS: Mapping[IdentityReport, Callable[[Any], str]] = {
    IdentityReport.STALE: _end,
    IdentityReport.UNOWNED: lambda row: f"placet identity register {row.identity} --owner …",
    IdentityReport.OVER_PRIVILEGED: lambda row: (
        f"placet identity review start … --identity {row.identity} (its owner narrows it)"
    ),
    IdentityReport.SHARED: lambda _: "placet agent invite … (an agent of its own for each process)",
    IdentityReport.LONG_LIVED: _fresh_key,
    IdentityReport.CROSS_ENVIRONMENT: _end,
    IdentityReport.OVERDUE: lambda row: f"placet identity review start … --identity {row.identity}",
}
