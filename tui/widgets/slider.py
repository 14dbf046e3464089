"""A line that stands for a whole story: where one is, and where something happened."""

from collections.abc import Mapping
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

_SIGNS = {"trouble": "✗", "checkpoint": "◆", "change": "·"}
"""What a place of the line shows; the first that happened there."""


class Slider(Widget):
    """A click goes there."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "slider--here",
        "slider--trouble",
        "slider--checkpoint",
        "slider--change",
    }
    DEFAULT_CSS = """
    Slider { height: 1; width: 1fr; }
    Slider > .slider--here {
        color: $block-cursor-foreground; background: $block-cursor-background;
    }
    Slider > .slider--trouble { color: $text-error; text-style: bold; }
    Slider > .slider--checkpoint { color: $text-accent; }
    Slider > .slider--change { color: $text-success; }
    """
    at: reactive[int] = reactive(0)

    class Chosen(Message):
        """A step was chosen."""

        def __init__(self, at: int) -> None:
            super().__init__()
            self.at = at

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._count = 0
        self._marks: Mapping[int, frozenset[str]] = {}

    def show(self, count: int, marks: Mapping[int, frozenset[str]]) -> None:
        """So many steps, and what happened at some of them."""
        self._count, self._marks = count, marks
        self.refresh()

    def _column(self, step: int) -> int:
        width = max(1, self.size.width - 2)
        return 1 + (step * (width - 1) // max(1, self._count - 1))

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        base = self.rich_style
        if y or width < 3:
            return Strip.blank(width, base)
        line = [("─", "")] * width
        line[0], line[-1] = ("├", ""), ("┤", "")
        for step, kinds in self._marks.items():
            name = next((each for each in _SIGNS if each in kinds), None)
            column = self._column(step)
            if name is not None and (line[column][1] in {"", "change"} or name == "trouble"):
                line[column] = (_SIGNS[name], name)
        if self._count:
            column = self._column(self.at)
            line[column] = (line[column][0] if line[column][1] else "●", "here")
        segments = [
            Segment(
                text,
                base + self.get_component_rich_style(f"slider--{name}", partial=name != "here")
                if name
                else base,
            )
            for text, name in line
        ]
        return Strip(segments, width)

    def on_click(self, event: events.Click) -> None:
        """Go there."""
        offset = event.get_content_offset(self)
        if offset is not None and self._count:
            width = max(1, self.size.width - 3)
            place = max(0, min(offset.x - 1, width))
            self.post_message(self.Chosen(round(place * (self._count - 1) / width)))
