"""What the screens look like, held against what they looked like when someone last looked.

PLACET_REDRAW=1 draws them anew: look at the difference before you keep it.
"""

import os
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from placet.model import Need, digest_json
from tests.tui.conftest import Opened
from tests.tui.simulator import NOW, Simulator
from tui import words
from tui.screens.decide import Decide

pytestmark = pytest.mark.timeout(120)
FOLDER = Path(__file__).parent / "pictures"
KEYS = {
    "queue": ("1", "down"),
    "cases": ("2",),
    "ledger": ("4", "down"),
    "overview": ("5",),
    "case": ("1", "enter"),
}


@pytest.fixture
def the_clock_stands(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(words, "now", lambda: NOW + timedelta(minutes=5))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def a_day_at_the_depot(simulator: Simulator) -> None:
    """Three parcels: a plain one, a late and heavy one, one that a second person must see."""
    simulator.clock = NOW
    chief = (Need(roles=("officer",), count=1), Need(roles=("senior",), count=1))
    simulator.add(7)
    late = simulator.add(8, amount="41811.72", blocking=True, hours=-3)
    simulator.add(9, amount="1250000.00", needs=chief, hours=20)
    grant = {"grant": "grant-00000000000000000000000001", "action": "parcel:weigh"}
    for kind, data in (
        ("grant.issued", grant),
        ("grant.settled", grant),
        ("grant.denied", {"action": "parcel:open", "reasons": ["policy:law.no"]}),
    ):
        simulator.note(kind, "agent:weigher", late.case, late.subject, data)


def held_against(name: str, text: str) -> None:
    """A screen's text is what is kept of it; the digest of a key made anew each time aside."""
    text = re.sub(r"sha-256:[A-Za-z0-9_-]{43}", digest_json({})[:51], text)
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    file = FOLDER / f"{name}.txt"
    if os.environ.get("PLACET_REDRAW"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text(), f"{name} looks different; see PLACET_REDRAW"


@pytest.mark.usefixtures("the_clock_stands")
async def test_the_screens_look_as_they_did(open_console: Opened, simulator: Simulator) -> None:
    a_day_at_the_depot(simulator)
    async with open_console("omar") as desk:
        for name, keys in KEYS.items():
            await desk.press(*keys)
            held_against(name, desk.text())
        await desk.press("a")
        await desk.on(Decide)
        held_against("dialog", desk.text())


@pytest.mark.usefixtures("the_clock_stands")
async def test_a_small_terminal_shows_what_matters(
    open_console: Opened, simulator: Simulator
) -> None:
    a_day_at_the_depot(simulator)
    async with open_console("omar", size=(80, 24)) as desk:
        held_against("queue-80x24", desk.text())
        await desk.press("enter")
        held_against("case-80x24", desk.text())
