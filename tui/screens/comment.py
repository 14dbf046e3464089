"""Saying something about a checkpoint, for whoever reads it."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from tui.acts import on_id
from tui.answers import Away, NotShown, Refused
from tui.asking import leave
from tui.drafts import Drafting
from tui.said import said
from tui.text import harmless


class Comment(ModalScreen[str | None], Drafting):
    """One line of text, signed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="comment.cancel", tooltip="Say nothing"),
    ]

    def __init__(self, checkpoint: str) -> None:
        super().__init__()
        self._checkpoint = checkpoint

    @property
    def about(self) -> str:
        """Whoever reads this checkpoint."""
        return self._checkpoint

    def compose(self) -> ComposeResult:
        """What to say."""
        with Vertical(id="comment-dialog", classes="dialog"):
            yield Static(said(("Comment, for whoever reads this", "head")), classes="dialog-title")
            signs = harmless(on_id("checkpoint.comment", self._checkpoint))
            yield Static(said(("What is signed: ", "muted"), (signs, "accent")))
            yield Input(id="text", max_length=2000)
            yield Static(id="comment-said", classes="dialog-said")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="cancel")
                yield Button("Say it", id="say", variant="primary")

    def on_mount(self) -> None:
        """Type at once: a comment decides nothing."""
        self.take_up()
        self.set_focus(self.query_one("#text", Input))

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        """Say nothing."""
        self.put_down()
        self.dismiss(None)

    @on(Button.Pressed, "#say")
    @on(Input.Submitted)
    def say(self) -> None:
        """Send it, if there is something."""
        text = self.query_one("#text", Input).value.strip()
        if text:
            self.send(text)

    @work(exclusive=True, group="comment")
    async def send(self, text: str) -> None:
        """Send it; what goes wrong is said here, and the text is kept."""
        try:
            await self.session.gateway.comment(self._checkpoint, text)
        except (Away, Refused, NotShown) as error:
            self.query_one("#comment-said", Static).update(said((harmless(str(error)), "bad")))
        else:
            leave(self, "Said.")
