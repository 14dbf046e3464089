"""Every act of the console by key, by the palette and by the mouse, as the code itself lists them.

An act that is added to the console without a place here fails the first test.
"""

import io
import itertools
from datetime import timedelta
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas
from textual.widgets import Input, Select, Static

from placet.model import (
    BreakGlass,
    CaseStatus,
    CheckpointStatus,
    ClaimView,
    DelegationView,
    Governance,
    IdentityRules,
    Need,
    ReviewView,
    trouble_digest,
)
from placet.tokens import SigningKey
from tests.tui.conftest import PASSPHRASE, Desk, Opened, put_in_registry
from tests.tui.simulator import NOW, Simulator, identifier
from tests.tui.walk import (
    Act,
    Place,
    asks,
    at,
    changed,
    focus,
    on,
    says,
    says_not,
    signs,
    walk,
)
from tui import words
from tui.bindings import every_binding
from tui.screens.act import Act as ActDialog
from tui.screens.act import Handed
from tui.screens.bulk import Bulk
from tui.screens.case import CaseScreen
from tui.screens.comment import Comment
from tui.screens.compare import Choose, Compare
from tui.screens.decide import Decide
from tui.screens.document import DocumentScreen
from tui.screens.help import Help
from tui.screens.intake import Intake
from tui.screens.key import KeyIn
from tui.screens.lower import Lower
from tui.screens.main import Main
from tui.screens.own_views import OwnViews
from tui.screens.papers import Papers
from tui.screens.replay import Replay
from tui.screens.reviews import Reviews
from tui.screens.sign_in import SignIn
from tui.widgets.table import VirtualTable

pytestmark = pytest.mark.timeout(120)

TWO = (Need(roles=("officer",), count=1), Need(roles=("senior",), count=1))
ESCAPE = ("escape",)
_NUMBERS = itertools.count()


# --- how each place is reached ---------------------------------------------------------------


def pressing(*keys: str):
    async def reach(desk: Desk) -> None:
        await desk.press(*keys)

    return reach


async def _type(desk: Desk, **typed: str) -> None:
    for name, text in typed.items():
        desk.app.screen.query_one(f"#{name}", Input).value = text
    await desk.settle()


async def signed_in(desk: Desk) -> None:
    """Past the sign-in, whoever was let out."""
    if isinstance(desk.app.screen, SignIn):
        await _type(desk, passphrase=PASSPHRASE)
        await desk.push("#enter")
        await desk.on(Main)
        await desk.expect("● live")


async def signed_out(desk: Desk) -> None:
    if not isinstance(desk.app.screen, SignIn):
        await desk.press("ctrl+o")
        await desk.on(SignIn)


async def decided(desk: Desk) -> None:
    """A case in which one's word has been said."""
    await desk.press("enter", "a")
    await _type(desk, passphrase=PASSPHRASE)
    await desk.push("#sign")
    await desk.on(CaseScreen)
    await desk.expect("You have said approve")


async def void(desk: Desk) -> None:
    """A checkpoint that is void, which is in no list."""
    await desk.app.push_screen(CaseScreen(identifier("ckpt", 7)))
    await desk.expect("People are asked anew")
    await desk.settle()


async def handed(desk: Desk) -> None:
    """A secret that is shown once."""
    await signed_in(desk)
    if isinstance(desk.app.screen, Handed):
        return
    await desk.press("3")
    desk.app.screen.query_one("#identities-table", VirtualTable).go_to("agent:weigher")
    await desk.settle()
    await desk.press("N")
    await _type(desk, queues="weighing", passphrase=PASSPHRASE)
    await desk.push("#sign")
    await desk.on(Handed)


async def own_view(desk: Desk) -> None:
    """The dialog of one's own views, with one in it."""
    if not isinstance(desk.app.screen, OwnViews):
        await desk.press("V")
    await _type(desk, **{"view-name": f"view {next(_NUMBERS)}"})
    if not desk.app.screen.console.own_views:
        desk.app.screen.query_one("#view-name", Input).focus()
        await desk.press("enter", "V")
        await _type(desk, **{"view-name": f"view {next(_NUMBERS)}"})


async def in_identities(desk: Desk) -> None:
    await desk.press("3", "down")


async def compared(desk: Desk) -> None:
    await desk.press("enter", "p", "equals_sign", "enter")
    await desk.on(Compare)


# --- what there is ---------------------------------------------------------------------------


def two_cases(simulator: Simulator) -> None:
    simulator.add(7, hours=5)
    simulator.add(8)


def rich_case(simulator: Simulator) -> None:
    """A case with all that can be read of one, and an emergency path."""
    view = simulator.add(7)
    simulator.hold(view.subject)
    simulator.attach(view.id, "note.txt", b"seen twice")
    simulator.governance = Governance(
        version=1,
        break_glass=BreakGlass(needs=(Need(roles=("officer",), count=2),), reviewers=("auditor",)),
    )


def shared_case(simulator: Simulator) -> None:
    simulator.add(7, needs=TWO)


def void_case(simulator: Simulator) -> None:
    view, after = simulator.add(7), simulator.add(8)
    simulator.change(view.id, status=CheckpointStatus.VOIDED, replaced_by=after.id)


def stopped_case(simulator: Simulator) -> None:
    view = simulator.add(7)
    simulator.cases[view.case] = simulator.cases[view.case].model_copy(
        update={"status": CaseStatus.STOPPED, "stopped_for": "a denial"}
    )
    simulator.hold(view.subject)


def reviewed(simulator: Simulator) -> None:
    """Campaigns, which administrators acknowledge here."""
    put_in_registry(simulator)
    simulator.governance = Governance(
        version=1, identities=IdentityRules(managers=("administrator",))
    )


def returned_case(simulator: Simulator) -> None:
    view = simulator.add(7)
    simulator.change(view.id, status=CheckpointStatus.RETURNED)


def two_pages(simulator: Simulator) -> None:
    out = io.BytesIO()
    canvas = Canvas(out)
    for page in ("kg: 2", "Sender: Harbor Street"):
        canvas.drawString(72, 720, page)
        canvas.showPage()
    canvas.save()
    simulator.document = out.getvalue()
    simulator.add(7)


def between_people(simulator: Simulator) -> None:
    view = simulator.add(7)
    simulator.enrol("bo", ("administrator",), SigningKey.generate().public)
    simulator.propose()
    simulator.reviews = [
        ReviewView(
            id="r" * 24,
            case=view.case,
            checkpoint=view.id,
            opened_by="operator:omar",
            opened_at=NOW,
            until=NOW + timedelta(days=2),
            status="open",
            reason="the roof was open\nDecided: nobody",
        )
    ]
    simulator.delegations = [
        DelegationView(
            act="d" * 24,
            giver="operator:ada",
            delegate="operator:bo",
            starts_at=NOW,
            ends_at=NOW + timedelta(days=40_000),
        )
    ]


# --- the places ------------------------------------------------------------------------------


PLACES = {
    "queue": Place(
        "omar",
        pressing("1"),
        (
            Act("queue.filter", focus("#queue Input"), after=("escape",)),
            Act("queue.sort", changed),
            Act("queue.group", says("by kind"), after=("u",) * 5),
            Act("queue.keep", on(OwnViews), after=ESCAPE),
            Act("queue.mark", says("1 marked"), after=("escape", "home")),
            Act("queue.bulk", on(Bulk), before=("space",), after=("escape", "escape", "home")),
            Act(
                "queue.bulk-reject",
                on(Bulk, "Reject 1 together"),
                before=("space",),
                after=("escape", "escape", "home"),
            ),
            Act(
                "queue.bulk-return",
                on(Bulk, "Return 1 together"),
                before=("space",),
                after=("escape", "escape", "home"),
            ),
            Act("queue.clear", says_not("1 marked"), before=("space",), after=("home",)),
            Act("queue.refresh", asks),
            Act("table.down", at(1), after=("home",), mouse="#queue-table", offset=(4, 2)),
            Act("table.up", at(0), before=("end",), mouse="#queue-table", offset=(4, 1)),
            Act("table.copy", says("Copied: ")),
            Act("table.page-down", at(1), after=("home",)),
            Act("table.page-up", at(0), before=("end",)),
            Act("table.last", at(1), after=("home",)),
            Act("table.first", at(0), before=("end",)),
            Act(
                "table.open",
                on(CaseScreen),
                after=ESCAPE,
                mouse="#queue-table",
                offset=(4, 1),
                times=2,
            ),
            Act("queue.view", changed),
        ),
        two_cases,
    ),
    "main": Place(
        "omar",
        pressing("1"),
        (
            Act("main.queue", says("waits for me"), before=("2",), mouse="#nav-queue"),
            Act("main.cases", says("cases, open"), after=("1",), mouse="#nav-cases"),
            Act("main.identities", says("all kinds"), after=("1",), mouse="#nav-identities"),
            Act("main.ledger", says("entries", "root"), after=("1",), mouse="#nav-ledger"),
            Act("main.overview", says("the floor now"), after=("1",), mouse="#nav-overview"),
            Act("main.people", says("between people"), after=("1",), mouse="#nav-people"),
            Act("app.help", on(Help), after=ESCAPE),
            Act("app.help-2", on(Help), after=ESCAPE),
        ),
        two_cases,
    ),
    "help": Place(
        "omar", pressing(), (Act("help.close", on(Main), before=("f1",), mouse="#close"),)
    ),
    "out": Place(
        "omar",
        signed_in,
        (Act("app.lock", on(SignIn, "Locked")), Act("app.sign-out", on(SignIn, "Key file"))),
        anew=True,
    ),
    "case": Place(
        "omar",
        pressing("enter", "tab"),
        (
            Act("case.approve", on(Decide, "Approve parcel 7"), after=ESCAPE),
            Act("case.reject", on(Decide, "Reject parcel 7"), after=ESCAPE),
            Act("case.return", on(Decide, "Return parcel 7"), after=ESCAPE),
            Act("case.abstain", on(Decide, "Abstain from parcel 7"), after=ESCAPE),
            Act("case.claim", signs("checkpoint.claim")),
            Act("case.comment", on(Comment), after=ESCAPE),
            Act("case.attach", on(ActDialog, "Attach a file to parcel 7"), after=ESCAPE),
            Act("case.lower", on(Lower, "Lower parcel 7"), after=ESCAPE),
            Act("case.key", on(KeyIn, "Key values of label.pdf"), after=ESCAPE),
            Act("case.document", on(DocumentScreen, "label.pdf"), after=ESCAPE),
            Act("case.write", on(Papers), after=ESCAPE),
            Act("case.hold", on(ActDialog, "Hold parcel 7"), after=ESCAPE),
            Act("case.lift", on(ActDialog, "Lift the hold on parcel 7"), after=ESCAPE),
            Act("case.emergency", on(ActDialog, "Declare an emergency for"), after=ESCAPE),
            Act("case.replay", on(Replay), after=ESCAPE),
            Act("case.place", says("label.pdf, page 1, kg"), after=("1",)),
            Act("case.pane", focus("#index"), after=("tab",), mouse="#index", offset=(3, 1)),
            Act("case.back", focus("#index"), after=("tab",)),
            Act("case.refresh", asks),
            *(
                Act(
                    f"case.section-{number}",
                    focus("#rows"),
                    before=("escape", "end" if number == 1 else "home"),
                )
                for number in range(1, 10)
            ),
        ),
        rich_case,
    ),
    "case, decided": Place(
        "omar",
        decided,
        (Act("case.withdraw", on(Decide, "Withdraw my word"), after=ESCAPE),),
        shared_case,
    ),
    "case, administrator": Place(
        "ada",
        pressing("enter"),
        (Act("case.recall", on(ActDialog, "Recall the checkpoint on parcel 7"), after=ESCAPE),),
        rich_case,
    ),
    "case, void": Place(
        "omar", void, (Act("case.anew", says("parcel 8 of D-1")),), void_case, anew=True
    ),
    "cases": Place(
        "ada",
        pressing("2"),
        (
            Act("cases.admit", on(ActDialog, "Admit parcel 7", "a denial"), after=ESCAPE),
            Act("cases.end", on(ActDialog, "End the case on parcel 7"), after=ESCAPE),
            Act("cases.hold", on(ActDialog, "Hold parcel 7"), after=ESCAPE),
            Act("cases.lift", on(ActDialog, "Lift the hold on parcel 7"), after=ESCAPE),
            Act("cases.replay", on(Replay), after=ESCAPE),
            Act("cases.filter", focus("#cases Input"), after=ESCAPE),
            Act("cases.clear", says_not("nothing at all"), before=("slash",)),
            Act("cases.stages", changed),
            Act("cases.view", changed),
        ),
        stopped_case,
    ),
    "cases, opener": Place(
        "carl",
        pressing("2"),
        (
            Act("cases.new", on(Intake, "Open a case?"), after=ESCAPE),
            Act("cases.answer", on(Intake, "Answer the return of parcel 7"), after=ESCAPE),
        ),
        returned_case,
    ),
    "identities": Place(
        "ada",
        in_identities,
        (
            Act("identities.suspend", on(ActDialog, "Suspend agent weigher"), after=ESCAPE),
            Act("identities.rotate", on(ActDialog, "Rotate the key of agent"), after=ESCAPE),
            Act("identities.revoke", on(ActDialog, "Revoke a key of weigher"), after=ESCAPE),
            Act("identities.offboard", on(ActDialog, "Offboard agent weigher"), after=ESCAPE),
            Act("identities.end", on(ActDialog, "End agent:weigher"), after=ESCAPE),
            Act("identities.register", on(ActDialog, "Register agent:weigher"), after=ESCAPE),
            Act("identities.vendor", on(ActDialog, "Switch off vendor acme"), after=ESCAPE),
            Act(
                "identities.resume",
                on(ActDialog, "Resume agent sorter"),
                before=("home",),
                after=("escape", "down"),
            ),
            Act("look.close", on(Main), before=("enter",), mouse="#close"),
            Act("identities.review", on(CaseScreen), after=("escape",)),
            Act("identities.reviews", on(Reviews, "campaigns: 2"), after=("escape",)),
            Act("identities.refresh", asks),
            Act("identities.wrong", says("what is wrong"), after=("w",)),
            Act("identities.copy", says("Copied: placet identity"), before=("w",), after=("w",)),
            Act("identities.kind", changed),
        ),
        put_in_registry,
    ),
    "reviews": Place(
        "ada",
        pressing("3", "r"),
        (
            Act("reviews.start", on(ActDialog, "Start a campaign on 1"), after=ESCAPE),
            Act("reviews.go-on", signs("case.open")),
            Act(
                "reviews.acknowledge",
                on(ActDialog, "Acknowledge the campaign q0"),
                before=("down", "down"),
                after=("escape", "home"),
            ),
            Act("reviews.refresh", asks),
            Act("reviews.back", on(Main), after=("r",)),
        ),
        reviewed,
    ),
    "handed": Place(
        "ada",
        handed,
        (
            Act("handed.copy", says("Copied."), mouse="#copy"),
            Act("handed.close", on(Main), mouse="#close"),
        ),
        put_in_registry,
        anew=True,
    ),
    "people": Place(
        "ada",
        pressing("6"),
        (
            Act("people.countersign", on(ActDialog, "Countersign operator.resume"), after=ESCAPE),
            Act("people.withdraw", on(ActDialog, "Withdraw operator.resume"), after=ESCAPE),
            Act("people.delegate", on(ActDialog, "Let someone stand in"), after=ESCAPE),
            Act(
                "people.review",
                on(ActDialog, "Close the review of"),
                before=("down",),
                after=("escape", "home"),
            ),
            Act(
                "people.end",
                on(ActDialog, "End the delegation to bo"),
                before=("end",),
                after=("escape", "home"),
            ),
        ),
        between_people,
    ),
    "ledger": Place(
        "una", pressing("4"), (Act("ledger.verify", says("not verified: ")),), two_cases
    ),
    "replay": Place(
        "una",
        pressing("enter", "p"),
        (
            Act("replay.step", at(1, "#steps"), after=("home",)),
            Act("replay.step-back", at(2, "#steps"), before=("end",)),
            Act("replay.checkpoint", at(3, "#steps"), after=("home",)),
            Act("replay.checkpoint-back", says("no other that way")),
            Act("replay.trouble", says("no other that way")),
            Act("replay.trouble-back", says("no other that way")),
            Act("replay.change", says("no other that way")),
            Act("replay.change-back", says("no other that way")),
            Act("replay.export", says("The bundle is not there yet")),
            Act("replay.verify", asks),
            Act("replay.compare", on(Choose), after=ESCAPE),
            Act("choose.cancel", on(Replay), before=("equals_sign",), mouse="#close"),
            Act("replay.back", on(CaseScreen), after=("p",)),
        ),
        two_cases,
    ),
    "compare": Place(
        "una",
        compared,
        (
            Act("compare.next", at(0)),
            Act("compare.back", on(Replay), after=("equals_sign", "enter")),
        ),
        two_cases,
    ),
    "document": Place(
        "omar",
        pressing("enter", "tab", "v"),
        (
            Act("document.next", says("page 2, 2 of 2"), after=("left",)),
            Act("document.before", says("page 1, 1 of 2"), before=("right",)),
            Act("document.copy", says("Copied: kg: 2")),
            Act("document.view", says("there is no viewer here")),
            Act("document.back", on(CaseScreen), after=("v",)),
        ),
        two_pages,
    ),
    "dialogs": Place(
        "omar",
        pressing("enter", "tab"),
        (
            Act("decide.cancel", on(CaseScreen), before=("a",), mouse="#cancel"),
            Act("act.cancel", on(CaseScreen), before=("h",), mouse="#cancel"),
            Act("comment.cancel", on(CaseScreen), before=("m",), mouse="#cancel"),
            Act("lower.cancel", on(CaseScreen), before=("l",), mouse="#cancel"),
            Act("key.cancel", on(CaseScreen), before=("K",), mouse="#cancel"),
            Act(
                "key.view",
                says("there is no viewer here"),
                before=("K",),
                after=ESCAPE,
                mouse="#view",
            ),
            Act("papers.close", on(CaseScreen), before=("e",), mouse="#close"),
        ),
        rich_case,
    ),
    "dialogs of the lists": Place(
        "omar",
        pressing("1"),
        (
            Act(
                "bulk.close",
                on(Main),
                before=("space", "A"),
                after=("escape", "home"),
                mouse="#cancel",
            ),
        ),
        two_cases,
    ),
    "dialogs of the cases": Place(
        "carl",
        pressing("2"),
        (Act("intake.cancel", on(Main), before=("n",), mouse="#cancel"),),
        returned_case,
    ),
    "own views": Place(
        "omar",
        own_view,
        (
            Act("views.save", on(Main), mouse="#save"),
            Act("views.rename", changed, mouse="#rename"),
            Act("views.delete", says("is gone"), mouse="#delete"),
            Act("views.close", on(Main), mouse="#close"),
        ),
        two_cases,
        anew=True,
    ),
}


LEAVING = {"app.quit", "sign-in.quit"}
"""Acts that end the console: they have a test of their own."""


def test_every_act_of_the_code_is_walked() -> None:
    walked = [act.id for place in PLACES.values() for act in place.acts]
    assert len(walked) == len(set(walked))
    assert {*walked, *LEAVING} == set(every_binding())


def test_the_reference_of_keys_is_what_the_code_has() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/keys.md").read_text("utf-8")
    told = {line for line in page.splitlines() if line.startswith("| `")}
    assert told == {
        f"| `{name}` | {' '.join(f'`{key}`' for key in each.key.split(','))} "
        f"| {each.tooltip or each.description} |"
        for name, each in every_binding().items()
    }


@pytest.mark.parametrize("name", PLACES)
async def test_every_act_of_a_place_by_key_palette_and_mouse(
    open_console: Opened, parcels: Simulator, name: str
) -> None:
    place = PLACES[name]
    place.prepare(parcels)
    async with open_console(place.who, (160, 48)) as desk:
        await walk(desk, parcels, place)


async def test_the_console_ends_by_key_palette_and_mouse(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_console() as desk:
        ended: list[object] = []
        monkeypatch.setattr(desk.app, "exit", lambda *told: ended.append(told))
        over = lambda seen: bool(ended) and not ended.clear()  # noqa: E731 - asked once each time
        inside = Place("omar", pressing("1"), (Act("app.quit", over),))
        await walk(desk, simulator, inside)
        simulator.add(1)
        await desk.expect("parcel 1 of D-1")
        await desk.press("enter", "r")
        await desk.expect("Reject parcel 1 of D-1")
        await desk.press("ctrl+q")
        assert over(desk), "a dialog is no trap"
        await desk.press("escape", "escape")
        outside = Place("omar", signed_out, (Act("sign-in.quit", over, mouse="#quit"),))
        await walk(desk, simulator, outside)


# --- what they sign ---------------------------------------------------------------------------

SIGNED = {
    *("cases.admit", "cases.end", "cases.hold", "cases.lift", "cases.new", "cases.answer"),
    *(f"case.{name}" for name in ("approve", "reject", "return", "abstain", "withdraw", "claim")),
    *(f"case.{name}" for name in ("comment", "attach", "lower", "key", "recall", "hold", "lift")),
    *("case.emergency", "case.write", "queue.mark", "queue.bulk", "queue.bulk-reject"),
    *("queue.bulk-return", "reviews.start", "reviews.acknowledge", "reviews.go-on"),
    *(f"people.{name}" for name in ("countersign", "withdraw", "review", "delegate", "end")),
    *(f"identities.{name}" for name in ("suspend", "resume", "rotate", "revoke", "offboard")),
    *(f"identities.{name}" for name in ("end", "register", "vendor")),
}
"""Acts that sign something, or lead to it."""


async def test_who_only_reads_is_offered_no_act_anywhere(
    open_console: Opened, parcels: Simulator
) -> None:
    """I6: an auditor sees every list and screen, and not one thing to sign."""
    assert set(every_binding()) >= SIGNED
    reviewed(parcels)
    between_people(parcels)
    stopped_case(parcels)
    parcels.campaigns[1] = parcels.campaigns[1].model_copy(update={"started_by": "operator:una"})
    async with open_console("una", (160, 48)) as desk:
        offered: set[str] = set()
        for keys in (
            *(("1",), ("2",), ("2", "v"), ("3",), ("3", "v"), ("3", "w"), ("3", "w", "r")),
            *(("end",), ("escape", "6"), ("down",), ("down",), ("1", "enter"), ("p",)),
        ):
            await desk.press(*keys)
            offered |= {
                each.binding.id or ""
                for each in desk.app.screen.active_bindings.values()
                if each.enabled
            }
    assert {"replay.export", "reviews.refresh", "case.document", "queue.sort"} <= offered
    assert offered & SIGNED == set()


async def test_acts_between_people_are_signed_as_they_were_shown(
    open_console: Opened, simulator: Simulator
) -> None:
    """A proposal is withdrawn, an emergency's review closed, a stand-in ended before its time."""
    between_people(simulator)
    async with open_console("ada") as desk:
        for keys, typed, chosen in (
            (("6", "w"), {"why": "a mistake"}, ""),
            (("down", "r"), {"why": "the roof was open"}, "it was not justified"),
            (("end", "u"), {}, ""),
        ):
            await desk.press(*keys)
            await desk.on(ActDialog)
            if chosen:
                await _type(desk, why=typed["why"], passphrase=PASSPHRASE)
                await desk.push("#sign")
                await desk.expect("Say whether.")
                desk.app.screen.query_one("#verdict", Select).value = chosen
            await _type(desk, **typed, passphrase=PASSPHRASE)
            await desk.push("#sign")
            await desk.on(Main)
    assert [each[1:] for each in simulator.acts] == [
        ("act.withdraw", "j" * 24, {"reason": "a mistake"}),
        ("review.close", "r" * 24, {"justified": False, "reason": "the roof was open"}),
        ("delegation.end", "d" * 24, {}),
    ]


async def test_what_waits_between_people_is_said_in_words(
    open_console: Opened, simulator: Simulator
) -> None:
    """I12: an act, an emergency's review and a stand-in; no line of theirs passes for one of ours."""
    between_people(simulator)
    async with open_console("ada") as desk:
        await desk.press("6")
        for key, told in (
            ("home", ("waits for a second signature", "Signed by  ", "Lapses  ", "What it says")),
            ("down", ("parcel 7", "Begun by  omar", "the roof was open", "│ Decided: nobody")),
            ("end", ("bo stands in for ada", "For  every process")),
        ):
            await desk.press(key)
            look = str(desk.app.screen.query_one("#people-look", Static).render())
            assert [each for each in told if each not in look] == []
            assert "null" not in look


async def test_acts_on_a_case_are_signed_as_they_were_shown(
    open_console: Opened, simulator: Simulator
) -> None:
    """A stopped case is admitted, or ended; something is said, and who sees to it and no longer."""
    stopped_case(simulator)
    (view,) = simulator.checkpoints.values()
    async with open_console("ada") as desk:
        for key in ("m", "E"):
            await desk.press("2", key)
            await _type(desk, why="looked at it", passphrase=PASSPHRASE)
            await desk.push("#sign")
            await desk.on(Main)
    async with open_console("omar") as desk:
        await desk.press("enter", "m")
        await desk.type("who weighed it?")
        await desk.press("enter")
        await desk.on(CaseScreen)
        await desk.press("t")
        claim = ClaimView(operator="operator:omar", claimed_at=NOW)
        simulator.change(view.id, claim=claim)
        await desk.settle()
        await desk.press("f5", "t")
        await desk.until(lambda: len(simulator.acts) == 5)
    assert [each[1:] for each in simulator.acts] == [
        (
            "case.admit",
            view.case,
            {"reason": "looked at it", "trouble_digest": trouble_digest("a denial", None)},
        ),
        ("case.end", view.case, {"reason": "looked at it"}),
        ("checkpoint.comment", view.id, {"text": "who weighed it?"}),
        ("checkpoint.claim", view.id, {}),
        ("checkpoint.unclaim", view.id, {}),
    ]


async def test_an_emergency_is_declared_and_approved_by_fewer(
    open_console: Opened, simulator: Simulator
) -> None:
    """I5: what the emergency path asks is read again before it is signed."""
    rich_case(simulator)
    (view,) = simulator.checkpoints.values()
    async with open_console() as desk:
        await desk.press("enter", "exclamation_mark")
        await _type(desk, why="water comes in", passphrase=PASSPHRASE)
        await desk.push("#sign")
        await desk.on(CaseScreen)
        until = NOW + timedelta(days=40_000)
        asked = view.requirement.model_copy(update={"emergency_until": until})
        simulator.reviews = [
            ReviewView(
                id="r" * 24,
                case=view.case,
                checkpoint=view.id,
                opened_by="operator:omar",
                opened_at=NOW,
                until=until,
                status="open",
                reason="water [b]comes[/b] in",
            )
        ]
        simulator.change(view.id, requirement=asked)
        await desk.expect("This checkpoint has changed while you were reading it")
        told = f"▲ Emergency until {words.clock(until)}, begun by omar: water [b]comes[/b] in"
        await desk.expect(told)
        await desk.press("2", "down")
        await desk.expect("Emergency: until", "begun by omar: water [b]comes[/b] in")
        await desk.press("a")
        await desk.on(Decide)
        assert str(desk.app.screen.query_one("#decide-emergency", Static).content) == told
        await _type(desk, passphrase=PASSPHRASE)
        await desk.push("#sign")
        await desk.on(CaseScreen)
    assert [each[1:] for each in simulator.acts] == [
        ("glass.break", view.id, {"reason": "water comes in"})
    ]
    (word,) = simulator.checkpoints[view.id].decisions
    assert word.verdict == "approve"


async def test_a_campaign_is_started_on_those_that_are_due(
    open_console: Opened, simulator: Simulator
) -> None:
    """The act names them, and the case of each is opened with it; management acknowledges another."""
    reviewed(simulator)
    due = simulator.campaigns[0].model_copy(update={"campaign": "q2"})
    async with open_console("ada") as desk:
        await desk.press("3", "r")
        await desk.expect("campaigns: 2", "waits for its owner", "not begun", "never reviewed")
        await desk.press("n")
        await desk.expect("Start a campaign on 1 identity?", "api-key:payments/stripe")
        simulator.campaigns.append(due)
        await _type(desk, name="q2", passphrase=PASSPHRASE)
        await desk.push("#sign")
        await desk.on(Reviews)
        await desk.press("home", "down", "down", "a")
        await desk.expect("Acknowledge the campaign q0?", "1 kept, 0 narrowed")
        await _type(desk, passphrase=PASSPHRASE)
        await desk.push("#sign")
        await desk.on(Reviews)
    acts = [(act, target) for _, act, target, _ in simulator.acts]
    assert acts == [
        ("campaign.start", "q2"),
        *(("case.open", f"campaign/q1/identity/{number}") for number in (1, 2)),
        ("campaign.acknowledge", "q0"),
    ]
    assert simulator.acts[0][3] == {"identities": ["api-key:payments/stripe"]}
    assert simulator.acts[3][3] == {"kept": 1, "narrowed": 0, "ended": 0, "suspended": 0}
