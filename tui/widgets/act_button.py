"""The button that does a dialog's act, and names it."""

from rich.cells import cell_len
from textual.containers import Horizontal
from textual.dom import DOMNode
from textual.widgets import Button
from textual.widgets.button import ButtonVariant

from tui.said import said
from tui.text import fit, shortened

_PADDING = 2  # cells that a button adds to its label


class ActButton(Button):
    """Says the whole act where its row has room for that, or its short form, with its end marked.

    A button that is too wide is cut by its row, in mid-word and with no sign of it.
    """

    def __init__(
        self,
        act: str,
        short: str = "",
        *,
        id: str,  # noqa: A002 - Textual's own name for it
        variant: ButtonVariant,
        disabled: bool = False,
        tooltip: str | None = None,
    ) -> None:
        super().__init__(said(act), variant, id=id, disabled=disabled, tooltip=tooltip)
        self._act = act
        self._short = short or act

    def on_mount(self) -> None:
        """Its room is known once the screen is laid out, and changes with it."""
        self.screen.screen_layout_refresh_signal.subscribe(self, self._fit)

    def say(self, act: str) -> None:
        """Name the act as it is by now."""
        self._act = self._short = act
        self._fit(self)

    def _fit(self, _: DOMNode) -> None:
        row = self.query_ancestor(".dialog-buttons", Horizontal)
        beside = sum(each.outer_size.width + each.styles.margin.width for each in self.siblings)
        own = self.styles.margin.width + self.gutter.width + _PADDING
        room = row.size.width - beside - own
        if room <= 0:
            return  # nothing is laid out yet
        cut = fit(shortened(self._short, room), room).rstrip()
        label = said(next((e for e in (self._act, self._short) if cell_len(e) <= room), cut))
        if label != self.label:
            self.label = label
            self.refresh(layout=True)  # a label alone leaves a button as wide as it was
