"""What every view of the main screen is."""

from textual.containers import Vertical

from tui.asking import Asking
from tui.widgets.table import VirtualTable


class View(Vertical, Asking):
    """One view. It loads when it is first shown, and again when something changed."""

    def load(self) -> object:
        """Ask for what is shown; in a worker."""

    def shown(self) -> None:
        """It is in front now."""
        self.load()
        table = self.query(VirtualTable).first()
        table.focus()
