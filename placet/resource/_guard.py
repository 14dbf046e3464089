"""The guard: what stands before each record of a system of record.

1. (I1) Every request carries a grant for this system, this action and this record, alive, with a
   proof by the key it is bound to; a bearer's use is refused.
2. (I10) A grant that was revoked stops here within seconds: the guard follows the feed, and asks
   the authority itself when the feed is over two seconds old; if it can't, the answer is 503.
3. (I4) Before a guarded action its intent is durable at the authority, or the action is refused.
4. Answers tell nothing of other records.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import aiohttp
from starlette.requests import Request

from placet.model import Digest, GrantUse, Name, UseStage, system_urn
from placet.resource._authority import AuthorityAway, SystemLink, cannot_judge
from placet.resource._errors import BadToken, Refused, WrongAction
from placet.tokens import (
    PROOF_MAX_AGE,
    SKEW,
    GrantClaims,
    PublicKey,
    SigningKey,
    TokenError,
    UnknownKey,
    verify_grant,
    verify_inquiry,
    verify_proof,
)

FEED_MAX_AGE = timedelta(seconds=2)
_POLL_PAUSE = 0.5
_KEYS_MAX_AGE = timedelta(minutes=5)
_KEYS_MIN_AGE = timedelta(seconds=1)
_MAX_JTIS = 100_000
T = TypeVar("T")
_log = logging.getLogger("placet.resource")


class VerifiedGrant:
    """A grant that was verified for one request."""

    def __init__(self, claims: GrantClaims, token: str) -> None:
        self.claims = claims
        self._token = token

    @property
    def id(self) -> str:
        """The grant's id."""
        return self.claims.jti


def _system_clock() -> datetime:
    return datetime.now(UTC)


class Guard:
    """Guards one system of record; an async context manager that follows the authority.

    Args:
        system: the system's name.
        issuer: the authority's address.
        url: this system's own address, as its callers spell it (RFC 9449's ``htu``).
        key: the system's own key, for what it asks and tells the authority.
    """

    def __init__(
        self,
        system: Name,
        issuer: str,
        url: str,
        key: SigningKey,
        *,
        clock: Callable[[], datetime] = _system_clock,
    ) -> None:
        self.system = system
        self._issuer = issuer
        self._url = url.rstrip("/")
        self._key = key
        self._clock = clock
        self._keys: Mapping[str, PublicKey] = {}
        self._keys_at: datetime | None = None
        self._revoked: dict[str, datetime] = {}
        self._jtis: dict[tuple[str, str], datetime] = {}
        self._cursor = 0
        self._feed_at: datetime | None = None
        self._link: SystemLink | None = None

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator["Guard"]:
        """Follow the authority for as long as the context lasts."""
        async with aiohttp.ClientSession() as session:
            self._link = SystemLink(self.system, self._issuer, self._key, session, self._clock)
            follower = asyncio.create_task(self._follow())
            try:
                yield self
            finally:
                follower.cancel()
                await asyncio.gather(follower, return_exceptions=True)
                self._link = None

    @property
    def link(self) -> SystemLink:
        """The link to the authority.

        Raises:
            RuntimeError: the guard does not follow the authority now.
        """
        if self._link is None:
            raise RuntimeError("the guard is used outside `async with guard.following()`")
        return self._link

    async def require(self, request: Request, *, action: str, record: str) -> VerifiedGrant:
        """Require a live grant for this action on this record.

        Raises:
            Refused: there is none; the subclass says which status.
        """
        token = _token(request)
        claims = await self._verify(token)
        self._require_proof(request, token, claims.cnf.jkt)
        if claims.details.action != action or claims.details.identifier != record:
            raise WrongAction("the grant is for another action or record")
        await self._require_live(claims, token)
        return VerifiedGrant(claims, token)

    async def require_inquiry(self, request: Request, record: str) -> None:
        """Require the authority's own question about this record.

        Raises:
            Refused: the sender is not the authority, or asks about another record.
        """
        token = _token(request)
        try:
            claims = await self._with_keys(
                lambda keys: verify_inquiry(
                    token,
                    keys,
                    issuer=self._issuer,
                    audience=system_urn(self.system),
                    now=self._clock(),
                )
            )
        except TokenError as error:
            raise BadToken("invalid_token", f"inquiry: {error}") from None
        self._require_proof(request, token, claims.cnf.jkt)
        if claims.identifier != record:
            raise WrongAction("the inquiry is about another record")

    async def record_intent(self, grant: VerifiedGrant, use_id: str, body: Digest) -> None:
        """Make the intent of a guarded action durable at the authority (I4).

        Raises:
            CannotJudge: the authority did not take it; nothing may be done.
            BadToken: the authority says that the grant or case has ended, or a hold stops it.
        """
        try:
            answer = await self.link.tell((self.use(grant, use_id, UseStage.INTENT, 0, body),))
        except AuthorityAway as error:
            raise cannot_judge(error) from None
        if use_id in answer.refused:
            raise WrongAction(f"the authority refuses: {answer.refused[use_id]}")

    def use(
        self,
        grant: VerifiedGrant,
        use_id: str,
        stage: UseStage,
        status: int,
        body: Digest | None = None,
    ) -> GrantUse:
        """A use to tell the authority of."""
        return GrantUse(
            id=use_id,
            grant=grant.id,
            stage=stage,
            action=grant.claims.details.action,
            record=grant.claims.details.identifier,
            status=status,
            body_digest=body,
            used_at=self._clock(),
        )

    # --- verifying ----------------------------------------------------------------------------

    async def _verify(self, token: str) -> GrantClaims:
        try:
            return await self._with_keys(
                lambda keys: verify_grant(
                    token,
                    keys,
                    issuer=self._issuer,
                    audience=system_urn(self.system),
                    now=self._clock(),
                )
            )
        except TokenError as error:
            raise BadToken("invalid_token", f"grant: {error}") from None

    async def _with_keys(self, check: Callable[[Mapping[str, PublicKey]], T]) -> T:
        """Check with the authority's keys; fetched again if stale, or for one not seen yet.

        At most once a second for unknown ones: a stranger's tokens must not make us ask.
        """
        await self._refresh(_KEYS_MAX_AGE)
        try:
            return check(self._keys)
        except UnknownKey:
            if not await self._refresh(_KEYS_MIN_AGE):
                raise
        return check(self._keys)

    async def _refresh(self, max_age: timedelta) -> bool:
        now = self._clock()
        if self._keys_at is not None and now - self._keys_at < max_age:
            return False
        try:
            self._keys, self._keys_at = await self.link.keys(), now
        except AuthorityAway as error:
            if self._keys_at is None:
                raise cannot_judge(error) from None
            return False
        return True

    def _require_proof(self, request: Request, token: str, jkt: str) -> None:
        proofs = request.headers.getlist("DPoP")
        if len(proofs) != 1:
            raise BadToken("invalid_dpop_proof", f"send exactly one DPoP header, not {len(proofs)}")
        try:
            proof = verify_proof(
                proofs[0],
                method=request.method,
                url=self._url + request.url.path,
                now=self._clock(),
                access_token=token,
                expected_jkt=jkt,
            )
        except TokenError as error:
            raise BadToken("invalid_dpop_proof", str(error)) from None
        self._use_jti(proof.jkt, proof.jti)

    def _use_jti(self, jkt: str, jti: str) -> None:
        now = self._clock()
        if len(self._jtis) >= _MAX_JTIS:
            self._jtis = {key: until for key, until in self._jtis.items() if until > now}
            if len(self._jtis) >= _MAX_JTIS:
                raise Refused("temporarily_unavailable", "too many requests just now")
        if self._jtis.get((jkt, jti), now) > now:
            raise BadToken("invalid_dpop_proof", "this proof was used before")
        self._jtis[jkt, jti] = now + PROOF_MAX_AGE + 2 * SKEW

    async def _require_live(self, claims: GrantClaims, token: str) -> None:
        if claims.jti in self._revoked:
            raise BadToken("invalid_token", "the grant was revoked or has been settled")
        now = self._clock()
        if self._feed_at is not None and now - self._feed_at <= FEED_MAX_AGE:
            return
        try:
            answer = await self.link.introspect(token)
        except AuthorityAway as error:
            raise cannot_judge(error) from None
        if not answer.active or answer.jti != claims.jti:
            raise BadToken("invalid_token", "the grant is not active")

    # --- following ----------------------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            try:
                asked = self._clock()
                found = await self.link.revocations(self._cursor, 1)
                until = asked + timedelta(minutes=2)
                self._revoked |= {each.grant: until for each in found.revocations}
                self._revoked = {g: end for g, end in self._revoked.items() if end > asked}
                self._cursor = found.cursor
                # What was revoked while the answer was on its way is at most a poll old.
                self._feed_at = self._clock()
            except AuthorityAway as error:
                _log.warning("%s: the revocation feed waits: %s", self.system, error)
            await asyncio.sleep(_POLL_PAUSE)


def _token(request: Request) -> str:
    values = request.headers.getlist("Authorization")
    if len(values) != 1:
        raise BadToken("invalid_token", "send exactly one Authorization header")
    scheme, _, token = values[0].partition(" ")
    if scheme.lower() != "dpop" or not token:
        raise BadToken("invalid_token", "send the grant as Authorization: DPoP, with a proof")
    return token
