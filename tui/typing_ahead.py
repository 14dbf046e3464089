"""Keys in the order in which they were typed, however fast: a key waits for the one before it.

Textual hands a key to what has the focus when the key comes. Over a slow line, or from a hand that
knows its way, several come at once, and what was typed after a tab went to the field before it.
Here a key is handed on when all that the one before it has caused was seen by everybody.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.timer import Timer

_ROUNDS = 2
"""A key is answered by a message (``Submitted``), and that one by moving the focus."""
_AT_MOST = 0.5  # seconds that a key waits for one whose widget went away, or does not answer


class TypingAhead(App[None]):
    """An application that loses no key of a burst."""

    def __init__(self) -> None:
        super().__init__()
        self._held_keys: deque[events.Key | events.Paste] = deque()
        self._turn: Timer | None = None

    async def on_event(self, event: events.Event) -> None:
        """Hand on what was typed, in its turn."""
        if not isinstance(event, (events.Key, events.Paste)) or event.is_forwarded:
            await super().on_event(event)
        elif self._turn is None:
            await self._hand_on(event)
        else:
            self._held_keys.append(event)

    async def _hand_on(self, event: events.Key | events.Paste) -> None:
        way = _upwards(self.focused or self.screen)
        turn = self._turn = self.set_timer(_AT_MOST, self._give_up)
        await super().on_event(event)
        await _pass_up(way * _ROUNDS, partial(self._next, turn))

    async def _give_up(self) -> None:
        if self._turn is not None:
            await self._next(self._turn)

    async def _next(self, turn: Timer) -> None:
        if turn is not self._turn:
            return  # that one's turn is over
        turn.stop()
        self._turn = None
        while self._held_keys:
            event = self._held_keys.popleft()
            if not isinstance(event, events.Key) or self.may_be_ahead(event):
                await self._hand_on(event)
                return

    def may_be_ahead(self, event: events.Key) -> bool:  # noqa: ARG002 - for heirs
        """Whether a key that came before the one before it was answered may have its effect."""
        return True


def _upwards(node: DOMNode) -> tuple[DOMNode, ...]:
    """A widget and all that its messages bubble through, the application last."""
    found = [node]
    while (parent := found[-1].parent) is not None:
        found.append(parent)
    return tuple(found)


async def _pass_up(way: tuple[DOMNode, ...], then: Callable[[], Awaitable[None]]) -> None:
    """Do something once each of these, one after the other, has seen what was sent to it."""
    for at, each in enumerate(way, 1):
        if each.call_later(_pass_up, way[at:], then):
            return  # else it is gone: the next one
    await then()
