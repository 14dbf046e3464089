"""A console on a simulated authority, driven by keys and the mouse."""

import asyncio
import io
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas
from textual import app as _app
from textual import pilot as _pilot
from textual._compositor import Compositor  # it has no other address; Textual is pinned
from textual._context import active_app
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Button

from placet.model import (
    Beyond,
    CampaignItem,
    CampaignView,
    Candidate,
    Did,
    HeldBack,
    IdentityReport,
    IdentityStanding,
    KeyView,
    LeftBehind,
    LimitInForce,
    MayDo,
    Measure,
    RegisteredView,
    ReportLine,
    Reviewed,
    ReviewOfIdentity,
    Risk,
    VendorView,
    kind_of,
)
from placet.process import Attached, Paper, Process
from placet.tokens import SigningKey, write_key_file
from tests.tui.simulator import ISSUER, PARCELS, Simulator, identifier
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
THUMBPRINT = "k" * 43
_NOW = datetime.now(UTC)

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


_UPDATE = Compositor.render_update


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw what has settled, not each step to it: there is no terminal that would show the steps.

    tests/tui/test_terminal.py and test_browser.py have one.
    """

    def update(compositor: Compositor, full: bool = False, **how) -> object:
        return _UPDATE(compositor, full, **how) if full else None

    monkeypatch.setattr(Compositor, "render_update", update)


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a key or a click, wait until all that it causes is done and laid out.

    Textual waits until the processor has been idle for 20 ms, several times after each key.
    """

    async def wait_for_idle(*_seconds: float) -> None:
        await _laid_out(active_app.get())

    for module in (_app, _pilot):
        monkeypatch.setattr(module, "wait_for_idle", wait_for_idle)


async def _laid_out(app: App[None]) -> None:
    """Until nobody has a message left, and the screen needs no layout."""
    await _nothing_to_do()
    while app._resize_timer is not None:  # 8 ms, for a hand that pulls at the window
        await asyncio.sleep(0.005)
        await _nothing_to_do()
    while app.screen_stack and _is_outdated(app.screen):
        app.screen._on_timer_update()  # as its clock does 60 times a second, and the pilot's pause
        await _nothing_to_do()


async def _nothing_to_do() -> None:
    """Until the loop would wait for its next timer, or another thread."""
    ready = asyncio.get_running_loop()._ready
    await asyncio.sleep(0)
    while ready:
        await asyncio.sleep(0)


def _is_outdated(screen: Screen) -> bool:
    return bool(
        screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets
        or screen._callbacks
    )


class Desk:
    """A running console, and what can be seen on it."""

    def __init__(self, app: Console, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def settle(self) -> None:
        """Until every question is answered and drawn."""
        await _laid_out(self.app)
        while any(
            each.group not in {"follow", "forget"} and not each.is_finished
            for each in self.app.workers
        ):
            await asyncio.sleep(0.005)
            await _laid_out(self.app)
        _UPDATE(self.app.screen._compositor, screen_stack=self.app._background_screens)

    async def press(self, *keys: str) -> None:
        for key in keys:
            if key in {"enter", "space"} and isinstance(self.app.focused, Button):
                await self.free(self.app.focused)
            await self.pilot.press(key)
        await self.settle()

    async def type(self, text: str) -> None:
        await self.pilot.press(*("space" if each == " " else each for each in text))
        await self.settle()

    async def click(self, selector: str, **how) -> None:
        for button in self.app.screen.query(selector).results(Button):
            await self.free(button)
        await self.pilot.click(selector, **how)
        await self.settle()

    async def push(self, selector: str) -> None:
        """Press a button by key, once it is free."""
        button = self.app.screen.query_one(selector, Button)
        await self.free(button)
        await self.until(lambda: not button.disabled)
        self.app.screen.set_focus(button)
        await self.press("enter")

    async def free(self, button: Button) -> None:
        """Until it can be pressed: what was pressed just now takes no second one."""
        await self.until(lambda: not button.has_class("-active"))

    async def until(self, look: Callable[[], bool]) -> None:
        """Until something is so; what is seen instead is told after a while."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not look():
                    await asyncio.sleep(0.02)
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


@pytest.fixture(scope="session")
def label() -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out)
    for number, line in enumerate(["Parcel label", "Sender: Harbor Street", "kg: 2"]):
        canvas.drawString(72, 720 - 20 * number, line)
    canvas.save()
    return out.getvalue()


@pytest.fixture
def parcels(simulator: Simulator, label: bytes, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """What the process's own package brings: documents, and papers."""
    simulator.document = label
    stored: list[tuple[str, str]] = []

    def store(subject: str, path: Path) -> Attached:
        if not path.exists():
            raise ValueError(f"{path.name}: no such folder")
        stored.append((subject, path.name))
        return Attached(f"{subject}/box", str(len(stored)))

    process = Process(
        definition=PARCELS,
        workflow=object,
        document=lambda subject, name, digest: simulator.document,
        attach={"box": store},
        papers={
            "note": lambda view, parts: Paper("note.txt", f"about {view.subject}".encode()),
            "sheet": lambda view, parts: Paper("sheet.xlsx", b"PK"),
        },
    )
    for module in ("placet.cli._documents", "tui.screens.papers", "tui.screens.intake"):
        monkeypatch.setattr(f"{module}.processes", lambda: {"parcels": process})
    return simulator


def known(identity: str, status: str = "active", **said: object) -> RegisteredView:
    kind = kind_of(identity)
    ours = identity.partition(":")[0] in {"agent", "system"}
    key = KeyView(
        thumbprint=THUMBPRINT,
        status="active",
        since=_NOW - timedelta(days=80),
        expires_at=_NOW + timedelta(days=10),
    )
    told = {
        "owner": "operator:ada",
        "purpose": "weighs parcels",
        "environment": "production",
        "credential": "key" if ours else "api-key",
        "credential_since": _NOW - timedelta(days=80),
        "review_by": _NOW + timedelta(days=100),
        "ends_at": _NOW + timedelta(days=200),
        "keys": (key,) if ours else (),
        **said,
    }
    return RegisteredView(identity=identity, kind=kind, status=status, **told)


def put_in_registry(simulator: Simulator) -> None:
    """Identities of three kinds, one of them suspended, and what is wrong with some."""
    simulator.add(7)
    simulator.registry = [
        known("agent:sorter", "suspended", lacks=("no person owns this identity",), owner=None),
        known(
            "agent:weigher",
            vendor="acme",
            live_grants=2,
            last_used=_NOW - timedelta(hours=2),
            may=(
                MayDo(process="parcels", activity_type="weigh", action="parcel:weigh", system="s"),
                MayDo(process="parcels", activity_type="open", action="parcel:open", system="s"),
            ),
            did=(Did(action="parcel:weigh", times=41, last=_NOW - timedelta(hours=2)),),
        ),
        known("api-key:payments/stripe", "elsewhere"),
    ]
    simulator.left = [
        LeftBehind(
            identity=each.identity,
            works=True,
            keys=1,
            live_grants=2,
            join_tokens=0,
            steps=("parcels: weigh",),
            open_cases=3,
            cases=(identifier("case", 7),),
        )
        for each in simulator.registry
    ]
    simulator.vendors = [
        VendorView(
            vendor="acme",
            identities=("agent:weigher",),
            running=(identifier("case", 7),),
            cases=(identifier("case", 7),),
            live_grants=2,
            payments_in_flight=1,
            further=3,
            open_cases=150,
        )
    ]
    view = next(iter(simulator.checkpoints.values()))
    simulator.standings = [
        IdentityStanding(
            identity="agent:weigher",
            suspended_for=None,
            limits=(
                LimitInForce(
                    measure=Measure.GRANTS,
                    beyond=Beyond.THROTTLE,
                    at_most=2,
                    within_seconds=3600,
                ),
            ),
            held=(HeldBack(measure=Measure.GRANTS, until=_NOW + timedelta(days=300)),),
            reviews=(
                ReviewOfIdentity(
                    campaign="q1",
                    started_at=_NOW,
                    subject="campaign/q1/identity/1",
                    case=view.case,
                    checkpoint=view.id,
                ),
            ),
        )
    ]
    items = (
        CampaignItem(
            number=1,
            subject="campaign/q1/identity/1",
            identity="agent:weigher",
            owner="operator:omar",
            risk=Risk.HIGH,
            case=view.case,
        ),
        CampaignItem(
            number=2,
            subject="campaign/q1/identity/2",
            identity="agent:sorter",
            risk=Risk.MEDIUM,
        ),
    )
    over = items[0].model_copy(update={"outcome": Reviewed.KEPT})
    simulator.campaigns = [
        CampaignView(campaign="q1", started_by="operator:ada", started_at=_NOW, items=items),
        CampaignView(campaign="q0", started_by="operator:bo", started_at=_NOW, items=(over,)),
    ]
    simulator.due = [Candidate(identity="api-key:payments/stripe", risk=Risk.LOW)]
    simulator.wrong = [
        ReportLine(
            report=IdentityReport.UNOWNED,
            identity="agent:sorter",
            why="nobody owns it",
            mend="placet identity register agent:sorter --owner …",
        ),
        ReportLine(
            report=IdentityReport.STALE,
            identity="api-key:payments/stripe",
            owner="operator:ada",
            why="it did nothing for 90 days",
            mend="placet identity end api-key:payments/stripe --reason …",
        ),
    ]


@pytest.fixture
def registry(simulator: Simulator) -> Simulator:
    put_in_registry(simulator)
    return simulator
