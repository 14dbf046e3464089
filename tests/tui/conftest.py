"""A console on a simulated authority, driven by keys and the mouse."""

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Button

from placet.tokens import SigningKey, write_key_file
from tests.tui.simulator import ISSUER, Simulator
from tui.app import Console
from tui.session import Given
from tui.settings import ConsoleSettings

ScreenKind = type[Screen]
PEOPLE = {
    "omar": ("officer",),
    "sofia": ("senior",),
    "una": ("auditor",),
    "ada": ("administrator",),
    "carl": ("clerk",),
}
PATIENCE = 30  # seconds; the machine may be busy
PASSPHRASE = "s3cr3t"  # typed key by key

Opened = Callable[..., AbstractAsyncContextManager["Desk"]]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, SigningKey]]:
    folder = tmp_path_factory.mktemp("keys")
    made = {}
    for name in PEOPLE:
        key = SigningKey.generate()
        write_key_file(folder / f"{name}.key", key, PASSPHRASE)
        made[name] = (folder / f"{name}.key", key)
    return made


@pytest.fixture
def simulator(keys: dict[str, tuple[Path, SigningKey]]) -> Simulator:
    made = Simulator()
    for name, roles in PEOPLE.items():
        made.enrol(name, roles, keys[name][1].public)
    return made


class Desk:
    """A running console, and what can be seen on it."""

    def __init__(self, app: Console, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def settle(self) -> None:
        """Until every question is answered and drawn."""
        quiet = 0
        while quiet < 3:
            await self.pilot.pause(0.02)
            running = [
                each
                for each in self.app.workers
                if each.group not in {"follow", "forget"} and not each.is_finished
            ]
            quiet = 0 if running else quiet + 1

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def type(self, text: str) -> None:
        await self.pilot.press(*("space" if each == " " else each for each in text))
        await self.settle()

    async def click(self, selector: str, **how) -> None:
        await self.pilot.click(selector, **how)
        await self.settle()

    async def push(self, selector: str) -> None:
        """Press a button by key, once it is free: what was pressed just now takes no second one."""
        button = self.app.screen.query_one(selector, Button)
        await self.until(lambda: not button.has_class("-active") and not button.disabled)
        self.app.screen.set_focus(button)
        await self.press("enter")

    async def until(self, look: Callable[[], bool]) -> None:
        """Until something is so; what is seen instead is told after a while."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not look():
                    await self.pilot.pause(0.02)
        except TimeoutError:
            raise AssertionError(f"it never came to that:\n{self.text()}") from None

    def text(self) -> str:
        """What is on the screen, as the terminal shows it."""
        lines = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in lines)

    def sees(self, *words: str) -> bool:
        shown = re.sub(r"[\s│▌▐▏▕]+", " ", self.text())
        return all(word in shown for word in words)

    async def expect(self, *words: str) -> None:
        """Until these words are seen."""
        await self.until(lambda: self.sees(*words))

    async def on(self, screen: ScreenKind) -> None:
        """Until that screen is on top."""
        await self.until(lambda: isinstance(self.app.screen, screen))
        await self.settle()


@pytest.fixture
def open_console(
    simulator: Simulator, keys: dict[str, tuple[Path, SigningKey]], tmp_path: Path
) -> Opened:
    views_file = tmp_path / "views.json"  # never the person's own who runs this

    @asynccontextmanager
    async def opened(
        name: str = "omar",
        size: tuple[int, int] = (120, 40),
        *,
        passphrase: str = PASSPHRASE,
        **settings,
    ):
        app = Console(
            Given(ISSUER, name, keys[name][0]),
            ConsoleSettings(**{"idle_minutes": 0, "views_file": views_file, **settings}),
            passphrase=passphrase,
            transport=simulator.transport,
        )
        async with app.run_test(size=size, notifications=True) as pilot:
            desk = Desk(app, pilot)
            said = "#sign-in-said"
            await desk.until(
                lambda: (
                    desk.sees("open, ", "for you")
                    or desk.sees("not enrolled")
                    or desk.sees("the passphrase is wrong")
                    or not app.screen.query(said)
                )
            )
            await desk.settle()
            yield desk

    return opened
