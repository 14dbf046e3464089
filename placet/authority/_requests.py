"""Who asks: client assertions, proofs of possession, sessions, and grants for the authority itself.

Everything here verifies signatures only; whether the identity and its key are active is read in
the transaction that acts on it (:mod:`placet.authority._identities`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request

from placet.authority._core import Core
from placet.authority._errors import Invalid, Unauthenticated
from placet.authority._http import one_header
from placet.authority._identities import keys_of, use_jti
from placet.authority._rates import Rates
from placet.authority._store import Tx
from placet.model import system_urn
from placet.tokens import (
    CLIENT_ASSERTION,
    PROOF_MAX_AGE,
    SKEW,
    ClientAssertionClaims,
    GrantClaims,
    NonceMismatch,
    Proof,
    PublicKey,
    SessionClaims,
    TokenError,
    WrongIssuer,
    by_kid,
    claimed_issuer,
    verify_grant,
    verify_jws,
    verify_proof,
    verify_session,
)


@dataclass(frozen=True)
class Sender:
    """A client that proved its own key, and the key that its request is bound to."""

    principal: str
    key: PublicKey
    jti: str
    expires: datetime
    proof: Proof | None

    @property
    def thumbprint(self) -> str:
        """The thumbprint of the client's own key."""
        return self.key.thumbprint

    @property
    def jkt(self) -> str:
        """The thumbprint of the proof's key.

        Raises:
            Invalid: the request had no proof.
        """
        if self.proof is None:
            raise Invalid("invalid_dpop_proof", "send a DPoP proof (RFC 9449)")
        return self.proof.jkt


def use_sender(tx: Tx, sender: Sender) -> None:
    """Use up the assertion's and the proof's ``jti``, in the transaction that acts on them.

    Raises:
        Unauthenticated: one of them was used before.
    """
    use_jti(tx, sender.principal, sender.jti, sender.expires)
    if sender.proof is not None:
        use_proof(tx, sender.proof)


def use_proof(tx: Tx, proof: Proof) -> None:
    """Use up a proof's ``jti``, which is one key's own.

    Raises:
        Unauthenticated: it was used before.
    """
    use_jti(
        tx,
        f"jkt:{proof.jkt}",
        proof.jti,
        datetime.fromtimestamp(proof.iat, UTC) + PROOF_MAX_AGE + SKEW,
    )


class Requests:
    """Verifies who sent a request."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.rates = Rates(core.settings)
        self._keys: dict[str, Mapping[str, PublicKey]] = {}

    async def client(self, assertion: str | None, proof: Proof | None = None) -> Sender:
        """The client behind a ``private_key_jwt`` assertion (RFC 7523 section 2.2).

        Raises:
            Unauthenticated: there is none, or it does not hold; who it claims to be is not said.
        """
        if not assertion:
            raise Unauthenticated("invalid_client", "authenticate with private_key_jwt")
        try:
            client_id = claimed_issuer(assertion)
            claims, key = await self._verify_client(assertion, client_id)
        except TokenError as error:
            raise Unauthenticated("invalid_client", f"client assertion: {error}") from None
        self.rates.known(client_id)
        expires = datetime.fromtimestamp(claims.exp, UTC)
        return Sender(client_id, key, claims.jti, expires, proof)

    async def header_client(self, request: Request, proof: Proof | None = None) -> Sender:
        """The client behind the one ``Client-Assertion`` header; see :meth:`client`."""
        values = request.headers.getlist("Client-Assertion")
        return await self.client(values[0] if len(values) == 1 else None, proof)

    async def _verify_client(
        self, assertion: str, client_id: str
    ) -> tuple[ClientAssertionClaims, PublicKey]:
        keys = self._keys.get(client_id)
        try:
            return _verify(assertion, keys or {}, client_id, self._core)
        except TokenError:
            # A key enrolled after the last look; whoever has no good key costs one read each.
            keys = by_kid(await self._core.store.read(lambda reader: keys_of(reader, client_id)))
            verified = _verify(assertion, keys, client_id, self._core)
            self._keys[client_id] = keys
            return verified

    def proof(self, request: Request, access_token: str | None = None) -> Proof:
        """The request's proof of possession.

        Raises:
            Invalid: there is not exactly one, or it is for something else (``invalid_dpop_proof``).
        """
        values = request.headers.getlist("DPoP")
        if len(values) != 1:
            raise Invalid("invalid_dpop_proof", f"send exactly one DPoP header, not {len(values)}")
        try:
            return verify_proof(
                values[0],
                method=request.method,
                url=self._core.issuer + request.url.path,
                now=self._core.clock(),
                access_token=access_token,
            )
        except NonceMismatch as error:
            raise Invalid("use_dpop_nonce", str(error)) from None
        except TokenError as error:
            raise Invalid("invalid_dpop_proof", str(error)) from None

    def session(self, request: Request) -> SessionClaims:
        """The operator's session behind a request.

        Raises:
            Unauthenticated: none, ended, or not proven to be the sender's.
        """
        token = _dpop_token(request)
        try:
            claims = verify_session(
                token,
                by_kid(self._core.keys.published(self._core.clock())),
                issuer=self._core.issuer,
                now=self._core.clock(),
            )
        except TokenError as error:
            raise Unauthenticated("invalid_token", f"session: {error}") from None
        self._bound(request, token, claims.cnf.jkt)
        self.rates.known(claims.sub)
        return claims

    def grant(self, request: Request) -> tuple[GrantClaims, Proof]:
        """The grant for the authority itself behind a request, and its proof.

        Raises:
            Unauthenticated: none, ended, for another system, or not proven to be the sender's.
        """
        token = _dpop_token(request)
        try:
            claims = verify_grant(
                token,
                by_kid(self._core.keys.published(self._core.clock())),
                issuer=self._core.issuer,
                audience=system_urn("authority"),
                now=self._core.clock(),
            )
        except TokenError as error:
            raise Unauthenticated("invalid_token", f"grant: {error}") from None
        proof = self._bound(request, token, claims.cnf.jkt)
        self.rates.known(claims.sub)
        return claims, proof

    def _bound(self, request: Request, token: str, jkt: str) -> Proof:
        try:
            proof = self.proof(request, token)
        except Invalid as error:
            raise Unauthenticated(error.problem.error, error.problem.error_description) from None
        if proof.jkt != jkt:
            raise Unauthenticated("invalid_token", "the token is bound to another key")
        return proof


def _verify(
    assertion: str, keys: Mapping[str, PublicKey], client_id: str, core: Core
) -> tuple[ClientAssertionClaims, PublicKey]:
    verified = verify_jws(
        assertion,
        kind=CLIENT_ASSERTION,
        keys=keys,
        issuer=client_id,
        audience=core.issuer,
        now=core.clock(),
    )
    if verified.claims.sub != client_id:
        raise WrongIssuer("iss and sub of a client assertion are both the client's id")
    return verified.claims, verified.key


def _dpop_token(request: Request) -> str:
    try:
        scheme, _, token = one_header(request, "Authorization").partition(" ")
    except Invalid as error:
        raise Unauthenticated("invalid_token", error.problem.error_description) from None
    if scheme.lower() != "dpop" or not token:
        raise Unauthenticated("invalid_token", "send the token as Authorization: DPoP")
    return token
