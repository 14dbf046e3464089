"""Acts that two people must sign: proposed by one, carried out when the other has signed too.

1. (I6) What is in :data:`placet.model.NEEDS_TWO` takes effect, where the lender asks for two, only
   when a second and different person signed the same body: an administrator, or, for a new key of
   someone who has one already, that person with an earlier key.
2. Both are active when it takes effect, and the first one's signature is verified again.
3. (I4) The second signature, the effect and their entries are one transaction. What is withdrawn or
   has lapsed never takes effect.
"""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta

from placet.authority._acts._act import (
    Act,
    Handler,
    No,
    body_of,
    kept_apart,
    require_role,
    write_entry,
)
from placet.authority._core import Core
from placet.authority._errors import Conflict, Invalid, NotFound
from placet.authority._facts import FetchedFacts
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE, key_standing, roles_of
from placet.authority._notices import put_notice
from placet.authority._store import Identity, ProposalRow, Reader, SignedActRow, Tx
from placet.model import (
    ADMINISTRATOR,
    AUTHORITY,
    ActAnswer,
    ActClaims,
    Countersign,
    Digest,
    ProposalStatus,
    ProposalView,
    Reason,
    canonical_json,
    digest_json,
)
from placet.tokens import PublicKey

COUNTERSIGN = "act.countersign"
PROPOSED = ProposalStatus.PROPOSED.value
PAGE = 100

Verify = Callable[[Reader, str], tuple[ActClaims, PublicKey]]
"""Verifies an act that was signed some time ago; raises what answers a broken one."""


class ProposalActs:
    """Keeps what waits for a second signature, and carries it out when it comes."""

    def __init__(self, core: Core, handlers: Mapping[str, Handler], verify: Verify) -> None:
        self._core = core
        self._carried_out = handlers
        self._verify = verify

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        return {COUNTERSIGN: self._countersign, "act.withdraw": self._withdraw}

    def propose(self, tx: Tx, act: Act) -> ActAnswer:
        """Let an act wait for its second signature; the caller keeps the signed act."""
        rules = governance(tx)
        lapses = tx.now + timedelta(hours=rules.proposal_hours)
        jti = act.claims.jti
        entry = write_entry(
            tx,
            "act.proposed",
            act,
            {
                "proposal": jti,
                "name": act.claims.act,
                "body_digest": act.claims.body_digest,
                "lapses_at": int(lapses.timestamp()),
            },
        )
        tx.add(
            ProposalRow(
                jti=jti,
                status=PROPOSED,
                body_digest=act.claims.body_digest,
                proposed_at=tx.now,
                lapses_at=lapses,
            )
        )
        put_notice(
            tx,
            "act.proposed",
            jti,
            to=(f"role:{ADMINISTRATOR}",),
            data={"act": act.claims.act, "target": act.claims.target},
        )
        return ActAnswer(act=act.claims.act, target=act.claims.target, entry=entry, status=PROPOSED)

    def _countersign(self, tx: Tx, act: Act) -> ActAnswer:
        proposal, kept = _waiting(tx, act.claims.target)
        if tx.now >= proposal.lapses_at:
            raise Conflict("this act has lapsed; propose it again")
        said = body_of(act, Countersign)
        if (said.act, said.target, said.body_digest) != (
            kept.act,
            kept.target,
            proposal.body_digest,
        ):
            raise Invalid("invalid_request", "body: it is not what was proposed; read it again")
        if act.actor == kept.issuer:
            raise No("the second signature is another person's", "segregation")
        owner = kept.act == "operator.enrol" and act.actor == kept.target  # with a key of theirs
        if not owner:
            require_role(act, ADMINISTRATOR)
        proposed = self._proposed(tx, kept, proposal.body_digest, second=act.claims.jti)
        write_entry(tx, "act.countersigned", act, {"proposal": kept.jti})
        try:
            done = self._carried_out[kept.act](tx, proposed)
        except No as error:
            raise Conflict(str(error), error.refused.reasons) from None
        _end(tx, proposal, ProposalStatus.EFFECTIVE, act.actor)
        tx.change(
            SignedActRow,
            kept.jti,
            answer_json=done.model_dump_json(exclude_none=True),
            entry=done.entry,
        )
        return done.model_copy(update={"act": COUNTERSIGN, "target": kept.jti})

    def _proposed(self, tx: Tx, kept: SignedActRow, body_digest: Digest, second: str) -> Act:
        """The act as its first signer signed it, who must still be one who may."""
        claims, key = self._verify(tx, kept.jws)
        body = json.loads(kept.body_json or "{}")
        if claims.jti != kept.jti or {digest_json(body), claims.body_digest} != {body_digest}:
            raise Conflict("what is kept of this act is not what was signed")
        standing = key_standing(tx, claims.iss, key.thumbprint, tx.now)
        if standing != ACTIVE:
            raise No(f"who proposed it, or their key, is {standing}", "I10", standing)
        identity = tx.get(Identity, claims.iss)
        roles = () if identity is None else roles_of(identity)
        return Act(claims, body, roles, FetchedFacts(), key.thumbprint, second)

    def _withdraw(self, tx: Tx, act: Act) -> ActAnswer:
        proposal, kept = _waiting(tx, act.claims.target)
        if act.actor != kept.issuer:
            require_role(act, ADMINISTRATOR)
        body = body_of(act, Reason)
        entry = write_entry(
            tx,
            "act.withdrawn",
            act,
            {"proposal": kept.jti, "reason_digest": kept_apart(self._core, tx, body.reason)},
        )
        _end(tx, proposal, ProposalStatus.WITHDRAWN, act.actor)
        return ActAnswer(act=act.claims.act, target=kept.jti, entry=entry)


async def lapse_proposals(core: Core) -> None:
    """End what nobody signed in time."""
    now = core.clock()
    due = await core.store.read(
        lambda reader: reader.all(
            ProposalRow, ProposalRow.status == PROPOSED, ProposalRow.lapses_at <= now, limit=PAGE
        )
    )

    def lapse(tx: Tx) -> None:
        for each in due:
            current = tx.get(ProposalRow, each.jti)
            if current is None or current.status != PROPOSED or tx.now < current.lapses_at:
                continue
            tx.append("act.lapsed", AUTHORITY, {"proposal": each.jti})
            _end(tx, current, ProposalStatus.LAPSED, AUTHORITY)

    if due:
        await core.store.write(lapse)


async def list_proposals(core: Core, status: str | None, after: str) -> list[ProposalView]:
    """A page of proposals by ``jti``."""
    where = [ProposalRow.jti > after]
    where += [ProposalRow.status == status] if status else []
    return await core.store.read(
        lambda reader: [
            _view(reader, row)
            for row in reader.all(ProposalRow, *where, order_by=[ProposalRow.jti], limit=PAGE)
        ]
    )


async def show_proposal(core: Core, jti: str) -> ProposalView:
    """One proposal.

    Raises:
        NotFound: there is none.
    """

    def read(reader: Reader) -> ProposalView:
        row = reader.get(ProposalRow, jti)
        if row is None:
            raise NotFound("no such act waits, or waited, for a second signature")
        return _view(reader, row)

    return await core.store.read(read)


def _waiting(tx: Tx, jti: str) -> tuple[ProposalRow, SignedActRow]:
    proposal = tx.get(ProposalRow, jti)
    if proposal is None:
        raise Conflict("no such act waits for a second signature")
    if proposal.status != PROPOSED:
        raise Conflict(f"this act is {proposal.status}; it waits for nobody")
    kept = tx.get(SignedActRow, jti)
    assert kept is not None  # it was kept with the proposal
    return proposal, kept


def _end(tx: Tx, proposal: ProposalRow, status: ProposalStatus, by: str) -> None:
    tx.change(ProposalRow, proposal.jti, status=status.value, ended_at=tx.now, ended_by=by)


def _view(reader: Reader, row: ProposalRow) -> ProposalView:
    kept = reader.get(SignedActRow, row.jti)
    assert kept is not None
    return ProposalView.model_validate(
        {
            "jti": row.jti,
            "act": kept.act,
            "target": kept.target,
            "proposed_by": kept.issuer,
            "proposed_at": row.proposed_at,
            "lapses_at": row.lapses_at,
            "status": row.status,
            "body_digest": row.body_digest,
            "body": json.loads(kept.body_json or canonical_json({}).decode()),
            "ended_by": row.ended_by,
            "ended_at": row.ended_at,
            "jws": kept.jws,
        }
    )
