"""Cases as a log tells of them: what happens in none, after its end, or as if it had been erased."""

import dataclasses
import json
from typing import Any

import pytest

from placet.audit import verify
from placet.model import ALL_MODELS
from tests.audit.asked import Asked, last
from tests.audit.pen import Pen
from tests.audit.recording import Recorded, find, names, resigned
from tests.audit.test_at_a_checkpoint import hand_in, lower
from tests.audit.test_registered import AGENT, SUBJECT, begun, grant


@pytest.fixture
def asked(recorded: Recorded) -> Asked:
    """Made anew for each: it is written in."""
    return Asked(recorded)


@pytest.mark.parametrize(
    ("type_", "is_found"), [("grant.issued", True), ("case.opened", True), ("grant.denied", False)]
)
def test_what_is_of_a_case_names_it(type_: str, is_found: bool) -> None:
    """I1: a denial alone may be of none, since whoever was denied may have named none."""
    pen = begun()
    pen.write(type_, actor=AGENT, record=SUBJECT, reasons=["I1"])
    assert (("entry-case", len(pen.entries) - 1) in pen.troubles()) is is_found


def test_a_closed_case_goes_on_in_no_run(asked: Asked) -> None:
    """I1: though the run that it was in is the one that is named."""
    run = json.loads(asked.entries[find(asked.made(), "case.started", asked.case)])["data"]
    asked.of_case("case.continued", continues=run["run_id"], run_id="another")
    assert asked.troubles() == set()
    signed = asked.sign("ada", "case.end", asked.case, {"reason": "a test"})
    where = {"case": asked.case, "record": asked.subject, "actor": "operator:ada"}
    asked.void()
    asked.write("case.closed", **where, **signed, result="ended")
    asked.of_case("case.continued", continues="another", run_id="a third")
    assert asked.troubles() == last(asked, "run-unadmitted")


@pytest.mark.parametrize(
    ("status", "action", "is_found"),
    [(200, "parcel:dispatch", True), (409, "parcel:dispatch", False), (200, "parcel:weigh", False)],
)
def test_an_approval_is_not_voided_for_what_was_done_on_it(
    recorded: Recorded, status: int, action: str, is_found: bool
) -> None:
    """I11: people would be asked again for what they approved, and what was done."""
    case = recorded.dispatched
    at = next(
        index
        for index, each in enumerate(map(json.loads, recorded.files.entries))
        if each["type"] == "grant.issued" and each["case"] == case and "checkpoint" in each["data"]
    )
    pen = Pen(recorded.files, recorded.keys, at + 1)
    issued = json.loads(pen.entries[at])
    of_case = {"case": case, "record": issued["record"]}
    said = {name: issued["data"][name] for name in ("system", "action", "grant")}
    system = f"system:{said['system']}"
    pen.write("action.performed", actor=system, **of_case, **said, status=status)
    told = {"checkpoint": issued["data"]["checkpoint"], "told": ["operator:cleo"]}
    pen.write("checkpoint.voided", **of_case, **told, reasons=["I5"])
    denied = pen.write(
        "grant.denied",
        actor=issued["actor"],
        **of_case,
        **said | {"action": action},
        reasons=["I5"],
    )
    assert (("approval-voided", denied) in pen.troubles()) is is_found


def test_an_archive_of_another_workflow_is_found(recorded: Recorded) -> None:
    """I9: it is sealed as it is, and no other history of this log is its."""
    case, other = recorded.large, recorded.dispatched
    files = recorded.files
    for change in ({"case": other}, {"workflow_id": other}):
        forged = files.archives[case].model_copy(update=change)
        made = dataclasses.replace(files, archives={**files.archives, case: forged})
        at = find(files, "case.archived", case)
        assert ("workflow", f"entry {at}") in names(verify(made))


@pytest.mark.parametrize("said", [{"type": "case.erased"}, {}])
def test_nothing_is_erased_by_what_only_looks_like_it(asked: Asked, said: dict[str, Any]) -> None:
    """I8: an entry that has the words, and is something else, excuses nothing that is missing."""
    lower(asked)
    at, digest = len(asked.entries) - 1, json.loads(asked.entries[-1])["data"]["parts"][0]["digest"]
    del asked.parts[digest]
    asked.of_case("case.alarm", reasons=[], told=said)
    assert asked.troubles() == {("part-missing", at), ("part-says-other", at)}


def erased(asked: Asked) -> set[str]:
    """What is found of a case that was erased, whose decisions were in a person's own words."""
    view = asked.view(asked.checkpoint).model_copy(update={"decisions": ()})
    asked.checkpoints[asked.checkpoint] = view
    at = asked.of_case("case.erased", target=asked.case)  # that nobody signed this is told
    return {each for each, place in asked.troubles() if place != at}


def test_how_an_erased_case_ended_is_the_ledgers_word(asked: Asked) -> None:
    """I8, I9: what somebody said is gone; what it came to stays, and supports the result."""
    decision = asked.decided("cleo", "reject", comment="I know the sender")
    asked.resolve(asked.checkpoint, "rejected", decision)
    asked.of_case("case.closed", actor="agent:orchestrator", result="rejected", grant="none")
    assert erased(asked) == {"under-another-grant"}  # whose the close is, is not looked at here


def test_what_came_back_to_an_erased_case_had_been_sent_back(asked: Asked) -> None:
    """I8: the ledger still says that it was."""
    decision = asked.decided("cleo", "return", comment="I know the sender")
    asked.resolve(asked.checkpoint, "returned", decision)
    hand_in(asked)
    assert erased(asked) == set()


@pytest.mark.parametrize(
    ("stopped", "is_found"), [("small-1", True), (ALL_MODELS, True), ("large-1", False)]
)
def test_a_grant_outlives_no_model_that_it_asks(stopped: str, is_found: bool) -> None:
    """I10: by its name, or with all of them."""
    pen = begun()
    grant(pen, grant="g", model="small-1")
    pen.act("ada", "model.suspend", "model.suspended", stopped)
    assert (("grant-outlives", len(pen.entries) - 1) in pen.troubles()) is is_found


def test_after_a_void_nothing_passes_without_a_person(recorded: Recorded) -> None:
    """I3, I5: automatic mode lets through what it would have, had no approval been voided."""
    files = recorded.files
    at = find(files, "checkpoint.opened", recorded.automatic)
    opened = json.loads(files.entries[at])
    for voided in (False, True):
        pen = Pen(files, recorded.keys, at)
        if voided:
            like = pen.checkpoints[opened["data"]["checkpoint"]]
            before = pen.shown(like, recorded.automatic, "release")
            said = {"checkpoint": before, "reasons": ["a test"], "told": []}
            pen.write("checkpoint.voided", case=recorded.automatic, record=opened["record"], **said)
            opened["data"]["replaces"] = before
        pen.entries.append(json.dumps(opened, separators=(",", ":"), sort_keys=True).encode())
        assert (("requirement", len(pen.entries) - 1) in pen.troubles()) is voided


def test_a_log_whose_case_was_never_started_is_not_late(recorded: Recorded) -> None:
    """I9: there is no workflow, and so no history to seal."""
    entries = list(recorded.files.entries)
    del entries[find(recorded.files, "case.archived", recorded.large)]
    late = json.loads(entries[-1])
    late["time"] = "2030-01-01T00:00:00Z"
    entries.append(json.dumps(late, separators=(",", ":"), sort_keys=True).encode())
    assert ("archive-late", recorded.large) in names(verify(resigned(recorded.files, entries)))
    del entries[find(recorded.files, "case.started", recorded.large)]
    assert ("archive-late", recorded.large) not in names(verify(resigned(recorded.files, entries)))
