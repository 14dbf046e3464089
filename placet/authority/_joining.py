"""A worker joins as an instance of its agent: its own key, and a token that is good once.

1. (I6) The worker makes the key (ES256) and proves it with the request; nobody else ever has it.
2. (I6) A token is good once, for one agent, environment and set of task queues, for some minutes;
   administrators signed that, and are some still (I10). The key that is in it names the worker's,
   and that stays on the ledger. A wrong, used or late one, and one for someone else, are answered
   the same. Sent again with the same key, it is answered the same (I11).
3. (I6) Instead of a token, a platform's signed word: its issuer, audience and subject are exactly
   those that administrators registered for the agent, and one such word is good once, however
   its signature is spelled: of an ECDSA signature anyone makes another that holds as well.
4. (I7) Tokens never come here; a platform's word is kept, and on the ledger, as a digest alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import aiohttp
from pydantic import JsonValue

from placet.authority._acts import Worker, enrol
from placet.authority._core import Core
from placet.authority._errors import Conflict, Forbidden, Invalid, Unauthenticated
from placet.authority._identities import use_jti
from placet.authority._inviting import is_given
from placet.authority._provider import Provider, ProviderRefused
from placet.authority._registry import may_join, owner_of, registration
from placet.authority._requests import use_proof
from placet.authority._store import IdentityKey, JoinToken, Tx
from placet.model import EnrolIdentity, Join, Joined, Workload, digest_bytes
from placet.tokens import (
    Algorithm,
    Proof,
    TokenError,
    UnknownKey,
    verify_enrolment,
    verify_workload_token,
)

OPEN, USED = "open", "used"
_NOT_GOOD = "this join token is not good, or not any more"


class Attestation(Protocol):
    """A platform's word that a workload is the one that administrators registered."""

    async def attest(self, expected: Workload, evidence: str) -> datetime:
        """Until when the evidence holds.

        Raises:
            Unauthenticated: it does not hold, or is of another workload.
            Unavailable: the platform can't be asked now.
        """
        ...


class OidcAttestation:
    """Signed OIDC tokens, as Kubernetes and CI systems give them to their workloads."""

    def __init__(self, core: Core, session: aiohttp.ClientSession) -> None:
        self._core = core
        self._session = session
        self._issuers: dict[str, Provider] = {}

    async def attest(self, expected: Workload, evidence: str) -> datetime:
        """See :meth:`Attestation.attest`."""
        issuer = self._issuers.setdefault(expected.issuer, Provider(self._core, self._session))
        for again in (False, True):
            try:
                keys = await issuer.current_keys(expected.issuer, again=again)
                claims = verify_workload_token(
                    evidence,
                    keys,
                    issuer=expected.issuer,
                    audience=expected.audience,
                    subject=expected.subject,
                    now=self._core.clock(),
                )
            except UnknownKey as error:
                if again:
                    raise _not_attested(error) from None
            except (TokenError, ProviderRefused) as error:
                raise _not_attested(error) from None
            else:
                return datetime.fromtimestamp(claims.exp, UTC)
        raise AssertionError("the second look returns or raises")


def _not_attested(error: Exception) -> Unauthenticated:
    return Unauthenticated("invalid_token", f"the platform's token: {error}")


@dataclass(frozen=True)
class _Word:
    """A platform's word that held: about which workload, digests of it and of what it signs."""

    expected: Workload
    digest: str
    signed: str
    until: datetime


class Joining:
    """Takes workers in."""

    def __init__(self, core: Core, attestation: Attestation) -> None:
        self._core = core
        self._attestation = attestation

    async def join(self, sent: Join, proof: Proof) -> Joined:
        """Enrol the key of ``proof`` as one of its agent's.

        Raises:
            Unauthenticated: the token is not good, or the platform's word does not hold.
            Forbidden: the agent gets no key here: of another environment, suspended, unowned.
            Conflict: the key is someone's already.
            Unavailable: the platform can't be asked now.
        """
        if proof.key.algorithm is not Algorithm.ES256:
            raise Invalid("invalid_dpop_proof", "a worker's key is one for ES256")
        if sent.attestation is not None:
            word = await self._attest(sent, sent.attestation)
            return await self._core.store.write(lambda tx: self._join(tx, sent, proof, word))
        invited = self._invited(sent, proof)
        return await self._core.store.write(lambda tx: self._join(tx, sent, proof, invited))

    def _invited(self, sent: Join, proof: Proof) -> str:
        """The thumbprint of the invitation's key, which names that of the proof.

        Raises:
            Unauthenticated: it does not.
        """
        try:
            word = verify_enrolment(
                sent.enrolment or "",
                principal=f"agent:{sent.agent}",
                audience=self._core.issuer,
                now=self._core.clock(),
            )
        except TokenError as error:
            raise Unauthenticated("invalid_token", f"the enrolment: {error}") from None
        if word.claims.cnf.jkt != proof.jkt:
            raise Unauthenticated("invalid_token", "the enrolment names another key")
        return word.key.thumbprint

    async def _attest(self, sent: Join, evidence: str) -> _Word:
        said = await self._core.store.read(lambda r: registration(r, f"agent:{sent.agent}"))
        if said is None or said.workload is None:
            raise Unauthenticated("invalid_token", "no workload is registered for this agent")
        until = await self._attestation.attest(said.workload, evidence)
        signed = evidence.rpartition(".")[0]
        whole, without = (digest_bytes(each.encode()) for each in (evidence, signed))
        return _Word(said.workload, whole, without, until)

    def _join(self, tx: Tx, sent: Join, proof: Proof, vouched: _Word | str) -> Joined:
        use_proof(tx, proof)
        identity = f"agent:{sent.agent}"
        told = (
            _by_word(vouched)
            if isinstance(vouched, _Word)
            else _by_token(tx, self._core.issuer, sent, vouched)
        )
        key = tx.get(IdentityKey, proof.jkt)
        if key is not None and (key.principal, key.joined_with) == (identity, told.id):
            return Joined(agent=sent.agent, thumbprint=proof.jkt, entry=key.entry or 0)
        if not told.good:
            raise Unauthenticated("invalid_token", _NOT_GOOD)
        if key is not None:
            raise Conflict("this key is enrolled already; make another")
        lacking = may_join(tx, identity, sent, self._core.settings.environment)
        if lacking is not None:
            raise Forbidden(lacking.description, ("I10", lacking.reason))
        if isinstance(vouched, _Word):
            # Earlier versions remember the word with its signature, and others may run beside.
            for digest in (vouched.signed, vouched.digest):
                use_jti(tx, f"workload:{vouched.expected.issuer}", digest, vouched.until)
            said = registration(tx, identity)
            if said is None or said.workload != vouched.expected:
                raise Unauthenticated("invalid_token", "another workload is registered by now")
        else:
            tx.change(JoinToken, vouched, status=USED)
        owner = owner_of(tx, identity)
        body = EnrolIdentity(jwk=dict(proof.key.jwk()), owner=owner)
        worker = Worker(sent.environment, sent.instance, sent.task_queues, told.id)
        entry = enrol(tx, identity, proof.key, body, by=identity, signed=told.said, worker=worker)
        return Joined(agent=sent.agent, thumbprint=proof.jkt, entry=entry)


@dataclass(frozen=True)
class _Told:
    """What stands behind a join; ``good`` while it may still enrol a key."""

    id: str
    good: bool
    said: Mapping[str, JsonValue]


def _by_word(word: _Word) -> _Told:
    said: dict[str, JsonValue] = {"workload": word.expected.model_dump(mode="json")}
    return _Told(word.digest, good=True, said=said)


def _by_token(tx: Tx, audience: str, sent: Join, invited: str) -> _Told:
    row = tx.get(JoinToken, invited)
    if (
        row is None
        or (row.identity, row.environment) != (f"agent:{sent.agent}", sent.environment)
        or not set(sent.task_queues) <= set(json.loads(row.task_queues_json))
    ):
        return _Told("", good=False, said={})
    good = (
        row.status == OPEN
        and tx.now < row.expires_at
        and is_given(tx, audience, "agent.invite", row.identity, row.id)
    )
    return _Told(row.id, good=good, said={"invitation": row.id, "enrolment": sent.enrolment})
