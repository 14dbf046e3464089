"""Hostile text, an authority that is slow, failing or raving, locks, and small screens."""

import asyncio
import base64
import json
import re
from dataclasses import replace

import pytest
from textual import events
from textual.widgets import Input, Label
from textual.widgets._footer import FooterKey
from textual.worker import WorkerFailed

from placet.model import ProcessDefinition
from tests.tui import simulator as world
from tests.tui.conftest import PASSPHRASE, PATIENCE, Desk, Opened
from tests.tui.simulator import PARCELS, Simulator
from tests.tui.test_queue_and_decisions import fill_passphrase
from tui.screens.act import Handed
from tui.screens.case import CaseScreen
from tui.screens.decide import Decide
from tui.screens.sign_in import SignIn
from tui.text import fit, harmless, set_off, shortened
from tui.views.queue import Queue
from tui.widgets.keys import Keys
from tui.widgets.table import VirtualTable

pytestmark = pytest.mark.timeout(60)
FIELDS = ("#comment", "#passphrase")

HOSTILE = (
    "[bold red]Approve[/] [@click=app.quit]x[/] \x1b[2J\x1b]0;owned\x07 \u202egnp.exe "
    "\u2066hidden\u2069 \x00\r\n\t \u200bzero 漢字漢字 👩‍👩‍👧‍👦 "
    + "z\u0301"
    + "\u0301" * 40
    + "w" * 60
)


async def test_hostile_text_is_shown_harmlessly_everywhere(
    open_console: Opened, simulator: Simulator
) -> None:
    """I12: markup is text, control characters and overrides are spelled out, lines keep width."""
    simulator.add(7, sender=HOSTILE, comment=HOSTILE[:200], blocking=True)
    for size in ((80, 24), (120, 40)):
        async with open_console(size=size) as desk:
            await desk.press("enter")
            seen = desk.text()
            for _ in range(7):
                await desk.press("down")
                seen += desk.text()
            await desk.press("tab", "down", "escape", "home", "a")
            await desk.on(Decide)
            seen += desk.text()
            strips = desk.app.screen._compositor.render_strips()
            assert {strip.cell_length for strip in strips} == {size[0]}
        assert "[bold red]" in seen
        for bad in "\x1b\x07\x00\r\u202e\u2066\u200b":
            assert bad not in seen
        assert "\\u202e" in seen


async def test_hostile_text_is_harmless_in_the_lists_and_their_dialogs(
    open_console: Opened, registry: Simulator
) -> None:
    """I12: the registry, its reports and reviews, groups, views of one's own, and what people ask."""
    known = registry.registry[1].model_copy(
        update={"purpose": HOSTILE, "runs_on": (HOSTILE,), "suspended_for": HOSTILE}
    )
    registry.registry[1] = known
    registry.wrong[0] = registry.wrong[0].model_copy(update={"why": HOSTILE, "mend": HOSTILE})
    registry.propose(HOSTILE)
    seen = ""
    async with open_console("ada", (80, 24), views={HOSTILE: "status=open"}) as desk:
        steps: tuple[tuple[str, ...], ...] = (
            ("v",) * 7,
            ("V",),
            ("escape", "u"),
            ("3", "down"),
            ("enter",),
            ("escape", "U"),
            ("escape", "w"),
            ("enter",),
            ("escape", "c"),
            ("w", "r"),
            ("escape", "6"),
            ("c",),
        )
        for keys in steps:
            await desk.press(*keys)
            seen += desk.text()
            strips = desk.app.screen._compositor.render_strips()
            assert {strip.cell_length for strip in strips} == {80}, keys
    assert seen.count("[bold red]") >= 4
    for bad in "\x1b\x07\x00\r\u202e\u2066\u200b":
        assert bad not in seen


def hostile_process() -> ProcessDefinition:
    """A process each word of which is hostile: it is published, but what is read is a database's."""
    told = json.loads(PARCELS.model_dump_json())
    bad = "\x1b[2J\u202e"
    shown = told["presentation"]
    told["checkpoints"][0]["title"] = shown["subject"] = bad
    told["checkpoints"][0]["effects"] = [{"verdict": "approve", "says": bad}]
    shown["money"] = bad[:4]
    for section in shown["sections"]:
        section["title"] = f"{bad}{section['title']}"
        for name in ("fields", "columns", "series"):
            for each in section.get(name, ()):
                each["label"] = f"{bad}{each['label']}"
        for each in section.get("points", ()):
            each["prefix"] = bad
    for each in shown["keyed"]:
        each["label"] = bad
    return ProcessDefinition.model_validate_json(json.dumps(told))


async def test_a_process_of_hostile_words_is_shown_harmlessly(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: titles, labels, the sign before an amount and what a word does move no cursor."""
    monkeypatch.setattr(world, "PARCELS", hostile_process())
    view = simulator.add(7)
    simulator.checkpoints[view.id] = view.model_copy(update={"title": HOSTILE[:60]})
    seen: list[str] = []
    async with open_console("omar") as desk:
        seen.append(desk.text())
        for keys in (("u",), ("u",) * 5, ("enter",), *(("down",),) * 8, ("home", "2"), ("3",)):
            await desk.press(*keys)
            seen.append(desk.text())
        for key in ("a", "l", "K"):
            await desk.press("escape", "escape", "home", "enter", key)
            seen.append(desk.text())
        await desk.press("escape", "escape", "escape", "space", "A")
        seen.append(desk.text())
    assert [text for text in seen if re.search("[\x1b\u202e]", text)] == []
    assert sum("\\x1b[2J" in text for text in seen) > 8


async def test_a_chart_of_hostile_points_is_drawn_harmlessly(
    open_console: Opened, simulator: Simulator
) -> None:
    """I12: labels are text, and what is no number or huge leaves the scale alone."""
    simulator.points = [
        {"number": HOSTILE, "allowed": "5.00", "said": HOSTILE, "seen": "9" * 300},
        {"number": 1, "allowed": "-1", "said": "nan", "seen": None},
    ]
    simulator.add(7)
    async with open_console(size=(80, 24)) as desk:
        await desk.press("enter")
        desk.app.screen.query_one("#index", VirtualTable).go_to("Weighings")
        await desk.settle()
        seen = desk.text()
        strips = desk.app.screen._compositor.render_strips()
        assert {strip.cell_length for strip in strips} == {80}
    assert "[bold red]" in seen
    assert not any(bad in seen for bad in "\x1b\x07\x00\r\u202e\u2066\u200b")


def test_text_is_spelled_out_clipped_and_limited() -> None:
    assert harmless("a\x1bb\u202ec") == "a\\x1bb\\u202ec"
    assert harmless("a\nb\r\nc\rd") == "a↵b↵c\\rd"
    assert harmless("a\nb\r\nc", lines=True) == "a\nb\nc"
    assert set_off("a\nb\x1b") == "a\n  │ b\\x1b"
    assert harmless("x" * 30_000).endswith("… and 10000 characters more")
    assert harmless("\ud800") == "\\ud800"
    assert fit("漢字漢字", 5) == "漢字…"
    assert fit("ab", 4, right=True) == "  ab"
    assert fit("abc", 0) == ""


def test_a_name_that_is_cut_keeps_its_end() -> None:
    """Two payments of one draw differ in their last characters alone."""
    said = "payment pay-L-1001-1-P-10014 of draw 1 of L-1001"
    assert shortened(said, 48) == said
    assert shortened(said, 44) == "payment pay-L…-1-P-10014 of draw 1 of L-1001"
    assert shortened(said, 24) == "payment pa…-10014 of draw 1 of L-1001"
    assert fit(shortened(said, 24), 24) == "payment pa…-10014 of dr…"
    assert shortened("draw 1 of L-1001", 15) == "dr… 1 of L-1001"
    assert shortened("draw 1 of L-1001", 16) == "draw 1 of L-1001"
    order = "offboard by the order 7f3kq0vd2m9x4tz81c6w"
    assert shortened(order, 24) == "of… by the or… 7f…z81c6w"
    assert shortened("a\u0301" * 30, 5) == "a\u0301" * 30


BEYOND = {
    "marks-without-a-letter": ("\u0301\u0301x\n\u0336y", "◌\u0301\u0301x↵◌\u0336y"),
    "thai-marks-without-end": ("\u0e01" + "\u0e47" * 40, "\u0e01" + "\u0e47" * 4),
    "rings-without-end": ("a" + "\u20dd" * 40, "a" + "\u20dd" * 4),
    "letters-of-no-shape": ("a\u3164b\u115f\u034f", "a\\u3164b\\u115f\\u034f"),
    "what-only-restyles": ("⚠\ufe0f 1\ufe0f 👍\U0001f3fd", "⚠ 1 👍"),
    "right-to-left": ("\u05d0\u05d1", "\u05d0\u05d1\u200e"),
    "right-to-left-twice": ("\u05d0\u200e 5\u200e", "\u05d0\u200e 5\\u200e"),
}


@pytest.mark.parametrize("named", BEYOND)
def test_no_text_reaches_beyond_itself(named: str) -> None:
    """I12: neither over other lines nor into other cells, however a terminal draws it."""
    text, shown = BEYOND[named]
    assert harmless(text) == shown
    assert harmless("\u05d0\n5", lines=True) == "\u05d0\u200e\n5"
    composed = harmless(f"{harmless(text)} for 5")
    assert harmless(composed) == composed


def test_a_cell_is_as_wide_in_every_terminal() -> None:
    """I12: of what terminals do not agree on, no column is made; a cut turns no column round."""
    assert fit("\u0928\u093f\u2630", 16) == "\u0928\\u093f\\u2630   "
    assert fit(harmless("\u05d0\u05d1\u05d2\u05d3"), 3) == "\u05d0\u05d1…\u200e"
    assert fit(harmless("\u05d0"), 3) == "\u05d0\u200e  "


async def test_an_authority_that_goes_away_is_said_and_comes_back(
    open_console: Opened, simulator: Simulator
) -> None:
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        desk.app.screen.query_one("#comment", Input).value = "half typed"
        simulator.away = True
        await desk.until(lambda: bool(desk.app.live))
        desk.app.clear_notifications()  # which go by themselves after a while
        foot = desk.app.screen_stack[-2].query_one(Keys)
        await desk.until(lambda: bool(foot.query(".away")))
        assert "○ away since" in str(foot.query_one(".away", Label).render())
        desk.app.screen.query_one("#passphrase", Input).value = PASSPHRASE
        await desk.click("#sign")
        await desk.expect("Nothing is signed yet, and what you typed is kept")
        assert desk.app.screen.query_one("#comment", Input).value == "half typed"
        simulator.away = False
        await desk.until(lambda: not desk.app.live)
        await desk.until(lambda: not foot.query(".away"))
        await desk.click("#sign")
        await desk.until(lambda: isinstance(desk.app.screen, CaseScreen))
    assert len(simulator.checkpoints[view.id].decisions) == 1


async def test_a_ledger_that_is_shorter_than_it_was_is_said(
    open_console: Opened, simulator: Simulator
) -> None:
    """I8: whoever has seen more entries than there are is told that some are gone."""
    simulator.add(7)
    size = len(simulator.entries)
    async with open_console() as desk:
        simulator.away = True
        await desk.until(lambda: bool(desk.app.live))
        del simulator.entries[-2:]
        simulator.away = False
        await desk.expect("Not the ledger of before", "the ledger is shorter than it was")
        await desk.expect(f"it had {size} entries and has {size - 2}", "another ledger since")


async def test_another_longer_ledger_is_said_and_nothing_is_signed(
    open_console: Opened, simulator: Simulator
) -> None:
    """I8: whoever saw a head is told in their session, behind the lock too, and signs nothing."""
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        await fill_passphrase(desk)
        before = simulator.entries
        simulator.entries = [*reversed(before), *before]
        await desk.click("#sign")
        await desk.expect("the ledger is not the one of before", "nothing is signed here now")
        await desk.press("escape", "m")
        await desk.type("why")
        await desk.press("enter")
        await desk.expect("nothing is signed here now", "Say it")
        await desk.press("escape")
        simulator.away = True
        await desk.until(lambda: desk.app.live.startswith("away"))
        simulator.away = False
        await desk.until(lambda: desk.app.live.startswith("another ledger"))
        await desk.press("ctrl+l")
        await desk.type(PASSPHRASE)
        desk.app.live = ""
        await desk.press("enter")
        await desk.until(lambda: desk.app.live.startswith("another ledger"))
        simulator.entries = before
        await desk.until(lambda: not desk.app.live)
    assert simulator.checkpoints[view.id].decisions == ()


async def test_who_may_not_ask_any_more_is_told_so_and_not_that_it_is_away(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter")
        simulator.failing = 403
        await desk.expect("The authority refuses", "○ refused since")
        simulator.failing = None
        await desk.until(lambda: not desk.app.live)


@pytest.mark.parametrize(
    "garbage", [b"", b"<html>", b"[]", b'{"checkpoints": [{"id": 1}]}', b"\xff"]
)
async def test_garbage_is_said_and_survived(
    open_console: Opened, simulator: Simulator, garbage: bytes
) -> None:
    simulator.add(7)
    async with open_console() as desk:
        simulator.garbage = garbage
        for key in ("f5", "2", "3", "r", "f5", "escape", "4", "5", "6", "1"):
            await desk.press(key)
        assert desk.app.live
        simulator.garbage = None
        await desk.until(lambda: not desk.app.live)
        await desk.press("f5", "enter")
        await desk.expect("parcel 7 of D-1 for €184,200.00")


async def test_what_was_typed_into_an_act_outlives_the_authority(
    open_console: Opened, simulator: Simulator
) -> None:
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "h")
        desk.app.screen.query_one("#why", Input).value = "fire"
        desk.app.screen.query_one("#passphrase", Input).value = PASSPHRASE
        simulator.away = True
        await desk.until(lambda: bool(desk.app.live))
        await desk.click("#sign")
        await desk.until(lambda: "nobody is there" in desk.text() or desk.sees("does not answer"))
        assert desk.app.screen.query_one("#why", Input).value == "fire"
        simulator.away = False
        await desk.until(lambda: not desk.app.live)
        await desk.push("#sign")
        await desk.on(CaseScreen)
    assert simulator.acts == [
        ("operator:omar", "hold.place", view.subject, {"reason": "fire"}),
    ]


async def test_a_row_is_copied_through_the_terminal(
    open_console: Opened, simulator: Simulator
) -> None:
    """Over SSH too: OSC 52 carries it; whole, though the screen had to cut it."""
    simulator.add(7)
    async with open_console(size=(60, 20)) as desk:
        written: list[str] = []
        driver = desk.app._driver
        assert driver is not None
        write = driver.write
        driver.write = lambda data: (written.append(data), write(data))[1]
        await desk.press("ctrl+c")
        assert "parcel 7 of D-1" in desk.app.clipboard
        assert "1 more approval by: officer" in desk.app.clipboard
    sent = base64.b64encode(desk.app.clipboard.encode()).decode()
    assert f"\x1b]52;c;{sent}\a" in written


async def test_a_failing_authority_is_said(open_console: Opened, simulator: Simulator) -> None:
    simulator.add(7)
    async with open_console() as desk:
        simulator.failing = 503
        await desk.press("enter")
        await desk.expect("The case can't be read now")
        simulator.failing = None
        await desk.press("f5")
        await desk.expect("parcel 7 of D-1 for €184,200.00")


async def test_a_slow_authority_stops_no_key(open_console: Opened, simulator: Simulator) -> None:
    for number in range(5):
        simulator.add(number + 1)
    async with open_console() as desk:
        simulator.delay = 5
        await desk.pilot.press("f5")
        loop = asyncio.get_running_loop()
        before = loop.time()
        await desk.pilot.press("j", "v", "s", "slash", "x")
        assert desk.app.screen.query_one(Input).value == "x"
        assert any(not each.is_finished for each in desk.app.workers if each.group == "queue")
        assert loop.time() - before < simulator.delay
        desk.app.workers.cancel_all()


@pytest.mark.parametrize("key", ["a", "h"])
async def test_what_is_on_its_way_is_not_cancelled_without_a_word(
    open_console: Opened, simulator: Simulator, key: str
) -> None:
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", key)
        if key == "h":
            desk.app.screen.query_one("#why", Input).value = "fire"
        desk.app.screen.query_one("#passphrase", Input).value = PASSPHRASE
        simulator.delay = PATIENCE
        desk.app.screen.set_focus(desk.app.screen.query_one("#sign"))
        await desk.pilot.press("enter")
        await desk.expect("Signing …")
        await desk.pilot.press("escape")
        await desk.expect("It is on its way: the authority has not answered yet.")
        desk.app.workers.cancel_all()


async def test_locked_it_forgets_the_key_and_shows_nothing(
    open_console: Opened, simulator: Simulator
) -> None:
    """I7: nothing of a case stays on the screen; what was typed is there after the passphrase."""
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        desk.app.screen.query_one("#comment", Input).value = "half typed"
        await desk.press("ctrl+l")
        await desk.on(SignIn)
        assert not desk.app.signed_in
        assert not desk.sees("parcel")
        assert not desk.sees("184,200")
        asked = len(simulator.asked)
        await desk.press("escape")
        assert desk.app.is_running
        assert isinstance(desk.app.screen, SignIn)
        await desk.type("wrong")
        await desk.press("enter")
        await desk.expect("the passphrase is wrong")
        assert len(simulator.asked) == asked
        desk.app.screen.query_one("#passphrase", Input).value = PASSPHRASE
        await desk.press("enter")
        await desk.until(lambda: isinstance(desk.app.screen, Decide))
        assert desk.app.screen.query_one("#comment", Input).value == "half typed"


async def test_a_secret_that_was_handed_over_is_hidden_by_the_lock(
    open_console: Opened, registry: Simulator
) -> None:
    """I7: what is shown once is not shown to whoever comes by."""
    async with open_console("ada") as desk:
        await desk.press("3", "down", "N")
        for name, text in (("queues", "weighing"), ("passphrase", PASSPHRASE)):
            desk.app.screen.query_one(f"#{name}", Input).value = text
        await desk.push("#sign")
        await desk.on(Handed)
        assert desk.sees("The join token of weigher")
        await desk.press("ctrl+l")
        await desk.on(SignIn)
        assert not any(desk.sees(each) for each in ("token", "weigher", "PLACET_JOIN"))


async def test_it_locks_when_nobody_is_there(open_console: Opened, simulator: Simulator) -> None:
    simulator.add(7)
    async with open_console(idle_minutes=60) as desk:
        await desk.press("enter")
        desk.app._touched -= 61 * 60  # an hour later
        await desk.until(lambda: not desk.app.signed_in and isinstance(desk.app.screen, SignIn))
        await desk.settle()
        assert not desk.sees("parcel")


async def test_whoever_signs_in_without_a_key_is_asked_where_it_is(open_console: Opened) -> None:
    """I12: what was said of nothing was that "." is no plain file."""
    async with open_console() as desk:
        await desk.app.run_action("sign_out")
        await desk.on(SignIn)
        desk.app.screen.query_one("#key-file", Input).value = ""
        for button in ("#enter", "#provider"):
            await desk.push(button)
            await desk.expect("type where your key's file is")


async def test_someone_else_is_let_in_after_signing_out(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.add(7)
    async with open_console("omar") as desk:
        await desk.press("enter", "ctrl+o")
        await desk.on(SignIn)
        assert not desk.sees("parcel")
        desk.app.screen.query_one("#operator", Input).value = "una"
        await desk.settle()
        assert desk.app.screen.query_one("#key-file", Input).value.endswith("una.key")
        desk.app.screen.query_one("#passphrase", Input).value = PASSPHRASE
        await desk.click("#enter")
        await desk.until(lambda: desk.sees("una, auditor", "all that is open: 1"))


async def test_a_stranger_is_told_so(open_console: Opened, simulator: Simulator) -> None:
    del simulator.people["operator:omar"]
    async with open_console("omar") as desk:
        await desk.expect("operator:omar is not enrolled")
        await desk.on(SignIn)


async def test_a_resize_breaks_nothing(open_console: Opened, simulator: Simulator) -> None:
    simulator.add(7, blocking=True)
    async with open_console() as desk:
        for size in ((200, 60), (80, 24), (20, 5), (1, 1), (120, 40)):
            await desk.pilot.resize_terminal(*size)
            await desk.settle()
        await desk.press("enter")
        for size in ((200, 60), (80, 24), (30, 8), (120, 40)):
            await desk.pilot.resize_terminal(*size)
            await desk.settle()
        await desk.press("a")
        for size in ((80, 24), (30, 8), (120, 40)):
            await desk.pilot.resize_terminal(*size)
            await desk.settle()
        await desk.on(Decide)
        assert desk.sees("184,200")


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark", "ansi-light"])
async def test_every_theme_shows_state_in_words(
    open_console: Opened, simulator: Simulator, theme: str
) -> None:
    simulator.add(7, blocking=True, hours=1)
    async with open_console(theme=theme) as desk:
        assert desk.app.theme == theme
        await desk.expect("1 blocking", "left", "● live")
        await desk.press("enter")
        await desk.expect("● blocking", "who approves must accept it")


async def test_a_small_screen_says_whether_the_authority_answers(
    open_console: Opened, simulator: Simulator
) -> None:
    async with open_console(size=(80, 24)) as desk:
        assert "● live" in desk.text()
        simulator.away = True
        await desk.until(lambda: bool(desk.app.live))
        await desk.expect(desk.app.live)


@pytest.mark.parametrize("place", ["handler", "worker"])
async def test_a_fault_of_its_own_ends_it_with_one_line(
    open_console: Opened, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """I7: what variables hold, a passphrase too, stands in no terminal's scrollback."""

    async def fault() -> None:
        passphrase = "correct horse battery"
        raise ZeroDivisionError(len(passphrase))

    with pytest.raises((ZeroDivisionError, WorkerFailed)):
        async with open_console() as desk:
            if place == "worker":
                desk.app.run_worker(fault)
            else:
                desk.app.call_later(fault)
            await desk.until(lambda: not desk.app.is_running)
    said = " ".join(capsys.readouterr().err.split())
    assert "fault of its own: ZeroDivisionError in test_trouble.py:" in said
    assert "correct horse" not in said
    assert "Traceback" not in said


async def test_what_comes_while_the_console_ends_is_not_told(
    open_console: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its timers go on while its screens are taken apart; it ended with a traceback."""
    async with open_console() as desk:
        app, close_all = desk.app, desk.app._close_all

        async def tick_meanwhile() -> None:
            await app.screen.query("#views").remove()
            app._untold = 7
            app.tell_on()
            await close_all()

        monkeypatch.setattr(app, "_close_all", tick_meanwhile)
    assert app._untold == 7


async def test_on_the_smallest_screen_the_act_and_the_line_stay_in_sight(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: what a dialog is about stands above its buttons, however little of it has room."""
    simulator.add(7, blocking=True)
    async with open_console(size=(40, 12)) as desk:
        assert "● live" in desk.text()
        await desk.press("enter", "a")
        await desk.expect("Cancel", "Approve parcel 7 of D-1 for €184,200.00?")
        await desk.press("tab", "tab")
        await desk.expect("why it is acceptable", "I accept this one")
        await desk.press("tab", "tab")
        assert "│  decision  " in desk.text()  # a label's second line


async def test_keys_of_one_burst_reach_what_they_were_typed_for(
    open_console: Opened, simulator: Simulator
) -> None:
    """Over a slow line keys come together: what follows a tab or an enter goes to the next field."""
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "h")
        typed = ["tab", "tab", *"x1", "enter", *"why", "enter", *PASSPHRASE, "enter"]
        for key in typed:
            desk.app.post_message(events.Key(key, key if len(key) == 1 else None))
        secret = desk.app.screen.query_one("#passphrase", Input)
        await desk.until(lambda: bool(secret.value) and desk.app.focused.id == "sign")
        told = {each.id: each.value for each in desk.app.screen.query(Input)}
        assert told["why"] == "why"
        assert told["passphrase"] == PASSPHRASE
        assert told["record"].endswith("x1")
    assert simulator.acts == []


@pytest.mark.parametrize("slow", ["dialog", "cancel"])
async def test_what_is_typed_at_cancel_is_whole_though_the_dialog_answers_late(
    open_console: Opened, simulator: Simulator, slow: str
) -> None:
    """On a busy machine keys are handed on before the first one has moved the focus."""
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        secret = desk.app.screen.query_one("#passphrase", Input)
        busy = desk.app.screen if slow == "dialog" else desk.app.focused
        free = asyncio.Event()
        busy.call_later(free.wait)
        for key in PASSPHRASE:
            desk.app.post_message(events.Key(key, key))
        await desk.until(lambda: len(desk.app._held_keys) == len(PASSPHRASE) - 1)
        await desk.until(lambda: len(desk.app._held_keys) <= len(PASSPHRASE) - 3)
        free.set()
        await desk.until(lambda: len(secret.value) == len(PASSPHRASE))
        assert secret.value == PASSPHRASE
    assert simulator.acts == []


async def test_what_is_pasted_is_taken_as_far_as_there_is_room(
    open_console: Opened, simulator: Simulator
) -> None:
    """Several lines are one; of more than fits, what does not is said; a passphrase is a line."""
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        comment, secret = (desk.app.screen.query_one(each, Input) for each in FIELDS)
        for field, text, taken in (
            (comment, "who signed\r\n  the waiver\n\nof Acme?\n", "who signed the waiver of Acme?"),
            (secret, f"{PASSPHRASE}\n", PASSPHRASE),
        ):
            field.focus()
            await desk.settle()
            desk.app.post_message(events.Paste(text))
            await desk.until(lambda field=field: bool(field.value))
            assert field.value == taken
        comment.focus()
        await desk.press("end")
        desk.app.post_message(events.Paste("x" * 1_000_000))
        await desk.expect("1,970 of 1,000,000 characters had room here.")
        assert len(comment.value) == 2000


def typed(text: str) -> list[events.Key]:
    """A text as the keys that a terminal without bracketed paste sends."""
    named = {"\n": ("enter", "\r"), "\t": ("tab", "\t")}
    return [events.Key(*named.get(each, (each, each))) for each in text]


def told(desk: Desk, words: str) -> bool:
    return any(words in each.message for each in desk.app._notifications)


async def test_what_is_pasted_as_keys_acts_as_no_key(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: no line of it goes on, confirms or signs; in a field it is text, elsewhere nothing."""
    view = simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "a")
        comment, secret = (desk.app.screen.query_one(each, Input) for each in FIELDS)
        secret.value = PASSPHRASE
        comment.focus()
        await desk.settle()
        for each in typed("y\n" * 2_000):
            desk.app.post_message(each)
        await desk.until(lambda: told(desk, "no key of it acts"))
        await desk.until(lambda: told(desk, "characters had room here"))
        assert set(comment.value) == {"y", " "}
        assert secret.value == PASSPHRASE
        for each in typed("\t\ny" * 2_000):
            desk.app.post_message(each)
        desk.app.post_message(events.Key("escape", None))
        await desk.until(lambda: told(desk, "0 characters were pasted"))
        await desk.on(Decide)
        desk.app.clear_notifications()
        await desk.press("escape")
        await desk.on(CaseScreen)
        for each in typed("xyat\t\n" * 200):
            desk.app.post_message(each)
        await desk.until(lambda: told(desk, "characters were pasted where nothing is typed"))
    assert simulator.acts == []
    assert simulator.checkpoints[view.id].decisions == ()


async def test_few_keys_that_come_in_one_go_sign_nothing_without_a_passphrase(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: a word and a line's end that were pasted are no confirmation; one key by itself is."""
    view = simulator.add(7)
    async with open_console() as desk:
        desk.app._session = replace(desk.app.session, protected=False)
        await desk.press("enter", "m")
        for each in typed("first line\nt"):
            desk.app.post_message(each)
        await desk.until(lambda: told(desk, "press it once more"))
        await desk.expect("first linet")
        assert simulator.acts == []
        await desk.press("escape")
        await desk.on(CaseScreen)
        desk.app.clear_notifications()
        for each in typed("a\t\n"):
            desk.app.post_message(each)
        await desk.until(lambda: told(desk, "press it once more"))
        await desk.on(Decide)
        assert simulator.checkpoints[view.id].decisions == ()
        await desk.press("enter")
        await desk.until(lambda: bool(simulator.checkpoints[view.id].decisions))


async def test_a_key_whose_widget_goes_away_holds_nothing_up(
    open_console: Opened, simulator: Simulator
) -> None:
    simulator.add(7)
    async with open_console() as desk:
        await desk.press("enter", "h")
        for key in ("escape", "escape", "slash", *"seven"):
            desk.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await desk.until(lambda: desk.app.screen.query(Queue) and desk.sees("seven"))


@pytest.mark.parametrize("width", [60, 80, 120, 200])
async def test_no_key_at_the_foot_is_cut(
    open_console: Opened, simulator: Simulator, width: int
) -> None:
    """What does not fit is left out whole; help, the palette and how much is wrong always fit."""
    simulator.add(7, blocking=True)
    async with open_console(size=(width, 24)) as desk:
        await desk.press("enter")
        await desk.expect("f1 Help", "palette", "a Approve")
        keys = [each for each in desk.app.screen.query(FooterKey) if each.display]
        foot = desk.text().splitlines()[-1]
        assert all(each.description in foot for each in keys)
        assert desk.sees("What is asked 2")
