"""What is pasted: into a field of one line all of its lines, as far as there is room.

Textual takes the first line alone, and nothing at all of what is too long, without a word. A
terminal without bracketed paste sends what is pasted as keys, which must not act as if each were
meant.
"""

from textual import events
from textual.notifications import Notification
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, TextArea
from textual.widgets._toast import ToastRack

from tui.typing_ahead import TypingAhead

_ROOM = 2_000
"""Characters that a field without a limit takes at once: no name or path is longer."""
_AHEAD = 64
"""Keys that wait at once where a person has typed them, over however slow a line."""
_QUIET = 0.3  # seconds without a key, after which a paste has ended
_SAID = 30  # seconds
_LINES = {"enter": "\n", "ctrl+j": "\n", "tab": "\t"}


class Pasting(TypingAhead):
    """An application whose fields take what is pasted, and say what they do not."""

    def __init__(self) -> None:
        super().__init__()
        self._pasted: list[str] | None = None
        self._pasted_into: Widget | None = None
        self._came = 0
        self._quiet: Timer | None = None

    async def on_event(self, event: events.Event) -> None:
        """Take for a paste what comes faster than anyone types."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        if self._pasted is None and len(self._held_keys) >= _AHEAD:
            self._begin_paste()
        if self._pasted is None:
            await super().on_event(event)
        else:
            self._take(event)

    def _begin_paste(self) -> None:
        self._pasted, self._pasted_into = [], self.focused
        for each in self._held_keys:
            if isinstance(each, events.Key):
                self._take(each)
        self._held_keys.clear()
        self._quiet = self.set_interval(_QUIET, self._look_whether_it_ended)
        self._say_at_once(
            "A long text comes as keys: it is read to its end, and no key of it acts."
        )

    def _say_at_once(self, message: str) -> None:
        """What :meth:`notify` says stands behind every key that has come, which takes minutes."""
        self._notifications.add(Notification(message, timeout=_SAID))
        for rack in self.screen.query(ToastRack):
            rack.show(self._notifications)

    def _take(self, event: events.Key) -> None:
        self._came += 1
        if self._pasted is None:
            return
        if event.key == "escape":
            self._pasted.clear()
        elif event.key in _LINES or event.is_printable:
            self._pasted.append(_LINES.get(event.key) or event.character or "")

    async def _look_whether_it_ended(self) -> None:
        came, self._came = self._came, 0
        if came or self._pasted is None or self._quiet is None:
            return
        self._quiet.stop()
        text, into = "".join(self._pasted), self._pasted_into
        self._pasted = self._pasted_into = None
        if text and into is self.focused and isinstance(into, (Input, TextArea)):
            await super().on_event(events.Paste(text))
        else:
            self.notify(
                f"{len(text):,} characters were pasted where nothing is typed: nothing was done.",
                severity="warning",
            )

    async def _hand_on(self, event: events.Key | events.Paste) -> None:
        field = self.focused
        if isinstance(event, events.Paste) and isinstance(field, Input) and not field.password:
            whole = _in_one_line(event.text)
            kept = len(field.value) - len(field.selected_text)
            event.text = whole[: max(0, (field.max_length or _ROOM) - kept)]
            if event.text != whole:
                self.notify(
                    f"{len(event.text):,} of {len(whole):,} characters had room here.",
                    severity="warning",
                )
        await super()._hand_on(event)


def _in_one_line(text: str) -> str:
    lines = text.splitlines()
    return " ".join(filter(None, map(str.strip, lines))) if len(lines) > 1 else "".join(lines)
