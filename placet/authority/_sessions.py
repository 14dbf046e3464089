"""People's sessions through the lender's identity provider.

1. (I6) A sign-in is bound to the device's key from its first request: the code that the provider
   gave never leaves the authority, what the device gets instead opens only with a proof by that
   same key, and the nonce in the ID token fixes it.
2. (I6) The key counts for that person, in the roles that their groups give, while the session
   lasts. A name at the provider is one person's for good; it never opens an identity that an
   administrator enrolled.
3. (I10) The provider is asked again and again whether that still holds. Who left, or whose groups
   give other roles now, is out; unanswered for too long, the key stops counting until it answers.
4. (I4, I7) Beginning and end are on the ledger; the refresh token rests encrypted.
"""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue, ValidationError

from placet.authority._core import AUTHORITY, Core
from placet.authority._errors import Denied, Invalid, Unauthenticated, Unavailable
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE, ENDED, LOST, note_sign_in, roles_of, use_jti
from placet.authority._provider import Person, Provider, ProviderRefused
from placet.authority._rates import SignInStarts
from placet.authority._requests import use_proof
from placet.authority._revocations import revoke_resting_on
from placet.authority._sealing import NotSealed, fingerprint, seal, unseal
from placet.authority._store import Identity, IdentityKey, SessionRow, SubjectRow, Tx
from placet.model import IdentityProvider, Model, SignInBegun, canonical_json, digest_bytes
from placet.tokens import SKEW, Proof, PublicKey, TokenError, numeric_date

SIGN_IN = "sign-in"
REFRESH = "refresh"
_WAITING = {"authorization_pending", "slow_down", "expired_token", "access_denied"}
_LOST = {"left", "groups_changed"}
"""Ends that take back what their person approved, too: they may not decide any more."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_RETRY = timedelta(seconds=5)
_LEASE = timedelta(seconds=30)
"""For how long one process asks about a session; it may have died since."""

_LOOK_AGAIN = 0.05
"""Seconds between two looks for the answer that another process gets."""

_log = logging.getLogger("placet.authority.sessions")


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


class Sessions:
    """Begins, looks after and ends people's sessions."""

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
            device_code=seal(self._core, SIGN_IN, canonical_json(carried)),
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
            carried = _SignIn.model_validate_json(unseal(self._core, SIGN_IN, device_code))
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
        use_jti(tx, SIGN_IN, carried.id, datetime.fromtimestamp(carried.expires, UTC))
        use_proof(tx, proof)
        roles = provider.roles_of(person.groups)
        if not roles:
            raise Denied("none of your groups has a role here", ("I6", "no_role"))
        principal = f"operator:{_name(person.name)}"
        subject = self._subject(provider, person)
        self._identity(tx, principal, subject, roles)
        self._end_earlier(tx, proof.jkt)
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
            sealed=self._sealed(person.refresh_token, carried.nonce, person.claims.sub),
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
        self._key(tx, session, proof.key, min(ends, trusted))
        note_sign_in(tx, proof.jkt, signed_in or _LONG_AGO)
        tx.append(
            "session.started",
            AUTHORITY,
            {
                "session": session.id,
                "principal": principal,
                "jwk": dict(proof.key.jwk()),
                "roles": list(roles),
                "groups": [g.group for g in provider.roles if g.group in set(person.groups)],
                "issuer": provider.issuer,
                "ends_at": int(ends.timestamp()),
                "signed_in_at": None if signed_in is None else int(signed_in.timestamp()),
            },
        )
        return SignedIn(principal, ends)

    def _identity(self, tx: Tx, principal: str, subject: str, roles: tuple[str, ...]) -> None:
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

    def _key(self, tx: Tx, session: SessionRow, key: PublicKey, expires: datetime) -> None:
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

    def _end_earlier(self, tx: Tx, thumbprint: str) -> None:
        """A device signs in anew: its earlier session is over."""
        for row in tx.all(
            SessionRow, SessionRow.thumbprint == thumbprint, SessionRow.status == ACTIVE
        ):
            end_session(tx, row, "signed_in_again")

    def _subject(self, provider: IdentityProvider, person: Person) -> str:
        return fingerprint(self._core, "subject", f"{provider.issuer} {person.claims.sub}")

    def _sealed(self, token: str | None, nonce: str, sub: str) -> str | None:
        if token is None:
            return None
        kept: dict[str, JsonValue] = {"token": token, "nonce": nonce, "sub": sub}
        return seal(self._core, REFRESH, canonical_json(kept))

    # --- looking after them -------------------------------------------------------------------

    async def recheck(self) -> None:
        """End what is over, and ask the provider about those who are due."""
        now = self._core.clock()
        due = await self._core.store.read(
            lambda reader: reader.all(
                SessionRow,
                SessionRow.status == ACTIVE,
                SessionRow.next_check_at <= now,
                order_by=[SessionRow.next_check_at],
                limit=100,
            )
        )
        for row in due:
            await self.recheck_one(row)

    async def recheck_one(self, row: SessionRow) -> bool:
        """End a session that is over, or ask the provider about it; whether that was answered.

        Who is asked about already, here or by another process, is waited for: nothing passes on an
        answer that is still on its way.
        """
        provider = (await self._core.store.read(governance)).identity_provider
        if self._core.clock() >= row.ends_at:
            await self._end(row, "over")
        elif provider is None or provider.issuer != row.issuer:
            await self._end(row, "provider_changed")
        elif row.sealed is not None:
            while not await self._core.store.write(lambda tx: _claim(tx, row)):
                answered = await self._answered(row)
                if answered is not None:
                    return answered
            return await self._ask(provider, row, row.sealed)
        return True  # it is over

    async def _answered(self, row: SessionRow) -> bool | None:
        """Wait for whoever asks about it: whether they were answered, or None if they are gone."""
        while True:
            current = await self._core.store.read(lambda reader: reader.get(SessionRow, row.id))
            if current is None or current.status != ACTIVE or current.vouched_at != row.vouched_at:
                return True
            if current.asking_until is None:
                return None if current.next_check_at == row.next_check_at else False
            if current.asking_until <= self._core.clock():
                return None
            await asyncio.sleep(_LOOK_AGAIN)

    async def _ask(self, provider: IdentityProvider, row: SessionRow, sealed: str) -> bool:
        kept = json.loads(unseal(self._core, REFRESH, sealed))
        asked_at = self._core.clock()
        try:
            person = await self._provider.refresh(
                provider, kept["token"], kept["nonce"], kept["sub"]
            )
        except ProviderRefused as error:
            if error.error == "invalid_grant":
                await self._end(row, "left")
            else:
                _log.warning("session %s: %s", row.id, error)
                await self._retry(row)
                return False
        except (Unavailable, TokenError) as error:
            _log.warning("session %s is looked at again later: %s", row.id, error)
            await self._retry(row)
            return False
        else:
            if provider.roles_of(person.groups) != tuple(json.loads(row.roles_json)):
                await self._end(row, "groups_changed")
            else:
                await self._trust(provider, row, person, kept, asked_at)
        return True

    async def _trust(
        self,
        provider: IdentityProvider,
        row: SessionRow,
        person: Person,
        kept: Mapping[str, str],
        asked_at: datetime,
    ) -> None:
        """The provider vouches for it once more, as of when it was asked."""
        newer = person.refresh_token or kept["token"]
        sealed = seal(
            self._core,
            REFRESH,
            canonical_json({"token": newer, "nonce": kept["nonce"], "sub": kept["sub"]}),
        )

        def keep(tx: Tx) -> None:
            current, key = tx.get(SessionRow, row.id), tx.get(IdentityKey, row.thumbprint)
            if current is None or current.status != ACTIVE:
                return
            again = tx.now + timedelta(seconds=provider.recheck_seconds)
            tx.change(
                SessionRow,
                row.id,
                sealed=sealed,
                next_check_at=min(again, row.ends_at),
                vouched_at=asked_at,
                asking_until=None,
            )
            if key is not None and key.session_id == row.id:
                trusted = tx.now + timedelta(seconds=provider.trust_seconds)
                tx.change(IdentityKey, row.thumbprint, expires_at=min(trusted, row.ends_at))

        await self._core.store.write(keep)

    async def _retry(self, row: SessionRow) -> None:
        await self._core.store.write(
            lambda tx: tx.change(
                SessionRow, row.id, next_check_at=tx.now + _RETRY, asking_until=None
            )
        )

    async def _end(self, row: SessionRow, reason: str) -> None:
        def end(tx: Tx) -> None:
            current = tx.get(SessionRow, row.id)
            if current is not None and current.status == ACTIVE:
                end_session(tx, current, reason)

        await self._core.store.write(end)


def _claim(tx: Tx, row: SessionRow) -> bool:
    """Whether this process asks: a refresh token that is sent twice ends the session."""
    current = tx.get(SessionRow, row.id)
    if current is None or current.status != ACTIVE or current.sealed != row.sealed:
        return False
    if current.asking_until is not None and current.asking_until > tx.now:
        return False
    until = tx.now + _LEASE
    tx.change(SessionRow, row.id, next_check_at=until, asking_until=until)
    return True


def end_session(
    tx: Tx,
    row: SessionRow,
    reason: str,
    *,
    by: str = AUTHORITY,
    signed: Mapping[str, JsonValue] | None = None,
) -> int:
    """End a session and its key; on the ledger."""
    tx.change(SessionRow, row.id, status=ENDED, ended_for=reason, sealed=None)
    key = tx.get(IdentityKey, row.thumbprint)
    if key is not None and key.session_id == row.id and key.status == ACTIVE:
        tx.change(IdentityKey, row.thumbprint, status=LOST if reason in _LOST else ENDED)
    if reason in _LOST:
        revoke_resting_on(tx, row.principal)
    return tx.append(
        "session.ended",
        by,
        {
            **(signed or {}),
            "session": row.id,
            "principal": row.principal,
            "key": row.thumbprint,
            "reason": reason,
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
