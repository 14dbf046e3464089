"""Policy, asked again: the past comes out the same, and shows what other policies would change."""

import contextlib
import dataclasses
import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from placet.audit import Kept, LogFiles, approvals_again, backtest
from placet.cli import _policy
from placet.cli._app import whole
from placet.model import AuthorityMatrix, Need
from placet.rules import LoadedPolicies, load_policies
from tests.audit.recording import Recorded, changed_entry, find

NAME = "parcel-check"


def policies(recorded: Recorded) -> tuple[str, str]:
    (published,) = recorded.files.policies
    return published


def proposed(recorded: Recorded, old: str = "", new: str = "", more: str = "") -> LoadedPolicies:
    """The published policies with one thing changed."""
    text, schema = policies(recorded)
    assert old in text
    return load_policies(text.replace(old, new) + more, schema)


def decisions(recorded: Recorded) -> int:
    return sum("context_digest" in json.loads(each)["data"] for each in recorded.files.entries)


def test_the_policies_in_force_change_nothing(recorded: Recorded) -> None:
    """I3: every recorded decision is made again and comes out the same, from its kept context."""
    found = backtest(recorded.decisions, NAME, proposed(recorded))
    assert found.troubles == ()
    assert found.recorded == found.proposed == decisions(recorded)
    assert (found.changes, found.other_reasons) == ((), 0)


def test_a_tighter_policy_shows_the_grants_that_it_would_have_denied(recorded: Recorded) -> None:
    """Which grants, and why: the forbid that would have decided."""
    forbids = (
        '@id("nothing-alone") forbid (principal, action == Placet::Action::"parcel:dispatch", '
        "resource) when { context.approval.automatic };"
    )
    found = backtest(recorded.files, NAME, proposed(recorded, more=forbids))
    assert found.holds
    (change,) = found.changes
    assert (change.case, change.action) == (recorded.automatic, "parcel:dispatch")
    assert (change.before, change.before_policies) == ("permitted", ("dispatches",))
    assert (change.after, change.after_policies) == ("denied", ("nothing-alone",))
    assert "nothing-alone" in change.why
    assert change.entry == find(
        recorded.files, "grant.issued", recorded.automatic, action="parcel:dispatch"
    )


def test_a_looser_policy_shows_the_denials_that_it_would_have_permitted(
    recorded: Recorded,
) -> None:
    found = backtest(recorded.files, NAME, proposed(recorded, " && !context.ledger.on_hold", ""))
    (change,) = found.changes
    assert change.case == recorded.held
    assert (change.before, change.after) == ("denied", "permitted")
    assert change.why == "permitted by dispatches"


def test_the_same_answer_for_another_reason_is_no_change(recorded: Recorded) -> None:
    found = backtest(recorded.files, NAME, proposed(recorded, '@id("weighs")', '@id("scales")'))
    assert found.changes == ()
    assert found.other_reasons > 0


def test_another_processes_decisions_are_not_asked_of_it(recorded: Recorded) -> None:
    found = backtest(
        recorded.files, "another-process", proposed(recorded, 'id("weighs")', 'id("x")')
    )
    assert found.recorded == decisions(recorded)
    assert (found.proposed, found.other_reasons) == (0, 0)


def test_unless_told_otherwise_every_case_is_tried(recorded: Recorded) -> None:
    """One set of policies is in force for all processes: what it would do to another is shown."""
    assert backtest(recorded.files, None, proposed(recorded)).proposed == decisions(recorded)
    assert backtest(
        recorded.files, None, proposed(recorded, '"parcel:weigh", r', '"case:stop", r')
    ).changes


def test_what_was_before_is_left_out(recorded: Recorded) -> None:
    index = find(recorded.files, "grant.issued", recorded.automatic)
    since = json.loads(recorded.files.entries[index])["time"]
    later = [
        each
        for each in map(json.loads, recorded.files.entries)
        if "context_digest" in each["data"] and each["time"] >= since
    ]
    found = backtest(recorded.files, NAME, proposed(recorded), datetime.fromisoformat(since))
    assert found.recorded == len(later) < decisions(recorded)
    assert found.proposed == len(later)


def lying(recorded: Recorded) -> tuple[LogFiles, int]:
    index = find(recorded.files, "grant.issued", action="parcel:dispatch")
    data = {"policies": ["nobody"]}
    return changed_entry(recorded.files, index, lambda e: e["data"].update(data)), index


def without_its_context(recorded: Recorded) -> tuple[LogFiles, int]:
    index = find(recorded.files, "grant.issued")
    digest = json.loads(recorded.files.entries[index])["data"]["context_digest"]
    kept = {name: each for name, each in recorded.files.kept.items() if name != digest}
    return dataclasses.replace(recorded.files, kept=kept), index


def with_another_context(recorded: Recorded) -> tuple[LogFiles, int]:
    index = find(recorded.files, "grant.issued")
    digest = json.loads(recorded.files.entries[index])["data"]["context_digest"]
    old = recorded.files.kept[digest]
    other = Kept(salt=old.salt, content=old.content.replace("false", "true"))
    return dataclasses.replace(recorded.files, kept={**recorded.files.kept, digest: other}), index


def without_its_policies(recorded: Recorded) -> tuple[LogFiles, int]:
    return dataclasses.replace(recorded.files, policies=()), find(recorded.files, "grant.issued")


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        (lying, "policy-reasons"),
        (without_its_context, "context-missing"),
        (with_another_context, "context-digest"),
        (without_its_policies, "policy-missing"),
    ],
    ids=["other-reasons", "context-gone", "context-changed", "policies-gone"],
)
def test_a_decision_that_does_not_come_out_the_same_is_named(
    recorded: Recorded, change, trouble: str
) -> None:
    """I3: by its entry, before anything is said of other policies."""
    files, index = change(recorded)
    found = backtest(files, NAME, proposed(recorded))
    assert not found.holds
    assert (found.troubles[0].name, found.troubles[0].place) == (trouble, f"entry {index}")


def test_another_matrix_shows_the_approvals_that_would_not_have_been_enough(
    recorded: Recorded,
) -> None:
    """I5: the same words, heard under what the proposed matrix asks for; and who is missing."""
    matrices = [AuthorityMatrix.model_validate_json(each) for each in recorded.files.matrices]
    matrix = next(each for each in matrices if each.version == 1)
    same = approvals_again(recorded.files, matrix)
    assert same.otherwise == ()
    assert same.recorded >= 4
    # Of the first version, which has no automatic mode, the last case would have asked people.
    assert [each.case for each in same.changes] == [recorded.automatic]
    (rule,) = matrix.rules
    small = rule.tiers[0].model_copy(update={"needs": (Need(roles=("chief",), count=1),)})
    tighter = rule.model_copy(update={"tiers": (small, *rule.tiers[1:])})
    proposed_matrix = matrix.model_copy(update={"rules": (tighter,)})
    found = approvals_again(recorded.files, proposed_matrix)
    changed = {each.case: each for each in found.changes}
    assert recorded.dispatched in changed
    assert recorded.large not in changed
    change = changed[recorded.dispatched]
    assert (change.before, change.after) == ("approved", "open")
    assert change.decided_by == ("operator:cleo",)
    assert "chief" in change.why

    # What an emergency asks for stands in no matrix: it would be asked again under any.
    begun = {
        name: view.model_copy(
            update={
                "requirement": view.requirement.model_copy(
                    update={"emergency_until": view.deadline}
                )
            }
        )
        for name, view in recorded.files.checkpoints.items()
        if view.case == recorded.dispatched
    }
    files = dataclasses.replace(recorded.files, checkpoints={**recorded.files.checkpoints, **begun})
    again = approvals_again(files, proposed_matrix)
    assert recorded.dispatched not in {each.case for each in again.changes}


@pytest.fixture
def folder(recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is proposed; the command that tries it finds the recorded log."""

    async def fetch(*_: object, **__: object) -> LogFiles:
        return recorded.files

    monkeypatch.setattr(_policy, "operator_client", contextlib.nullcontext)
    monkeypatch.setattr(_policy, "fetch_decisions", fetch)
    matrix = AuthorityMatrix.model_validate_json(recorded.files.matrices[0])
    (tmp_path / "authority-matrix.json").write_text(matrix.model_dump_json(exclude_none=True))
    for name, text in zip(
        ("policies.cedar", "schema.cedarschema"), policies(recorded), strict=True
    ):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_is_proposed_is_tried_on_the_process_that_it_is_of(
    recorded: Recorded, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unnamed, every case; and a name that no case has is no proof that nothing would change."""

    def ended(*more: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as stopped:
            whole()(["policy", "backtest", "--policies", str(folder), *more])
        return stopped.value.code, " ".join("".join(capsys.readouterr()).split())

    code, said = ended()
    assert code == 0
    assert f"asked {decisions(recorded)} of the proposed policies" in said
    assert re.search(r"computed [1-9]\d* outcomes of parcel-check again", said)
    (folder / "authority-matrix.json").unlink()
    assert ended("--process", NAME)[0] == 0
    code, said = ended("--process", "parcel-chekc")
    assert (code, "no decision is of a case of parcel-chekc" in said) == (3, True)
