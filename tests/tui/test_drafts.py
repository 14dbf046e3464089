"""What was typed into a dialog outlives its being closed, for whoever typed it and for nobody else."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Button, Checkbox, Input, Select, TextArea

from placet.model import Need
from tests.tui.conftest import PASSPHRASE, Desk, Opened
from tests.tui.simulator import Simulator
from tui.drafts import BACK
from tui.screens.case import CaseScreen
from tui.screens.decide import Decide
from tui.screens.lower import Lower
from tui.screens.main import Main
from tui.screens.sign_in import SignIn
from tui.widgets.table import VirtualTable

pytestmark = pytest.mark.timeout(120)


def held_by(desk: Desk, name: str) -> str:
    return desk.app.screen.query_one(f"#{name}", Input).value


async def test_a_reason_is_there_again_after_cancel(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6, I7: the text alone: no passphrase is kept, and no box that was ticked."""
    view = simulator.add(7, blocking=True)
    async with open_console() as desk:
        await desk.press("enter", "a")
        await desk.type("weighed by hand")  # at once, at Cancel: it goes where a reason is missing
        await desk.press("enter", "space", "tab")
        await desk.type("call back at 3 pm")
        await desk.press("enter")
        await desk.type("s3c")
        await desk.press("escape")
        await desk.on(CaseScreen)
        await desk.expect("What you typed is kept until you open this again.")
        await desk.press("r")
        assert held_by(desk, "comment") == ""  # another act
        await desk.press("escape", "a")
        await desk.expect(BACK)
        assert held_by(desk, "why-0") == "weighed by hand"
        assert held_by(desk, "comment") == "call back at 3 pm"
        assert held_by(desk, "passphrase") == ""
        box = desk.app.screen.query_one(Checkbox)
        assert not box.value
        await desk.press("space", "space")  # from Cancel to what is missing, which is ticked anew
        desk.app.screen.query_one("#passphrase", Input).focus()
        await desk.type(PASSPHRASE)
        await desk.press("enter", "enter")
        await desk.on(CaseScreen)
        assert desk.app.drafts == {}
    assert len(simulator.checkpoints[view.id].decisions) == 1


async def test_a_reason_stays_with_the_finding_that_it_is_about(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: where another finding has its place by now, the reason is not in its field."""
    view = simulator.add(7, blocking=True)
    async with open_console() as desk:
        await desk.press("enter", "a")
        await desk.type("weighed by hand")
        await desk.press("escape")
        (old,) = view.evidence.proposal.findings
        found = (old.model_copy(update={"id": "size.wide#7"}), old)
        proposal = view.evidence.proposal.model_copy(update={"findings": found})
        evidence = view.evidence.model_copy(update={"proposal": proposal})
        asked = view.requirement.model_copy(update={"exceptions": proposal.exceptions})
        simulator.change(view.id, evidence=evidence, requirement=asked)
        await desk.until(lambda: desk.sees("Findings 2"))
        await desk.press("a")
        await desk.expect(BACK)
        held = [each.value for each in desk.app.screen.query(".why").results(Input)]
        assert held == ["", "weighed by hand"]


@pytest.mark.parametrize(
    ("who", "opens", "field"),
    [
        ("omar", ("enter", "h"), "why"),
        ("omar", ("enter", "m"), "text"),
        ("omar", ("enter", "K"), "field-0"),
        ("carl", ("2", "n"), "subject-depot-of-parcels"),
    ],
    ids=["act", "comment", "key", "intake"],
)
async def test_what_is_typed_at_once_is_taken_and_there_again(
    open_console: Opened, parcels: Simulator, who: str, opens: tuple[str, ...], field: str
) -> None:
    parcels.add(7)
    async with open_console(who) as desk:
        await desk.press(*opens)
        await desk.type("3 kg")
        assert held_by(desk, field) == "3 kg"
        await desk.press("escape", opens[-1])
        assert held_by(desk, field) == "3 kg"
        assert parcels.acts == []


async def test_what_is_said_of_many_is_there_again_for_the_same_ones(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.add(7)
    simulator.add(8)
    async with open_console() as desk:
        await desk.press("space", "space", "R")
        chosen = desk.app.screen.query_one("#reason", Select)
        chosen.value = "too_heavy"
        desk.app.screen.query_one("#comment", Input).value = "all of them"
        await desk.press("escape")
        await desk.on(Main)
        await desk.press("R")
        assert desk.app.screen.query_one("#reason", Select).value == "too_heavy"
        assert held_by(desk, "comment") == "all of them"


async def test_what_was_taken_off_rows_is_there_again(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "l", "enter")
        await desk.type("1.00")
        await desk.press("enter")
        await desk.type("it is broken")
        await desk.press("enter", "down", "enter")
        await desk.type("0.50")
        await desk.press("enter")
        await desk.type("half of it")
        await desk.press("escape")
        await desk.on(CaseScreen)
        await desk.press("l")
        await desk.on(Lower)
        await desk.expect("to €184,199.00?", "it is broken", BACK)
        assert desk.app.screen.query_one(VirtualTable).row == "thing 1"
        assert (held_by(desk, "off"), held_by(desk, "row-why")) == ("0.50", "half of it")


async def test_a_letter_that_was_changed_is_there_again_until_it_is_kept(
    open_console: Opened, parcels: Simulator, tmp_path: Path
) -> None:
    parcels.add(7)
    async with open_console() as desk:
        await desk.press("enter", "e")
        await desk.expect("about depot/D-1/parcel/7")
        desk.app.screen.query_one(TextArea).text = "as I put it"
        await desk.press("down", "up")
        assert desk.app.screen.query_one(TextArea).text == "as I put it"
        await desk.press("escape", "e")
        await desk.expect(BACK, "as I put it")
        desk.app.screen.query_one("#paper-path", Input).value = str(tmp_path / "n.txt")
        await desk.push("#keep")
        await desk.expect("Kept as")
        await desk.press("escape", "e")
        await desk.expect("about depot/D-1/parcel/7")


async def test_what_was_typed_is_kept_behind_the_lock_and_forgotten_with_who_typed_it(
    open_console: Opened, simulator: Simulator
) -> None:
    """I7: nobody reads what the one before them had begun to say."""
    simulator.add(7, needs=(Need(roles=("officer",), count=1), Need(roles=("senior",), count=1)))
    async with open_console() as desk:
        await desk.press("enter", "a")
        desk.app.screen.query_one("#comment", Input).value = "I doubt the scales"
        await desk.press("escape", "ctrl+l")
        await desk.on(SignIn)
        await desk.type(PASSPHRASE)
        await desk.press("enter")
        await desk.on(CaseScreen)
        await desk.press("a")
        await desk.on(Decide)
        assert held_by(desk, "comment") == "I doubt the scales"
        await desk.press("escape", "ctrl+o")
        await desk.on(SignIn)
        assert desk.app.drafts == {}


async def test_a_dialog_with_nothing_to_fill_in_begins_at_cancel(
    open_console: Opened, simulator: Simulator
) -> None:
    """Nothing is signed by accident: a key without a passphrase signs at a button alone."""
    view = simulator.add(7)
    async with open_console() as desk:
        desk.app._session = replace(desk.app.session, protected=False)
        await desk.press("enter", "a")
        assert desk.app.focused is desk.app.screen.query_one("#cancel", Button)
        await desk.press("enter")
        await desk.on(CaseScreen)
    assert simulator.checkpoints[view.id].decisions == ()
