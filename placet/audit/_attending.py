"""What people did at a checkpoint besides deciding: they could, and left what the act says."""

from decimal import Decimal

from pydantic import JsonValue, ValidationError

from placet.audit._people import People
from placet.audit._scene import Scene
from placet.ledger import Entry, EntryType
from placet.model import (
    Adjust,
    Attach,
    CheckpointStatus,
    CheckpointView,
    Comment,
    EvidenceItem,
    KeyIn,
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


def attended(
    scene: Scene,
    people: People,
    entry: Entry,
    opened: Entry,
    status: CheckpointStatus,
    view: CheckpointView | None,
) -> None:
    """One such act: at an open checkpoint, by someone who may, and its part is what was signed."""
    checkpoint, case = str(entry.data.get("target")), scene.cases.get(entry.case or "")
    if status is not CheckpointStatus.OPEN:
        scene.trouble("checkpoint-ended", f"{checkpoint} was {status} before")
    if entry.type in _FOR_DECIDERS and (
        view is None or not entitled(view.requirement, (entry.actor,), people.roles(entry.actor))
    ):
        scene.trouble("act-refusable", f"{entry.actor} may not decide at {checkpoint}")
    if entry.type in _REMARKS:
        _is_there(scene, entry, view)
    if entry.type not in _CHANGES or case is None:
        return
    if entry.data.get("evidence_digest") != opened.data.get("evidence_digest"):
        scene.trouble("evidence-digest", f"{checkpoint} showed other evidence")
    if entry.type is EntryType.CHECKPOINT_KEYED:
        case.keyers.add(entry.actor)
        definition = scene.processes.get(case.process_digest)
        keyers = {
            role
            for digest, matrix in scene.matrices.items()
            if digest in scene.published
            and definition is not None
            and matrix.process == definition.name
            for role in matrix.keyers
        }
        if not keyers & set(people.roles(entry.actor)):
            scene.trouble("act-refusable", f"{entry.actor} is in no role that may key values")
    leaves(scene, entry)
    _says_what_was_signed(scene, entry, view)


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
    parts = entry.data.get("parts")
    for part in parts if isinstance(parts, list) else ():
        told: dict[str, JsonValue] = part if isinstance(part, dict) else {}
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


def _says_what_was_signed(scene: Scene, entry: Entry, view: CheckpointView | None) -> None:
    """The part lists what the signed body lists, in that person's name; the amounts add up."""
    act = scene.files.acts.get(str(entry.data.get("act")))
    parts = entry.data.get("parts")
    told = parts[0] if isinstance(parts, list) and len(parts) == 1 else None
    part = scene.part(str(told.get("digest"))) if isinstance(told, dict) else None
    if act is None or part is None:
        scene.trouble("part-not-produced", "the act does not leave one part")
        return
    signed: list[dict[str, JsonValue]]
    try:
        if entry.type is EntryType.CHECKPOINT_ADJUSTED:
            lowered = Adjust.model_validate_json(act.body)
            member, signed = "rows", [each.model_dump(mode="json") for each in lowered.rows]
            proposed = None if view is None else view.evidence.proposal.amount
            taken = sum((each.amount for each in lowered.rows), Decimal(0))
            if proposed is None or proposed - taken != lowered.amount:
                scene.trouble("adjustment", "the rows do not add up to the amount that is left")
        else:
            keyed = KeyIn.model_validate_json(act.body)
            member, signed = "values", [each.model_dump(mode="json") for each in keyed.values]
    except ValidationError:
        return  # that the body does not fit its entry is told with the act
    listed = part.data.get(member)
    own = {"by": entry.actor, "act": entry.data.get("act")}
    expected = [{**each, **own} for each in signed]
    if not isinstance(listed, list) or listed[-len(expected) :] != expected:
        scene.trouble("part-says-other", "the part lists other than the act signs")
