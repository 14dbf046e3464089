"""Files that people attached, read where they decide; and a word in someone else's place."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual.widgets import Input, Select

from placet.model import DelegationView
from tests.tui.conftest import PASSPHRASE, Opened
from tests.tui.simulator import Simulator
from tui.screens.case import CaseScreen
from tui.screens.decide import Decide
from tui.screens.document import AttachedScreen
from tui.widgets.table import VirtualTable

pytestmark = pytest.mark.timeout(60)


async def test_an_attached_file_is_read_as_text_and_opened_in_the_viewer(
    open_console: Opened, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I13: what is shown is what was attached, by the digest that its signer signed."""
    view = simulator.add(7)
    simulator.attach(view.id, "note.txt", b"seen twice\non the scales")
    seen: list[tuple[str, bytes]] = []
    opened = SimpleNamespace(
        Popen=lambda command, **_: seen.append((command[0], Path(command[1]).read_bytes())),
        DEVNULL=None,
    )
    monkeypatch.setattr("tui.documents.subprocess", opened)
    async with open_console(viewer="reader") as desk:
        await desk.press("enter")
        desk.app.screen.query_one("#index", VirtualTable).go_to("Comments")
        await desk.press("tab", "v")
        await desk.on(AttachedScreen)
        await desk.expect("note.txt", "seen twice", "on the scales")
        await desk.press("v")
        assert seen == [("reader", b"seen twice\non the scales")]
        await desk.press("escape")
        act, (body, _) = next(iter(simulator.files.items()))
        simulator.files[act] = (body, b"another file")
        await desk.press("v")
        await desk.expect("the file note.txt is not the one that was attached")


async def test_a_delegate_says_whose_place_they_take(
    open_console: Opened, simulator: Simulator
) -> None:
    """I6: the word is the delegate's own, and names who is away."""
    view = simulator.add(7)
    now = datetime.now(UTC)
    simulator.delegations = [
        DelegationView(
            act="d" * 24,
            giver="operator:sofia",
            delegate="operator:omar",
            starts_at=now - timedelta(days=1),
            ends_at=now + timedelta(days=1),
        )
    ]
    async with open_console(size=(80, 24)) as desk:
        await desk.press("enter", "w", "a")
        await desk.on(Decide)
        await desk.expect("Whose place you take", "my own")
        desk.app.screen.query_one("#stands-in-for", Select).value = "operator:sofia"
        await desk.expect("I stand in for sofia")
        desk.app.screen.query_one("#passphrase", Input).value = PASSPHRASE
        await desk.push("#sign")
        await desk.on(CaseScreen)
    (word,) = simulator.checkpoints[view.id].decisions
    assert (word.operator, word.stands_in_for) == ("operator:omar", "operator:sofia")
