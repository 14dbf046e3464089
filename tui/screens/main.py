"""The main screen: a line of views on top, one of them below it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Static

from tui.asking import Asking, Listener
from tui.said import said
from tui.text import harmless
from tui.views.base import View
from tui.views.queue import Queue
from tui.widgets.keys import Keys
from tui.words import person

_VIEWS = {
    "queue": "Queue",
    "cases": "Cases",
    "identities": "Identities",
    "ledger": "Ledger",
    "overview": "Overview",
    "people": "People",
}
_FIRST = "queue"
_LOOK_AGAIN = 60
"""Seconds after which a view is loaded anew: where cases stand still is on no ledger, so that
nothing tells of it."""


def _made(name: str) -> View:
    """A view; all but the first are loaded when they are first shown."""
    match name:
        case "cases":
            from tui.views.pipeline import Pipeline  # noqa: PLC0415 - not before the first screen

            return Pipeline(id=name)
        case "identities":
            from tui.views.identities import Identities  # noqa: PLC0415 - the same

            return Identities(id=name)
        case "ledger":
            from tui.views.ledger import LedgerView  # noqa: PLC0415 - the same

            return LedgerView(id=name)
        case "overview":
            from tui.views.overview import Floor  # noqa: PLC0415 - the same

            return Floor(id=name)
        case "people":
            from tui.views.people import People  # noqa: PLC0415 - the same

            return People(id=name)
        case _:
            return Queue(id=_FIRST)


class NavItem(Static):
    """The name of a view; a click shows it."""

    def __init__(self, view: str, label: str) -> None:
        super().__init__(label, markup=False)
        self._view = view
        self.tooltip = f"Show {label}"

    async def on_click(self) -> None:
        """Show the view."""
        main = self.screen
        assert isinstance(main, Main)
        await main.action_show(self._view)


class Main(Screen[None], Asking, Listener):
    """Views, who is signed in, and whether the authority answers."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                str(at),
                f"show('{name}')",
                shown,
                show=False,
                id=f"main.{name}",
                tooltip=f"Show {shown}",
            )
            for at, (name, shown) in enumerate(_VIEWS.items(), 1)
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._was_away = False

    def compose(self) -> ComposeResult:
        """One line, one view, the keys."""
        with Horizontal(id="top"):
            yield Static("Placet", classes="brand")
            for at, (name, shown) in enumerate(_VIEWS.items(), 1):
                item = NavItem(name, f"{at} {shown}")
                item.id = f"nav-{name}"
                yield item
            yield Static(id="who")
            yield Static(id="live")
        with ContentSwitcher(initial=_FIRST, id="views"):
            yield _made(_FIRST)
        yield Keys(says_live=False)

    async def on_mount(self) -> None:
        """Show the first view."""
        me = self.session.me
        roles = ", ".join(me.roles)
        self.query_one("#who", Static).update(
            said((harmless(f"{person(me.principal)}, {roles}"), "muted"))
        )
        self.watch(self.app, "live", self._say_live)
        self.set_interval(_LOOK_AGAIN, self._look_again)
        await self.action_show(_FIRST)

    def _say_live(self, live: str) -> None:
        self.query_one("#live", Static).update(
            said((f"○ {live}", "bad") if live else ("● live", "good"))
        )

    async def action_show(self, name: str) -> None:
        """Show a view."""
        switcher = self.query_one(ContentSwitcher)
        if name not in {each.id for each in switcher.children}:
            view = _made(name)
            view.display = False  # until the switcher shows it
            await switcher.mount(view)
        switcher.current = name
        for item in self.query(NavItem):
            item.set_class(item.id == f"nav-{name}", "-here")
        self._current().shown()

    def _current(self) -> View:
        switcher = self.query_one(ContentSwitcher)
        return switcher.get_child_by_id(switcher.current or _FIRST, View)

    def heard(self, size: int) -> None:
        """Load what is in front again."""
        del size
        if self.is_mounted:
            self._current().load()

    def _look_again(self) -> None:
        if self.console.signed_in and self.app.screen is self:
            self._current().load()

    def on_screen_resume(self) -> None:
        """Back from a case: it may look different now."""
        if self._was_away and self.console.signed_in and self.is_mounted:
            self._current().load()

    def on_screen_suspend(self) -> None:
        """Something is in front of it."""
        self._was_away = True
