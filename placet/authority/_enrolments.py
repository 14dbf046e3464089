"""Enrolling oneself with a one-time code: the key is made on the device and proves itself.

1. (I6) A code is good once, for one name and its roles, for some minutes; who invited signed that,
   and is an administrator still (I10).
2. The new key signs the request itself, so that nobody enrols a key that they don't have.
3. (I6, I7) The code never comes here: the key that is in it names the new one, and that stays on
   the ledger. A wrong code, a used one and one for someone else are answered the same.
"""

import json

from placet.authority._acts import enrol
from placet.authority._core import Core
from placet.authority._errors import Conflict, Invalid, Unauthenticated
from placet.authority._inviting import is_given
from placet.authority._seen_heads import ANOTHER_PAST, is_own_head
from placet.authority._store import IdentityKey, InvitationRow, SignedActRow, Tx
from placet.model import (
    ActAnswer,
    ActClaims,
    EnrolIdentity,
    Enrolment,
    canonical_json,
    digest_json,
)
from placet.tokens import (
    KeyRefused,
    PublicKey,
    TokenError,
    claimed_issuer,
    verify_act,
    verify_enrolment,
)

CLAIM, INVITE = "operator.claim", "operator.invite"
OPEN, USED = "open", "used"


class Enrolments:
    """Takes codes."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def enrol(self, sent: Enrolment) -> ActAnswer:
        """Enrol the key that signed ``sent`` for whom the code was made.

        Raises:
            Unauthenticated: the signature or the code does not hold.
            Invalid: it is another act, or on another body.
            Conflict: the key is enrolled already.
        """
        return await self._core.store.write(lambda tx: self._enrol(tx, sent))

    def _enrol(self, tx: Tx, sent: Enrolment) -> ActAnswer:
        claims, key, invited = self._verify(tx, sent)
        if (claims.act, claims.target) != (CLAIM, claims.iss):
            raise Invalid("invalid_request", f"act: sign {CLAIM} for yourself")
        if claims.body_digest != digest_json(sent.body):
            raise Invalid("invalid_request", "the body is not the one whose digest was signed")
        before = tx.get(SignedActRow, claims.jti)
        if before is not None and before.jws == sent.act and before.answer_json is not None:
            return ActAnswer.model_validate_json(before.answer_json)
        if not is_own_head(tx, claims.ledger_head):
            raise Unauthenticated("invalid_token", ANOTHER_PAST)
        invitation = tx.get(InvitationRow, invited)
        if (
            before is not None
            or invitation is None
            or invitation.principal != claims.iss
            or invitation.status != OPEN
            or tx.now >= invitation.expires_at
            or not is_given(tx, self._core.issuer, INVITE, claims.iss, invitation.id)
        ):
            raise Unauthenticated("invalid_token", "this code is not good, or not any more")
        if tx.get(IdentityKey, key.thumbprint) is not None:
            raise Conflict("this key is enrolled already")
        tx.change(InvitationRow, invited, status=USED)
        entry = enrol(
            tx,
            claims.iss,
            key,
            EnrolIdentity(jwk=dict(sent.body.jwk), roles=tuple(json.loads(invitation.roles_json))),
            by=claims.iss,
            signed={
                "act": claims.jti,
                "invitation": invitation.id,
                "enrolment": sent.enrolment,
            },
        )
        answer = ActAnswer(act=CLAIM, target=claims.iss, entry=entry)
        tx.add(
            SignedActRow(
                jti=claims.jti,
                act=CLAIM,
                target=claims.iss,
                issuer=claims.iss,
                jws=sent.act,
                body_json=canonical_json(sent.body).decode(),
                answer_json=answer.model_dump_json(exclude_none=True),
                at=tx.now,
                entry=entry,
            )
        )
        return answer

    def _verify(self, tx: Tx, sent: Enrolment) -> tuple[ActClaims, PublicKey, str]:
        """What was signed, the new key, and the thumbprint of the invitation's."""
        try:
            key = PublicKey.from_jwk(sent.body.jwk)
            claims = verify_act(
                sent.act,
                key,
                operator=claimed_issuer(sent.act),
                audience=self._core.issuer,
                now=tx.now,
            )
            enrolment = verify_enrolment(
                sent.enrolment, principal=claims.iss, audience=self._core.issuer, now=tx.now
            )
        except KeyRefused as error:
            raise Invalid("invalid_request", f"jwk: {error}") from None
        except TokenError as error:
            raise Unauthenticated("invalid_token", f"the enrolment's signature: {error}") from None
        if enrolment.claims.cnf.jkt != key.thumbprint:
            raise Unauthenticated("invalid_token", "the enrolment names another key than the act's")
        return claims, key, enrolment.key.thumbprint
