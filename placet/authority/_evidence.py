"""Settled parts, and the evidence of a checkpoint put together from them (invariant I13).

A part counts if it was settled under a grant, by the agent that the signed process lets produce
it. What a proposal was made from are the parts that its own grant had read; if a newer one has
been settled since, the proposal is stale.
"""

import zlib
from dataclasses import dataclass

from placet.authority._store import Grant, GrantInput, PartRow, Reader, Tx
from placet.model import (
    CheckpointDefinition,
    Evidence,
    EvidenceItem,
    InputPart,
    Part,
    ProcessDefinition,
    Proposal,
)
from placet.rules import said_digest

_NEWEST_FIRST = [PartRow.seq.desc()]  # type: ignore[attr-defined]  # a column on the class


@dataclass(frozen=True)
class Gathered:
    """A checkpoint's evidence: its items, the proposal, and the part that carries it.

    ``said`` has the digest of what each item says, without its salt.
    """

    items: tuple[EvidenceItem, ...]
    proposal: Proposal
    proposed_by: PartRow
    said: tuple[str, ...]


class NoEvidence(Exception):
    """The evidence is not there, or not all of it is the newest; the message says which part."""


def pack(part: Part) -> bytes:
    """A part's content as it rests in the store."""
    return zlib.compress(part.model_dump_json(exclude_none=True).encode())


def unpack(row: PartRow) -> Part:
    """The part of a row."""
    return Part.model_validate_json(zlib.decompress(row.content))


def newest_parts(reader: Reader, case: str, name: str) -> list[PartRow]:
    """The newest part of that name for each record, by record."""
    newest: dict[str, PartRow] = {}
    for row in reader.all(
        PartRow, PartRow.case_id == case, PartRow.name == name, order_by=_NEWEST_FIRST
    ):
        newest.setdefault(row.record, row)
    return [newest[record] for record in sorted(newest)]


def input_part(row: PartRow) -> InputPart:
    """A settled part as a later step or a person reads it."""
    return InputPart(
        part=unpack(row), digest=row.digest, grant=row.grant_id, act=row.act, agent=row.agent
    )


def gather(
    reader: Reader, definition: ProcessDefinition, checkpoint: CheckpointDefinition, case: str
) -> Gathered:
    """Put a checkpoint's evidence together from what was settled.

    Raises:
        NoEvidence: the proposal is missing or stale, or was made without reading what people are
            to see and it might have read; or a part was settled by another agent than the process
            lets produce it.
    """
    proposed = newest_parts(reader, case, checkpoint.proposal)
    if len(proposed) != 1:
        raise NoEvidence(f"{len(proposed)} parts named {checkpoint.proposal} were settled, not 1")
    lead = proposed[0]
    proposal = unpack(lead).proposal
    if proposal is None:
        raise NoEvidence(f"the part {checkpoint.proposal} proposes nothing")
    read = _read_by(reader, lead.grant_id or "")
    might_read = _inputs_of(reader, definition, lead.grant_id or "")
    rows = [lead]
    for name in checkpoint.evidence:
        if name == checkpoint.proposal:
            continue
        for row in newest_parts(reader, case, name):
            if row.digest in read:
                rows.append(row)
            elif name in checkpoint.left_by_people:
                raise NoEvidence(f"the {checkpoint.proposal} was made without what people left")
            elif any(each.name == name and each.record == row.record for each in read.values()):
                raise NoEvidence(f"{name} is newer than the {checkpoint.proposal} made from it")
            elif name in might_read:
                raise NoEvidence(f"the {checkpoint.proposal} was made without reading {name}")
    for row in rows:
        _require_producer(definition, row)
    items = tuple(
        EvidenceItem(
            name=row.name,
            record=row.record,
            digest=row.digest,
            agent=row.agent,
            grant=row.grant_id,
            act=row.act,
        )
        for row in rows
    )
    return Gathered(items, proposal, lead, tuple(row.said for row in rows))


def says_the_same(reader: Reader, gathered: Gathered, evidence: Evidence) -> bool:
    """Whether evidence says what was gathered, part by part; made again, it is salted anew.

    Each part must be of the same name, record and author, and say the same to the letter.
    """
    if gathered.proposal != evidence.proposal or len(gathered.items) != len(evidence.items):
        return False
    for item, said, shown in zip(gathered.items, gathered.said, evidence.items, strict=True):
        if (item.name, item.record, item.agent) != (shown.name, shown.record, shown.agent):
            return False
        if item.digest != shown.digest:
            row = reader.first(PartRow, PartRow.digest == shown.digest)
            if row is None or row.said != said:
                return False
    return True


def keep_part(
    tx: Tx,
    part: Part,
    *,
    case: str,
    author: str,
    grant: str | None = None,
    act: str | None = None,
) -> str:
    """Keep a part that an agent or a person left; its salted digest."""
    digest = part.digest
    tx.add(
        PartRow(
            digest=digest,
            case_id=case,
            name=part.name,
            record=part.record,
            grant_id=grant,
            act=act,
            agent=author,
            said=said_digest(part),
            salt=part.salt,
            content=pack(part),
            settled_at=tx.now,
        )
    )
    return digest


def _inputs_of(reader: Reader, definition: ProcessDefinition, grant: str) -> tuple[str, ...]:
    """The parts that a grant's step may read: what people are to see, none leaves unread."""
    row = reader.get(Grant, grant)
    step = None if row is None else definition.step(row.activity_type)
    return () if step is None else step.inputs


def _read_by(reader: Reader, grant: str) -> dict[str, PartRow]:
    """The parts that a grant's step had read, by digest."""
    found: dict[str, PartRow] = {}
    for each in reader.all(GrantInput, GrantInput.grant_id == grant):
        row = reader.first(PartRow, PartRow.digest == each.part_digest)
        if row is not None:
            found[row.digest] = row
    return found


def _require_producer(definition: ProcessDefinition, row: PartRow) -> None:
    if row.act is not None and any(row.name in c.left_by_people for c in definition.checkpoints):
        return
    producers = {f"agent:{step.agent}" for step in definition.steps if row.name in step.produces}
    if row.agent not in producers:
        raise NoEvidence(f"{row.name} was settled by an agent that does not produce it")
