"""What screens and views share that ask the authority: one way to fail, and hearing of changes."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar, cast

from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from tui.answers import Away, NotShown, Refused
from tui.session import Session

if TYPE_CHECKING:
    from tui.app import Console

T = TypeVar("T")


def leave(screen: Screen[T], result: T) -> None:
    """End a dialog with what came of it, once: what was opened above it goes first.

    Textual's own ``dismiss`` takes away what is on top, whatever that is.
    """
    app = screen.app
    if screen in app.screen_stack:
        while app.screen is not screen:
            app.pop_screen()
        screen.dismiss(result)


class Listener:
    """A screen that is told when the authority's ledger has grown."""

    def heard(self, size: int) -> None:
        """Look again; in a worker."""


class Asking(Widget):
    """A widget or screen that asks the authority in its workers.

    ``signing``: what was signed here is on its way.
    """

    signing = False

    @property
    def console(self) -> "Console":
        """The application."""
        return cast("Console", self.app)

    @property
    def session(self) -> Session:
        """Who is signed in."""
        return self.console.session

    @property
    def taken_down(self) -> bool:
        """Whether it is, or will be at once: some of what is in it may be gone by now."""
        return not self.is_running

    @property
    def typed(self) -> list[str]:
        """What stands in its fields, but for the passphrase's own."""
        return [each.value for each in self.query(Input) if not each.password]

    def ask_passphrase_again(self) -> None:
        """Go back to the passphrase, where there is one: whoever mistyped it types at once."""
        for each in self.query("#passphrase"):
            each.focus()

    async def ask(self, answer: Awaitable[T]) -> T | None:
        """An answer; or nothing, and the reason is said: away at the top, refused as a notice.

        Raises:
            CancelledError: what asked is taken down: Textual takes down first what is in a widget,
                one after the other, and only then ends its workers.
        """
        given = None
        try:
            given = await answer
        except Away as error:
            self.console.gone(str(error))
        except (Refused, NotShown) as error:
            self.app.notify(str(error), title="Refused", severity="error", markup=False)
        if self.taken_down:
            raise asyncio.CancelledError
        return given
