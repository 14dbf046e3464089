"""Who had a hand in a case, or approved the cases before it: who may not decide in it (I6)."""

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from placet.authority._counted import asked_of, counted_decisions
from placet.authority._evidence import unpack
from placet.authority._registry import owners_since
from placet.authority._resubmissions import resubmitters
from placet.authority._store import (
    Case,
    Checkpoint,
    PartRow,
    Reader,
    SignedActRow,
    table_of,
)
from placet.model import (
    CheckpointDefinition,
    CheckpointRule,
    CheckpointStatus,
    EvidenceItem,
    Exclusion,
    NamedHand,
    NotAgain,
    Part,
    Principal,
    ProcessDefinition,
    Proposal,
    template_variables,
)
from placet.rules import (
    approvals,
    excluded,
    named_decider,
    named_hands,
    named_subject,
    subject_variables,
)

KEY_IN = "checkpoint.key"
_PART, _ACT, _CHECKPOINT = table_of(PartRow), table_of(SignedActRow), table_of(Checkpoint)
_AUTHORS = select(_PART.c.agent).where(_PART.c.case_id == bindparam("case")).distinct()


def barred(
    reader: Reader,
    definition: ProcessDefinition,
    rule: CheckpointRule | None,
    case: Case,
    proposal: Proposal,
) -> tuple[Exclusion, ...]:
    """Who may not decide at the checkpoint of ``rule`` in this case, and why."""
    rows = reader.execute(_AUTHORS, {"case": case.id})
    agents = sorted(str(row.agent) for row in rows if row.agent.startswith("agent:"))
    earlier: dict[Principal, str] = {}
    if rule is not None and rule.not_again is not None:
        earlier = approvers_before(reader, definition, rule.checkpoint, rule.not_again, case)
    return excluded(
        case.opened_by,
        proposal.preparers,
        resubmitters=resubmitters(reader, case.id),
        keyers=_keyers(reader, case),
        owners=owners_since(reader, agents, case.entry or 0),
        approved_earlier=earlier,
    )


def _keyers(reader: Reader, case: Case) -> tuple[Principal, ...]:
    """Who keyed a value in the case, at whichever of its checkpoints."""
    asked = reader.execute(
        select(_ACT.c.issuer)
        .join(_CHECKPOINT, _CHECKPOINT.c.id == _ACT.c.target)
        .where(_CHECKPOINT.c.case_id == case.id, _ACT.c.act == KEY_IN)
        .distinct()
    )
    return tuple(sorted(str(each.issuer) for each in asked))


def named(
    reader: Reader, checkpoint: CheckpointDefinition, items: Iterable[EvidenceItem]
) -> tuple[NamedHand, ...]:
    """Whom the evidence names as having had a hand in it, where the process says that it does."""
    wanted = {each.part for each in checkpoint.named}
    rows = [
        reader.first(PartRow, PartRow.digest == each.digest)
        for each in items
        if each.name in wanted
    ]
    return named_hands(checkpoint.named, [unpack(row) for row in rows if row is not None])


def decider(
    reader: Reader, checkpoint: CheckpointDefinition, items: Iterable[EvidenceItem]
) -> Principal | None:
    """The one person who decides, where the process says that its evidence names them."""
    if checkpoint.decided_by is None:
        return None
    return named_decider(checkpoint, _parts(reader, items))


def about(
    reader: Reader, checkpoint: CheckpointDefinition, items: Iterable[EvidenceItem]
) -> str | None:
    """What is decided about, where the process says that its evidence names it."""
    if checkpoint.about is None:
        return None
    return named_subject(checkpoint, _parts(reader, items))


def _parts(reader: Reader, items: Iterable[EvidenceItem]) -> list[Part]:
    found = (reader.first(PartRow, PartRow.digest == each.digest) for each in items)
    return [unpack(row) for row in found if row is not None]


def approvers_before(
    reader: Reader, definition: ProcessDefinition, name: str, looks: NotAgain, case: Case
) -> dict[Principal, str]:
    """Who approved at a checkpoint of this name in the last cases, and in which of them."""
    bound = subject_variables(definition, case.subject)
    same = {each: bound[each] for each in looks.same if each in bound}
    found: dict[Principal, str] = {}
    looked = 0
    for row in reader.all(
        Case,
        Case.process == case.process,
        table_of(Case).c.subject.startswith(_prefix(definition.subject, same), autoescape=True),
        Case.closed_at.is_not(None),  # type: ignore[union-attr]  # a column on the class
        order_by=[Case.entry.desc()],  # type: ignore[union-attr]  # a column on the class
    ):
        if not same.items() <= subject_variables(definition, row.subject).items():
            continue
        looked += 1
        for person in _approvers(reader, row.id, name):
            found.setdefault(person, row.id)
        if looked == looks.cases:
            break
    return found


def _approvers(reader: Reader, case: str, name: str) -> Iterable[Principal]:
    for row in reader.all(
        Checkpoint,
        Checkpoint.case_id == case,
        Checkpoint.name == name,
        Checkpoint.status == CheckpointStatus.APPROVED.value,
    ):
        asked = asked_of(row)
        for each in approvals(asked, counted_decisions(reader, row.id)):
            yield each.operator


def _prefix(template: str, same: dict[str, str]) -> str:
    """The beginning that every such subject has: up to the first variable that may differ."""
    prefix: list[str] = []
    for segment in template.split("/"):
        free = template_variables(f"any/{segment}")
        if free and free[0] not in same:
            break
        prefix.append(segment.format_map(same))
    return "".join(f"{each}/" for each in prefix)
