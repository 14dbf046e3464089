"""The guard: what stands before each record of a system of record.

1. (I1) Every request carries a grant for this system, this action and this record, alive, with a
   proof by the key it is bound to; a bearer's use is refused.
2. (I10) A grant that was revoked stops here within seconds: the guard follows the feed, and asks
   the authority itself when the feed is over two seconds old; if it can't, the answer is 503.
   Two seconds are all the grace that an authority which is away has.
3. (I4) Before a guarded action its intent is durable at the authority, or the action is refused.
4. Answers tell nothing of other records.
5. (I11) A proof counts once among all processes that share a memory of used proofs. If it can't be
   told whether one was used, the answer is 503.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import aiohttp
from starlette.requests import Request

from placet.clock import system_clock
from placet.model import (
    Digest,
    GrantUse,
    Name,
    UseStage,
    digest_json,
    require_address,
    require_issuer,
    require_name,
    system_urn,
)
from placet.resource._authority import AuthorityAway, SystemLink, cannot_judge
from placet.resource._errors import BadToken, CannotJudge, NoToken, Refused, WrongAction
from placet.resource._feed import Ended, RevocationFeed
from placet.resource._keys import AuthorityKeys
from placet.resource._replay import ProcessReplayCache, ReplayCache
from placet.telemetry import metrics, now_about
from placet.tokens import (
    SKEW,
    GrantClaims,
    PublicKey,
    SigningKey,
    TokenError,
    verify_grant,
    verify_inquiry,
    verify_proof,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class VerifiedGrant:
    """A grant that was verified for one request."""

    claims: GrantClaims

    @property
    def id(self) -> str:
        """The grant's id."""
        return self.claims.jti


class Guard:
    """Guards one system of record; an async context manager that follows the authority.

    Args:
        system: the system's name.
        issuer: the authority's address.
        url: this system's own address, as its callers spell it (RFC 9449's ``htu``).
        key: the system's own key, for what it asks and tells the authority.
        clock: the time, aware; all ages are judged by it.
        tls: whom to believe when asking the authority, and what to show it.
        proofs: where used proofs are remembered; without one in this process, which is enough for
            a system that is one process.

    Raises:
        ValueError: ``system`` can be no system's name, ``issuer`` no authority's address or one
            that is asked without TLS though ``tls`` is given, or ``url`` no system's.
    """

    def __init__(
        self,
        system: Name,
        issuer: str,
        url: str,
        key: SigningKey,
        *,
        clock: Callable[[], datetime] = system_clock,
        tls: ssl.SSLContext | None = None,
        proofs: ReplayCache | None = None,
    ) -> None:
        require_name("system", system, "system")
        require_issuer(issuer, tls=tls is not None)
        require_address("url", url, "system")
        self.system = system
        self._tls = tls
        self._issuer = issuer
        self._url = url.rstrip("/")
        self._key = key
        self._clock = clock
        self._keys = AuthorityKeys(clock)
        self._feed = RevocationFeed(system, clock)
        self._proofs = ProcessReplayCache() if proofs is None else proofs
        self._link: SystemLink | None = None

    @contextlib.asynccontextmanager
    async def following(self, ended: Ended | None = None) -> AsyncIterator["Guard"]:
        """Follow the authority for as long as the context lasts.

        ``ended`` is told of each grant that ended, so that a database can hold to it by itself.
        """
        connector = aiohttp.TCPConnector(ssl=self._tls or True)
        async with aiohttp.ClientSession(connector=connector) as session:
            self._link = self._make_link(session)
            metrics.FEED_AGE.labels(self.system).set_function(self._feed.age)
            follower = asyncio.create_task(self._feed.follow(self._link, ended))
            try:
                yield self
            finally:
                follower.cancel()
                await asyncio.gather(follower, return_exceptions=True)
                self._link = None

    def _make_link(self, session: aiohttp.ClientSession) -> SystemLink:
        return SystemLink(self.system, self._issuer, self._key, session, self._clock)

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
        try:
            grant = await self._require(request, action, record)
        except Refused as refused:
            metrics.GUARDED.labels(self.system, refused.problem.error).inc()
            raise
        metrics.GUARDED.labels(self.system, "admitted").inc()
        now_about(system=self.system, case=grant.claims.txn, grant=grant.id)
        return grant

    async def require_fresh(self) -> None:
        """Require that what is known of ended grants is fresh, as while the authority answers.

        Raises:
            CannotJudge: it is not.
        """
        if not self._feed.is_fresh():
            raise cannot_judge(AuthorityAway("the revocation feed is not fresh"))

    async def _require(self, request: Request, action: str, record: str) -> VerifiedGrant:
        token = _token(request)
        claims = await self._verify(token)
        await self._require_proof(request, token, claims.cnf.jkt)
        if claims.details.action != action or claims.details.identifier != record:
            raise WrongAction("the grant is for another action or record")
        await self._require_live(claims, token)
        return VerifiedGrant(claims)

    def require_still(self, grant: VerifiedGrant) -> None:
        """Require that a grant which was verified is alive still: an answer may take long (I10).

        Raises:
            BadToken: it has expired, was revoked or has been settled.
            CannotJudge: the feed is too old to tell.
        """
        if self._clock() >= grant.claims.expires_at + SKEW:
            raise BadToken("invalid_token", "the grant has expired")
        if self._feed.has_ended(grant.id):
            raise BadToken("invalid_token", "the grant was revoked or has been settled")
        if not self._feed.is_fresh():
            raise CannotJudge("the authority does not say whether the grant is alive still")

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
        await self._require_proof(request, token, claims.cnf.jkt)
        if claims.identifier != record:
            raise WrongAction("the inquiry is about another record")

    async def record_intent(self, grant: VerifiedGrant, use_id: str, body: Digest) -> None:
        """Make the intent of a guarded action durable at the authority (I4).

        Raises:
            CannotJudge: the authority did not take it; nothing may be done.
            WrongAction: the authority says that the grant or case has ended, or a hold stops it.
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
            details_digest=digest_json(grant.claims.details),
            jkt=grant.claims.cnf.jkt,
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
        try:
            return await self._keys.judge(self.link, check)
        except AuthorityAway as error:
            raise cannot_judge(error) from None

    async def _require_proof(self, request: Request, token: str, jkt: str) -> None:
        proofs = request.headers.getlist("DPoP")
        if len(proofs) != 1:
            raise BadToken("invalid_dpop_proof", f"send exactly one DPoP header, not {len(proofs)}")
        try:
            proof = verify_proof(
                proofs[0],
                method=request.method,
                url=self._address(request),
                now=self._clock(),
                access_token=token,
                expected_jkt=jkt,
            )
        except TokenError as error:
            raise BadToken("invalid_dpop_proof", str(error)) from None
        await self._proofs.use(proof, self._clock())

    def _address(self, request: Request) -> str:
        """What was asked, as callers spell it.

        An application that is mounted, or served under a path, finds that path in the request's
        too; where it is the end of the system's own address, it counts once.
        """
        path, under = _path_as_sent(request), quote(request.scope.get("root_path", "").rstrip("/"))
        if under and self._url.endswith(under) and path.startswith(f"{under}/"):
            path = path.removeprefix(under)
        return self._url + path

    async def _require_live(self, claims: GrantClaims, token: str) -> None:
        if self._feed.has_ended(claims.jti):
            raise BadToken("invalid_token", "the grant was revoked or has been settled")
        if self._feed.is_fresh():
            return
        try:
            answer = await self.link.introspect(token)
        except AuthorityAway as error:
            raise cannot_judge(error) from None
        if not answer.active or answer.jti != claims.jti:
            raise BadToken("invalid_token", "the grant is not active")


def _token(request: Request) -> str:
    values = request.headers.getlist("Authorization")
    if not values:
        raise NoToken("send the grant as Authorization: DPoP, with a proof")
    if len(values) > 1:
        raise BadToken("invalid_token", f"send exactly one Authorization header, not {len(values)}")
    scheme, _, token = values[0].partition(" ")
    if scheme.lower() != "dpop":
        raise NoToken("send the grant as Authorization: DPoP, with a proof; no other use counts")
    return token


def _path_as_sent(request: Request) -> str:
    """The path with its escapes: decoded, two addresses would become one (RFC 9449, ``htu``)."""
    raw: bytes | None = request.scope.get("raw_path")
    return quote(request.scope["path"]) if raw is None else raw.decode("latin-1")
