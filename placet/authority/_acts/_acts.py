"""Signed acts: everything that people do besides deciding.

1. (I6) An act counts once, signed by an enrolled key of an active operator whose role allows it.
2. (I4) The act, what it changes and the ledger entry are one transaction. Sent again, the same act
   is answered the same (I11).
3. A refused act is on the ledger as ``act.refused``.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from placet.authority._acts._act import Act, Asked, Handler, No, Refused
from placet.authority._acts._cases import CaseActs
from placet.authority._acts._holds import HoldActs
from placet.authority._acts._identities import IdentityActs
from placet.authority._acts._publishing import PublishingActs
from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._errors import Conflict, Forbidden, Invalid, Unauthenticated
from placet.authority._facts import FactsClient, FetchedFacts, UnknownRecord
from placet.authority._identities import ACTIVE, key_standing, roles_of
from placet.authority._store import Identity, IdentityKey, Reader, SignedActRow, Tx
from placet.model import ActAnswer, ActClaims, SignedAct, canonical_json, digest_json
from placet.tokens import PublicKey, TokenError, UnknownKey, claimed_issuer, verify_act


class Acts:
    """Carries out signed acts."""

    def __init__(self, core: Core, definitions: Definitions, facts: FactsClient) -> None:
        self._core = core
        self._facts = facts
        cases = CaseActs(core, definitions)
        self._abouts = cases.abouts()
        self._handlers: Mapping[str, Handler] = {
            **IdentityActs(core).handlers(),
            **PublishingActs(definitions).handlers(),
            **cases.handlers(),
            **HoldActs(core).handlers(),
        }

    async def perform(self, signed: SignedAct) -> ActAnswer:
        """Carry out an act.

        Raises:
            Unauthenticated: the signature does not hold, or no enrolled key made it.
            Forbidden: the signer may not do this; it is on the ledger.
            Conflict: the state does not allow it.
            Invalid: the body does not fit the act.
            Unavailable: a system of record that the act depends on is away.
        """
        seen = await self._look(signed)
        answer = await self._core.store.write(lambda tx: self._perform(tx, signed, seen))
        if isinstance(answer, Refused):
            raise Forbidden(answer.description, answer.reasons)
        return answer

    async def _look(self, signed: SignedAct) -> FetchedFacts:
        """What systems of record say now of the records that the act is about."""
        asked = await self._core.store.read(lambda reader: self._about(reader, signed))
        if asked is None:
            return FetchedFacts()
        try:
            return await self._facts.fetch(*asked)
        except UnknownRecord as error:
            raise Conflict(error.problem.error_description) from None

    def _about(self, reader: Reader, signed: SignedAct) -> Asked | None:
        """Process, subject and fact sources to ask; ``None`` where the act will be refused."""
        claims, key = self._verify(reader, signed.act, self._core.clock())
        about = self._abouts.get(claims.act)
        identity = reader.get(Identity, claims.iss)
        if about is None or identity is None or reader.get(SignedActRow, claims.jti) is not None:
            return None
        if key_standing(reader, claims.iss, key.thumbprint) != ACTIVE:
            return None
        try:
            return about(reader, Act(claims, signed.body, roles_of(identity), FetchedFacts()))
        except Invalid:
            return None

    def _perform(self, tx: Tx, signed: SignedAct, seen: FetchedFacts) -> ActAnswer | Refused:
        claims, key = self._verify(tx, signed.act, tx.now)
        if claims.body_digest != digest_json(signed.body):
            raise Invalid("invalid_request", "the body is not the one whose digest was signed")
        before = tx.get(SignedActRow, claims.jti)
        if before is not None:
            if before.jws != signed.act or before.answer_json is None:
                raise Conflict("this jti was used for another act")
            return ActAnswer.model_validate_json(before.answer_json)
        handler = self._handlers.get(claims.act)
        if handler is None:
            raise Invalid("invalid_request", f"there is no act {claims.act!r}")
        identity = tx.get(Identity, claims.iss)
        act = Act(claims, signed.body, () if identity is None else roles_of(identity), seen)
        standing = key_standing(tx, claims.iss, key.thumbprint)
        try:
            if standing != ACTIVE:
                raise No(f"{claims.iss} or its key is {standing}", "I10", standing)
            answer = handler(tx, act)
        except No as error:
            return self._refuse(tx, act, error.refused)
        self._keep(tx, signed, act, answer)
        return answer

    def _verify(self, tx: Reader, jws: str, now: datetime) -> tuple[ActClaims, PublicKey]:
        try:
            operator = claimed_issuer(jws)
            for row in tx.all(IdentityKey, IdentityKey.principal == operator):
                key = PublicKey.from_jwk(json.loads(row.jwk_json))
                try:
                    claims = verify_act(
                        jws, key, operator=operator, audience=self._core.issuer, now=now
                    )
                except UnknownKey:
                    continue
                return claims, key
        except TokenError as error:
            raise Unauthenticated("invalid_token", f"the act's signature: {error}") from None
        raise Unauthenticated("invalid_token", "the act is signed by no enrolled key")

    def _refuse(self, tx: Tx, act: Act, refused: Refused) -> Refused:
        tx.append(
            "act.refused",
            act.actor,
            {"act": act.claims.act, "target": act.claims.target, "reasons": list(refused.reasons)},
        )
        return refused

    def _keep(self, tx: Tx, signed: SignedAct, act: Act, answer: ActAnswer) -> None:
        tx.add(
            SignedActRow(
                jti=act.claims.jti,
                act=act.claims.act,
                target=act.claims.target,
                issuer=act.actor,
                jws=signed.act,
                body_json=canonical_json(dict(signed.body)).decode(),
                answer_json=answer.model_dump_json(exclude_none=True),
                at=tx.now,
                entry=answer.entry,
            )
        )
