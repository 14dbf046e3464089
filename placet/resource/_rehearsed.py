"""The other side of a guard in a test: what an authority signs, and what it answers.

What it signs is genuine, under a key of its own. A use is judged as ``placet/authority/_uses.py``
judges it.
"""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import aiohttp

from placet.clock import system_clock
from placet.model import (
    ActivityRef,
    GrantedDetails,
    GrantUses,
    Name,
    UseClaims,
    UseStage,
    digest_json,
    spell_id,
    system_urn,
)
from placet.resource._authority import Answer, AuthorityAway, SystemLink
from placet.resource._feed import RevocationFeed
from placet.resource._guard import Guard
from placet.resource._keys import AuthorityKeys
from placet.resource._replay import ReplayCache
from placet.tokens import (
    CLOCKS_APART,
    Confirmation,
    GrantClaims,
    InquiryClaims,
    PublicKey,
    SigningKey,
    by_kid,
    numeric_date,
    sign_grant,
    sign_inquiry,
    verify_use,
)

_T = TypeVar("_T")
ISSUER = "https://rehearsed"
_AGENT = "agent:rehearsing"
_LIFETIME = timedelta(seconds=60)


@dataclass
class Rehearsed:
    """What an authority knows of one system, its grants and their uses."""

    system: Name
    key: SigningKey = field(default_factory=SigningKey.generate)
    system_key: SigningKey = field(default_factory=SigningKey.generate)
    given: dict[str, GrantClaims] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    uses: list[UseClaims] = field(default_factory=list)
    told: threading.Condition = field(default_factory=threading.Condition)
    away: bool = False
    loses: bool = False
    on_hold: bool = False

    def grant(
        self,
        what: Mapping[str, object],
        jkt: str,
        begins: datetime,
        *,
        system: Name | None = None,
        signer: SigningKey | None = None,
    ) -> tuple[GrantClaims, str]:
        """Give a grant: ``what`` are its details but for the system and the step."""
        audience, case = system_urn(system or self.system), str(what["case"])
        step = ActivityRef(
            workflow_id=case,
            run_id="rehearsed",
            activity_id="1",
            activity_type="rehearsed",
            attempt=1,
        )
        details = {**what, "locations": (audience,), "activity": step}
        claims = GrantClaims(
            iss=ISSUER,
            sub=_AGENT,
            aud=audience,
            iat=numeric_date(begins),
            nbf=numeric_date(begins),
            exp=numeric_date(begins + _LIFETIME),
            jti=spell_id("grant", secrets.token_bytes(16)),
            client_id=_AGENT,
            txn=case,
            cnf=Confirmation(jkt=jkt),
            authorization_details=(GrantedDetails.model_validate(details),),
        )
        self.given[claims.jti] = claims
        return claims, sign_grant(claims, signer or self.key)

    def inquiry(
        self,
        record: str,
        jkt: str,
        begins: datetime,
        *,
        system: Name | None = None,
        signer: SigningKey | None = None,
    ) -> tuple[InquiryClaims, str]:
        """Ask about a record."""
        claims = InquiryClaims(
            iss=ISSUER,
            aud=system_urn(system or self.system),
            iat=numeric_date(begins),
            exp=numeric_date(begins + _LIFETIME),
            jti=spell_id("inquiry", secrets.token_bytes(16)),
            identifier=record,
            cnf=Confirmation(jkt=jkt),
        )
        return claims, sign_inquiry(claims, signer or self.key)

    def answer(self, path: str, body: Any) -> object:
        """What it answers a guard.

        Raises:
            AuthorityAway: nothing that comes through, just now.
        """
        if self.away:
            raise AuthorityAway("the rehearsed authority is away")
        path, _, after = path.partition("?after=")
        if path == "/v1/uses":
            refused = self._take(GrantUses.model_validate_json(body).uses)
            if self.loses:
                raise AuthorityAway("the rehearsed authority's answer is lost")
            return {"refused": refused}
        rows = list(enumerate(self.ended, 1))[int(after) :]
        ended = [{"cursor": cursor, "grant": grant} for cursor, grant in rows]
        return {"revocations": ended, "cursor": int(after) + len(ended), "complete": True}

    def _take(self, words: tuple[str, ...]) -> dict[str, str]:
        refused: dict[str, str] = {}
        with self.told:
            for word in words:
                use = verify_use(
                    word,
                    self.system_key.public,
                    system=f"system:{self.system}",
                    audience=ISSUER,
                    now=system_clock(),
                )
                before = next((each for each in self.uses if each.jti == use.jti), None)
                trouble = self._trouble(use) if before is None else _another_use(before, use)
                if trouble is not None:
                    refused[use.jti] = trouble
                elif before is None:
                    self.uses.append(use)
            self.told.notify_all()
        return refused

    def _trouble(self, use: UseClaims) -> str | None:
        grant = self.given.get(use.sub)
        if grant is None or grant.aud != system_urn(self.system):
            return "no grant for this system"
        if (grant.details.action, grant.details.identifier) != (use.action, use.record):
            return "the grant is for another action or record"
        if (digest_json(grant.details), grant.cnf.jkt) != (use.details_digest, use.jkt):
            return "the grant was given with other details, or to another key"
        if use.used_at < grant.iat - CLOCKS_APART.total_seconds():
            return "it was used before the grant was given"
        if use.stage is not UseStage.INTENT:
            return None
        if grant.jti in self.ended:
            return "the grant is revoked"
        if grant.expires_at <= system_clock():
            return "the grant has expired"
        return "the record is on hold" if self.on_hold else None


def _another_use(before: UseClaims, use: UseClaims) -> str | None:
    again = before.model_copy(update={"iat": use.iat, "used_at": use.used_at})
    return None if again == use else "this id was used for another use"


class RehearsedGuard(Guard):
    """A guard whose authority is rehearsed."""

    def __init__(self, authority: Rehearsed, url: str, proofs: ReplayCache | None) -> None:
        super().__init__(authority.system, ISSUER, url, authority.system_key, proofs=proofs)
        self._authority = authority
        self._feed = _Feed(authority)
        self._keys = _Keys(authority)

    def _make_link(self, session: aiohttp.ClientSession) -> SystemLink:
        link = _Link(self.system, ISSUER, self._key, session, system_clock)
        link.answer = self._authority.answer
        return link


class _Link(SystemLink):
    """Asks the rehearsed authority where the real one asks over the network."""

    answer: Callable[[str, Any], object]

    async def _send(
        self,
        method: str,  # noqa: ARG002 - the path tells
        path: str,
        *,
        headers: dict[str, str] | None = None,  # noqa: ARG002 - who asks is known
        data: Any = None,
    ) -> Answer:
        return Answer(200, "max-age=300", "", self.answer(path, data))


class _Keys(AuthorityKeys):
    """The authority's key, as if it had been asked for a moment ago."""

    def __init__(self, authority: Rehearsed) -> None:
        super().__init__(system_clock)
        self._published = by_kid([authority.key.public])

    async def judge(self, link: SystemLink, verify: Callable[[Mapping[str, PublicKey]], _T]) -> _T:  # noqa: ARG002
        return verify(self._published)


class _Feed(RevocationFeed):
    """Knows at once what has ended, so that no test waits for the next question."""

    def __init__(self, authority: Rehearsed) -> None:
        super().__init__(authority.system, system_clock)
        self._authority = authority

    def has_ended(self, grant: str) -> bool:
        return grant in self._authority.ended

    def is_fresh(self) -> bool:
        return not self._authority.away
