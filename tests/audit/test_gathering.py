"""What people are shown is gathered again: the newest parts, and all that the proposal rests on."""

import dataclasses
import json

import pytest

from placet.audit import verify
from placet.audit._gathering import NotToBeAsked, gathered
from placet.audit._report import Collector
from placet.audit._scene import Case, Grant, Scene
from placet.ledger import decode_entry
from placet.model import (
    CheckpointDefinition,
    EvidenceItem,
    digest_bytes,
    digest_json,
)
from tests.audit.recording import Recorded, changed_entry, find, names, put

RECORD, OTHER = "depot/D1/parcel/7", "depot/D1/parcel/8"
CHECKPOINT = CheckpointDefinition(
    name="release",
    title="Release",
    evidence=("second_weight", "weight", "keyed", "photograph"),
    proposal="second_weight",
    keyed="keyed",
)


def item(name: str, record: str = RECORD, version: int = 1) -> EvidenceItem:
    digest = digest_bytes(f"{name} {record} {version}".encode())
    by = {"act": "A" * 24} if name == "keyed" else {"grant": f"grant-{'a' * 26}"}
    agent = "operator:hal" if name == "keyed" else "agent:scale"
    return EvidenceItem(name=name, record=record, digest=digest, agent=agent, **by)


def shown(recorded: Recorded, left: list[EvidenceItem], read: list[EvidenceItem]) -> list[str]:
    """What is gathered from parts, in the order in which they were left; the last proposes."""
    scene, case = Scene(recorded.files, Collector()), Case("", "operator:pat")
    scene.cases["case-x"] = case
    for each in left:
        scene.left(each, "case-x")
    issued = decode_entry(recorded.files.entries[find(recorded.files, "grant.issued")])
    grant = Grant(issued, read=frozenset(each.digest for each in read))
    scene.grants[left[-1].grant or ""] = grant
    return [each.digest for each in gathered(scene, case, CHECKPOINT)]


def test_people_are_shown_what_the_proposal_was_made_from(recorded: Recorded) -> None:
    """I13: of each record the newest; what it did not read is none of its evidence."""
    old, new, other = item("weight"), item("weight", version=2), item("weight", OTHER)
    photograph, keyed, lead = item("photograph"), item("keyed"), item("second_weight")
    left = [old, photograph, other, new, keyed, lead]
    assert shown(recorded, left, [new, other, keyed]) == [
        each.digest for each in (lead, new, other, keyed)
    ]


def test_nobody_is_asked_on_what_is_older_than_what_it_rests_on(recorded: Recorded) -> None:
    """I13: whoever left something later would have been passed over."""
    old, new, lead = item("weight"), item("weight", version=2), item("second_weight")
    keyed = item("keyed")
    with pytest.raises(NotToBeAsked, match="weight is newer than the second_weight made from it"):
        shown(recorded, [old, new, lead], [old])
    with pytest.raises(NotToBeAsked, match="made without what people left"):
        shown(recorded, [old, keyed, lead], [old])
    with pytest.raises(NotToBeAsked, match="2 parts named second_weight were settled, not 1"):
        shown(recorded, [item("second_weight", OTHER), lead], [])


def test_other_parts_than_the_signed_process_has_people_see_are_found(recorded: Recorded) -> None:
    """I13: each was settled, and every digest fits; that they are the evidence nobody has signed."""
    files = recorded.files
    index = find(files, "checkpoint.opened", recorded.large)
    id_ = json.loads(files.entries[index])["data"]["checkpoint"]
    view = files.checkpoints[id_]
    settled = [json.loads(each) for each in files.entries if b'"type":"grant.settled"' in each]
    (told,) = [
        each
        for each in settled
        if each["case"] == recorded.large and each["actor"] == "agent:second-scale"
    ]
    more = EvidenceItem.model_validate(
        {
            **told["data"]["parts"][0],
            "record": told["record"],
            "agent": told["actor"],
            "grant": told["data"]["grant"],
        }
    )
    evidence = view.evidence.model_copy(update={"items": (*view.evidence.items, more)})
    digest = digest_json(evidence)
    other = view.model_copy(update={"evidence": evidence, "evidence_digest": digest})
    forged = dataclasses.replace(files, checkpoints={**files.checkpoints, id_: other})
    found = names(verify(changed_entry(forged, index, put(evidence_digest=digest))))
    assert ("evidence-other", f"entry {index}") in found
