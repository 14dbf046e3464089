"""ID tokens of an OpenID provider (OpenID Connect Core 1.0, sections 2 and 3.1.3.7).

They are other people's: their ``typ`` is ``JWT`` or nothing, so the kind stands in no table of
ours, and what keeps them apart is whose keys verify them. The rest is as for every token: one
verifying function, an allow-list of algorithms, issuer and audience exact.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from placet.model._signed import Audience, NumericDate
from placet.tokens._errors import RefusedAlgorithm, WrongAudience, WrongIssuer
from placet.tokens._jwk import ALGORITHM_NAMES, Algorithm
from placet.tokens._jws import parse_jws
from placet.tokens._kinds import KeyRule, TokenKind
from placet.tokens._verify import Keys, verify_jws

ID_TOKEN_LIFETIME = timedelta(days=1)
"""Providers give an hour at most; what is valid for longer was not made for signing in."""

ID_TOKEN_AGE = timedelta(minutes=5)
"""How old one may be when the provider hands it over."""


def _only_one(value: Any) -> Any:
    """An audience that is a list of one (OpenID Connect Core section 2)."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


class IdTokenClaims(BaseModel):
    """Who signed in at the provider, and when. Members that we don't know are kept, not believed.

    A second audience is refused: nobody else is trusted with what is for us.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    iss: Audience
    sub: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    aud: Annotated[Audience, BeforeValidator(_only_one)]
    exp: NumericDate
    iat: NumericDate
    auth_time: NumericDate | None = None
    nonce: Annotated[str, StringConstraints(max_length=255)] | None = None
    azp: Annotated[str, StringConstraints(max_length=255)] | None = None

    def claim(self, name: str) -> Any:
        """A further claim, such as the groups."""
        return (self.model_extra or {}).get(name)


ID_TOKEN = TokenKind(
    "ID token",
    "JWT",
    IdTokenClaims,
    frozenset({Algorithm.ES256, Algorithm.ED25519, Algorithm.RS256}),
    KeyRule.KID,
    ID_TOKEN_LIFETIME,
    also=frozenset({None}),
)


def verify_id_token(
    token: str,
    keys: Keys,
    *,
    issuer: str,
    client_id: str,
    algorithms: Collection[str],
    now: datetime,
    nonce: str | None = None,
    subject: str | None = None,
) -> IdTokenClaims:
    """Verify an ID token.

    Args:
        token: as the provider's token endpoint gave it.
        keys: the provider's, by ``kid``.
        issuer: the provider, exactly.
        client_id: who we are there.
        algorithms: the ``alg`` that the lender allows this provider.
        now: the time of judgement.
        nonce: what was sent with the request; a token that repeats another is refused.
        subject: who it must be about, when a session is looked at again.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    allowed = {ALGORITHM_NAMES[each] for each in algorithms}
    if parse_jws(token).algorithm not in allowed:
        raise RefusedAlgorithm(f"the ID token's alg is none of {', '.join(sorted(algorithms))}")
    claims = verify_jws(
        token,
        kind=ID_TOKEN,
        keys=keys,
        issuer=issuer,
        audience=client_id,
        now=now,
        max_age=ID_TOKEN_AGE,
    ).claims
    if claims.azp is not None and claims.azp != client_id:
        raise WrongAudience("the ID token was made for another party (azp)")
    if claims.nonce is not None and claims.nonce != nonce:
        raise WrongAudience("the ID token answers another request (nonce)")
    if subject is not None and claims.sub != subject:
        raise WrongIssuer("the ID token is about someone else (sub)")
    return claims


class WorkloadClaims(BaseModel):
    """What a platform says of a workload (Kubernetes, a CI system). Other members say nothing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iss: Audience
    sub: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    aud: Annotated[Audience, BeforeValidator(_only_one)]
    exp: NumericDate
    iat: NumericDate


WORKLOAD_TOKEN = TokenKind(
    "workload token",
    "JWT",
    WorkloadClaims,
    ID_TOKEN.algorithms,
    KeyRule.KID,
    ID_TOKEN_LIFETIME,
    also=frozenset({None}),
)


def verify_workload_token(
    token: str, keys: Keys, *, issuer: str, audience: str, subject: str, now: datetime
) -> WorkloadClaims:
    """Verify a platform's signed word for a workload: issuer, audience and subject exactly.

    Raises:
        TokenError: it is refused; its subclass says why.
    """
    claims = verify_jws(
        token, kind=WORKLOAD_TOKEN, keys=keys, issuer=issuer, audience=audience, now=now
    ).claims
    if claims.sub != subject:
        raise WrongIssuer("the workload token is about another workload (sub)")
    return claims
