"""From the queue to a signed decision: every act by key and by mouse, and what must stop it."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import jwt
import pytest
from pydantic import ValidationError
from textual.widget import Widget
from textual.widgets import Button, Checkbox, ContentSwitcher, Input, Select, Static
from textual.worker import Worker, WorkerCancelled, WorkerFailed, WorkerState

from placet.model import (
    CheckpointLine,
    CheckpointPage,
    CheckpointQuery,
    CheckpointStatus,
    CheckpointView,
    DecisionAnswer,
    Effect,
    Need,
    Overview,
    ProcessDefinition,
    Verdict,
    digest_json,
)
from tests.tui import simulator as world
from tests.tui.conftest import PASSPHRASE, PATIENCE, Desk, Opened
from tests.tui.simulator import Simulator, identifier
from tui import saved, words
from tui.screens.case import CaseScreen
from tui.screens.decide import Decide
from tui.screens.help import Help
from tui.screens.own_views import OwnViews
from tui.screens.replay import Replay
from tui.settings import ConsoleSettings
from tui.views.base import View
from tui.views.queue import Queue
from tui.widgets.table import VirtualTable

pytestmark = pytest.mark.timeout(60)

T = TypeVar("T")


async def fill_passphrase(desk: Desk, text: str = PASSPHRASE) -> None:
    desk.app.screen.query_one("#passphrase", Input).focus()
    await desk.type(text)


async def sign(desk: Desk) -> None:
    await fill_passphrase(desk)
    await desk.press("enter")  # goes on to the button
    assert desk.app.focused is desk.app.screen.query_one("#sign", Button)
    await desk.press("enter")


async def test_a_draw_is_approved_by_keys(open_console: Opened, simulator: Simulator) -> None:
    """I6: the dialog names act and amount in the process's own words, and signs what was shown."""
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.expect("waits for me: 1", "parcel 7 of D-1", "€184,200.00", "1 warn")
        await desk.press("enter")
        await desk.on(CaseScreen)
        await desk.expect("parcel 7 of D-1 for €184,200.00", "would be the last")
        await desk.press("a")
        await desk.on(Decide)
        await desk.expect("Approve parcel 7 of D-1 for €184,200.00?", digest_json(view.evidence))
        assert desk.app.focused is desk.app.screen.query_one("#cancel", Button)
        await sign(desk)
        await desk.until(lambda: desk.sees("recorded"))
    after = simulator.checkpoints[view.id]
    assert after.status is CheckpointStatus.APPROVED
    assert [each.operator for each in after.decisions] == ["operator:omar"]


@pytest.mark.parametrize(
    ("who", "key", "asks", "status", "done"),
    [
        ("omar", "a", "send", CheckpointStatus.APPROVED, "Approve parcel 7 of D-1 for"),
        ("ada", "R", "act", CheckpointStatus.VOIDED, "Recall the checkpoint on parcel 7"),
    ],
)
async def test_after_an_act_of_ones_own_it_is_said_what_that_was(
    open_console: Opened,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    who: str,
    key: str,
    asks: str,
    status: CheckpointStatus,
    done: str,
) -> None:
    """And not that the checkpoint changed while one was reading it, however soon that is heard."""
    view = simulator.add(7)
    async with open_console(who) as desk:
        await desk.press("enter")
        await desk.on(CaseScreen)
        headline = desk.app.screen.query_one("#case-headline", Static)
        gateway = desk.app.session.gateway
        ask = getattr(gateway, asks)

        async def answered(*asked: object) -> object:
            answer = await ask(*asked)
            simulator.change(view.id, status=status)
            await desk.until(lambda: f"This has ended: {status.value}" in str(headline.content))
            return answer

        monkeypatch.setattr(gateway, asks, answered)
        await desk.press(key)
        for each in desk.app.screen.query("#why").results(Input):
            each.value = "wrong matrix"
        await sign(desk)
        await desk.on(CaseScreen)
        (told,) = [each.message for each in desk.app._notifications]
        assert told.startswith(f"{done}")
        assert "recorded as entry" in told
        simulator.change(view.id, status=CheckpointStatus.EXPIRED)
        await desk.expect("This checkpoint has changed while you were reading it")


async def test_a_draw_is_approved_by_mouse(open_console: Opened, simulator: Simulator) -> None:
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.click("#queue-table", offset=(20, 1), times=2)
        await desk.on(CaseScreen)
        await desk.press("a")
        await fill_passphrase(desk)
        await desk.click("#sign")
    assert simulator.checkpoints[view.id].status is CheckpointStatus.APPROVED


async def test_enter_on_the_dialog_cancels(open_console: Opened, simulator: Simulator) -> None:
    """Nothing is approved by accident: cancel has the focus, and escape closes the dialog alone."""
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a", "enter")
        await desk.on(CaseScreen)
        await desk.press("a", "escape")
        await desk.on(CaseScreen)
    assert simulator.checkpoints[view.id].decisions == ()


@pytest.mark.parametrize(
    ("key", "verb", "status"),
    [("r", "Reject", CheckpointStatus.REJECTED), ("b", "Return", CheckpointStatus.RETURNED)],
)
async def test_rejecting_and_returning_want_a_reason(
    open_console: Opened, simulator: Simulator, key: str, verb: str, status: CheckpointStatus
) -> None:
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", key)
        await desk.expect(f"{verb} parcel 7 of D-1?")
        await sign(desk)
        await desk.expect("Choose a reason.")
        desk.app.screen.query_one("#reason", Select).value = "too_heavy"
        await desk.push("#sign")
        await desk.on(CaseScreen)
    assert simulator.checkpoints[view.id].status is status


async def test_each_blocking_finding_is_accepted_by_itself(
    open_console: Opened, simulator: Simulator
) -> None:
    view = simulator.add(7, blocking=True)
    async with open_console() as desk:
        await desk.press("enter", "a")
        await desk.expect("heavier than its label says in label.pdf, scales")
        await sign(desk)
        await desk.expect("Accept each blocking finding by itself")
        assert simulator.checkpoints[view.id].decisions == ()
        desk.app.screen.query_one(Checkbox).focus()
        await desk.press("space")
        await desk.click("#sign")
        await desk.expect("Say why each exception is acceptable")
        await desk.type("known")
        await desk.click("#sign")
    assert simulator.checkpoints[view.id].status is CheckpointStatus.APPROVED


async def test_a_blocking_finding_is_read_whole_before_it_is_accepted(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: nobody accepts what a narrow screen cuts off."""
    told = "by more than the carrier allows for one that goes by road and not by sea, says wharf-17"
    simulator.add(7, blocking=True, comment=told)
    async with open_console(size=(80, 24)) as desk:
        await desk.press("enter", "a")
        await desk.on(Decide)
        await desk.expect("I accept this one", "wharf-17")


async def test_a_wrong_passphrase_signs_nothing(open_console: Opened, simulator: Simulator) -> None:
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        await fill_passphrase(desk, "wrong")
        await desk.click("#sign")
        await desk.expect("the passphrase is wrong")
        await desk.on(Decide)
    assert simulator.checkpoints[view.id].decisions == ()


async def test_a_passphrase_that_was_typed_into_a_comment_is_not_signed(
    open_console: Opened, simulator: Simulator
) -> None:
    """I7: it would be kept for ever, and shown to whoever reads the case."""
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        comment = desk.app.screen.query_one("#comment", Input)
        comment.value = f"looks good {PASSPHRASE}"
        await sign(desk)
        await desk.expect("Your passphrase stands in another field")
        assert simulator.checkpoints[view.id].decisions == ()
        comment.value = "looks good"
        await desk.click("#sign")
        await desk.on(CaseScreen)
    (decided,) = simulator.checkpoints[view.id].decisions
    signed = jwt.decode(decided.jws, options={"verify_signature": False})
    assert signed["comment"] == "looks good"


async def test_a_case_that_changes_under_the_dialog_cant_be_signed(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: the dialog says that the evidence is another, and the old one can't be signed."""
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        await fill_passphrase(desk)
        smaller = view.evidence.proposal.model_copy(update={"findings": ()})
        evidence = view.evidence.model_copy(update={"proposal": smaller})
        simulator.change(view.id, evidence=evidence)
        await desk.until(lambda: desk.sees("This changed while the dialog was open"))
        assert desk.app.screen.query_one("#sign", Button).disabled
    assert simulator.checkpoints[view.id].decisions == ()


async def test_a_change_that_nobody_told_of_is_found_before_signing(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: looked at again at the moment of signing, whatever was heard before."""
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        await fill_passphrase(desk)
        simulator.change(view.id, status=CheckpointStatus.VOIDED)
        simulator.entries.pop()  # no word of it
        await desk.click("#sign")
        await desk.expect("Not signed: it has changed since you opened it")
    assert simulator.checkpoints[view.id].decisions == ()


async def test_a_refusal_stays_in_the_dialog_with_its_reason(
    open_console: Opened, simulator: Simulator
) -> None:
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        roles, key = simulator.people["operator:omar"]
        simulator.people["operator:omar"] = (("clerk",), key)
        await sign(desk)
        await desk.on(Decide)
        await desk.expect("The authority refused", "none of the roles")
        simulator.people["operator:omar"] = (roles, key)
        await desk.click("#sign")
    assert simulator.checkpoints[view.id].status is CheckpointStatus.APPROVED


async def test_a_long_dialog_keeps_its_refusals_and_its_button_in_sight(
    open_console: Opened, simulator: Simulator
) -> None:
    """It begins at its top, since that is to be read; why it refuses stands above the button."""
    view = simulator.add(7, blocking=True)
    (found,) = view.evidence.proposal.findings
    many = tuple(found.model_copy(update={"id": f"weight.heavy#{each}"}) for each in range(8))
    proposal = view.evidence.proposal.model_copy(update={"findings": many})
    simulator.change(
        view.id,
        evidence=view.evidence.model_copy(update={"proposal": proposal}),
        requirement=view.requirement.model_copy(update={"exceptions": proposal.exceptions}),
    )
    async with open_console(size=(80, 24)) as desk:
        await desk.press("enter", "a")
        await desk.expect("exactly this goes on.", "why it is acceptable", "Cancel")
        await sign(desk)
        await desk.expect("Accept each blocking finding by itself, or cancel.", "Cancel")
        for each in desk.app.screen.query(Checkbox):
            each.value = True
        for each in desk.app.screen.query(".why").results(Input):
            each.value = "known"
        _, key = simulator.people["operator:omar"]
        simulator.people["operator:omar"] = (("clerk",), key)
        await desk.push("#sign")
        await desk.expect("The authority refused", "none of the roles", "Cancel")


async def test_a_decision_whose_answer_was_lost_counts_once(
    open_console: Opened, simulator: Simulator
) -> None:
    """I11: pressed again, the same signed decision is sent, and is answered the same."""
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        simulator.loses_answers = simulator.then_away = True
        await sign(desk)
        await desk.expect("press again to send the same")
        simulator.away = False
        await desk.push("#sign")
        await desk.expect("This has ended: approved")
        await desk.on(CaseScreen)
    assert len(simulator.checkpoints[view.id].decisions) == 1


async def test_a_decision_whose_answer_was_lost_is_found_recorded(
    open_console: Opened, simulator: Simulator
) -> None:
    """I11: where it can be seen that it was recorded, nothing is sent again."""
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        simulator.loses_answers = True
        await sign(desk)
        await desk.expect("This has ended: approved")
        await desk.on(CaseScreen)
    assert len(simulator.checkpoints[view.id].decisions) == 1


async def test_a_dialog_that_ends_takes_away_what_is_above_it_and_nothing_below(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Help was opened while it was signed, and two answers say at once that it is recorded."""
    view = simulator.add(7)
    both = asyncio.Event()
    async with open_console() as desk:
        await desk.press("enter", "a")
        dialog, gateway = desk.app.screen, desk.app.session.gateway
        assert isinstance(dialog, Decide)
        send, look = gateway.send, gateway.checkpoint

        async def sent(checkpoint: str, signed: str) -> DecisionAnswer:
            answer = await send(checkpoint, signed)
            await both.wait()
            return answer

        async def looked(checkpoint: str) -> CheckpointView:
            found = await look(checkpoint)
            await both.wait()
            return found

        monkeypatch.setattr(gateway, "send", sent)
        await fill_passphrase(desk)
        await desk.pilot.press("enter", "enter")
        await desk.until(lambda: bool(simulator.checkpoints[view.id].decisions))
        monkeypatch.setattr(gateway, "checkpoint", looked)
        dialog.look_again()
        await desk.pilot.press("f1")
        await desk.until(lambda: isinstance(desk.app.screen, Help))
        monkeypatch.setattr(gateway, "checkpoint", look)
        both.set()
        await desk.expect("This has ended: approved")
        await desk.on(CaseScreen)


async def test_who_only_reads_is_offered_no_act(open_console: Opened, simulator: Simulator) -> None:
    simulator.add(7)
    async with open_console("una") as desk:
        await desk.expect("all that is open: 1", "0 for you")
        assert not desk.sees("Approve marked")
        await desk.press("enter")
        assert not desk.sees(" Approve ")
        await desk.expect("You may not approve this", "officer")
        await desk.press("a")
        await desk.on(CaseScreen)


async def test_who_opened_a_case_is_told_so(open_console: Opened, simulator: Simulator) -> None:
    simulator.add(7, excluded=("operator:omar",))
    async with open_console() as desk:
        await desk.press("enter")
        await desk.expect("You may not approve this")
        await desk.press("a")
        await desk.on(CaseScreen)


async def test_ones_word_is_taken_back(open_console: Opened, simulator: Simulator) -> None:
    two = (Need(roles=("officer",), count=1), Need(roles=("senior",), count=1))
    view = simulator.add(7, needs=two)
    async with open_console() as desk:
        await desk.press("enter", "a")
        await sign(desk)
        await desk.expect("You have said approve")
        await desk.press("w")
        await sign(desk)
        await desk.until(lambda: desk.sees("Your approval counts; then still missing"))
    verdicts = [each.verdict for each in simulator.checkpoints[view.id].decisions]
    assert verdicts == ["approve", "withdraw"]


async def test_the_queue_stays_on_its_row_while_things_change(
    open_console: Opened, simulator: Simulator
) -> None:
    for number in range(1, 6):
        simulator.add(number, hours=number * 10)
    async with open_console() as desk:
        table = desk.app.screen.query_one("#queue-table", VirtualTable)
        await desk.press("j", "j")
        held = table.row
        simulator.add(9, hours=1)
        simulator.note("checkpoint.opened", "agent:orchestrator", None, None, {})
        await desk.until(lambda: table.rows.count == 6)
        assert table.row == held
        assert table.cursor == 3


async def test_the_queue_is_filtered_sorted_and_seen_by_saved_views(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.add(1, amount="5.00", hours=1)
    simulator.add(2, amount="9000.00", blocking=True)
    simulator.add(3, excluded=("operator:omar",))
    async with open_console() as desk:
        table = desk.app.screen.query_one("#queue-table", VirtualTable)
        await desk.expect("waits for me: 2", "of 3 open, 2 for you")
        assert table.row == next(iter(simulator.checkpoints))
        await desk.press("s")
        await desk.expect("the largest amount first")
        await desk.press("v")
        await desk.expect("waits for others: 1")
        await desk.press("v", "slash")
        await desk.type("parcel/2")
        assert table.rows.count == 1
        await desk.press("enter", "escape")
        assert table.rows.count == 3
        await desk.click("#queue-table", offset=(4, 0))
        assert table.sorted_by == "urgency"


async def test_a_long_queue_comes_page_by_page(open_console: Opened, simulator: Simulator) -> None:
    for number in range(450):
        simulator.add(number)
    async with open_console() as desk:
        table = desk.app.screen.query_one("#queue-table", VirtualTable)
        assert table.rows.count == 200
        await desk.expect("200 and more", "of 450 open")
        await desk.press("end")
        assert table.rows.count == 400
        assert table.cursor == 199
        await desk.press("end", "end")
        assert table.rows.count == 450
        assert table.cursor == 449


async def test_rows_are_there_before_all_is_counted(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.add(1)
    count = Queue._counts

    async def once_rows_are_seen(queue: Queue) -> Overview | None:
        async with asyncio.timeout(PATIENCE):
            while not queue.query_one(VirtualTable).rows.count:
                await asyncio.sleep(0.01)
        return await count(queue)

    monkeypatch.setattr(Queue, "_counts", once_rows_are_seen)
    async with open_console() as desk:
        await desk.expect("parcel 1", "of 1 open, 1 for you")


class Lingering(Widget):
    """What is taken down last in a view: whoever asks is answered while the rest is gone."""

    def __init__(self, answer: asyncio.Event, worker: Worker[None]) -> None:
        super().__init__()
        self.answer, self.worker = answer, worker

    async def on_unmount(self) -> None:
        view = self.parent
        assert isinstance(view, View)
        async with asyncio.timeout(PATIENCE):
            while view.query(VirtualTable):
                await asyncio.sleep(0.01)
            self.answer.set()
            with contextlib.suppress(WorkerFailed, WorkerCancelled):  # the console notes it
                await self.worker.wait()


async def take_down(view: View, answer: asyncio.Event, worker: Worker[None]) -> None:
    """As when the console ends: the table first, and the view's own workers last."""
    await view.mount(Lingering(answer, worker))
    await view.remove()
    assert worker.state in {WorkerState.CANCELLED, WorkerState.SUCCESS}


async def test_an_answer_that_comes_while_the_console_ends_is_no_failure(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked before the screens are taken down has no place to be shown at, in any view."""
    simulator.add(1)
    seen = set()
    async with open_console("ada") as desk:
        for number in "123456":
            await desk.press(number)
            await desk.settle()
            view = desk.app.screen.query_one(ContentSwitcher).visible_content
            assert isinstance(view, View)
            asked, answers, ask = asyncio.Event(), asyncio.Event(), view.ask

            async def late(answer: Awaitable[T], asked=asked, answers=answers, ask=ask) -> T | None:
                async def held() -> T:
                    given = await answer
                    asked.set()
                    await answers.wait()
                    return given

                return await ask(held())

            monkeypatch.setattr(view, "ask", late)
            worker = view.load()
            assert isinstance(worker, Worker)
            await asked.wait()
            await take_down(view, answers, worker)
            seen.add(type(view))
    assert len(seen) == 6


async def test_screens_taken_down_after_the_last_answer_are_no_failure(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both answers had come, and nobody had looked at them yet."""
    simulator.add(1)
    counted, gone = asyncio.Event(), asyncio.Event()
    async with open_console() as desk:
        queue = desk.app.screen.query_one(Queue)
        counts, first_page = queue._counts, queue._first_page

        async def count() -> Overview | None:
            found = await counts()
            counted.set()
            return found

        async def last(asked: CheckpointQuery | None) -> CheckpointPage | None:
            page = await first_page(asked)
            await gone.wait()
            return page

        monkeypatch.setattr(queue, "_counts", count)
        monkeypatch.setattr(queue, "_first_page", last)
        worker = queue.load()
        await counted.wait()
        await take_down(queue, gone, worker)


async def test_a_change_that_is_told_while_the_console_ends_is_no_failure(
    open_console: Opened, simulator: Simulator
) -> None:
    """A view that is taken down asks for nothing more."""
    simulator.add(1)
    async with open_console() as desk:
        queue = desk.app.screen.query_one(Queue)
        await queue.remove()
        queue.load()
        await desk.settle()


async def test_marked_ones_are_approved_each_on_its_own_evidence(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: many at once are many signatures; one with a blocking finding is left out."""
    for number in (1, 2, 3):
        simulator.add(number, amount="100.00", blocking=number == 3)
    async with open_console() as desk:
        await desk.press("space", "space", "space", "A")
        await desk.expect("Approve 2 for €200.00 together", "left out: blocking")
        await fill_passphrase(desk)
        await desk.click("#sign")
        await desk.expect("2 of 2 recorded")
    decided = [each.decisions[0].jws for each in simulator.checkpoints.values() if each.decisions]
    assert len(set(decided)) == 2


async def test_what_is_on_hold_is_marked_and_not_approved_among_many(
    open_console: Opened, simulator: Simulator
) -> None:
    """Approved under a hold, it would end void; without a request for each row it is known."""
    for number in (1, 2):
        simulator.add(number, amount="100.00", hours=number)
    simulator.hold("depot/D-1/parcel/1")
    async with open_console() as desk:
        await desk.expect("held: parcel 1 of D-1", "On hold: depot/D-1/parcel/1.")
        assert not desk.sees("held: parcel 2")
        assert not [each for each in simulator.asked if each.startswith("GET /v1/cases/")]
        await desk.press("space", "space", "A")
        await desk.expect("Approve 1 for €100.00 together?", "left out: on hold")
        await desk.press("escape", "R")
        await desk.expect("Reject 2 together?")
        await desk.press("escape", "2")
        await desk.expect("held: parcel 1 of D-1")


async def test_what_is_asked_by_the_emergency_path_is_marked(
    open_console: Opened, simulator: Simulator
) -> None:
    """It ends long before the row is due, and read as any other row."""
    until = world.NOW + timedelta(days=40_000)
    for number in (1, 2, 3):
        view = simulator.add(number, amount="100.00", hours=number)
        if number != 2:
            asked = view.requirement.model_copy(update={"emergency_until": until})
            simulator.change(view.id, requirement=asked)
    simulator.hold("depot/D-1/parcel/3")
    async with open_console() as desk:
        await desk.expect("▲ parcel 1 of D-1", "held: parcel 3 of D-1")
        await desk.expect("▲ Emergency until", words.clock(until))
        assert not desk.sees("▲ parcel 2")
        await desk.press("2")
        await desk.expect("▲ parcel 1 of D-1", "held: parcel 3 of D-1")


async def test_a_hold_that_comes_while_many_are_read_leaves_out_what_it_stops(
    open_console: Opened, simulator: Simulator
) -> None:
    views = [simulator.add(number, amount="100.00", hours=number) for number in (1, 2)]
    async with open_console() as desk:
        await desk.press("space", "space", "A")
        await desk.expect("Approve 2 for €200.00 together?")
        simulator.hold("depot/D-1/parcel/1")
        await sign(desk)
        await desk.expect("left out: on hold", "1 of 2 recorded.")
    assert [len(simulator.checkpoints[each.id].decisions) for each in views] == [0, 1]


async def test_what_each_marked_one_comes_to_is_seen_on_a_small_screen(
    open_console: Opened, simulator: Simulator
) -> None:
    for number in (1, 2):
        simulator.add(number, amount=f"{number}234567.00")
    async with open_console(size=(80, 24)) as desk:
        await desk.press("space", "space")
        await desk.expect("waits for me: 2 · 2 marked")
        await desk.press("A")
        await desk.expect("parcel 1 of D-1", "€1,234,567.00", "€2,234,567.00", "1 warn")


def on_the_button(desk: Desk) -> str:
    """What is seen of the button that signs."""
    left, top, width, height = desk.app.screen.query_one("#sign", Button).region
    lines = desk.text().split("\n")[top : top + height]
    return " ".join(" ".join(each[left : left + width].strip(" ▔▁") for each in lines).split())


def a_payment_of_a_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the process name what differs in its last characters alone."""
    said = {name: getattr(world.PARCELS, name) for name in ProcessDefinition.model_fields}
    named = "payment pay-L-1001-1-P-1001{parcel} of draw 1 of L-1001"
    words = world.PARCELS.presentation.model_copy(update={"subject": named})
    monkeypatch.setattr(world, "PARCELS", ProcessDefinition(**{**said, "presentation": words}))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
async def test_the_button_names_its_act_whole_or_in_short(
    open_console: Opened,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
) -> None:
    """I6: an amount that is cut is another amount."""
    a_payment_of_a_draw(monkeypatch)
    simulator.add(4)
    async with open_console(size=size) as desk:
        simulator.delay = 0.2  # so that the dialog stands before all is read
        await desk.press("space", "A")
        await desk.expect("Approve 1 for €184,200.00 together?")
        simulator.delay = 0
        assert on_the_button(desk) == "Approve 1 for €184,200.00 together"
        await desk.press("escape", "enter", "a")
        await desk.expect("Approve payment pay-L-1001-1-P-10014 of draw 1 of L-1001 for")
        assert on_the_button(desk) == "Approve for €184,200.00"
        for key, said in (("r", "Reject"), ("x", "Abstain")):
            await desk.press("escape", key)
            await desk.expect(f"{said} ", "pay-L-1001-1-P-10014")
            assert on_the_button(desk) == said
        await desk.press("escape", "h")
        whole = "Hold payment pay-L-1001-1-P-10014 of draw 1 of L-1001"
        await desk.expect(f"{whole}?")
        assert on_the_button(desk) == "Hold payment pay-L-…01-1-P-10014 of draw 1 of L-1001"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
async def test_what_differs_in_its_last_characters_is_told_apart(
    open_console: Opened,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
) -> None:
    """Two payments of one draw, wherever they are listed."""
    a_payment_of_a_draw(monkeypatch)
    for number in (0, 4, 5):
        simulator.add(number)
    simulator.hold("depot/D-1/parcel/5")
    async with open_console(size=size) as desk:
        await desk.expect("-10010 of", "-10014 of", "held: payment pa…-10015")
        await desk.press("space", "space", "A")
        await desk.expect("Approve 2 for", "-10010 of", "-10014 of")
        await desk.press("escape", "2")
        await desk.expect("cases, open: 3", "-10010 of", "-10014 of", "held: payment pa…-10015")
        await desk.press("p")
        await desk.on(Replay)
        await desk.press("equals_sign")
        await desk.expect("Compare with which case?", "-10014 of", "-10015 of")


async def test_a_column_without_room_is_left_out_and_not_cut(
    open_console: Opened, registry: Simulator
) -> None:
    """I6: an amount that is cut is another amount, and "14 min ago" read "14"."""
    registry.add(4, blocking=True)
    async with open_console(size=(40, 12)) as desk:
        await desk.expect("What", "Amount", "parcel 4 of D-1 €184,200.00 ● 1")
        assert not desk.sees("Time left")
        await desk.press("3")
        await desk.expect("Identity Standing", "● active")
        assert not desk.sees("La")
    async with open_console(size=(60, 20)) as desk:
        await desk.expect("Time left", "Amount")
        await desk.press("3")
        await desk.expect("Last used")


async def test_how_findings_weigh_is_seen_on_a_narrow_screen(
    open_console: Opened, simulator: Simulator
) -> None:
    """By a sign where a word has no room, as the name is needed too; a severity cut off is none."""
    simulator.add(8, amount="1250000.00", blocking=True)
    simulator.add(12345678)
    simulator.hold("depot/D-1/parcel/8")
    async with open_console(size=(60, 24)) as desk:
        await desk.expect("held: parcel 8 of D-1 €1,250,000.00 ● 1")
        await desk.expect("parcel 12345678 of D-1 €184,200.00 ▲ 1")
    async with open_console(size=(80, 24)) as desk:
        await desk.expect("€1,250,000.00 1 blocking", "€184,200.00 1 warn")


async def test_where_no_amount_is_decided_none_is_shown(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    naming_the_sender(monkeypatch)
    for number in (1, 2):
        view = simulator.add(number, sender="api-key:acme/statement-export")
        proposal = view.evidence.proposal.model_copy(update={"amount": None, "requested": None})
        evidence = view.evidence.model_copy(update={"proposal": proposal})
        simulator.change(view.id, evidence=evidence)
    simulator.about = "api-key:acme/statement-export"
    async with open_console(size=(80, 24)) as desk:
        await desk.expect("api-k…ent-export, parcel 1 of D-1")
        assert not desk.sees("Amount")
        await desk.press("space", "space", "A")
        await desk.expect("Approve 2 together?", "atement-export, parcel 1 of D-1")
        assert not desk.sees("Amount") and not desk.sees("0.00")


def naming_the_sender(monkeypatch: pytest.MonkeyPatch, *effects: Effect) -> None:
    """Have the process name the sender as what is decided about."""
    asked = world.PARCELS.checkpoints[0].model_copy(
        update={"about": "label.sender", "effects": effects}
    )
    said = {name: getattr(world.PARCELS, name) for name in ProcessDefinition.model_fields}
    monkeypatch.setattr(world, "PARCELS", ProcessDefinition(**{**said, "checkpoints": (asked,)}))


async def test_the_very_thing_that_is_decided_about_is_named_and_what_a_word_does(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I6: where a case's subject does not say it, the evidence that is signed does."""
    naming_the_sender(
        monkeypatch, Effect(verdict=Verdict.REJECT, says="It is sent back to the sea.")
    )
    simulator.add(7)
    simulator.about = "anyone at all"
    async with open_console() as desk:
        await desk.expect("anyone at all, parcel 7 of D-1")
        await desk.press("enter")
        await desk.expect("Dispatch: Harbor Street Partners, parcel 7 of D-1 for €184,200.00")
        await desk.press("a")
        await desk.expect("Approve Harbor Street Partners, parcel 7 of D-1 for €184,200.00?")
        await desk.expect("exactly this goes on")
        await desk.press("escape", "r")
        await desk.expect("Reject Harbor Street Partners, parcel 7", "It is sent back to the sea.")
        assert not desk.sees("nothing of it is done")
        await desk.press("escape", "escape", "space", "R")
        await desk.expect("Reject none together?", "left out: not as listed")
        await desk.press("escape")
        simulator.about = "Harbor Street Partners"
        simulator.note(
            "case.opened", "operator:una", identifier("case", 8), "depot/D-1/parcel/8", {}
        )
        await desk.expect("Harbor Street Part")
        await desk.press("R")
        await desk.expect("Reject 1 together?", "It is sent back to the sea.")


async def test_the_dialogs_name_what_the_signature_fixes_whatever_the_words_say(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I6: a process's words, and a title, are in the database; the record is in the evidence."""
    said = {name: getattr(world.PARCELS, name) for name in ProcessDefinition.model_fields}
    words = world.PARCELS.presentation.model_copy(update={"subject": "parcel 9 of D-9"})
    monkeypatch.setattr(world, "PARCELS", ProcessDefinition(**{**said, "presentation": words}))
    view = simulator.add(7)
    simulator.checkpoints[view.id] = view.model_copy(update={"title": "A look, no more"})
    async with open_console(size=(80, 24)) as desk:
        await desk.expect("parcel 9 of D-9")
        await desk.press("enter", "a")
        await desk.expect("Approve parcel 9 of D-9", "dispatch of depot/D-1/parcel/7")
        await desk.press("escape", "l")
        await desk.expect("Lower parcel 9 of D-9", "what is signed: dispatch of depot/D-1/parcel/7")
        await desk.press("escape", "K")
        await desk.expect("what is signed: dispatch of depot/D-1/parcel/7")
        desk.app.screen.query_one("#form", Select).value = "label"
        await desk.expect("Weight label.weight")
        await desk.press("escape", "escape", "space", "A")
        await desk.expect("what is signed: dispatch of depot/D-1/parcel/7")


async def test_what_is_too_long_to_sign_is_said_so(
    open_console: Opened, simulator: Simulator
) -> None:
    """Before, the authority was blamed for an answer in a wrong form."""
    view = simulator.add(7, blocking=True)
    async with open_console() as desk:
        await desk.press("enter", "a")
        desk.app.screen.query_one("#exception-0", Checkbox).value = True
        why = desk.app.screen.query_one("#why-0", Input)
        why.value = "x" * 159
        why.focus()
        await desk.press("end", "y", "z")
        assert why.value == "x" * 159 + "y"
        desk.app.screen.query_one("#comment", Input).value = "👍" * 2000
        await sign(desk)
        await desk.expect("Not signed: what was typed is more than one signature takes")
        desk.app.screen.query_one("#comment", Input).value = "👍"
        await desk.push("#sign")
        await desk.on(CaseScreen)
    (word,) = simulator.checkpoints[view.id].decisions
    assert word.verdict == "approve"


@pytest.mark.parametrize("lie", [{"amount": "1.00"}, {"subject": "depot/D-1/parcel/9"}])
async def test_of_many_none_is_signed_that_the_list_shows_as_another(
    open_console: Opened,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    lie: dict[str, object],
) -> None:
    """I13: rows of a list are nobody's evidence; whoever writes the database could change them."""
    simulator.add(7)
    simulator.add(8, amount="100.00")
    true = simulator._line

    def line(view: CheckpointView, who: str) -> CheckpointLine:
        changed = CheckpointLine.model_validate({**true(view, who).model_dump(), **lie})
        return changed if view.subject.endswith("7") else true(view, who)

    monkeypatch.setattr(simulator, "_line", line)
    async with open_console() as desk:
        await desk.press("space", "space", "A")
        await desk.expect("Approve 1 for €100.00 together", "left out: not as listed")


async def test_of_marked_ones_the_one_that_changed_is_not_signed(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: each word is for the evidence that was read when the dialog opened."""
    for number in (1, 2):
        simulator.add(number, amount="100.00")
    first, second = simulator.checkpoints.values()
    async with open_console() as desk:
        await desk.press("space", "space", "A")
        await desk.expect("Approve 2 for €200.00 together")
        proposal = first.evidence.proposal.model_copy(update={"findings": ()})
        evidence = first.evidence.model_copy(update={"proposal": proposal})
        simulator.change(first.id, evidence=evidence)
        await fill_passphrase(desk)
        await desk.push("#sign")
        await desk.expect("1 of 2 recorded", "parcel 1 of D-1: refused: it has changed since")
    assert simulator.checkpoints[first.id].decisions == ()
    assert len(simulator.checkpoints[second.id].decisions) == 1


async def test_marked_ones_are_rejected_for_one_reason(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: a blocking finding stops no rejection, and nothing is signed without a reason."""
    for number in (1, 2, 3):
        simulator.add(
            number, blocking=number == 2, excluded=("operator:omar",) if number == 3 else ()
        )
    async with open_console() as desk:
        await desk.press("v", "v", "home", "space", "space", "space", "R")
        await desk.expect("Reject 2 together?", "left out: not for")
        await desk.expect("One rejection ends it: nothing of it is done.")
        await fill_passphrase(desk)
        await desk.click("#sign")
        await desk.expect("Choose a reason: it stands for all of them.")
        desk.app.screen.query_one("#reason", Select).value = "too_heavy"
        await desk.push("#sign")
        await desk.expect("2 of 2 recorded")
    said = [each.decisions for each in simulator.checkpoints.values()]
    assert [[word.verdict for word in each] for each in said] == [["reject"], ["reject"], []]


async def test_the_queue_is_grouped_and_seen_by_ones_own_views(
    open_console: Opened, simulator: Simulator
) -> None:
    for number in (1, 2, 3):
        simulator.add(number, hours=number * 20, blocking=number == 2)
    async with open_console(views={"grave": "status=open&severity=blocking"}) as desk:
        table = desk.app.screen.query_one("#queue-table", VirtualTable)
        await desk.press("u")
        await desk.expect("▾── Dispatch, parcels: 3", "by kind")
        await desk.press("u", "u", "u")
        await desk.expect("▾── blocking: 1", "▸── warnings: 2", "by findings")
        assert table.rows.count == 3
        await desk.press("home", "space")  # a group's name is no case, and can't be marked
        assert not table.marked
        await desk.press("end", "enter")
        await desk.expect("▸── blocking: 1", "▾── warnings: 2")
        assert table.rows.count == 4
        await desk.press("enter")
        await desk.expect("▸── warnings: 2")
        assert table.rows.count == 2
        assert not isinstance(desk.app.screen, CaseScreen)
        await desk.press("u", "u")
        for _ in range(6):  # after the six that everybody has
            await desk.press("v")
        await desk.expect("grave: 1")


async def test_a_view_is_saved_renamed_and_deleted_from_the_screen(
    open_console: Opened, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.add(7)
    simulator.add(8)
    kept = tmp_path / "own" / "views.json"
    async with open_console(views_file=kept) as desk:
        await desk.press("slash")
        await desk.type("parcel/8")
        await desk.press("enter", "V")
        await desk.on(OwnViews)
        await desk.press("ctrl+s")
        await desk.expect("Type a name for it.")
        await desk.type("eight")
        await desk.press("enter")
        await desk.expect("eight: 1 of 2 open")
        assert json.loads(kept.read_text()) == {"eight": "for=me&text=parcel%2F8"}
    async with open_console(views_file=kept) as desk:
        for _ in range(6):  # after the six that everybody has
            await desk.press("v")
        await desk.expect("eight: 1 of 2 open")
        await desk.press("V")
        await desk.on(OwnViews)
        desk.app.screen.query_one("#view-name", Input).value = "number eight"
        await desk.push("#rename")
        await desk.expect("eight is number eight now.")
        assert list(json.loads(kept.read_text())) == ["number eight"]
        await desk.press("f8")
        await desk.expect("number eight is gone.")
        await desk.press("escape")
        await desk.expect("all that is open: 2")
    assert json.loads(kept.read_text()) == {}


def test_a_file_of_views_that_is_none_is_left_alone(tmp_path: Path) -> None:
    """I12: what is no view is left out, and a file is replaced as a whole or not at all."""
    path = tmp_path / "views.json"
    assert saved.load(path) == {}
    for text in ("", "[1]", "{", '{"a": 1, "b": "severity=grave", "c": "for=me"}', "[" * 9999):
        path.write_text(text)
        assert saved.load(path) == ({"c": "for=me"} if '"c"' in text else {})
    with pytest.raises(ValueError, match="40 views"):
        saved.keep(path, {str(number): "for=me" for number in range(41)})
    with pytest.raises(ValueError, match="1 to 40 characters"):
        saved.keep(path, {"x" * 41: "for=me"})
    assert path.read_text() == "[" * 9999


@pytest.mark.parametrize("query", ["limit=5", "severity=grave", "nothing"])
def test_a_view_that_is_none_stops_the_start(query: str) -> None:
    with pytest.raises(ValidationError, match="mine: .* is no view"):
        ConsoleSettings(views={"mine": query})
