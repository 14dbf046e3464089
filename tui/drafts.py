"""What was typed into a dialog that was closed without its act, for when it is opened again.

1. In memory alone, for the person who typed it: signing out forgets it.
2. Of the same dialog on the same thing, and of no other; what is signed meanwhile leaves nothing.
3. Never a passphrase (I7), and no box that was ticked: whoever accepts something does so anew.
"""

import contextlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping

from textual import events, on
from textual.widgets import Checkbox, Input, Select
from textual.widgets.select import InvalidSelectValueError

from tui.asking import Asking

BACK = "What you had typed here before stands in its fields."
_SAID = 3  # seconds; it covers the buttons of a small screen's next dialog
Field = Input | Select[str]


class Drafting(Asking):
    """A dialog that gives back what was typed into it, and loses nothing that is typed at once."""

    _at_first: Mapping[str, str] = {}
    _must: tuple[str, ...] = ()

    @property
    @abstractmethod
    def about(self) -> str:
        """What the dialog is about."""

    def take_up(self) -> bool:
        """Put in again what was typed before; whether there was something."""
        self._at_first = self.written()
        kept = self.console.drafts.pop(self._key, {})
        with self.prevent(Input.Changed):  # nobody typed it now
            self.put_in(kept)
        return bool(kept)

    def put_down(self) -> None:
        """Keep what was typed, as the dialog is closed."""
        written = self.written().items()
        typed = {name: text for name, text in written if text != self._at_first.get(name, "")}
        if typed:
            self.console.drafts[self._key] = typed
            self.app.notify("What you typed is kept until you open this again.", timeout=_SAID)

    def written(self) -> dict[str, str]:
        """What its fields hold, by their names."""
        return {name: each.value for name, each in self._fields() if isinstance(each.value, str)}

    def put_in(self, kept: Mapping[str, str]) -> None:
        """The same the other way."""
        for name, each in self._fields():
            if name in kept:
                with contextlib.suppress(InvalidSelectValueError):  # it can't be chosen any more
                    each.value = kept[name]

    def begin(self, *must: str) -> None:
        """Begin at Cancel, with what must be filled in; what is read stays atop."""
        self._must = (*must, "passphrase")
        self.screen.set_focus(self.query_one("#cancel"), scroll_visible=False)

    def on_key(self, event: events.Key) -> None:
        """What is typed at once, at Cancel, goes to the first field that must be filled in.

        So does what was typed there meanwhile: where this dialog answers late, a key still comes
        from Cancel when the field has the focus. None comes here that was typed into a field.
        """
        at = self.screen.focused
        if at is None or not event.is_printable:
            return
        if at.id == "cancel":
            found = (each for name in self._must for each in self.query(f"#{name}"))
            first = next((each for each in found if _lacks(each)), None)
        else:
            first = at if isinstance(at, Input) else None
        if first is None:
            return
        event.stop()
        self.screen.set_focus(first)
        if isinstance(first, Input):
            first.post_message(events.Key(event.key, event.character))  # behind its focus

    @on(Input.Changed)
    def bring_into_sight(self, event: Input.Changed) -> None:
        """Nobody types blindly."""
        event.input.scroll_visible(animate=False)

    @property
    def _key(self) -> tuple[str, str]:
        return type(self).__name__, self.about

    def _fields(self) -> Iterator[tuple[str, Field]]:
        for each in self.query(Input):
            if not each.password:
                yield each.name or each.id or "", each
        for chosen in self.query(Select[str]).results():
            yield chosen.name or chosen.id or "", chosen


def _lacks(field: object) -> bool:
    """Whether a field must still be filled in."""
    match field:
        case Checkbox():
            return not field.value
        case Select():
            return not isinstance(field.value, str)
        case Input():
            return not field.value
        case _:
            return False
