"""The one function through which every signed thing goes, and the one that signs.

What it holds to (RFC 8725; the number stands beside the line that keeps it):

1. strict compact serialisation and strict JSON, nothing critical;
2. ``typ`` is this kind's;
3. ``alg`` is allowed for this kind and is the key's own;
4. the key is one that the caller vouches for, or, in a proof, the public one in the header;
5. the signature holds, before anything in the payload is looked at;
6. all claims are there, each of its form; and nothing else in what stands on the ledger;
7. issuer and audience are exactly those expected;
8. the time is right, with at most five seconds of clock skew, and not for longer than allowed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic

from pydantic import BaseModel, ValidationError

from placet.tokens._encoding import JsonObject, encode_base64url, parse_object
from placet.tokens._errors import (
    Expired,
    KeyRefused,
    LifetimeTooLong,
    Malformed,
    MissingClaim,
    NotYetValid,
    RefusedAlgorithm,
    TokenError,
    TooOld,
    UnknownKey,
    WrongAudience,
    WrongIssuer,
    WrongKind,
)
from placet.tokens._jwk import Algorithm
from placet.tokens._jws import (
    MAX_TOKEN_CHARS,
    Jws,
    check_signature,
    join_jws,
    parse_jws,
)
from placet.tokens._keys import PublicKey, Signer
from placet.tokens._kinds import ClaimsT_co, KeyRule, TokenKind

SKEW = timedelta(seconds=5)
MAX_ISSUER_CHARS = 300  # the model's limit for an address
MAX_BARE_CHARS = 2048
"""Of what stands on the ledger: all of its members at their longest have less."""

Keys = Mapping[str, PublicKey]
"""Keys that the caller vouches for, under their ``kid``."""


@dataclass(frozen=True, slots=True)
class Verified(Generic[ClaimsT_co]):
    """The claims of a token that was verified, and the key that verified it."""

    claims: ClaimsT_co
    key: PublicKey


def verify_jws(
    token: str,
    *,
    kind: TokenKind[ClaimsT_co],
    keys: Keys,
    issuer: str | None,
    audience: str | None,
    now: datetime,
    max_age: timedelta | None = None,
    lifetime: timedelta | None = None,
) -> Verified[ClaimsT_co]:
    """Verify a token of one kind, and return its claims.

    Args:
        token: the compact serialisation.
        kind: what it must be.
        keys: the sender's keys; empty for a proof, which brings its own.
        issuer: exactly this ``iss``; ``None`` for a proof, which has none.
        audience: exactly this ``aud``; ``None`` likewise.
        now: the time of judgement, aware.
        max_age: how far ``iat`` may lie back, skew added; ``None``: as far as it likes.
        lifetime: how long it may be valid, instead of the kind's own limit.

    Raises:
        TokenError: the token is refused; its subclass says why.
        ValueError: ``now`` has no zone.
    """
    seconds = _seconds(now)
    jws = parse_jws(token)  # 1
    _check_kind(jws, kind)  # 2
    if jws.algorithm not in kind.algorithms:  # 3
        raise RefusedAlgorithm(f"a {kind.name} is not signed with {jws.algorithm}")
    key = _select_key(jws, kind, keys)  # 4
    check_signature(jws, key)  # 3, 5
    claims = _read_claims(kind, parse_object(jws.payload, "payload"))  # 6
    if kind.bare:
        _check_bare(token, jws, kind, key)
    if getattr(claims, "iss", None) != issuer:  # 7
        raise WrongIssuer(f"the {kind.name}'s iss is not {issuer}")
    if getattr(claims, "aud", None) != audience:
        raise WrongAudience(f"the {kind.name}'s aud is not {audience}")
    _check_times(kind, claims, seconds, max_age, lifetime or kind.lifetime)  # 8
    return Verified(claims, key)


def sign_jws(claims: BaseModel, *, kind: TokenKind[BaseModel], key: Signer) -> str:
    """Sign claims as a token of one kind; members that are ``None`` are left out.

    Raises:
        KeyRefused: this kind is not signed with a key of that algorithm.
        TypeError: the claims are another kind's.
        Malformed: the token would be larger than any verifier takes.
    """
    if type(claims) is not kind.claims:
        raise TypeError(f"a {kind.name} has {kind.claims.__name__}, not {type(claims).__name__}")
    algorithm = key.public.algorithm
    if algorithm not in kind.algorithms:
        raise KeyRefused(f"a {kind.name} is not signed with {algorithm}")
    name = kind.ed25519_name if algorithm is Algorithm.ED25519 else algorithm.value
    header: dict[str, object] = {"alg": name, "typ": kind.typ}
    if kind.key_rule is KeyRule.EMBEDDED:
        header["jwk"] = dict(key.public.members)
    else:
        header["kid"] = key.public.thumbprint
    signed = join_jws(_compact(header), _compact(claims.model_dump(mode="json", exclude_none=True)))
    token = f"{signed}.{encode_base64url(key.sign(signed.encode('ascii')))}"
    if len(token) > MAX_TOKEN_CHARS:
        raise Malformed(f"the {kind.name} would have more than {MAX_TOKEN_CHARS} characters")
    return token


def claimed_issuer(token: str) -> str:
    """Who a token says it is from. Nothing is verified: good only for looking up that one's keys.

    Raises:
        TokenError: not strict compact JWS, or no ``iss``.
    """
    issuer = parse_object(parse_jws(token).payload, "payload").get("iss")
    if issuer is None:
        raise MissingClaim("the token has no iss")
    if not isinstance(issuer, str) or not 0 < len(issuer) <= MAX_ISSUER_CHARS:
        raise Malformed("the token's iss is not a string of sensible length")
    if not (issuer.isascii() and issuer.isprintable()):
        raise Malformed("the token's iss has characters that no name of ours has")
    return issuer


def numeric_date(moment: datetime) -> int:
    """A moment as NumericDate: whole seconds since 1970, rounded down (RFC 7519 section 2).

    Raises:
        ValueError: the moment has no zone.
    """
    return int(_seconds(moment))


def _seconds(moment: datetime) -> float:
    if moment.tzinfo is None:
        raise ValueError("a time must say its zone")
    return moment.timestamp()


def _compact(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _check_kind(jws: Jws, kind: TokenKind[BaseModel]) -> None:
    typ = jws.header.get("typ")
    if "typ" in jws.header and not isinstance(typ, str):
        raise Malformed("the header's typ is not a string")
    if typ != kind.typ and typ not in kind.also:
        raise WrongKind(f"the token is no {kind.name}: its typ is not {kind.typ}")


def _check_bare(token: str, jws: Jws, kind: TokenKind[BaseModel], key: PublicKey) -> None:
    """Refuse what would carry anything else to where nothing is ever erased (I7)."""
    named = "jwk" if kind.key_rule is KeyRule.EMBEDDED else "kid"
    if set(jws.header) != {"alg", "typ", named}:
        raise Malformed(f"a {kind.name}'s header has alg, typ and {named}, and nothing more")
    if named == "jwk" and jws.header["jwk"] != dict(key.members):
        raise Malformed(f"a {kind.name}'s jwk has the public key's members, and nothing more")
    if len(token) > MAX_BARE_CHARS:
        raise Malformed(f"a {kind.name} has at most {MAX_BARE_CHARS} characters")


def _select_key(jws: Jws, kind: TokenKind[BaseModel], keys: Keys) -> PublicKey:
    if kind.key_rule is KeyRule.EMBEDDED:
        return _embedded_key(jws)
    kid = jws.kid
    if kid is None and kind.key_rule is KeyRule.KID and len(keys) == 1:
        return next(iter(keys.values()))  # plain OAuth libraries write no kid
    key = None if kid is None else keys.get(kid)
    if key is None or (kind.key_rule is KeyRule.THUMBPRINT and kid != key.thumbprint):
        raise UnknownKey(f"the {kind.name} names a key (kid) that is none of its sender's")
    return key


def _embedded_key(jws: Jws) -> PublicKey:
    try:
        return PublicKey.from_jwk(jws.header.get("jwk"))
    except KeyRefused as error:
        trouble = str(error)
    raise Malformed(f"the header's jwk is refused: {trouble}")


def _read_claims(kind: TokenKind[ClaimsT_co], payload: JsonObject) -> ClaimsT_co:
    try:
        return kind.claims.model_validate(payload)
    except ValidationError as error:
        refusal = _explain(kind, error)
    raise refusal  # outside, since a chained ValidationError would carry the claims themselves


def _explain(kind: TokenKind[BaseModel], error: ValidationError) -> TokenError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "extra_forbidden":  # its name is the sender's text
        return Malformed(f"the {kind.name} has a member that this version does not know")
    place = ".".join(str(step) for step in first["loc"]) or "its claims together"
    if first["type"] == "missing":
        return MissingClaim(f"the {kind.name} has no {place}")
    return Malformed(f"the {kind.name} is refused at {place}: {first['type']}")


def _check_times(
    kind: TokenKind[BaseModel],
    claims: BaseModel,
    now: float,
    max_age: timedelta | None,
    lifetime: timedelta | None,
) -> None:
    skew = SKEW.total_seconds()
    issued, starts, ends = (getattr(claims, name, None) for name in ("iat", "nbf", "exp"))
    if (issued is not None and issued > now + skew) or (starts is not None and starts > now + skew):
        raise NotYetValid(f"the {kind.name} is from the future, by more than {skew:g} s")
    if ends is not None and ends <= now - skew:
        raise Expired(f"the {kind.name} has expired")
    if max_age is not None and (issued is None or now - issued > max_age.total_seconds() + skew):
        raise TooOld(f"the {kind.name} is older than {max_age.total_seconds():g} s")
    if ends is not None and lifetime is not None:
        limit = lifetime.total_seconds()
        if (issued is not None and ends - issued > limit) or ends - now > limit + skew:
            raise LifetimeTooLong(f"the {kind.name} is valid for longer than {limit:g} s")
