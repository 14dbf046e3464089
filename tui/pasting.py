"""What is pasted into a field of one line: all of its lines, as far as there is room.

Textual takes the first line alone, and nothing at all of what is too long, without a word.
"""

from textual import events
from textual.widgets import Input

from tui.typing_ahead import TypingAhead

_ROOM = 2_000
"""Characters that a field without a limit takes at once: no name or path is longer."""


class Pasting(TypingAhead):
    """An application whose fields take what is pasted, and say what they do not."""

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
