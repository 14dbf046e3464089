"""Evidence, gathered again: people are shown the newest, and all that was made use of (I13).

As the authority gathers it: the proposal that was left last, and of the other parts that the signed
process has people see, those that the step which proposed had read. One that was left since makes
the proposal stale.
"""

from placet.audit._scene import Case, Scene
from placet.model import CheckpointDefinition, EvidenceItem


class NotToBeAsked(Exception):
    """People could not be asked then; the message says why."""


def gathered(
    scene: Scene, case: Case, checkpoint: CheckpointDefinition
) -> tuple[EvidenceItem, ...]:
    """The evidence of a checkpoint that opens at this place of the log.

    Raises:
        NotToBeAsked: there is no one proposal, or it is older than what it rests on.
    """
    proposed = case.newest.get(checkpoint.proposal, {})
    if len(proposed) != 1:
        raise NotToBeAsked(f"{len(proposed)} parts named {checkpoint.proposal} were settled, not 1")
    (lead,) = proposed.values()
    grant = scene.grants.get(lead.grant or "")
    read = frozenset() if grant is None else grant.read
    told = {(each.name, each.record) for each in map(scene.parts.get, read) if each is not None}
    items = [lead]
    for name in checkpoint.evidence:
        if name == lead.name:
            continue
        for record, item in sorted(case.newest.get(name, {}).items()):
            if item.digest in read:
                items.append(item)
            elif name in checkpoint.left_by_people:
                raise NotToBeAsked(f"the {lead.name} was made without what people left")
            elif (name, record) in told:
                raise NotToBeAsked(f"{name} is newer than the {lead.name} made from it")
    return tuple(items)
