"""A blocking finding that who approves accepts by itself: what it is, why, and a box to tick."""

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Checkbox, Input, Static

from placet.model import CheckpointView
from tui import words
from tui.said import Piece, said
from tui.text import harmless

_MAX_WHY = 160
"""Characters of why an exception is accepted, as the signed decision takes them."""


class Accept(Checkbox):
    """A box that is empty until it is ticked: Textual's own differs by its colour alone."""

    @property
    def _button(self) -> Content:
        return Content("[✓]" if self.value else "[ ]")


class ExceptionAsked(Vertical):
    """The finding, what others said who accept it, and below that the field and the box.

    The field comes first: what is typed at once is the reason, and no box is ticked by it.
    """

    def __init__(self, at: int, finding: str, told: Iterable[Piece]) -> None:
        super().__init__(classes="exception")
        self._at = at
        self._finding = finding
        self._told = tuple(told)

    def compose(self) -> ComposeResult:
        """What a box's own label would cut, which never wraps; the field; the box."""
        yield Static(said(*self._told))
        yield Input(
            name=self._finding,  # another finding may have its place when this is opened again
            id=f"why-{self._at}",
            classes="why",
            placeholder="why it is acceptable",
            max_length=_MAX_WHY,
        )
        yield Accept("I accept this one", id=f"exception-{self._at}", tooltip=self._finding)

    def on_descendant_focus(self) -> None:
        """Show it whole: nobody accepts what stands above what is seen."""
        self.call_after_refresh(self.scroll_visible, animate=False)


def earlier(view: CheckpointView, finding: str) -> Iterable[Piece]:
    """Who accepts a finding already, and why: of each person the last word."""
    for word in {each.operator: each for each in view.decisions}.values():
        for taken in word.accepted:
            if taken.finding == finding:
                who = words.person(word.operator)
                yield (f"\n    {who} accepts it: {harmless(taken.reason)}", "accent")
