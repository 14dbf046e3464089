"""Signed acts: everything that people do besides deciding.

1. (I6) An act counts once, signed by an enrolled key of an active operator whose role allows it.
2. (I4) The act, what it changes and the ledger entry are one transaction. Sent again, the same act
   is answered the same (I11).
3. A refused act is on the ledger as ``act.refused``.
4. What two people must sign is tried, and nothing of the trial stays; then it waits as proposed.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from placet.authority._acts._act import Act, Asked, Handler, No, Refused
from placet.authority._acts._campaigns import CampaignActs
from placet.authority._acts._cases import CaseActs
from placet.authority._acts._checkpoints import CheckpointActs
from placet.authority._acts._emergencies import EmergencyActs
from placet.authority._acts._holds import HoldActs
from placet.authority._acts._identities import IdentityActs
from placet.authority._acts._log_key import LogKeyActs
from placet.authority._acts._models import ModelActs
from placet.authority._acts._notices import NoticeActs
from placet.authority._acts._orders import OrderActs
from placet.authority._acts._proposals import ProposalActs
from placet.authority._acts._publishing import PublishingActs
from placet.authority._acts._registry import RegistryActs
from placet.authority._campaigns import Campaigns
from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._errors import Conflict, Forbidden, Invalid, Unauthenticated
from placet.authority._facts import FactsClient, FetchedFacts, UnknownRecord, require_believed
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE, key_standing, not_active, roles_of
from placet.authority._seen_heads import ANOTHER_PAST, is_own_head
from placet.authority._store import Identity, IdentityKey, Reader, SignedActRow, Tx
from placet.authority._vouching import Vouching
from placet.model import ActAnswer, ActClaims, SignedAct, canonical_json, digest_json
from placet.tokens import (
    FRESH,
    PublicKey,
    TokenError,
    TooOld,
    UnknownKey,
    claimed_issuer,
    verify_act,
)


class _Tried(Exception):
    """An act that two people must sign would be carried out; nothing of the trial stays."""


class Acts:
    """Carries out signed acts."""

    def __init__(
        self,
        core: Core,
        definitions: Definitions,
        facts: FactsClient,
        vouching: Vouching,
        campaigns: Campaigns,
    ) -> None:
        self._core = core
        self._vouching = vouching
        self._facts = facts
        cases = CaseActs(core, definitions)
        self._abouts = cases.abouts()
        handlers: Mapping[str, Handler] = {
            **IdentityActs(core).handlers(),
            **RegistryActs(core).handlers(),
            **PublishingActs(definitions).handlers(),
            **cases.handlers(),
            **CampaignActs(campaigns).handlers(),
            **OrderActs(core).handlers(),
            **HoldActs(core).handlers(),
            **LogKeyActs(core).handlers(),
            **ModelActs(core).handlers(),
            **NoticeActs().handlers(),
            **EmergencyActs(core).handlers(),
            **CheckpointActs(core, definitions).handlers(),
        }
        self._proposals = ProposalActs(core, handlers, self._verify_kept)
        self._handlers = {**handlers, **self._proposals.handlers()}

    async def perform(self, signed: SignedAct) -> ActAnswer:
        """Carry out an act.

        Raises:
            Unauthenticated: the signature does not hold, or no enrolled key made it.
            Forbidden: the signer may not do this; it is on the ledger.
            Conflict: the state does not allow it.
            Invalid: the body does not fit the act.
            Unavailable: a system of record that the act depends on is away, or off.
        """
        await self._vouching.ask(signed.act, verify_act)
        seen = await self._look(signed)
        try:
            answer = await self._core.store.write(lambda tx: self._perform(tx, signed, seen))
        except _Tried:
            answer = await self._core.store.write(
                lambda tx: self._perform(tx, signed, seen, tried=True)
            )
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
        if key_standing(reader, claims.iss, key.thumbprint, self._core.clock()) != ACTIVE:
            return None
        try:
            return about(
                reader,
                Act(claims, signed.body, roles_of(identity), FetchedFacts(), key.thumbprint),
            )
        except Invalid:
            return None

    def _perform(
        self, tx: Tx, signed: SignedAct, seen: FetchedFacts, *, tried: bool = False
    ) -> ActAnswer | Refused:
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
        roles = () if identity is None else roles_of(identity)
        act = Act(claims, signed.body, roles, seen, key.thumbprint, content=signed.content)
        waits = governance(tx).waits_for_second(claims.act)
        standing = key_standing(tx, claims.iss, key.thumbprint, tx.now)
        try:
            if standing != ACTIVE:
                raise No(not_active(claims.iss, standing), "I10", standing)
            if not is_own_head(tx, claims.ledger_head):
                raise No(ANOTHER_PAST, "I8", "another_past")
            require_believed(tx, seen, tx.now)
            answer = self._proposals.propose(tx, act) if waits and tried else handler(tx, act)
        except No as error:
            return self._refuse(tx, act, error.refused)
        if waits and not tried:
            raise _Tried
        self._keep(tx, signed, act, answer)
        return answer

    def _verify_kept(self, tx: Reader, jws: str) -> tuple[ActClaims, PublicKey]:
        return self._verify(tx, jws, self._core.clock(), max_age=None)

    def _verify(
        self, tx: Reader, jws: str, now: datetime, max_age: timedelta | None = FRESH
    ) -> tuple[ActClaims, PublicKey]:
        try:
            operator = claimed_issuer(jws)
            for row in tx.all(IdentityKey, IdentityKey.principal == operator):
                key = PublicKey.from_jwk(json.loads(row.jwk_json))
                try:
                    return self._verify_with(tx, jws, key, operator, now, max_age), key
                except UnknownKey:
                    continue
        except TokenError as error:
            raise Unauthenticated("invalid_token", f"the act's signature: {error}") from None
        raise Unauthenticated("invalid_token", "the act is signed by no enrolled key")

    def _verify_with(
        self,
        tx: Reader,
        jws: str,
        key: PublicKey,
        operator: str,
        now: datetime,
        max_age: timedelta | None,
    ) -> ActClaims:
        """The act's claims. One that was carried out may come again however old it is (I11)."""
        issuer = self._core.issuer
        try:
            return verify_act(
                jws, key, operator=operator, audience=issuer, now=now, max_age=max_age
            )
        except TooOld:
            claims = verify_act(jws, key, operator=operator, audience=issuer, now=now, max_age=None)
            before = tx.get(SignedActRow, claims.jti)
            if before is None or before.jws != jws:
                raise
            return claims

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
