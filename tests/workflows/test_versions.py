"""What a case needs when its workflow's code changes while it is open, or years later (I9)."""

import hashlib
import importlib.util
import sys
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from placet.audit import workflow_runner
from placet.model import CaseInput, PartRef
from placet.payloads import PLAIN
from placet.process import StepRequest, code_digest
from tests.workflows.simulator import HISTORIES
from workflows.loan_draw import PROCESS, LoanDrawReview


@workflow.defn(name="LoanDrawReview")
class LooksTwice(LoanDrawReview):
    """A newer version: what is new stands in a branch that older cases do not take."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """One more step at the start of a case that begins today."""
        if workflow.patched("looks-at-the-loan-first"):
            request = StepRequest(case=case.case, record=case.subject)
            await self.step("look_again", request, PartRef)
        return await super().run(case)


@workflow.defn(name="LoanDrawReview")
class LooksTwiceAtOnce(LoanDrawReview):
    """The same change without the branch: what must never be released."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """One more step at the start of every case."""
        request = StepRequest(case=case.case, record=case.subject)
        await self.step("look_again", request, PartRef)
        return await super().run(case)


async def failure(code: type, name: str) -> Exception | None:
    """How a history of the released version fails on this code, if it does."""
    replayer = Replayer(workflows=[code], data_converter=PLAIN, workflow_runner=workflow_runner())
    history = WorkflowHistory.from_json(name, (HISTORIES / f"{name}.json").read_text())
    return (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure


@pytest.mark.parametrize("name", ["disbursed", "expired", "returned-twice-bells-lost"])
async def test_a_history_of_an_older_version_replays_on_newer_code(name: str) -> None:
    """I9: under ``workflow.patched`` an older case goes the way that it went."""
    assert await failure(LooksTwice, name) is None


async def test_a_change_without_a_branch_is_caught_by_the_golden_histories() -> None:
    """I9: and the same change without it does not get through."""
    assert await failure(LooksTwiceAtOnce, "disbursed") is not None


def test_the_code_that_is_published_is_the_code_that_is_installed() -> None:
    """I9: the digest is of the sources of the workflow and of what it is built on."""
    published = PROCESS.to_publish()
    assert published.code == code_digest(LoanDrawReview) == code_digest(PROCESS.workflow)
    assert published.model_copy(update={"code": None}) == PROCESS.definition
    assert code_digest(LooksTwice) != code_digest(LoanDrawReview)


def test_one_changed_byte_of_the_code_is_another_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I9: sources are read from the installation, and not run for it."""
    name = "placet_test_" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]
    source = tmp_path / f"{name}.py"
    source.write_text("class Work:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    before = code_digest(module.Work)
    source.write_text("class Work:\n    pass \nraise SystemExit\n")
    assert code_digest(module.Work) != before
    source.unlink()
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, name)
    with pytest.raises((LookupError, OSError)):
        code_digest(module.Work)
