"""How the workflow waits, and how each of its ends comes about: on a server that skips time.

The agents' answers are simulated (``simulator.py``); how long it waits is read off its history.
"""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.client import WorkflowHistory

from placet.model import CheckpointStatus, digest_bytes
from placet.process import READINGS, STOP_CASE
from tests.workflows.simulator import (
    LOAN,
    OPEN,
    SCENARIOS,
    STORED,
    TOO_MANY_ROUNDS,
    Scenario,
    Simulator,
    simulator,
)
from workflows.definition import DEFINITION
from workflows.loan_draw import MAX_ROUNDS

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played() -> AsyncIterator[Simulator]:
    """Agents that answer as scenarios say."""
    async with simulator() as made:
        yield made


def timers(history: WorkflowHistory) -> list[str]:
    """How long each wait would have lasted at most."""
    key = "timerStartedEventAttributes"
    events = json.loads(history.to_json())["events"]
    return [each[key]["startToFireTimeout"] for each in events if key in each]


@pytest.mark.parametrize("name", STORED)
async def test_a_case_ends_as_it_should(played: Simulator, name: str) -> None:
    """Each end of the workflow, and that it closes its case with it."""
    scenario = STORED[name]
    result, simulation, _ = await played.play(scenario)
    assert result == scenario.result
    closed = [each["result"] for each in simulation.requests.get("close_case", [])]
    assert closed == ([] if result == "failed" else [result])


async def test_a_checkpoint_that_nobody_answers_ends_with_its_deadline(played: Simulator) -> None:
    """I11: without one bell, the workflow finds after two weeks that the checkpoint has expired."""
    asked = DEFINITION.checkpoint("draw-approval")
    assert asked is not None
    deadline = timedelta(seconds=asked.deadline_seconds)

    def stands(waited: timedelta) -> CheckpointStatus:
        return CheckpointStatus.EXPIRED if waited >= deadline else OPEN

    unanswered = Scenario("expired", {"open_checkpoint": [OPEN], "read_outcome": [stands]})
    result, simulation, history = await played.play(unanswered)
    assert result == "expired"
    assert "disburse" not in simulation.asked
    assert set(timers(history)) == {"3600s"}


async def test_a_lost_bell_costs_an_hour_at_a_checkpoint(played: Simulator) -> None:
    """I11: people have decided and no bell rings; the workflow looks by itself."""
    _, simulation, history = await played.play(SCENARIOS["disbursed-bell-lost"])
    assert timers(history) == ["3600s"] * 3
    assert simulation.asked.count("open_checkpoint") == 1


async def test_a_lost_bell_costs_a_day_while_a_packet_is_away(played: Simulator) -> None:
    """I11: handed in again and no bell rings; the workflow looks by itself, and reads it anew."""
    _, simulation, history = await played.play(SCENARIOS["returned-twice-bells-lost"])
    assert timers(history) == ["86400s"] * 3
    assert simulation.asked.count("read_packet") == 3
    assert simulation.asked.count("analyse_draw") == 3


async def test_a_packet_that_came_back_at_once_is_not_waited_for(played: Simulator) -> None:
    """I11: first read, then wait."""
    _, simulation, history = await played.play(SCENARIOS["resubmitted-before-it-looked"])
    assert timers(history) == []
    assert simulation.asked.count("read_packet") == 2


async def test_a_denied_payment_waits_for_a_person_and_asks_nobody_twice(played: Simulator) -> None:
    """I10: the reason goes to the person; the checks and the approval stand meanwhile."""
    _, simulation, history = await played.play(SCENARIOS["stopped-and-admitted"])
    (stop,) = simulation.requests[STOP_CASE]
    assert stop["reason"] == "disburse was denied: I10, suspended"
    assert simulation.asked.count("open_checkpoint") == 1
    assert simulation.asked.count("analyse_draw") == 1
    assert timers(history) == ["86400s"] * 2


async def test_a_denied_check_waits_for_a_person_as_well(played: Simulator) -> None:
    """I10: whichever step it is; one that finds the case stopped does not stop it again."""
    _, simulation, _ = await played.play(SCENARIOS["denied-early-and-admitted"])
    assert [each["reason"] for each in simulation.requests[STOP_CASE]] == [
        "screen_payee was denied: I10, suspended",
        "recompute_analysis was denied: I2, out_of_scope",
    ]
    assert simulation.asked.count("read_packet") == 1


async def test_what_changes_between_two_readings_is_read_by_both_anew(played: Simulator) -> None:
    """I3: nobody has to find out why two agents differ who have read two versions."""
    _, simulation, _ = await played.play(SCENARIOS["read-by-two-while-it-changes"])
    assert simulation.asked.count("read_loan") == simulation.asked.count("read_loan_again") == 2
    assert simulation.asked.count("read_packet") == simulation.asked.count("analyse_draw") == 1
    never = Scenario(
        "disbursed", {"read_loan_again": [{**LOAN, "digest": digest_bytes(b"another")}]}
    )
    _, simulation, _ = await played.play(never)
    assert simulation.asked.count("read_loan") == READINGS
    assert simulation.asked.count("open_checkpoint") == 1, "the authority judges"


async def test_what_people_could_not_be_asked_of_is_made_anew_once_a_person_has_looked(
    played: Simulator,
) -> None:
    """I5: asking the same again would be refused for ever."""
    _, simulation, history = await played.play(SCENARIOS["asked-in-vain-and-made-anew"])
    (stop,) = simulation.requests[STOP_CASE]
    assert stop["reason"] == "open_checkpoint was denied: I5, unmet, alone:loan"
    assert timers(history) == ["86400s"]
    for step in ("read_packet", "read_packet_again", "analyse_draw", "open_checkpoint"):
        assert simulation.asked.count(step) == 2


async def test_only_a_voided_approval_starts_another_round(played: Simulator) -> None:
    """I5: that it is voided is the authority's word, not the workflow's reading of reasons."""
    _, simulation, _ = await played.play(SCENARIOS["voided"])
    assert simulation.asked.count("analyse_draw") == 2
    _, simulation, _ = await played.play(SCENARIOS["changed-at-the-last-moment"])
    assert simulation.asked.count("analyse_draw") == 1


async def test_what_its_system_refuses_twice_is_made_anew_once_a_person_has_looked(
    played: Simulator,
) -> None:
    """I11: another draw has billed the invoice meanwhile; the same again would fail for ever."""
    _, simulation, _ = await played.play(SCENARIOS["refused-by-its-system-and-made-anew"])
    (stop,) = simulation.requests[STOP_CASE]
    assert stop["reason"] == "disburse was denied: conflict"
    assert simulation.asked.count("match_invoices") == simulation.asked.count("analyse_draw") == 2


async def test_a_case_that_finds_no_end_is_closed_for_a_person_to_look_at(
    played: Simulator,
) -> None:
    """Twenty rounds, and not one more; nothing was paid."""
    result, simulation, _ = await played.play(TOO_MANY_ROUNDS)
    assert result == "too_many_rounds"
    assert simulation.asked.count("analyse_draw") == MAX_ROUNDS
    assert "disburse" not in simulation.asked


async def test_a_checkpoint_is_looked_at_when_time_changes_it(played: Simulator) -> None:
    """The authority says when; a timer of the workflow wakes it then, and not an hour later."""
    ten = timedelta(minutes=10)
    scenario = Scenario(
        "expired",
        {
            "open_checkpoint": [OPEN],
            "read_outcome": [lambda waited: CheckpointStatus.EXPIRED if waited >= ten else OPEN],
        },
        look_again=ten,
    )
    result, simulation, history = await played.play(scenario)
    assert result == "expired"
    assert simulation.asked.count("read_outcome") == 2
    (wait,) = timers(history)
    assert 590 < float(wait.removesuffix("s")) <= 600
