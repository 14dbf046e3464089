"""The application: how someone is let in, and the lock.

Everything that asks the network is a worker.
"""

import asyncio
import contextlib
import gc
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import WorkerFailed

from tui import saved
from tui.answers import Away, Refused
from tui.commands import Acts
from tui.documents import Viewer
from tui.following import TELL_EVERY, Following
from tui.screens.help import Help
from tui.screens.main import Main
from tui.screens.sign_in import SignIn
from tui.session import Given, Session, Transport, WrongKey, sign_in
from tui.settings import ConsoleSettings
from tui.text import harmless

_FIRST_SCREEN = 2.0
"""Until then nothing is garbage, and nobody looks for any: that would take a tenth of it."""


class Console(Following):
    """The console."""

    TITLE = "Placet"
    CSS_PATH = "console.tcss"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {Acts}
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual's own, which is no ClassVar
        (0, "-narrow"),
        (100, "-medium"),
        (118, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - the same
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+q",
            "quit",
            "Quit",
            id="app.quit",
            tooltip="End the console",
            show=False,
            priority=True,  # on dialogs as well
        ),
        Binding(
            "f1",
            "help",
            "Help",
            id="app.help",
            tooltip="What can be done here",
            priority=True,  # on dialogs as well
        ),
        Binding("question_mark", "help", "Help", id="app.help-2", show=False),
        Binding(
            "ctrl+o",
            "sign_out",
            "Sign out",
            id="app.sign-out",
            tooltip="Let someone else in",
            show=False,
        ),
        Binding(
            "ctrl+l",
            "lock",
            "Lock",
            id="app.lock",
            tooltip="Lock it now",
            show=False,
            priority=True,
        ),
    ]

    def __init__(
        self,
        given: Given,
        settings: ConsoleSettings,
        *,
        passphrase: str = "",
        fixed: bool = False,
        transport: Transport = lambda: None,
    ) -> None:
        super().__init__()
        self._given = given
        self._settings = settings
        self._own_views = saved.load(settings.views_file)
        self._passphrase = passphrase
        self._fixed = fixed
        self._transport = transport
        self._touched = time.monotonic()
        self.animation_level = "none"  # over a slow line each frame is waited for
        self.viewer = Viewer(settings.viewer)
        self.main = Main()
        if settings.keys:
            self.set_keymap(settings.keys)

    @property
    def views(self) -> Mapping[str, str]:
        """The saved views that the person has set, as queries by name."""
        return self._settings.views

    @property
    def own_views(self) -> Mapping[str, str]:
        """The views that were saved from the screen."""
        return self._own_views

    def keep_views(self, views: Mapping[str, str]) -> None:
        """Save the views of one's own.

        Raises:
            ValueError: there are too many, or a name is none.
            OSError: the file can't be written.
        """
        saved.keep(self._settings.views_file, views)
        self._own_views = dict(views)

    @property
    def hint(self) -> str:
        """A line that is shown where a passphrase is asked."""
        return self._settings.hint

    # --- who ------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """What is seen until someone is signed in."""
        yield Static("asking the authority …")

    def on_mount(self) -> None:
        """Ask who is there."""
        self.theme = self._settings.theme
        passphrase, self._passphrase = self._passphrase, ""
        if passphrase:
            self.enter_with(passphrase)
        else:
            self._ask_who(self._given)
        self.set_interval(TELL_EVERY, self.tell_on)
        if self._settings.idle_minutes:
            self.set_interval(1, self._look_at_the_clock)

    def on_ready(self) -> None:
        """It is on screen; what is looked up next is not waited for."""
        self.set_timer(_FIRST_SCREEN, self._look_for_garbage)

    def _look_for_garbage(self) -> None:
        gc.freeze()
        gc.enable()

    def action_sign_out(self) -> None:
        """Forget who is signed in, and all that is shown, and ask who comes next."""
        if self._session is None:
            return
        given, gateway = self._session.given, self._session.gateway
        self.end_session()
        self.drafts.clear()
        self.viewer.close()
        self.workers.cancel_all()
        self.clear_notifications()
        self.forget(gateway.close)
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.main = Main()
        self._ask_who(given)

    @work(group="sign-in")
    async def enter_with(self, passphrase: str) -> None:
        """Sign in with what was given at the start; where that does not do, ask and say why."""
        try:
            session = await sign_in(self._given, passphrase, self._transport)
        except (WrongKey, Refused, Away) as error:
            self._ask_who(self._given, str(error))
        else:
            self._enter(session)

    def _ask_who(self, given: Given, failed: str = "") -> None:
        form = SignIn(given, fixed=self._fixed, failed=failed, transport=self._transport)
        self.push_screen(form, self._enter)

    def _enter(self, session: Session | None) -> None:
        if session is None:
            self.exit()
            return
        self.begin_session(session)
        self._touched = time.monotonic()
        self.push_screen(self.main)
        self.follow()

    def action_lock(self) -> None:
        """Forget the key, and show nothing until the same person is back."""
        if self._session is None:
            return
        given, gateway = self._session.given, self._session.gateway
        self.end_session()
        self.viewer.close()
        self.workers.cancel_all()
        self.clear_notifications()
        self.forget(gateway.close)
        self.push_screen(SignIn(given, locked=True, transport=self._transport), self._unlock)

    def _unlock(self, session: Session | None) -> None:
        if session is None:
            self.exit()
            return
        self.begin_session(session)
        self._touched = time.monotonic()
        self.follow()

    @work(group="forget")
    async def forget(self, close: Callable[[], object]) -> None:
        """Close what was open; a failure has nothing left to say."""
        with contextlib.suppress(Exception):  # the session is gone either way
            found = close()
            if asyncio.iscoroutine(found):
                await found

    def _look_at_the_clock(self) -> None:
        idle = time.monotonic() - self._touched
        if self.signed_in and idle > self._settings.idle_minutes * 60:
            self.action_lock()

    async def on_event(self, event: events.Event) -> None:
        """Keys and the mouse say that someone is there."""
        if isinstance(event, (events.Key, events.MouseDown, events.MouseScrollUp, events.Paste)):
            self._touched = time.monotonic()
        await super().on_event(event)

    # --- everywhere -----------------------------------------------------------------------------

    def on_unmount(self) -> None:
        """Nothing that was opened in a viewer stays behind."""
        self.viewer.close()

    def _fatal_error(self) -> None:
        """What Textual does with an error that nothing takes; it has no public name for it."""
        self.panic()

    def panic(self, *renderables: object) -> None:
        """End with one line: a traceback would show what variables hold, a passphrase too (I7)."""
        del renderables
        error: BaseException | None = self._exception
        if isinstance(error, WorkerFailed):
            error = error.error
        at = "" if error is None else f": {type(error).__name__}"
        for where in traceback.extract_tb(None if error is None else error.__traceback__)[-1:]:
            at += f" in {Path(where.filename).name}:{where.lineno}"
        super().panic(f"placet: the console failed, which is a fault of its own{at}")

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Say something for a while: whatever it was made of, it is text, and shown harmlessly."""
        super().notify(
            harmless(message, lines=True),
            title=harmless(title),
            severity=severity,
            timeout=timeout,
            markup=markup,
        )

    def action_help(self) -> None:
        """What can be done on the screen that is on top; again, that is enough."""
        if isinstance(self.screen, Help):
            self.screen.dismiss()
        else:
            self.push_screen(Help(self.screen))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Textual's own, without what would write a picture of a case to a file."""
        for each in super().get_system_commands(screen):
            if each.title in {"Theme", "Maximize", "Minimize"}:
                yield each


def given_of(issuer: str, operator: str | None, key_file: Path | None) -> Given:
    """What is known before anyone signs in."""
    return Given(issuer, operator or "", key_file or Path())
