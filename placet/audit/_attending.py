"""What people did at a checkpoint besides deciding: they could, and left what the act says."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from pydantic import JsonValue, ValidationError

from placet.audit._people import People
from placet.audit._scene import Case, Scene
from placet.audit._standing import Standing
from placet.ledger import Entry, EntryType
from placet.model import (
    Adjust,
    Attach,
    AuthorityMatrix,
    CheckpointDefinition,
    CheckpointStatus,
    CheckpointView,
    Comment,
    EvidenceItem,
    KeyIn,
    ProcessDefinition,
    salted_digest,
)
from placet.rules import entitled

AT_CHECKPOINT = {
    EntryType.CHECKPOINT_CLAIMED,
    EntryType.CHECKPOINT_UNCLAIMED,
    EntryType.CHECKPOINT_COMMENTED,
    EntryType.CHECKPOINT_ATTACHED,
    EntryType.CHECKPOINT_ADJUSTED,
    EntryType.CHECKPOINT_KEYED,
    EntryType.CHECKPOINT_RECALLED,
}
"""What people do at a checkpoint besides deciding."""

_REMARKS = {EntryType.CHECKPOINT_COMMENTED, EntryType.CHECKPOINT_ATTACHED}
_FOR_DECIDERS = {EntryType.CHECKPOINT_CLAIMED, EntryType.CHECKPOINT_ADJUSTED}
_CHANGES = {EntryType.CHECKPOINT_ADJUSTED, EntryType.CHECKPOINT_KEYED}
_ROWS, _VALUES = "rows", "values"
_Left = tuple[str, dict[str, JsonValue]]
"""A part's name, and all that it says."""


def attended(
    scene: Scene,
    people: People,
    entry: Entry,
    case: Case,
    standing: Standing,
    view: CheckpointView | None,
) -> None:
    """One such act: at an open checkpoint, by someone who may, and its part is what was signed."""
    checkpoint, opened = standing.id, standing.opened.data
    roles = people.roles(entry.actor)
    if standing.status is not CheckpointStatus.OPEN:
        scene.trouble("checkpoint-ended", f"{checkpoint} was {standing.status} before")
    elif standing.is_past(entry.time):
        scene.trouble("checkpoint-ended", f"the deadline of {checkpoint} was past")
    if not case.is_open:
        scene.trouble("case-not-open", f"{entry.case} was closed, or stopped")
    if entry.type in _FOR_DECIDERS and (
        view is None or not entitled(standing.asked(view), (entry.actor,), roles)
    ):
        scene.trouble("act-refusable", f"{entry.actor} may not decide at {checkpoint}")
    if entry.type in _REMARKS:
        _is_there(scene, entry, view)
    if entry.type not in _CHANGES:
        return
    if entry.data.get("evidence_digest") != opened.get("evidence_digest"):
        scene.trouble("evidence-digest", f"{checkpoint} showed other evidence")
    definition = scene.processes.get(case.process_digest)
    if entry.type is EntryType.CHECKPOINT_KEYED:
        case.keyers.add(entry.actor)
        keyers = {role for each in _matrices(scene, definition) for role in each.keyers}
        if keyers.isdisjoint(roles):
            scene.trouble("act-refusable", f"{entry.actor} is in no role that may key values")
    defined = None if definition is None else definition.checkpoint(str(opened.get("name")))
    expected = _signed(scene, entry, case, view, defined)
    leaves(scene, entry)
    if expected is not None:
        _say(scene, entry, case, [expected])


def _is_there(scene: Scene, entry: Entry, view: CheckpointView | None) -> None:
    """What a person left for others to read is there, as it was signed."""
    act = str(entry.data.get("act"))
    signed = scene.files.acts.get(act)
    if signed is None:
        return  # told with the act
    try:
        if entry.type is EntryType.CHECKPOINT_ATTACHED:
            salt = Attach.model_validate_json(signed.body).salt
            _file_is_there(scene, act, salt, entry.data.get("attachment_digest"))
        elif view is not None and scene.files.indices is None:  # a case's proof has the act alone
            text = Comment.model_validate_json(signed.body).text
            _comment_is_there(scene, act, text, view)
    except ValidationError:
        return  # that the body does not fit its entry is told with the act


def _file_is_there(scene: Scene, act: str, salt: str, digest: JsonValue) -> None:
    content = scene.files.attachments.get(act)
    if content is None:
        scene.trouble("attachment-missing", f"the file that {act} attached is not there")
    elif salted_digest(salt, content) != digest:
        scene.trouble("attachment-digest", f"the file kept of {act} is not the one of the ledger")


def _comment_is_there(scene: Scene, act: str, text: str, view: CheckpointView) -> None:
    shown = [each.text for each in view.remarks if each.act == act]
    if not shown:
        scene.trouble("comment-missing", f"the comment that {act} left is not shown")
    elif shown != [text]:
        scene.trouble("comment-other", f"people are shown other words than {act} signed")


def leaves(scene: Scene, entry: Entry) -> None:
    """The parts that a person's act left: they are there, and may be shown from now on."""
    for told in _told(entry):
        digest = str(told.get("digest"))
        scene.content("part", scene.files.parts, digest)
        try:
            item = EvidenceItem.model_validate(
                {
                    **told,
                    "record": scene.cases[entry.case or ""].subject,
                    "agent": entry.actor,
                    "act": entry.data.get("act"),
                }
            )
        except (ValidationError, KeyError):
            scene.trouble("part-not-produced", "the act leaves no part")
        else:
            scene.left(item, entry.case or "")


def handed_in_again(scene: Scene, people: People, entry: Entry, case: Case) -> None:
    """A record came back: what people had left on the one before is dropped, and nothing else."""
    definition = scene.processes.get(case.process_digest)
    openers = {role for each in _matrices(scene, definition) for role in each.openers}
    if openers.isdisjoint(people.roles(entry.actor)):
        scene.trouble("act-refusable", f"{entry.actor} is in no role that may hand it in")
    pairs = [
        pair
        for each in (() if definition is None else definition.checkpoints)
        for pair in ((each.adjustments, _ROWS), (each.keyed, _VALUES))
    ]
    dropped: list[_Left] = [
        (name, {member: []})
        for name, member in dict.fromkeys(pairs)
        if name is not None and _listed(scene, case, name, member)
    ]
    leaves(scene, entry)
    _say(scene, entry, case, dropped)


def _matrices(scene: Scene, definition: ProcessDefinition | None) -> Iterator[AuthorityMatrix]:
    """A process's matrices so far: which of them was in force, a bundle can't say."""
    name = None if definition is None else definition.name
    for digest, matrix in scene.matrices.items():
        if digest in scene.published and matrix.process == name:
            yield matrix


def _told(entry: Entry) -> list[dict[str, JsonValue]]:
    parts = entry.data.get("parts")
    listed = parts if isinstance(parts, list) else []
    return [each if isinstance(each, dict) else {} for each in listed]


def _listed(scene: Scene, case: Case, name: str, member: str) -> list[JsonValue]:
    """What people have left so far under a name; nothing before anyone left a part of it."""
    item = case.newest.get(name, {}).get(case.subject)
    part = None if item is None else scene.part(item.digest)
    listed = None if part is None else part.data.get(member)
    return listed if isinstance(listed, list) else []


def _say(scene: Scene, entry: Entry, case: Case, expected: list[_Left]) -> None:
    """The parts that a person's act left are these, on the case's record, and propose nothing."""
    if entry.case in scene.erased:
        return
    found: list[_Left | None] = []
    for told in _told(entry):
        part = scene.part(str(told.get("digest")))
        plain = part is not None and part.record == case.subject and part.proposal is None
        if part is None or not plain or part.name != told.get("name"):
            found.append(None)
        else:
            found.append((part.name, part.data))
    if found != expected:
        scene.trouble("part-says-other", "what the act leaves is not what was signed, on what was")


def _signed(
    scene: Scene,
    entry: Entry,
    case: Case,
    view: CheckpointView | None,
    defined: CheckpointDefinition | None,
) -> _Left | None:
    """What the part lists: what people had left before, and what this one signed, in their name."""
    act = scene.files.acts.get(str(entry.data.get("act")))
    if act is None or defined is None:
        return None  # told with the act, and with the case
    own = {"by": entry.actor, "act": entry.data.get("act")}
    try:
        if entry.type is EntryType.CHECKPOINT_ADJUSTED:
            name, member = defined.adjustments, _ROWS
            lowered = Adjust.model_validate_json(act.body)
            listed = [each.model_dump(mode="json") for each in lowered.rows]
            proposed = None if view is None else view.evidence.proposal.amount
            taken = sum((each.amount for each in lowered.rows), Decimal(0))
            if proposed is None or not 0 < lowered.amount == proposed - taken:
                scene.trouble("adjustment", "the rows do not add up to the amount that is left")
            instead: set[tuple[JsonValue, ...]] = set()
        else:
            name, member = defined.keyed, _VALUES
            listed = [
                each.model_dump(mode="json") for each in KeyIn.model_validate_json(act.body).values
            ]
            instead = {_spot(each) for each in listed}
    except ValidationError:
        return None  # that the body does not fit its entry is told with the act
    if name is None:
        scene.trouble("act-refusable", f"the process lets nobody do that at {defined.name}")
        return None
    before = _listed(scene, case, name, member)
    kept = [each for each in before if isinstance(each, dict) and _spot(each) not in instead]
    return name, {member: [*kept, *({**each, **own} for each in listed)]}


def _spot(value: Mapping[str, JsonValue]) -> tuple[JsonValue, ...]:
    return value.get("document"), value.get("spot"), value.get("field")
