"""Draw the pictures of the console: the real one, on the demo's data.

    .venv/bin/python docs/pictures/draw_console.py

It starts everything embedded, plays a few draws, opens others, and writes docs/pictures/*.svg.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console as Output

from lender.commands import _open_some
from lender.demo import APPROVERS, AUDITOR, OPENER, Script, until
from lender.embedded import Embedded, embedded, passphrase_of
from lender.samples import catalog, sample_loans
from tui.app import Console, given_of
from tui.settings import ConsoleSettings

FOLDER = Path(__file__).parent
PICTURES = {
    "console-queue": ("omar", (120, 32), ("down",)),
    "console-case": ("omar", (120, 36), ("down", "down", "enter")),
    "console-table": ("omar", (160, 40), ("enter", "down", "down", "down", "tab", "down", "down")),
    "console-dialog": ("omar", (120, 36), ("enter", "a")),
    "console-cases": ("dana", (120, 24), ("2", "v", "v", "v")),
    "console-replay": ("una", (140, 40), ("2", "v", "v", "p", "c", "c", "n", "n")),
    "console-identities": ("ada", (120, 26), ("3",)),
    "console-ledger": ("una", (120, 32), ("4",)),
    "console-overview": ("sofia", (100, 30), ("5",)),
    "console-80x24": ("omar", (80, 24), ()),
}


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
        ConsoleSettings(idle_minutes=0),
        passphrase=passphrase_of(who),
    )
    async with app.run_test(size=size) as pilot:
        await settle(app)
        for key in keys:
            await pilot.press(key)
            await settle(app)
        text = app.export_screenshot(title="placet console")
        (FOLDER / f"{name}.svg").write_text(text.replace("\u00a0", "&#160;"))


async def main() -> None:
    """All of them."""
    with tempfile.TemporaryDirectory() as folder:
        async with embedded(Path(folder)) as made:
            script = Script(made, Output(quiet=True))
            for loan in sample_loans():
                script.books.take_in(loan)
            names = (OPENER, *APPROVERS, AUDITOR)
            async with contextlib.AsyncExitStack() as stack:
                people = {
                    each: await stack.enter_async_context(made.person(each)) for each in names
                }
                for sample in catalog()[:3]:
                    await script.play_one(sample, people)
                await _open_some(script)

                async def waiting() -> bool | None:
                    overview = await people[AUDITOR].overview()
                    return True if overview.open.count == 3 else None

                await until(waiting, "three draws that wait")
            for name, (who, size, keys) in PICTURES.items():
                await draw(made, name, who, size, keys)


if __name__ == "__main__":
    asyncio.run(main())
