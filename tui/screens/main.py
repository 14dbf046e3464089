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
from tui.views.identities import Identities
from tui.views.ledger import LedgerView
from tui.views.overview import Floor
from tui.views.people import People
from tui.views.pipeline import Pipeline
from tui.views.queue import Queue
from tui.widgets.keys import Keys
from tui.words import person

_VIEWS: tuple[tuple[str, type[View]], ...] = (
    ("queue", Queue),
    ("cases", Pipeline),
    ("identities", Identities),
    ("ledger", LedgerView),
    ("overview", Floor),
    ("people", People),
)


class NavItem(Static):
    """The name of a view; a click shows it."""

    def __init__(self, view: str, label: str) -> None:
        super().__init__(label, markup=False)
        self._view = view
        self.tooltip = f"Show {label}"

    def on_click(self) -> None:
        """Show the view."""
        main = self.screen
        assert isinstance(main, Main)
        main.action_show(self._view)


class Main(Screen[None], Asking, Listener):
    """Views, who is signed in, and whether the authority answers."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                str(at),
                f"show('{name}')",
                kind.name_shown,
                show=False,
                id=f"main.{name}",
                tooltip=f"Show {kind.name_shown}",
            )
            for at, (name, kind) in enumerate(_VIEWS, 1)
        ),
    ]

    def compose(self) -> ComposeResult:
        """One line, one view, the keys."""
        with Horizontal(id="top"):
            yield Static("Placet", classes="brand")
            for at, (name, kind) in enumerate(_VIEWS, 1):
                item = NavItem(name, f"{at} {kind.name_shown}")
                item.id = f"nav-{name}"
                yield item
            yield Static(id="who")
            yield Static(id="live")
        with ContentSwitcher(initial=_VIEWS[0][0], id="views"):
            for name, kind in _VIEWS:
                yield kind(id=name)
        yield Keys()

    def on_mount(self) -> None:
        """Show the first view."""
        me = self.session.me
        roles = ", ".join(me.roles)
        self.query_one("#who", Static).update(
            said((harmless(f"{person(me.principal)}, {roles}"), "muted"))
        )
        self.watch(self.app, "live", self._say_live)
        self.action_show(_VIEWS[0][0])

    def _say_live(self, live: str) -> None:
        self.query_one("#live", Static).update(
            said((f"○ {live}", "bad") if live else ("● live", "good"))
        )

    def action_show(self, name: str) -> None:
        """Show a view."""
        self.query_one(ContentSwitcher).current = name
        for item in self.query(NavItem):
            item.set_class(item.id == f"nav-{name}", "-here")
        self._current().shown()

    def _current(self) -> View:
        switcher = self.query_one(ContentSwitcher)
        return switcher.get_child_by_id(switcher.current or _VIEWS[0][0], View)

    def heard(self, size: int) -> None:
        """Load what is in front again."""
        del size
        if self.is_mounted:
            self._current().load()

    def on_screen_resume(self) -> None:
        """Back from a case: it may look different now."""
        if self.console.signed_in and self.is_mounted:
            self._current().load()
