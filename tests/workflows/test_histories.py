"""Stored histories, one for each end of each workflow, replay on today's code (I9).

A case may wait for weeks, and be replayed years later: a change of the workflow's code that these
histories do not survive would break the open cases. What such a change needs is a branch under
``workflow.patched`` or a new version of the process. A new end gets its history from ``python -m
tests.workflows.simulator``, which writes those that are missing and changes none.
"""

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from placet.audit import workflow_runner
from placet.model import CaseInput, CheckpointStatus
from placet.payloads import PLAIN
from tests.workflows.simulator import HISTORIES, STORED
from workflows.loan_draw import LoanDrawReview

KEPT = sorted(HISTORIES.glob("*.json"), key=lambda path: path.stem)


@workflow.defn(name="LoanDrawReview")
class SkipsThePeople(LoanDrawReview):
    """The same workflow with one line less: it asks nobody."""

    @workflow.run
    async def run(self, case: CaseInput) -> str:
        """Analyse and pay."""
        await self._analyse(case)
        result = await self._pay(case) or CheckpointStatus.VOIDED.value
        await self.close(case.case, case.subject, result)
        return result


async def replay(path: Path, code: type) -> Exception | None:
    """How a stored history fails on this code, if it does."""
    replayer = Replayer(
        workflows=[code],
        data_converter=PLAIN,
        workflow_runner=workflow_runner(),
    )
    history = WorkflowHistory.from_json(path.stem, path.read_text())
    replayed = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    return replayed.replay_failure


def test_every_end_has_its_history() -> None:
    """A scenario without a stored history would prove nothing."""
    assert [path.stem for path in KEPT] == sorted(STORED)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
async def test_a_stored_history_replays(path: Path) -> None:
    """I9: today's code takes the very steps that were taken then."""
    assert await replay(path, STORED[path.stem].workflow) is None


@pytest.mark.parametrize("name", ["disbursed", "expired"])
async def test_other_code_does_not_replay(name: str) -> None:
    """I9: code that leaves out the people is found out by a history that asked them."""
    assert await replay(HISTORIES / f"{name}.json", SkipsThePeople) is not None
