"""What systems of record ask and tell: is a grant live, what was revoked, what was used.

A guarded action's intent is refused here if the grant has ended, its case is not open or a hold
covers the record; it is durable before the system acts (I4, I10).
"""

import asyncio
from datetime import UTC, datetime

from sqlalchemy import bindparam, select

from placet.authority._core import Core
from placet.authority._errors import Forbidden, Invalid
from placet.authority._holds import on_hold
from placet.authority._identities import require_active
from placet.authority._requests import Sender, use_sender
from placet.authority._revocations import FEED
from placet.authority._store import (
    Case,
    Grant,
    GrantRevocation,
    GrantUseRow,
    Reader,
    Tx,
    table_of,
)
from placet.model import (
    CaseStatus,
    GrantUses,
    GrantUsesAnswer,
    Introspection,
    Revocation,
    Revocations,
    UseClaims,
    UseStage,
    digest_bytes,
    system_urn,
)
from placet.tokens import (
    CLOCKS_APART,
    GrantClaims,
    TokenError,
    by_kid,
    numeric_date,
    verify_grant,
    verify_use,
)

FEED_PAGE = 1000
LONGEST_WAIT = 20.0
"""Seconds of one long poll; systems trust a feed that is at most two seconds old, so they ask for
less."""

_TOLD = select(table_of(GrantUseRow)).where(table_of(GrantUseRow).c.id == bindparam("id"))
_ENTRY = {
    UseStage.INTENT: "action.requested",
    UseStage.RESULT: "action.performed",
    UseStage.USE: "grant.used",
}


class Uses:
    """Introspection, the revocation feed, and uses."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def introspect(self, sender: Sender, token: str) -> Introspection:
        """RFC 7662 introspection of a grant, for the system that it is for.

        Raises:
            Unauthenticated: the asker is no enrolled system.
            Forbidden: it is suspended.
        """

        def look(tx: Tx) -> Introspection:
            use_sender(tx, sender)
            require_system(tx, sender, tx.now)
            claims = self._claims(token, sender)
            if claims is None or not self._live(tx, claims):
                return Introspection(active=False)
            return Introspection(
                active=True,
                sub=claims.sub,
                aud=claims.aud,
                exp=claims.exp,
                jti=claims.jti,
                txn=claims.txn,
                jkt=claims.cnf.jkt,
            )

        return await self._core.store.write(look)

    def _claims(self, token: str, sender: Sender) -> GrantClaims | None:
        try:
            return verify_grant(
                token,
                by_kid(self._core.keys.published(self._core.clock())),
                issuer=self._core.issuer,
                audience=system_urn(sender.principal.removeprefix("system:")),
                now=self._core.clock(),
            )
        except TokenError:
            return None  # RFC 7662 section 2.2: a token that does not verify is not active

    def _live(self, reader: Reader, claims: GrantClaims) -> bool:
        grant = reader.get(Grant, claims.jti)
        case = None if grant is None else reader.get(Case, grant.case_id)
        return (
            grant is not None
            and grant.status == "issued"
            and case is not None
            and case.status == CaseStatus.OPEN
        )

    async def revocations(self, sender: Sender, after: int, wait: float) -> Revocations:
        """What was revoked after a cursor; waits for the first if there is none yet.

        Raises:
            Unauthenticated: the asker is no enrolled system.
        """

        def admit(tx: Tx) -> None:
            use_sender(tx, sender)
            require_system(tx, sender, tx.now)

        await self._core.store.write(admit)
        store, now = self._core.store, asyncio.get_running_loop().time
        until = now() + min(wait, LONGEST_WAIT)
        while True:  # what other processes write wakes everybody, revocation or not
            seen = store.number(FEED)
            found = await store.read(lambda reader: _after(reader, after, self._core.clock()))
            left = until - now()
            if found.revocations or left <= 0:
                return found
            await store.changed(FEED, seen, left)

    async def record(self, sender: Sender, body: GrantUses) -> GrantUsesAnswer:
        """Take uses; each is durable or refused when this answers, and counts once by its id.

        Raises:
            Unauthenticated: the teller is no enrolled system.
            Forbidden: it is another kind of identity, or not active.
            Invalid: it did not sign one of them.
        """
        _require_kind(sender)
        words = [self._read(sender, number, each) for number, each in enumerate(body.uses)]

        def write(tx: Tx) -> GrantUsesAnswer:
            use_sender(tx, sender)
            require_system(tx, sender, tx.now)
            refused: dict[str, str] = {}
            for use, word in words:
                reason = self._record(tx, sender, use, word)
                if reason is not None:
                    refused[use.jti] = reason
            return GrantUsesAnswer(refused=refused)

        return await self._core.store.write(write)

    def _read(self, sender: Sender, number: int, word: str) -> tuple[UseClaims, str]:
        try:
            claims = verify_use(
                word,
                sender.key,
                system=sender.principal,
                audience=self._core.issuer,
                now=self._core.clock(),
            )
        except TokenError as error:
            raise Invalid("invalid_request", f"uses.{number}: {error}") from None
        return claims, word

    def _record(self, tx: Tx, sender: Sender, use: UseClaims, word: str) -> str | None:
        system = sender.principal.removeprefix("system:")
        told = tx.rows(GrantUseRow, _TOLD, {"id": use.jti})
        if told:
            (before,) = told
            was = (before.grant_id, before.stage, before.system, before.status, before.body_digest)
            same = was == (use.sub, use.stage, system, use.status, use.body_digest)
            return None if same else "this id was used for another use"
        grant = tx.get(Grant, use.sub)
        if grant is None or grant.system != system:
            return "no grant for this system"
        if (grant.action, grant.record) != (use.action, use.record):
            return "the grant is for another action or record"
        given = (digest_bytes((grant.details_json or "").encode()), grant.jkt)
        if given != (use.details_digest, use.jkt):
            return "the grant was given with other details, or to another key"
        if use.used_at < numeric_date(grant.issued_at - CLOCKS_APART):
            return "it was used before the grant was given"
        if use.stage is UseStage.INTENT:
            reason = _intent_trouble(tx, grant)
            if reason is not None:
                return reason
        entry = tx.append(
            _ENTRY[use.stage],
            sender.principal,
            {
                "use": use.jti,
                "grant": use.sub,
                "action": use.action,
                "status": use.status,
                "body_digest": use.body_digest,
                "used_at": use.used_at,
                "key": sender.thumbprint,
                "word": word,
            },
            case=grant.case_id,
            record=use.record,
        )
        tx.add(
            GrantUseRow(
                id=use.jti,
                grant_id=use.sub,
                system=system,
                stage=use.stage.value,
                action=use.action,
                record=use.record,
                status=use.status,
                body_digest=use.body_digest,
                at=datetime.fromtimestamp(use.used_at, UTC),
                entry=entry,
            )
        )
        return None


def require_system(reader: Reader, sender: Sender, now: datetime) -> None:
    """Require that the sender is an enrolled, active system of record.

    Raises:
        Forbidden: it is another kind of identity, or not active.
    """
    _require_kind(sender)
    require_active(reader, sender.principal, sender.thumbprint, now)


def _require_kind(sender: Sender) -> None:
    if not sender.principal.startswith("system:"):
        raise Forbidden("only systems of record may ask this")


def _intent_trouble(tx: Tx, grant: Grant) -> str | None:
    if grant.status != "issued":
        return f"the grant is {grant.status}"
    if grant.expires_at <= tx.now:
        return "the grant has expired"
    case = tx.get(Case, grant.case_id)
    if case is None or case.status != CaseStatus.OPEN:
        return "the case is not open"
    return "the record is on hold" if on_hold(tx, grant.record) else None


def _after(reader: Reader, cursor: int, now: datetime) -> Revocations:
    rows = reader.all(
        GrantRevocation,
        GrantRevocation.cursor > cursor,
        order_by=[GrantRevocation.cursor],
        limit=FEED_PAGE,
    )
    if not rows:  # a store that was put back has not come as far as its followers: it must show
        newest = reader.first(
            GrantRevocation,
            order_by=[GrantRevocation.cursor.desc()],  # type: ignore[attr-defined]  # a column on the class
        )
        cursor = min(cursor, 0 if newest is None else newest.cursor)
    last = rows[-1].cursor if rows else cursor
    return Revocations(
        revocations=tuple(
            Revocation(cursor=row.cursor or 0, grant=row.grant_id)
            for row in rows
            if row.expires_at > now
        ),
        cursor=last or 0,
        complete=len(rows) < FEED_PAGE,
    )
