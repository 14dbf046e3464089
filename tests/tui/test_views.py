"""Cases, identities, the ledger, the floor, and a case's story: shown, and acted on."""

import pytest
from textual.widgets import Button, Input, Select, Static

from placet.audit import Flight, Report
from placet.cli import CommandFailed
from placet.model import ArchiveState, CaseStatus, Standstill
from placet.process import Process
from tests.tui.conftest import PASSPHRASE, Desk, Opened
from tests.tui.simulator import NOW, PARCELS, Simulator
from tui.audit import Audited
from tui.gateway import Gateway
from tui.said import said
from tui.screens import intake, main, replay
from tui.screens.act import Act
from tui.screens.case import CaseScreen
from tui.screens.compare import Choose, Compare
from tui.screens.look import Look
from tui.screens.main import Main
from tui.screens.replay import Replay
from tui.stages import case_look, stage_of
from tui.steps import Step, of_process, same_step, side_by_side
from tui.widgets.slider import Slider
from tui.widgets.table import VirtualTable

pytestmark = pytest.mark.timeout(60)


async def sign(desk: Desk, why: str = "stolen") -> None:
    await desk.on(Act)
    assert desk.app.focused is desk.app.screen.query_one("#cancel", Button)
    await desk.type(why)
    await desk.press("enter")
    await desk.type(PASSPHRASE)
    await desk.click("#sign")


async def test_the_views_are_reached_by_key_and_mouse(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("2")
        await desk.expect("cases, open: 1", "Dispatch")
        await desk.click("#nav-overview")
        await desk.expect("the floor now", "waiting for people 1")
        await desk.press("4")
        await desk.expect(f"{len(simulator.entries)} entries", "case.opened")
        await desk.press("1")
        await desk.expect("waits for me: 1")


async def test_a_case_that_stands_still_says_at_which_step(
    open_console: Opened, simulator: Simulator
) -> None:
    """I12: in words that may be anybody's; whether it waits for people as well, or not."""
    for view in (simulator.add(7), simulator.add(8)):
        simulator.cases[view.case] = simulator.cases[view.case].model_copy(
            update={
                "standstill": Standstill(
                    step="weigh",
                    agent="weigher",
                    since=NOW,
                    failures=12,
                    reason="OSError: [red]away[/] \x1b[2J",
                )
            }
        )
    del simulator.checkpoints[view.id]
    async with open_console() as desk:
        await desk.press("enter")
        await desk.expect("Stands still", "weigh (of weigher) has failed 12 times since")
        await desk.press("escape", "2")
        await desk.expect("2 stands still", "last time: OSError: [red]away[/]")
        assert "\x1b" not in desk.text()
        await desk.press("5")
        await desk.expect("standing still 2")


async def test_what_is_on_no_ledger_is_looked_at_again_by_itself(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A case begins to stand still while nobody touches the console, and no entry tells of it."""
    monkeypatch.setattr(main, "_LOOK_AGAIN", 0.2)
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("2")
        await desk.expect("cases, open: 1", "Dispatch")
        stands = Standstill(step="weigh", agent="weigher", since=NOW)
        simulator.cases[view.case] = simulator.cases[view.case].model_copy(
            update={"standstill": stands}
        )
        await desk.expect("1 stands still", "nobody takes weigh since")


async def test_a_hold_is_put_on_a_record(open_console: Opened, simulator: Simulator) -> None:
    view = simulator.add(7)
    async with open_console("omar") as desk:
        await desk.press("2", "h")
        await desk.expect("Hold parcel 7 of D-1?")
        await sign(desk, "fire")
    assert simulator.acts == [("operator:omar", "hold.place", view.subject, {"reason": "fire"})]


async def test_what_is_no_record_is_named_and_not_signed(
    open_console: Opened, simulator: Simulator
) -> None:
    """I12: it was told that the authority answers in a form that is not its own."""
    simulator.hold(simulator.add(7).subject)
    async with open_console("ada") as desk:
        for key in ("h", "l"):
            await desk.press("2", key)
            desk.app.screen.query_one("#record", Input).value = "a b"
            await sign(desk, "fire")
            await desk.expect("'a b' is no record, such as shop/S1")
            await desk.press("escape")
    assert simulator.acts == []


async def test_an_act_wants_a_reason_and_the_passphrase(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.add(7)
    async with open_console("omar") as desk:
        await desk.press("2", "h")
        await desk.click("#sign")
        await desk.expect("Say why.")
        await desk.type("fire")
        await desk.click("#sign")
        await desk.expect("Type the passphrase")
        await desk.press("escape")
    assert simulator.acts == []


async def test_a_cases_story_is_walked_and_jumped(
    open_console: Opened, simulator: Simulator
) -> None:
    view = simulator.add(7)
    denied = {"action": "parcel:open", "reasons": ["policy:law.no"]}
    simulator.note("grant.denied", "agent:weigher", view.case, view.subject, denied)
    async with open_console("una") as desk:
        await desk.press("enter", "p")
        await desk.on(Replay)
        steps = desk.app.screen.query_one("#steps", VirtualTable)
        assert steps.rows.count == 5
        await desk.press("right", "right", "left")
        assert steps.cursor == 1
        await desk.press("c")
        assert steps.cursor == 3
        await desk.press("d")
        assert steps.cursor == 4
        await desk.expect("policy:law.no")
        await desk.click(Slider, offset=(1, 0))
        assert steps.cursor == 0
        await desk.expect("not verified")  # the simulator has no proofs
        await desk.pilot.resize_terminal(80, 24)  # no room for the time: what it is stays
        await desk.settle()
        assert "What" in desk.text()
        assert "Time" not in desk.text()
        await desk.press("escape")
        await desk.on(CaseScreen)


async def test_two_cases_stand_side_by_side(open_console: Opened, simulator: Simulator) -> None:
    """By their own names, ended ones of the same process first; what differs is read below."""
    simulator.add(7)
    other, alike = simulator.add(8), simulator.add(9)
    denied = {"action": "parcel:open", "reasons": ["policy:law.no"]}
    simulator.note("grant.denied", "agent:weigher", other.case, other.subject, denied)
    simulator.cases[alike.case] = simulator.cases[alike.case].model_copy(
        update={"closed_at": NOW, "result": "dispatched"}
    )
    async with open_console("una") as desk:
        desk.app.push_screen(Replay(other.case))
        await desk.press("equals_sign")
        await desk.on(Choose)
        assert desk.text().index("parcel 9 of D-1") < desk.text().index("parcel 7 of D-1")
        await desk.press("enter")
        await desk.on(Compare)
        await desk.expect("parcel 8 of D-1 · open", "parcel 9 of D-1 · dispatched")
        await desk.expect("what the ledger has, as not both can be replayed")
        while "grant.denied" not in str(desk.app.screen.query_one("#compare-left", Static).content):
            await desk.press("n")
        await desk.expect("Nothing here.", "policy:law.no")
        await desk.press("enter")
        await desk.on(Look)
        await desk.expect("policy:law.no")


async def test_an_erased_case_is_said_to_be_one(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I8: what the ledger has of it stays on the screen; nothing is there to be replayed."""
    line = simulator.add(7)
    simulator.note("grant.issued", "agent:weigher", line.case, line.subject, {"action": "x:y"})
    simulator.cases[line.case] = simulator.cases[line.case].model_copy(
        update={
            "status": CaseStatus.CLOSED,
            "closed_at": NOW,
            "result": "dispatched",
            "archived": True,
            "archive": ArchiveState.ERASED,
        }
    )
    proof = Report(checked={"entries": 3}, troubles=())
    flight = Flight(case=line.case, process="p", workflow_type="P", frames=(), report=proof)

    async def audited(*_: object, **__: object) -> Audited:
        return Audited(proof, flight, "", b"")

    monkeypatch.setattr(replay, "audit_case", audited)
    async with open_console("una") as desk:
        desk.app.push_screen(Replay(line.case))
        await desk.expect("holds: 6 things checked; erased under two signatures", "issued")
    view = simulator.cases[line.case]
    told = said(*case_look(view, "parcel 7", stage_of(view, None, returned=False), NOW))
    assert "it was erased under two signatures" in told.plain


def test_how_often_temporal_asked_is_no_difference() -> None:
    """Two recordings are compared by what the process did."""

    def step(what: str, detail: str) -> Step:
        return Step("10:00:00", what, detail, "plain", ())

    asked = [step("workflow task", each) for each in ("scheduled", "started", "completed")]
    read, paid = step("step completed", "read_packet"), step("step completed", "pay")
    left = of_process([*asked, read, *asked, *asked, paid])
    right = of_process([*asked, read, *asked])
    pairs = side_by_side(left, right)
    assert pairs == [(read, read), (paid, None)]
    assert [same_step(each) for each in pairs] == [True, False]


async def test_a_finding_leads_to_the_place_where_it_was_read(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "tab", "o")
        await desk.expect("Documents", "label.pdf, page 1, kg", "2 kg in label.pdf")
        rows = desk.app.screen.query_one("#rows", VirtualTable)
        assert rows.has_focus


async def test_escape_leads_from_a_place_back_to_what_cites_it(
    open_console: Opened, simulator: Simulator
) -> None:
    """One level at a time: to the row, to the list of sections, and only then out of the case."""
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "4", "down", "down", "o")
        await desk.expect("Documents", "list.csv, row 2")
        rows = desk.app.screen.query_one("#rows", VirtualTable)
        index = desk.app.screen.query_one("#index", VirtualTable)
        await desk.press("escape")
        assert (index.row, rows.row, rows.has_focus) == ("Contents", "2", True)
        await desk.press("o", "3", "escape")  # who went elsewhere from there is not led back
        assert (index.row, index.has_focus) == ("Label", True)
        await desk.press("escape")
        await desk.on(Main)


async def test_the_place_that_a_row_cites_is_brought_into_sight(
    open_console: Opened, simulator: Simulator
) -> None:
    """From a section that fits on the screen into a list that does not."""
    simulator.add(7)
    async with open_console(size=(80, 14)) as desk:
        await desk.press("enter", "4", "down", "down", "o")
        await desk.expect("list.csv, row 2", "row 2 thing 2")


async def test_what_a_process_describes_is_shown_in_its_words(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "down", "down")
        await desk.expect("Label", "Sender", "Harbor Street Partners", "€184,200.00")
        await desk.expect("Sender Harbor Street Partners page 1, Sender")
        await desk.press("down")
        await desk.expect("Contents", "thing 2", "Worth")


async def test_help_and_palette_offer_what_is_in_force(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "f1")
        await desk.expect("case.approve", "Approve this")
        acts = [str(each.content) for each in desk.app.screen.query("#help-acts Static")]
        assert acts.index("Approve this  case.approve") < acts.index("Up  table.up")
        await desk.press("escape", "ctrl+p")
        await desk.type("abstain")
        await desk.until(lambda: desk.sees("Stand aside for good"))
        await desk.press("enter")
        await desk.until(lambda: desk.sees("Abstain from parcel 7 of D-1?"))


async def test_taking_in_begins_with_what_is_opened_most(
    open_console: Opened, parcels: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcels.add(7)
    two = {"letters": Process(definition=PARCELS, workflow=object), **intake.processes()}
    monkeypatch.setattr(intake, "processes", lambda: two)
    known = Gateway.matrix
    monkeypatch.setattr(Gateway, "matrix", lambda self, name: known(self, "parcels"))
    async with open_console("carl") as desk:
        await desk.press("2", "n")
        await desk.on(intake.Intake)
        assert desk.app.screen.query_one("#process", Select).value == "parcels"


class OneBroken(dict[str, Process]):
    """Processes of which one can't be loaded."""

    def __getitem__(self, name: str) -> Process:
        if name == "broken":
            raise CommandFailed("the process 'broken' can't be loaded", 2)
        return super().__getitem__(name)


async def test_a_process_that_can_not_be_loaded_stands_in_no_others_way(
    open_console: Opened, parcels: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told where it is alone."""
    parcels.add(7)
    sound = intake.processes()["parcels"]
    known = Gateway.matrix
    monkeypatch.setattr(Gateway, "matrix", lambda self, name: known(self, "parcels"))
    monkeypatch.setattr(intake, "processes", lambda: OneBroken(broken=sound, parcels=sound))
    async with open_console("carl") as desk:
        await desk.press("2", "n")
        await desk.on(intake.Intake)
        assert desk.app.screen.query_one("#process", Select).value == "parcels"
        await desk.press("escape")
        monkeypatch.setattr(intake, "processes", lambda: OneBroken(broken=sound))
        await desk.press("n")
        await desk.expect("the process 'broken' can't be loaded")


async def test_other_keys_can_be_set(open_console: Opened, simulator: Simulator) -> None:
    simulator.add(7)
    async with open_console(keys={"case.approve": "f6"}) as desk:
        await desk.press("enter", "a")
        await desk.on(CaseScreen)
        await desk.press("f6")
        await desk.expect("Approve parcel 7")
