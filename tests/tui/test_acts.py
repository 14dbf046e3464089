"""Every act around a checkpoint, by key and mouse: what is asked, what is signed, who is offered it."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest
from textual.widgets import Button, Checkbox, Input, Select

from placet.model import (
    CampaignView,
    CheckpointStatus,
    ClaimView,
    Compared,
    DecisionView,
    Finding,
    Governance,
    Need,
    Place,
    ProposalView,
    ReviewView,
    Severity,
    StepUp,
    VendorView,
    digest_json,
)
from tests.tui.conftest import PASSPHRASE, Desk, Opened
from tests.tui.simulator import NOW, Simulator
from tui import acts, identity_acts, words
from tui.gateway import Gateway
from tui.screens.act import Act
from tui.screens.case import CaseScreen
from tui.screens.decide import Decide
from tui.screens.document import DocumentScreen
from tui.screens.key import KeyIn
from tui.screens.lower import Lower
from tui.widgets.table import VirtualTable

pytestmark = pytest.mark.timeout(120)


async def fill(desk: Desk, **values: str) -> None:
    for name, value in values.items():
        desk.app.screen.query_one(f"#{name}", Input).value = value


async def sign(desk: Desk) -> None:
    """With real keys: on to the passphrase, on to the button, and press it."""
    desk.app.screen.query_one("#passphrase", Input).focus()
    await desk.type(PASSPHRASE)
    await desk.push("#sign")


async def test_a_file_is_attached_a_hold_put_and_lifted(
    open_console: Opened, simulator: Simulator, tmp_path: Path
) -> None:
    view = simulator.add(7)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"a picture")
    async with open_console() as desk:
        await desk.press("enter", "f")
        await desk.expect("Attach a file to parcel 7 of D-1?")
        assert desk.app.focused is desk.app.screen.query_one("#cancel", Button)
        await fill(desk, file=str(tmp_path / "none.jpg"))
        await sign(desk)
        await desk.expect("none.jpg: there is no such file")
        await fill(desk, file=str(photo))
        await desk.click("#sign")
        await desk.on(CaseScreen)
        for key, words in (("h", "Hold parcel 7 of D-1?"), ("H", "Lift the hold on parcel 7")):
            await desk.press(key)
            await desk.expect(words)
            await fill(desk, why="fire", record="depot/D-1")
            await sign(desk)
            await desk.on(CaseScreen)
    said = [(act, target) for _, act, target, _ in simulator.acts]
    assert said == [
        ("checkpoint.attach", view.id),
        ("hold.place", "depot/D-1"),
        ("hold.lift", "depot/D-1"),
    ]
    assert (simulator.acts[0][3]["name"], simulator.acts[0][3]["size"]) == ("photo.jpg", 9)


@pytest.mark.parametrize(
    ("opens", "fields", "done"),
    [
        (("enter", "a"), {}, "recorded"),
        (("enter", "h"), {"why": "fire", "record": "depot/D-1"}, "recorded as entry"),
        (("space", "A"), {}, "1 of 1 recorded"),
    ],
    ids=["decide", "act", "bulk"],
)
async def test_whoever_mistypes_a_passphrase_types_it_anew_at_once(
    open_console: Opened,
    simulator: Simulator,
    opens: tuple[str, ...],
    fields: dict[str, str],
    done: str,
) -> None:
    """It is asked for again, and nothing that is typed is lost."""
    simulator.add(7, amount="100.00")
    async with open_console() as desk:
        await desk.press(*opens)
        await fill(desk, **fields)
        desk.app.screen.query_one("#passphrase", Input).focus()
        await desk.type("wrong")
        await desk.press("enter", "enter")
        await desk.expect("the passphrase is wrong")
        await desk.type(PASSPHRASE)
        await desk.press("enter", "enter")
        await desk.expect(done)


async def test_an_amount_is_lowered_row_by_row(open_console: Opened, simulator: Simulator) -> None:
    """I6: the dialog says what is left to the cent, and signs it for the evidence that was shown."""
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "l")
        await desk.on(Lower)
        assert desk.app.screen.query_one("#sign", Button).disabled
        await desk.press("down", "enter")
        await desk.type("x")
        await desk.press("enter", "enter")
        await desk.expect("Say why something is taken off")
        await desk.type("seen twice")
        await desk.press("enter")
        await desk.expect("is no amount above nothing")
        await fill(desk, off="200.50")
        await desk.press("enter", "enter")
        await desk.expect("Lower parcel 7 of D-1 from €184,200.00 to €183,999.50?")
        await sign(desk)
        await desk.on(CaseScreen)
    ((who, act, target, body),) = simulator.acts
    assert (who, act, target) == ("operator:omar", "checkpoint.adjust", view.id)
    rows = [{"item": "thing 1", "amount": "200.50", "reason": "seen twice"}]
    assert (body["rows"], body["amount"]) == (rows, "183999.50")
    assert body["evidence_digest"] == digest_json(view.evidence)


async def test_nothing_is_lowered_of_evidence_that_changed(
    open_console: Opened, simulator: Simulator
) -> None:
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "l", "enter")
        await fill(desk, off="1.00")
        desk.app.screen.query_one("#row-why", Input).value = "why"
        desk.app.screen.query_one("#row-why", Input).focus()
        await desk.press("enter")
        smaller = view.evidence.proposal.model_copy(update={"findings": ()})
        evidence = view.evidence.model_copy(update={"proposal": smaller})
        simulator.change(view.id, evidence=evidence)
        await sign(desk)
        await desk.expect("it has changed since you opened it")
    assert simulator.acts == []


async def test_a_document_is_read_where_a_finding_cites_it(
    open_console: Opened, parcels: Simulator
) -> None:
    parcels.add(7)
    async with open_console() as desk:
        await desk.press("enter", "tab", "v")
        await desk.on(DocumentScreen)
        await desk.expect("label.pdf", "page 1, 1 of 1", "cited: page 1, kg", "▶ 3 kg: 2")
        await desk.press("c")
        assert desk.app.clipboard == "kg: 2"
        await desk.press("v")
        await desk.expect("there is no viewer here")
        await desk.press("escape")
        await desk.on(CaseScreen)


async def test_another_document_than_the_agents_read_is_not_shown(
    open_console: Opened, parcels: Simulator
) -> None:
    """I13: what people read is what the evidence was made of, by its digest."""
    parcels.add(7)
    parcels.document = b"%PDF- another"
    async with open_console() as desk:
        await desk.press("enter", "tab", "v")
        await desk.expect("label.pdf is not the document that was read")


async def test_what_could_not_be_read_is_keyed_beside_its_page(
    open_console: Opened, parcels: Simulator
) -> None:
    view = parcels.add(7)
    async with open_console() as desk:
        await desk.press("enter", "tab", "K")
        await desk.on(KeyIn)
        await desk.expect("Key values of label.pdf", "▶", "kg: 2", "you approve nothing here")
        assert desk.app.screen.query_one("#form", Select).value == "value"
        await sign(desk)
        await desk.expect("Key at least one value.")
        desk.app.screen.query_one("#field-0", Input).value = "2 kg"
        await desk.click("#sign")
        await desk.on(CaseScreen)
    ((_, act, target, body),) = parcels.acts
    assert (act, target) == ("checkpoint.key", view.id)
    keyed = {"document": "label.pdf", "spot": "page 1, kg", "field": "value"}
    assert body["values"] == [{**keyed, "value": "2 kg"}]


async def test_the_cells_of_a_row_are_keyed_together(
    open_console: Opened, parcels: Simulator
) -> None:
    """What could not be read in a table's row is keyed cell by cell, the page following along."""
    view = parcels.add(7)
    cells = [
        Finding(
            id=f"list.read#{at}",
            check="list.read",
            severity=Severity.WARNING,
            message="is no amount",
            compared=(
                Compared(label="read", value="?", place=Place(document="label.pdf", spot=spot)),
            ),
        )
        for at, spot in enumerate(("page 1, Weight", "page 1, Sender:"))
    ]
    proposal = view.evidence.proposal.model_copy(update={"findings": tuple(cells)})
    evidence = view.evidence.model_copy(update={"proposal": proposal})
    parcels.change(view.id, evidence=evidence)
    async with open_console() as desk:
        await desk.press("enter", "tab", "K")
        await desk.on(KeyIn)
        await desk.expect("what stands at page 1, Weight", "what stands at page 1, Sender:")
        for at, value in enumerate(("12.00", "3")):
            desk.app.screen.query_one(f"#field-{at}", Input).focus()
            await desk.type(value)
        await desk.expect("▶ 2 Sender: Harbor Street")
        await sign(desk)
        await desk.on(CaseScreen)
    ((_, act, target, body),) = parcels.acts
    assert (act, target) == ("checkpoint.key", view.id)
    told = [(each["spot"], each["field"], each["value"]) for each in body["values"]]
    assert told == [("page 1, Weight", "value", "12.00"), ("page 1, Sender:", "value", "3")]


async def test_papers_are_changed_and_kept(
    open_console: Opened, parcels: Simulator, tmp_path: Path
) -> None:
    parcels.add(7)
    async with open_console() as desk:
        await desk.press("enter", "e")
        await desk.expect("note.txt", "sheet.xlsx", "about depot/D-1/parcel/7")
        desk.app.screen.query_one("#paper-text").text = "as I put it"
        for expected in ("Kept as", "is there already"):
            desk.app.screen.query_one("#paper-path", Input).value = str(tmp_path / "n.txt")
            await desk.push("#keep")
            await desk.expect(expected)
        desk.app.screen.query_one(VirtualTable).focus()
        await desk.press("down")
        desk.app.screen.query_one("#paper-path", Input).value = str(tmp_path / "s.xlsx")
        await desk.click("#keep")
    assert (tmp_path / "n.txt").read_text() == "as I put it"
    assert (tmp_path / "s.xlsx").read_bytes() == b"PK"


async def test_an_administrator_recalls_a_checkpoint(
    open_console: Opened, simulator: Simulator
) -> None:
    view = simulator.add(7)
    async with open_console("ada") as desk:
        await desk.press("enter", "R")
        await desk.expect("Recall the checkpoint on parcel 7 of D-1?")
        await desk.expect("What is signed: checkpoint.recall on", "is not signed with it")
        await fill(desk, why="wrong matrix")
        await sign(desk)
    acts = [(act, target, body) for _, act, target, body in simulator.acts]
    assert acts == [("checkpoint.recall", view.id, {"reason": "wrong matrix"})]


async def test_a_hold_and_who_sees_to_it_stand_above_the_case(
    open_console: Opened, simulator: Simulator
) -> None:
    """What is approved under a hold ends refused, and void: whoever decides is told before."""
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter")
        assert not desk.sees("On hold")
        simulator.hold("depot/D-1")
        simulator.change(view.id, claim=ClaimView(operator="operator:bo", claimed_at=NOW))
        await desk.expect("● On hold: depot/D-1. Nothing guarded happens until it is lifted.")
        await desk.expect("Claimed by bo.", "Your approval would be the last")
        await desk.press("a")
        await desk.on(Decide)
        await desk.expect(
            "● On hold: depot/D-1.", "it is refused, and every approval of it is void"
        )
        await desk.press("escape", "r")
        await desk.expect("Reject parcel 7 of D-1?")
        assert not desk.sees("every approval of it is void")


async def test_a_hold_that_comes_meanwhile_is_told_without_a_key(
    open_console: Opened, simulator: Simulator
) -> None:
    """No checkpoint changes with it: who read the case, or filled in the dialog, approved all the same."""
    simulator.add(7)
    void = "Approved before that, it is refused, and every approval of it is void."
    async with open_console() as desk:
        await desk.press("enter")
        simulator.hold("depot/D-1")
        await desk.expect("● On hold: depot/D-1. Nothing guarded happens until it is lifted.")
        simulator.hold("depot/D-1", on=False)
        await desk.until(lambda: not desk.sees("On hold"))
        await desk.press("a")
        await desk.on(Decide)
        simulator.hold("depot/D-1")
        await desk.expect("● On hold: depot/D-1.", void)
        await desk.expect("This went on hold while the dialog was open.")
        simulator.hold("depot/D-1", on=False)
        await desk.expect("The hold is lifted.")
        assert not desk.sees(void)


@pytest.mark.parametrize(("to", "key"), [("enter", "H"), ("2", "l")], ids=["case", "cases"])
async def test_a_hold_is_lifted_where_there_is_one(
    open_console: Opened, simulator: Simulator, to: str, key: str
) -> None:
    """It is lifted from the record that it is on, which may be one above the case's."""
    simulator.add(7)
    for held in (False, True):
        if held:
            simulator.hold("depot/D-1")
        async with open_console() as desk:
            await desk.press(to)
            offered = {
                each.binding.action
                for each in desk.app.screen.active_bindings.values()
                if each.enabled
            }
            assert "hold" in offered
            assert ("lift" in offered) is held
            await desk.press(key)
            assert desk.sees("Lift the hold on parcel 7 of D-1?") is held
            if held:
                assert desk.app.screen.query_one("#record", Input).value == "depot/D-1"


async def test_who_answers_a_return_reads_what_is_to_come_back(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.add(7)
    async with open_console("omar") as desk:
        await desk.press("enter", "b")
        await desk.expect("What is to come back, kept with the decision")
        desk.app.screen.query_one("#reason", Select).value = "other"
        await fill(desk, comment="the page with the seal")
        await sign(desk)
        await desk.on(CaseScreen)
        await desk.press("2")
        await desk.expect("omar: return, ", "; other: the page with the seal")
    async with open_console("carl") as desk:
        await desk.press("2", "u")
        await desk.expect("omar returned it", "other: the page with the seal")


async def test_the_next_approver_reads_why_a_finding_was_accepted(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: who accepted which exception, and the reason that they signed."""
    view = simulator.add(7, blocking=True, needs=(Need(roles=("officer",), count=2),))
    async with open_console("omar") as desk:
        await desk.press("enter", "a")
        await desk.on(Decide)
        desk.app.screen.query_one("#exception-0", Checkbox).value = True
        await fill(desk, **{"why-0": "[b]weighed twice[/b] \x1b[2Jby hand"})
        await sign(desk)
        await desk.on(CaseScreen)
    finding = view.evidence.proposal.findings[0].id
    async with open_console("omar") as desk:
        await desk.press("enter", "2")
        await desk.expect("omar: approve, ", f"omar accepts {finding}: [b]weighed twice[/b] ")
    _, key = simulator.people["operator:sofia"]
    simulator.people["operator:sofia"] = (("officer",), key)
    async with open_console("sofia") as desk:
        await desk.press("enter", "a")
        await desk.expect("omar accepts it: [b]weighed twice[/b] ", "by hand", "I accept this one")
        assert desk.app.screen.query_one("#why-0", Input).value == ""
    simulator.erase(view.id)
    async with open_console("omar") as desk:
        desk.app.push_screen(CaseScreen(view.id))
        await desk.on(CaseScreen)
        await desk.press("2")
        await desk.expect("what people saw, and why they decided so, is gone")
        assert not desk.sees("accepts")


async def test_the_time_that_is_left_ticks_and_at_its_end_it_is_over(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = simulator.add(7, hours=1 / 60)
    simulator.attach(view.id, "note.txt", b"look here")
    hour = timedelta(hours=1)
    async with open_console("omar") as desk:
        await desk.press("enter", "2")
        await desk.expect(" s left", "would be the last")
        before = desk.text()
        await desk.until(lambda: desk.text() != before)
        simulator.clock = (ended := view.deadline + hour)
        monkeypatch.setattr(words, "now", lambda: ended)
        await desk.expect("over since 1 h", "Its time is over: nobody decides here any more.")
        await desk.until(lambda: not desk.sees("Approve"))
        assert isinstance(desk.app.screen, CaseScreen)
        now = ended + hour
        monkeypatch.setattr(words, "now", lambda: now)
        await desk.expect("over since 2 h")


async def test_a_void_checkpoint_leads_to_the_one_where_people_are_asked_anew(
    open_console: Opened, simulator: Simulator
) -> None:
    view = simulator.add(7)
    async with open_console("omar") as desk:
        await desk.press("enter")
        await desk.expect("parcel 7 of D-1", "would be the last")
        after = simulator.add(8)
        simulator.change(view.id, status=CheckpointStatus.VOIDED)
        await desk.expect("This has ended: voided.")
        assert not desk.sees("Asked anew")
        simulator.change(view.id, replaced_by=after.id)
        await desk.expect("People are asked anew: n leads there.", "n Asked anew")
        await desk.press("n")
        await desk.expect("parcel 8 of D-1", "would be the last")
        await desk.press("a")
        await desk.expect("Approve parcel 8 of D-1")


@pytest.mark.parametrize(
    "payload",
    ["b", "bnVsbA", "W10", "eyJjb21tZW50IjoxfQ", "_w", "eyJleGNlcHRpb25zIjpbeyJ3aHkiOjF9XX0"],
)
def test_what_is_no_signed_word_says_nothing(payload: str) -> None:
    """I12: what a person is shown of a decision is read of a text that nobody vouched for."""
    word = DecisionView(
        jti="j" * 24, operator="operator:bo", verdict="return", decided_at=NOW, jws=f"a.{payload}.c"
    )
    assert (word.said, word.accepted) == ("", ())


class _Sent:
    """Stands where the authority would, and keeps the act and target that were to be signed."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def act(self, act: str, target: str, body: object) -> None:
        del body
        self.said.append(f"{act} on {target}")

    async def attach(self, checkpoint: str, *file: object) -> None:
        await self.act("checkpoint.attach", checkpoint, file)

    async def countersign(self, proposal: ProposalView) -> None:
        await self.act("act.countersign", proposal.jti, proposal)


async def test_a_dialog_names_what_is_signed_of_an_act_as_it_is_sent(
    simulator: Simulator, tmp_path: Path
) -> None:
    """I6: act and target, whatever title or words a database puts above them."""
    view, proposal = simulator.add(7), simulator.propose()
    case = simulator.cases[view.case]
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"a picture")
    review = ReviewView(
        id="r" * 24,
        case=view.case,
        checkpoint=view.id,
        opened_by="operator:omar",
        opened_at=NOW,
        until=NOW,
        status="open",
    )
    vendor = VendorView(
        vendor="acme",
        identities=("agent:weigher",),
        running=(),
        cases=(),
        live_grants=0,
        payments_in_flight=0,
    )
    campaign = CampaignView(campaign="q1", started_by="operator:ada", started_at=NOW, items=())
    deeds = [
        acts.admit(case, "x"),
        acts.end(case, "x"),
        acts.recall(view, "x"),
        acts.break_glass(view, "x"),
        acts.attach(view, "x"),
        acts.end_delegation("d" * 24, "operator:bo"),
        acts.countersign(proposal),
        acts.withdraw(proposal),
        acts.close_review(review, "parcel 7 of D-1"),
        identity_acts.change("suspend", "agent:weigher"),
        identity_acts.end("api-key:payments/stripe"),
        identity_acts.vendor_off(vendor),
        identity_acts.acknowledge(campaign),
    ]
    for deed in deeds:
        sent = _Sent()
        told = {"why": "so", "file": str(file), "verdict": "it was justified"}
        await deed.send(cast("Gateway", sent), told)
        assert deed.signs.startswith(sent.said[0])
    for deed, act in ((acts.hold("x/1", "x"), "hold.place"), (acts.lift("x/1", "x"), "hold.lift")):
        assert deed.signs == f"{act} on the record in the field below"


@pytest.mark.parametrize(
    ("who", "may", "may_not"),
    [
        ("omar", "tmflKhHv", "R!"),
        ("carl", "mfKhHv", "tlR!"),
        ("una", "v", "tmflKhHR!e"),
    ],
)
async def test_each_is_offered_what_they_can_do(
    open_console: Opened, parcels: Simulator, who: str, may: str, may_not: str
) -> None:
    parcels.hold(parcels.add(7).subject)
    async with open_console(who) as desk:
        await desk.press("enter")
        await desk.on(CaseScreen)
        active = desk.app.screen.active_bindings
        offered = {
            key
            for key, each in active.items()
            if each.enabled and (each.binding.id or "").startswith("case.")
        }
        keys = {"!": "exclamation_mark"}
        assert {keys.get(each, each) for each in may} <= offered
        assert not {keys.get(each, each) for each in may_not} & offered
        await desk.press("R")
        assert not isinstance(desk.app.screen, Act)


async def test_a_folder_is_taken_in_as_a_case(
    open_console: Opened, parcels: Simulator, tmp_path: Path
) -> None:
    parcels.add(7)
    async with open_console("carl") as desk:
        await desk.press("2", "n")
        await desk.expect("Open a case?", "Depot", "Parcel", "Box: a file or folder")
        boxes = {"subject-depot": "D-1", "subject-parcel": "7", "attach-box": str(tmp_path / "no")}
        for name, value in boxes.items():
            desk.app.screen.query_one(f"#{name}-of-parcels", Input).value = value
        await sign(desk)
        await desk.expect("depot/D-1/parcel/7 has an open case already")
        desk.app.screen.query_one("#subject-parcel-of-parcels", Input).value = "8"
        await desk.push("#sign")
        await desk.expect("no: no such folder")
        assert parcels.acts == []
        desk.app.screen.query_one("#attach-box-of-parcels", Input).value = str(tmp_path)
        await desk.push("#sign")
        await desk.until(lambda: bool(parcels.acts))
    ((who, act, target, body),) = parcels.acts
    assert (who, act, target) == ("operator:carl", "case.open", "depot/D-1/parcel/8")
    assert body == {"process": "parcels", "subject": "depot/D-1/parcel/8"}


async def test_a_return_is_answered(
    open_console: Opened, parcels: Simulator, tmp_path: Path
) -> None:
    view = parcels.add(7)
    parcels.change(view.id, status=CheckpointStatus.RETURNED)
    async with open_console("carl") as desk:
        await desk.press("2")
        await desk.expect("by stage", "── returned: 1", "whoever opened it")
        await desk.press("u")
        await desk.expect("Answer the return of parcel 7 of D-1?")
        desk.app.screen.query_one("#attach-box-of-parcels", Input).value = str(tmp_path)
        await sign(desk)
        await desk.until(lambda: bool(parcels.acts))
    ((_, act, target, body),) = parcels.acts
    assert (act, target) == ("case.resubmit", view.case)
    assert body == {"record": f"{view.subject}/box", "version": "1"}


async def test_a_second_administrator_signs_what_was_proposed(
    open_console: Opened, simulator: Simulator
) -> None:
    proposal = simulator.propose()
    async with open_console("omar") as desk:
        await desk.press("6")
        await desk.expect("operator.resume", "sam")
        await desk.press("c")
        assert not isinstance(desk.app.screen, Act)
    async with open_console("ada") as desk:
        await desk.press("6", "c")
        await desk.expect("Countersign operator.resume on operator:sam?", "back from leave")
        await sign(desk)
        await desk.until(lambda: bool(simulator.acts))
    ((who, act, target, signed),) = simulator.acts
    assert (who, act, target) == ("operator:ada", "act.countersign", proposal.jti)
    assert signed["body_digest"] == proposal.body_digest


async def test_a_person_hands_over_for_a_time(open_console: Opened, simulator: Simulator) -> None:
    roles, key = simulator.people["operator:sofia"]
    simulator.people["operator:sofia"] = (("officer", *roles), key)
    async with open_console("omar") as desk:
        await desk.press("6", "d")
        assert not desk.sees("could stand in for you")
        zone = words.now().astimezone().tzname()
        await desk.expect("Let someone stand in for you?", f"moment not included ({zone})")
        desk.app.screen.query_one("#who", Select).value = "sofia"
        await fill(desk, until="next week", why="leave")
        await sign(desk)
        await desk.expect("'next week' is no time such as")
        await fill(desk, until="2999-12-24T08:00:00+00:00")
        await desk.push("#sign")
        await desk.until(lambda: bool(simulator.acts))
    ((_, act, target, body),) = simulator.acts
    assert (act, target) == ("delegation.give", "operator:sofia")
    assert str(body["ends_at"]).startswith("2999-12-24T08:00:00")


async def test_who_has_nobody_of_their_roles_is_told_why_no_one_stands_in(
    open_console: Opened, simulator: Simulator
) -> None:
    async with open_console("omar", size=(80, 24)) as desk:  # on two lines, if need be
        await desk.press("6")
        await desk.expect("nobody who has all of your roles could stand in for you")
        await desk.press("d")
        assert not isinstance(desk.app.screen, Act)
    async with open_console("una") as desk:
        await desk.press("6")
        await desk.expect("between people: 0")
        assert not desk.sees("could stand in for you")


async def test_a_large_amount_signs_in_again_with_the_passphrase(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: where the rules want it, the passphrase proves anew that the person is there."""
    view = simulator.add(7)
    simulator.governance = Governance(version=1, step_up=StepUp(above=Decimal("50000.00")))
    async with open_console() as desk:
        await desk.press("enter", "a")
        before = simulator.asked.count("POST /oauth/token")
        await sign(desk)
        await desk.on(CaseScreen)
        assert simulator.asked.count("POST /oauth/token") == before + 1
    assert simulator.checkpoints[view.id].status is CheckpointStatus.APPROVED


async def test_a_person_signs_in_at_the_provider_and_again_for_a_large_amount(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: the console says where and what to enter, and waits; a large amount asks anew."""
    view = simulator.add(7)
    simulator.governance = Governance(version=1, step_up=StepUp(above=Decimal("50000.00")))
    async with open_console(passphrase="wrong") as desk:
        await desk.expect("the passphrase is wrong")
        desk.app.screen.query_one("#passphrase", Input).value = PASSPHRASE
        desk.app.screen.set_focus(desk.app.screen.query_one("#provider", Button))
        await desk.pilot.press("enter")
        await desk.expect("Open https://idp.test/d and enter ABCD")
        simulator.at_provider = True
        await desk.expect("waits for me: 1", "omar, officer")
        await desk.settle()
        await desk.press("enter", "a")
        simulator.at_provider = False
        desk.app.screen.query_one("#passphrase", Input).value = PASSPHRASE
        desk.app.screen.set_focus(desk.app.screen.query_one("#sign", Button))
        await desk.pilot.press("enter")
        await desk.expect("Open https://idp.test/d and enter ABCD")
        assert simulator.checkpoints[view.id].decisions == ()
        simulator.at_provider = True
        await desk.on(CaseScreen)
    assert simulator.checkpoints[view.id].status is CheckpointStatus.APPROVED
