"""Draw the pictures of the console: the real one, on the demo's data.

    .venv/bin/python docs/pictures/draw_console.py

It starts everything embedded, plays a few draws, opens others, and writes docs/pictures/*.svg.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from rich.console import Console as Output

from lender import servicing
from lender.demo import APPROVERS, AUDITOR, OPENER, Books, Script, until
from lender.embedded import Embedded, embedded, passphrase_of
from lender.embedded_commands import _open_some
from lender.model import Move, Moves
from lender.samples import catalog, sample_loans
from placet.client import OperatorClient
from tui.app import Console, given_of
from tui.settings import ConsoleSettings

FOLDER = Path(__file__).parent
PICTURES = {
    "console-queue": ("omar", (120, 30), ("down",)),
    "console-case": ("omar", (120, 36), ("down", "down", "enter")),
    "console-table": ("omar", (160, 40), ("enter", "down", "down", "down", "tab", "down", "down")),
    "console-dialog": ("omar", (120, 36), ("enter", "a")),
    "console-cases": ("dana", (120, 30), ("2", "v", "v", "v", "down", "down", "down")),
    "console-intake": ("dana", (120, 30), ("2", "n")),
    "console-letter": ("dana", (120, 36), ("2", "down", "down", "enter", "e")),
    "console-document": ("omar", (120, 36), ("enter", "tab", "v")),
    "console-history": ("omar", (120, 30), ("enter", *("down",) * 9)),
    "console-reallocation": ("ines", (120, 30), ("enter", "down", "down", "down")),
    "console-replay": ("una", (140, 40), ("2", "v", "v", "p", "c", "c", "n", "n")),
    "console-identities": ("ada", (120, 26), ("3",)),
    "console-ledger": ("una", (120, 32), ("4",)),
    "console-overview": ("sofia", (120, 38), ("5",)),
    "console-help": ("omar", (120, 40), ("enter", "f1")),
    "console-light": ("omar", (120, 30), ("enter", "down", "down", "down", "down")),
    "console-16-colours": ("omar", (120, 30), ("enter",)),
    "console-80x24": ("omar", (80, 24), ()),
}
THEMES = {"console-light": "textual-light", "console-16-colours": "ansi-dark"}


async def settle(app: Console) -> None:
    """Until every question is answered."""
    quiet = 0
    while quiet < 8:
        await asyncio.sleep(0.05)
        busy = any(not each.is_finished and each.group != "follow" for each in app.workers)
        quiet = 0 if busy else quiet + 1


async def draw(
    made: Embedded, name: str, who: str, size: tuple[int, int], keys: Sequence[str]
) -> None:
    """One picture."""
    key_file = made.folder / "people" / f"{who}.key"
    app = Console(
        given_of(made.issuer, who, key_file),
        ConsoleSettings(
            idle_minutes=0,
            theme=THEMES.get(name, "textual-dark"),
            views_file=made.folder / "views.json",
        ),
        passphrase=passphrase_of(who),
    )
    async with app.run_test(size=size) as pilot:
        await settle(app)
        for key in keys:
            await pilot.press(key)
            await settle(app)
        text = app.export_screenshot(title="placet console")
        (FOLDER / f"{name}.svg").write_text(text.replace("\u00a0", "&#160;"))


async def _ask_to_reallocate(script: Script, opener: OperatorClient) -> None:
    move = Move(from_item="04", to_item="01", amount=Decimal("250.00"), reason="the bids are in")
    moves = Moves(moves=(move,))
    servicing.request_reallocation(script.books.servicing, "L-1001", "1", moves)
    await opener.open_case("budget-reallocation", "loan/L-1001/reallocation/1")


async def main() -> None:
    """All of them."""
    with tempfile.TemporaryDirectory() as folder:
        async with embedded(Path(folder)) as made:
            names = (OPENER, *APPROVERS, AUDITOR)
            async with contextlib.AsyncExitStack() as stack:
                books = stack.enter_context(Books.of(made.lender))
                script = Script(made, books, Output(quiet=True))
                for loan in sample_loans():
                    books.take_in(loan)
                people = {
                    each: await stack.enter_async_context(made.person(each)) for each in names
                }
                for sample in catalog()[:3]:
                    await script.play_one(sample, people)
                await _open_some(script)
                await _ask_to_reallocate(script, people[OPENER])

                async def waiting() -> bool | None:
                    overview = await people[AUDITOR].overview()
                    return True if overview.open.count == 4 else None

                await until(waiting, "three draws and a reallocation that wait")
            os.environ |= made.settings_for_people(OPENER)  # where the packets are kept
            for name, (who, size, keys) in PICTURES.items():
                await draw(made, name, who, size, keys)


if __name__ == "__main__":
    asyncio.run(main())
