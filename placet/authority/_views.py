"""What operators may read: cases, checkpoints with their evidence, parts, identities, archives."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from placet.authority._cases import view
from placet.authority._core import Core
from placet.authority._errors import NotFound
from placet.authority._evidence import input_part, unpack
from placet.authority._holds import held_on
from placet.authority._identities import require_active, roles_of
from placet.authority._requests import use_proof
from placet.authority._seats import Asker
from placet.authority._showing import delegations, foresee, note_opened, prove, show
from placet.authority._standing_in import absences
from placet.authority._standstills import standstills_of
from placet.authority._store import (
    Case,
    Checkpoint,
    ContextBlob,
    Identity,
    IdentityKey,
    PartRow,
    Reader,
    Registered,
    Remark,
    SignedActRow,
    Tx,
)
from placet.authority._vouching import Vouching
from placet.model import (
    CaseView,
    CheckpointView,
    DelegationView,
    InputPart,
    OutcomeProof,
    Prospect,
)
from placet.tokens import Proof, SessionClaims

_MOST_AT_ONCE = 4 * 1024 * 1024
"""Bytes of parts in one answer, after which it takes no more."""

_KINDS = ("agent", "operator", "system")


class Views:
    """Reads for operators."""

    def __init__(self, core: Core, vouching: Vouching) -> None:
        self._core = core
        self._vouching = vouching

    async def admit(self, session: SessionClaims, proof: Proof) -> Asker:
        """Let an operator's read through: the proof is new, the operator and key are active.

        Returns:
            The operator, in the roles of now.

        Raises:
            Unauthenticated: the proof was used before, or the operator is not enrolled.
            Forbidden: the operator or the key is not active (I10).
        """

        def look(tx: Tx) -> Asker:
            use_proof(tx, proof)
            require_active(tx, session.sub, session.cnf.jkt, tx.now)
            identity = tx.get(Identity, session.sub)
            roles = () if identity is None else roles_of(identity)
            return Asker(session.sub, roles, absences(tx, session.sub, tx.now))

        await self._vouching.ask_of(session.sub, session.cnf.jkt)
        return await self._core.store.write(look)

    async def case(self, case_id: str) -> CaseView:
        """One case.

        Raises:
            NotFound: there is none.
        """

        def read(reader: Reader) -> CaseView:
            row = reader.get(Case, case_id)
            if row is None:
                raise NotFound("there is no such case")
            found = view(row, standstills_of(reader, [case_id]).get(case_id))
            return found.model_copy(update={"held_on": held_on(reader, row.subject)})

        return await self._core.store.read(read)

    async def checkpoint(self, checkpoint_id: str, operator: str) -> CheckpointView:
        """One checkpoint; since when this operator has had its evidence open is remembered.

        Raises:
            NotFound: there is none.
        """

        def read(tx: Tx) -> CheckpointView:
            row = _row(tx, checkpoint_id)
            note_opened(tx, row, operator)
            return show(tx, row)

        return await self._core.store.write(read)

    async def prospect(self, checkpoint_id: str, operator: str) -> Prospect:
        """What a word of this operator would do at a checkpoint now.

        Raises:
            NotFound: there is no such checkpoint.
        """
        now = self._core.clock()
        return await self._core.store.read(
            lambda reader: foresee(reader, _row(reader, checkpoint_id), operator, now)
        )

    async def proof(self, checkpoint_id: str) -> OutcomeProof:
        """Why a checkpoint stands where it stands.

        Raises:
            NotFound: there is none.
        """
        return await self._core.store.read(
            lambda reader: prove(reader, _row(reader, checkpoint_id))
        )

    async def attachment(self, checkpoint_id: str, act: str) -> tuple[bytes, str]:
        """A file that was attached to a checkpoint, and its media type as it was told.

        Raises:
            NotFound: there is none.
        """

        def read(reader: Reader) -> tuple[bytes, str]:
            row = reader.get(Remark, act)
            if row is None or row.checkpoint_id != checkpoint_id or row.media_type is None:
                raise NotFound("the checkpoint has no such file")
            if not row.content:  # it was erased
                raise NotFound("the checkpoint has no such file")
            return row.content, row.media_type

        return await self._core.store.read(read)

    async def delegations(self, operator: str) -> list[DelegationView]:
        """What an operator has handed over, and what was handed over to them."""
        return await self._core.store.read(lambda reader: delegations(reader, operator))

    async def part(self, case_id: str, digest: str) -> InputPart:
        """One settled part of a case.

        Raises:
            NotFound: there is none.
        """

        def read(reader: Reader) -> InputPart:
            row = reader.first(PartRow, PartRow.case_id == case_id, PartRow.digest == digest)
            if row is None:
                raise NotFound("the case has no such part")
            if not row.content:
                raise NotFound("what this part said was erased")
            return input_part(row)

        return await self._core.store.read(read)

    async def kept(self, digest: str) -> dict[str, str]:
        """What is kept beside the ledger under a salted digest: a context, a reasoning, a reason.

        Raises:
            NotFound: nothing is.
        """
        row = await self._core.store.read(lambda reader: reader.get(ContextBlob, digest))
        if row is None:
            raise NotFound("nothing is kept under this digest")
        return {"digest": row.digest, "salt": row.salt, "content": row.content.decode()}

    async def act(self, jti: str) -> dict[str, str]:
        """A signed act with its body, as it was sent.

        Raises:
            NotFound: there is none.
        """
        row = await self._core.store.read(lambda reader: reader.get(SignedActRow, jti))
        if row is None:
            raise NotFound("there is no such act")
        return {"jti": row.jti, "act": row.jws, "body": row.body_json or "{}"}

    async def contents(
        self, acts: Sequence[str], kept: Sequence[str], parts: Sequence[str]
    ) -> dict[str, Any]:
        """What the ledger's entries name, by its names; what there is not is left out.

        ``later`` are the names for which this answer has no room: to be asked for again.
        """

        def read(reader: Reader) -> dict[str, Any]:
            found: dict[str, dict[str, Any]] = {"acts": {}, "kept": {}, "parts": {}}
            for act in reader.all(SignedActRow, col(SignedActRow.jti).in_(acts)):
                found["acts"][act.jti] = {"act": act.jws, "body": act.body_json or "{}"}
            for blob in reader.all(ContextBlob, col(ContextBlob.digest).in_(kept)):
                content = blob.content.decode()
                found["kept"][blob.digest] = {"salt": blob.salt, "content": content}
            room, later = _MOST_AT_ONCE, list[str]()
            for number, digest in enumerate(parts):
                row = reader.first(PartRow, PartRow.digest == digest)
                if row is None or not row.content:
                    continue
                part = unpack(row)
                found["parts"][digest] = part.model_dump(mode="json", exclude_none=True)
                room -= len(part.content())
                if room < 0:
                    later = [*parts[number + 1 :]]
                    break
            return {**found, "later": later}

        return await self._core.store.read(read)

    async def identities(self, kind: str) -> list[dict[str, Any]]:
        """The identities of a kind, with their keys' thumbprints.

        Raises:
            NotFound: there is no such kind.
        """
        if kind not in _KINDS:
            raise NotFound(f"there are identities of the kinds {', '.join(_KINDS)} alone")

        def read(reader: Reader) -> list[dict[str, Any]]:
            keys: dict[str, list[str]] = {}
            theirs = select(col(Identity.principal)).where(col(Identity.kind) == kind)
            for key in reader.all(IdentityKey, col(IdentityKey.principal).in_(theirs)):
                keys.setdefault(key.principal, []).append(key.thumbprint)
            owners = {row.identity: row.owner for row in reader.all(Registered)}
            return [
                {
                    "principal": row.principal,
                    "status": row.status,
                    "roles": json.loads(row.roles_json),
                    "owner": owners.get(row.principal),
                    "keys": sorted(keys.get(row.principal, [])),
                    "enrolled_at": row.enrolled_at.isoformat(),
                }
                for row in reader.all(
                    Identity, Identity.kind == kind, order_by=[Identity.principal]
                )
            ]

        return await self._core.store.read(read)


def _row(reader: Reader, checkpoint_id: str) -> Checkpoint:
    row = reader.get(Checkpoint, checkpoint_id)
    if row is None:
        raise NotFound("there is no such checkpoint")
    return row
