"""An authority that was changed from the first day on: digests, heads and its own words all fit.

Whoever owns it has no key of an agent's, a system's or a person's. What it does against its own
rules is found, since the rest of the log says what these rules would have made of it.
"""

import dataclasses
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from placet.audit import Kept, LogFiles, verify
from placet.model import (
    AUTHORITY,
    CheckpointView,
    GrantedDetails,
    canonical_json,
    digest_json,
    salted_digest,
    system_urn,
)
from tests.audit.recording import (
    Entry,
    Recorded,
    changed_entry,
    find,
    names,
    put,
    resigned,
)

Forged = tuple[LogFiles, int]
DISPATCH = "parcel:dispatch"


def dropped(files: LogFiles, *indices: int) -> LogFiles:
    kept = [each for index, each in enumerate(files.entries) if index not in indices]
    return resigned(files, kept)


def inserted(files: LogFiles, index: int, entry: Entry) -> LogFiles:
    entries = list(files.entries)
    entries.insert(index, canonical_json(entry))
    return resigned(files, entries)


def asked_otherwise(files: LogFiles, index: int, change: Callable[[Any], object]) -> LogFiles:
    """Policy was asked something else for a grant, which is kept under a digest that fits."""
    old = files.kept[json.loads(files.entries[index])["data"]["context_digest"]]
    question = json.loads(old.content)
    change(question)
    content = canonical_json(question).decode()
    digest = salted_digest(old.salt, content.encode())
    kept = {**files.kept, digest: Kept(salt=old.salt, content=content)}
    made = changed_entry(files, index, put(context_digest=digest))
    return dataclasses.replace(made, kept=kept)


def shown_otherwise(
    files: LogFiles, index: int, change: Callable[[dict[str, Any]], object]
) -> LogFiles:
    """The checkpoint that an entry opens shows something else, under a digest that fits."""
    name = json.loads(files.entries[index])["data"]["checkpoint"]
    view = json.loads(files.checkpoints[name].model_dump_json())
    change(view)
    made = CheckpointView.model_validate_json(json.dumps(view))
    files = changed_entry(files, index, put(evidence_digest=digest_json(made.evidence)))
    return dataclasses.replace(files, checkpoints={**files.checkpoints, name: made})


def on_hold(r: Recorded) -> Forged:
    """Dispatched while somebody's hold stood: policy was told of none."""
    files = dropped(r.files, find(r.files, "hold.lifted"))
    return files, find(files, "grant.issued", r.dispatched, action=DISPATCH)


def in_another_mode(r: Recorded) -> Forged:
    index = find(r.files, "grant.issued", r.large, action=DISPATCH)
    change = lambda q: q["context"]["ledger"].update(mode="automatic")  # noqa: E731 - one line
    return asked_otherwise(r.files, index, change), index


def by_more_people(r: Recorded) -> Forged:
    index = find(r.files, "grant.issued", r.large, action=DISPATCH)
    change = lambda q: q["context"]["approval"].update(people=3)  # noqa: E731 - one line
    return asked_otherwise(r.files, index, change), index


def as_if_approved(r: Recorded) -> Forged:
    """A step that nobody has to approve, told to policy as one that people did."""
    guarded = find(r.files, "grant.issued", r.large, action=DISPATCH)
    digest = json.loads(r.files.entries[guarded])["data"]["context_digest"]
    approval = json.loads(r.files.kept[digest].content)["context"]["approval"]
    index = find(r.files, "grant.issued", r.large, action="parcel:weigh")
    change = lambda q: q["context"].update(approval=approval)  # noqa: E731 - one line
    return asked_otherwise(r.files, index, change), index


def on_anothers_record(r: Recorded) -> Forged:
    """The case's own scale weighs a parcel of somebody else's."""
    index, record = find(r.files, "grant.issued", r.large), "depot/D2/parcel/8"
    files = asked_otherwise(r.files, index, lambda q: q.update(record=record))

    def change(entry: Entry) -> None:
        entry["record"], data = record, entry["data"]
        data["details_digest"] = digest_json(
            GrantedDetails(
                locations=(system_urn(data["system"]),),
                actions=(data["action"],),
                identifier=record,
                case=entry["case"],
                activity=data["activity"],
            )
        )

    return changed_entry(files, index, change), index


def in_a_stopped_case(r: Recorded) -> Forged:
    index = find(r.files, "grant.issued", r.large, action=DISPATCH)
    return inserted(r.files, index, _stopped(r, index)), index + 1


def decided_in_a_stopped_case(r: Recorded) -> Forged:
    index = find(r.files, "decision.recorded", r.large)
    return inserted(r.files, index, _stopped(r, index)), index + 1


def opened_in_a_stopped_case(r: Recorded) -> Forged:
    index = find(r.files, "checkpoint.opened", r.large)
    return inserted(r.files, index, _stopped(r, index)), index + 1


def _stopped(r: Recorded, index: int) -> Entry:
    entry: Entry = json.loads(r.files.entries[index])
    entry.update(type="case.stopped", actor=AUTHORITY, data={"reason": "a reset"})
    return entry


def on_what_another_case_left(r: Recorded) -> Forged:
    """People are shown the genuine parts of another parcel's case."""
    index = find(r.files, "checkpoint.opened", r.large)
    other = r.files.entries[find(r.files, "checkpoint.opened", r.dispatched)]
    shown = json.loads(
        r.files.checkpoints[json.loads(other)["data"]["checkpoint"]].model_dump_json()
    )
    said = {name: shown["evidence"][name] for name in ("items", "proposal")}
    return shown_otherwise(r.files, index, lambda view: view["evidence"].update(said)), index


def on_what_was_weighed_before(r: Recorded) -> Forged:
    """A newer weight was left, and people are shown the one before."""
    index = find(r.files, "checkpoint.opened", r.large)
    settled = next(
        each
        for each in map(json.loads, r.files.entries)
        if each.get("case") == r.dispatched and each["data"].get("parts")
    )
    weighed = find(r.files, "grant.settled", r.large)
    parts = settled["data"]["parts"]
    files = changed_entry(
        r.files, weighed, put(parts=json.loads(r.files.entries[weighed])["data"]["parts"] + parts)
    )
    return files, index


def without_the_second_agent(r: Recorded) -> Forged:
    """Nobody weighed it again, and people are asked all the same."""
    again = find(r.files, "grant.issued", r.large, action="parcel:weigh")
    issued = max(
        index
        for index, each in enumerate(map(json.loads, r.files.entries))
        if (each["type"], each.get("case"), each["actor"])
        == ("grant.issued", r.large, "agent:second-scale")
    )
    assert issued > again
    grant = json.loads(r.files.entries[issued])["data"]["grant"]
    files = dropped(r.files, issued, find(r.files, "grant.settled", grant=grant))
    return files, find(files, "checkpoint.opened", r.large)


def asked_until_they_agree(r: Recorded) -> Forged:
    """They have said no, and are asked the very same again, under the grant of then."""
    rejected = find(r.files, "checkpoint.resolved", r.rejected)
    return _opened_again(r, r.rejected, rejected + 1), rejected + 1


def asked_twice_at_once(r: Recorded) -> Forged:
    opened = find(r.files, "checkpoint.opened", r.large)
    return _opened_again(r, r.large, opened + 1), opened + 1


def on_an_older_approval(r: Recorded) -> Forged:
    """People are being asked once more, and it is dispatched on what they said before."""
    index = find(r.files, "grant.issued", r.large, action=DISPATCH)
    return _opened_again(r, r.large, index), index + 1


def _opened_again(r: Recorded, case: str, index: int) -> LogFiles:
    entry = json.loads(r.files.entries[find(r.files, "checkpoint.opened", case)])
    name = entry["data"]["checkpoint"]
    other = name[:-1] + ("0" if name[-1] != "0" else "1")
    entry["data"]["checkpoint"] = other
    view = r.files.checkpoints[name].model_copy(update={"id": other, "decisions": ()})
    files = inserted(r.files, index, entry)
    return dataclasses.replace(files, checkpoints={**files.checkpoints, other: view})


def told_as_if_later(r: Recorded) -> Forged:
    """A grant is told an hour after its agent had settled it."""
    index = find(r.files, "grant.issued", r.large)

    def change(entry: Entry) -> None:
        moment = datetime.fromisoformat(entry["time"]) + timedelta(hours=1)
        entry["time"] = moment.isoformat().replace("+00:00", "Z")

    files = changed_entry(r.files, index, change)
    grant = json.loads(files.entries[index])["data"]["grant"]
    return files, find(files, "grant.settled", grant=grant)


def with_what_another_case_left(r: Recorded) -> Forged:
    """A step is said to have read what was left in another case."""
    entries = [json.loads(each) for each in r.files.entries]
    digest = next(
        each["data"]["parts"][0]["digest"]
        for each in entries
        if each.get("case") == r.dispatched and each["data"].get("parts")
    )
    index = max(
        at
        for at, each in enumerate(entries)
        if (each["type"], each.get("case")) == ("grant.settled", r.large)
    )
    return changed_entry(r.files, index, put(inputs=[digest])), index


def closed_over_an_open_question(r: Recorded) -> Forged:
    """Nobody has answered, and the case is closed."""
    resolved = find(r.files, "checkpoint.resolved", r.rejected)
    files = dropped(r.files, resolved)
    return files, find(files, "case.closed", r.rejected)


FORGERIES: dict[str, tuple[Callable[[Recorded], Forged], str]] = {
    "granted-on-hold": (on_hold, "context-other"),
    "granted-in-another-mode": (in_another_mode, "context-other"),
    "granted-by-more-people": (by_more_people, "context-other"),
    "granted-as-if-approved": (as_if_approved, "context-other"),
    "granted-on-anothers-record": (on_anothers_record, "grant-scope"),
    "granted-in-a-stopped-case": (in_a_stopped_case, "grant-without-case"),
    "granted-on-an-older-approval": (on_an_older_approval, "grant-approval"),
    "decided-in-a-stopped-case": (decided_in_a_stopped_case, "decision-refusable"),
    "opened-in-a-stopped-case": (opened_in_a_stopped_case, "case-not-open"),
    "shows-what-another-case-left": (on_what_another_case_left, "evidence-other"),
    "shows-what-was-weighed-before": (on_what_was_weighed_before, "evidence-other"),
    "asks-without-the-second-agent": (without_the_second_agent, "checkpoint-before"),
    "asks-until-they-agree": (asked_until_they_agree, "checkpoint-again"),
    "asks-under-the-grant-of-then": (asked_until_they_agree, "under-another-grant"),
    "asks-twice-at-once": (asked_twice_at_once, "checkpoint-again"),
    "settled-before-it-was-granted": (told_as_if_later, "settlement-early"),
    "read-what-another-case-left": (with_what_another_case_left, "part-unsettled"),
    "closed-over-an-open-question": (closed_over_an_open_question, "result-unsupported"),
}


@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_what_an_authority_did_against_its_own_rules_is_found(
    recorded: Recorded, name: str
) -> None:
    """I2, I3, I5, I13: the tree and all digests fit, and nobody else has signed otherwise."""
    forge, trouble = FORGERIES[name]
    files, index = forge(recorded)
    assert (trouble, f"entry {index}") in names(verify(files))
