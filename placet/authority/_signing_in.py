"""Signing in through the lender's identity provider (RFC 8628).

1. (I6) A sign-in is bound to the device's key from its first request: the code that the provider
   gave never leaves the authority, what the device gets instead opens only with a proof by that
   same key, and the nonce in the ID token fixes it.
2. (I6) A name at the provider is one person's for good; it never opens an identity that an
   administrator enrolled, and no key that was enrolled otherwise.
3. (I4) The session that it begins is on the ledger.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue, ValidationError

from placet.authority._core import Core
from placet.authority._errors import Denied, Invalid, Unauthenticated, Unavailable
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE, note_sign_in, roles_of, use_jti
from placet.authority._provider import Person, Provider, ProviderRefused
from placet.authority._rates import SignInStarts
from placet.authority._requests import use_proof
from placet.authority._sealing import NotSealed, fingerprint, seal, unseal
from placet.authority._sessions import Renewal, end_session
from placet.authority._store import Identity, IdentityKey, SessionRow, SubjectRow, Tx
from placet.model import (
    AUTHORITY,
    IdentityProvider,
    Model,
    SignInBegun,
    canonical_json,
    digest_bytes,
)
from placet.tokens import SKEW, Proof, PublicKey, TokenError, numeric_date

_PURPOSE = "sign-in"
_WAITING = {"authorization_pending", "slow_down", "expired_token", "access_denied"}
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class _SignIn(Model):
    """A sign-in under way: what the device carries about, sealed."""

    id: str
    jkt: str
    device_code: str
    nonce: str
    fresh: bool
    started: int
    expires: int


@dataclass(frozen=True)
class SignedIn:
    """Who signed in, and until when their key counts."""

    operator: str
    ends_at: datetime


class SigningIn:
    """Has people sign in at the provider, and begins their sessions."""

    def __init__(self, core: Core, provider: Provider) -> None:
        self._core = core
        self._provider = provider
        self._starts = SignInStarts()

    async def begin(self, proof: Proof, *, fresh: bool, address: str) -> SignInBegun:
        """Begin a sign-in for the key of the proof (RFC 8628 section 3.1).

        Raises:
            Invalid: the lender has published no identity provider.
            TooMuch: this address begins too many.
            Unavailable: too many begin at once, or the provider is away.
        """
        provider = (await self._core.store.read(governance)).identity_provider
        if provider is None:
            raise Invalid("unauthorized_client", "no identity provider is published; enrol a key")
        now = self._core.clock()
        self._starts.take(address, now)
        id_ = self._core.new_id("signin")
        nonce = digest_bytes(f"{id_}.{proof.jkt}".encode()).removeprefix("sha-256:")
        try:
            begun = await self._provider.start(provider, nonce, fresh=fresh)
        except ProviderRefused as error:
            raise Unavailable(str(error)) from None
        carried = _SignIn(
            id=id_,
            jkt=proof.jkt,
            device_code=begun.device_code,
            nonce=nonce,
            fresh=fresh,
            started=numeric_date(now),
            expires=numeric_date(now) + begun.expires_in,
        )
        return SignInBegun(
            device_code=seal(self._core, _PURPOSE, canonical_json(carried)),
            user_code=begun.user_code,
            verification_uri=begun.verification_uri,
            verification_uri_complete=begun.verification_uri_complete,
            expires_in=begun.expires_in,
            interval=begun.interval,
        )

    async def finish(self, device_code: str, proof: Proof) -> SignedIn:
        """End a sign-in once its person has signed in at the provider (RFC 8628 section 3.4).

        Raises:
            Invalid: not yet (``authorization_pending``), or never.
            Denied: this person has no role here, or not under this name.
            Unavailable: the provider is away.
        """
        carried = self._carried(device_code, proof)
        provider = (await self._core.store.read(governance)).identity_provider
        if provider is None:
            raise Invalid("invalid_grant", "no identity provider is published any more")
        try:
            person = await self._provider.poll(provider, carried.device_code, carried.nonce)
        except ProviderRefused as error:
            code = error.error if error.error in _WAITING else "invalid_grant"
            raise Invalid(code, str(error)) from None
        except TokenError as error:
            raise Invalid("invalid_grant", f"the identity provider's ID token: {error}") from None
        if carried.fresh and (person.claims.auth_time or 0) < carried.started - SKEW.seconds:
            raise Denied(
                "the identity provider did not ask you anew; sign in there again",
                ("I6", "not_fresh"),
            )
        try:
            return await self._core.store.write(
                lambda tx: self._admit(tx, provider, person, carried, proof)
            )
        except Unauthenticated:
            raise Invalid("invalid_grant", "this sign-in was used before; begin anew") from None

    def _carried(self, device_code: str, proof: Proof) -> _SignIn:
        try:
            carried = _SignIn.model_validate_json(unseal(self._core, _PURPOSE, device_code))
        except (NotSealed, ValidationError):
            raise Invalid("invalid_grant", "this is no device code of ours") from None
        if carried.jkt != proof.jkt:
            raise Invalid("invalid_grant", "this sign-in was begun with another key")
        if self._core.clock().timestamp() >= carried.expires:
            raise Invalid("expired_token", "this sign-in has expired; begin anew")
        return carried

    def _admit(
        self,
        tx: Tx,
        provider: IdentityProvider,
        person: Person,
        carried: _SignIn,
        proof: Proof,
    ) -> SignedIn:
        use_jti(tx, _PURPOSE, carried.id, datetime.fromtimestamp(carried.expires, UTC))
        use_proof(tx, proof)
        roles = provider.roles_of(person.groups)
        if not roles:
            raise Denied("none of your groups has a role here", ("I6", "no_role"))
        principal = f"operator:{_name(person.name)}"
        subject = fingerprint(self._core, "subject", f"{provider.issuer} {person.claims.sub}")
        _take_identity(tx, principal, subject, roles)
        _end_earlier(tx, proof.jkt)
        ends = tx.now + timedelta(minutes=provider.session_minutes)
        trusted = tx.now + timedelta(seconds=provider.trust_seconds)
        if person.refresh_token is None:
            ends = min(ends, trusted)  # nobody could be asked again whether they are still there
        session = SessionRow(
            id=self._core.new_id("session"),
            principal=principal,
            thumbprint=proof.jkt,
            issuer=provider.issuer,
            subject_digest=subject,
            roles_json=json.dumps(roles),
            sealed=self._sealed(person, carried.nonce),
            started_at=tx.now,
            ends_at=ends,
            next_check_at=ends
            if person.refresh_token is None
            else min(ends, tx.now + timedelta(seconds=provider.recheck_seconds)),
            vouched_at=tx.now,
            status=ACTIVE,
        )
        tx.add(session)
        signed_in = _auth_time(person)
        _take_key(tx, session, proof.key, min(ends, trusted))
        note_sign_in(tx, proof.jkt, signed_in or _LONG_AGO)
        groups: list[JsonValue] = [
            each.group for each in provider.roles if each.group in set(person.groups)
        ]
        _write(tx, session, proof.key, groups, signed_in)
        return SignedIn(principal, ends)

    def _sealed(self, person: Person, nonce: str) -> str | None:
        if person.refresh_token is None:
            return None
        kept = Renewal(token=person.refresh_token, nonce=nonce, sub=person.claims.sub)
        return kept.sealed(self._core)


def _take_identity(tx: Tx, principal: str, subject: str, roles: tuple[str, ...]) -> None:
    """The person's identity, made at their first sign-in; never someone else's."""
    known = tx.first(SubjectRow, SubjectRow.subject_digest == subject)
    if known is not None and known.principal != principal:
        raise Denied(f"you are known here as {known.principal}", ("I6", "renamed"))
    identity = tx.get(Identity, principal)
    if identity is not None and known is None:
        raise Denied(f"{principal} is someone else here", ("I6", "name_taken"))
    if identity is None:
        tx.add(SubjectRow(principal=principal, subject_digest=subject))
        tx.add(
            Identity(
                principal=principal,
                kind="operator",
                status=ACTIVE,
                roles_json=json.dumps(roles),
                enrolled_at=tx.now,
                enrolled_by=AUTHORITY,
            )
        )
        return
    if identity.status != ACTIVE:
        raise Denied(f"{principal} is {identity.status}", ("I10", identity.status))
    if roles_of(identity) != roles:
        tx.change(Identity, principal, roles_json=json.dumps(roles))


def _take_key(tx: Tx, session: SessionRow, key: PublicKey, expires: datetime) -> None:
    row = tx.get(IdentityKey, key.thumbprint)
    if row is None:
        tx.add(
            IdentityKey(
                thumbprint=key.thumbprint,
                principal=session.principal,
                jwk_json=canonical_json(dict(key.jwk())).decode(),
                status=ACTIVE,
                enrolled_at=tx.now,
                session_id=session.id,
                expires_at=expires,
            )
        )
        return
    if row.principal != session.principal or row.session_id is None:
        raise Denied("this device's key is enrolled already; use another", ("I6", "key_taken"))
    if row.status == "revoked":
        raise Denied("this device's key was revoked; use another", ("I10", "revoked"))
    tx.change(
        IdentityKey,
        key.thumbprint,
        status=ACTIVE,
        session_id=session.id,
        expires_at=expires,
    )


def _end_earlier(tx: Tx, thumbprint: str) -> None:
    """A device signs in anew: its earlier session is over."""
    for row in tx.all(SessionRow, SessionRow.thumbprint == thumbprint, SessionRow.status == ACTIVE):
        end_session(tx, row, "signed_in_again")


def _write(
    tx: Tx, session: SessionRow, key: PublicKey, groups: list[JsonValue], signed_in: datetime | None
) -> None:
    tx.append(
        "session.started",
        AUTHORITY,
        {
            "session": session.id,
            "principal": session.principal,
            "jwk": dict(key.jwk()),
            "roles": json.loads(session.roles_json),
            "groups": groups,
            "issuer": session.issuer,
            "ends_at": int(session.ends_at.timestamp()),
            "signed_in_at": None if signed_in is None else int(signed_in.timestamp()),
        },
    )


def _auth_time(person: Person) -> datetime | None:
    at = person.claims.auth_time
    return None if at is None else datetime.fromtimestamp(at, UTC)


def _name(said: str) -> str:
    """A name at the provider as a name here: lower case, what else there is becomes a hyphen."""
    name = re.sub(r"[^a-z0-9]+", "-", said.partition("@")[0].lower()).strip("-")
    if not name[:1].isalpha():
        name = f"u-{name}".rstrip("-")
    if len(name) < 2 or len(name) > 64:
        raise Denied("your name at the identity provider makes no name here", ("I6", "name"))
    return name
