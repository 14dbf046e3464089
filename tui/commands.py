"""The palette offers every act that is in force where it was opened."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider

_OF_TEXTUAL = ("app.command_palette", "screen.copy_text", "copy_text")


def moves_about(name: str) -> bool:
    """Whether an act only moves the cursor or the focus: offered after what can be done here."""
    return name.startswith(("table.", "app.focus", "screen.")) or name.endswith((".pane", ".back"))


def _name(binding: Binding) -> str:
    return binding.id or binding.action


class Acts(Provider):
    """Bindings as commands."""

    def _acts(self) -> Iterator[tuple[str, str | None, Any]]:
        seen: set[str] = set()
        offered = self.screen.active_bindings.values()
        for active in sorted(offered, key=lambda each: moves_about(_name(each.binding))):
            binding = active.binding
            name = _name(binding)
            if not binding.description or not active.enabled or name in seen:
                continue
            if binding.action in _OF_TEXTUAL or name.startswith("input."):
                continue
            seen.add(name)
            words = active.tooltip or binding.tooltip or None
            yield (
                binding.description,
                words,
                partial(self.app.run_action, binding.action, active.node),
            )

    async def discover(self) -> Hits:
        """All of them."""
        for title, words, run in self._acts():
            yield DiscoveryHit(title, run, help=words)

    async def search(self, query: str) -> Hits:
        """Those that fit."""
        matcher = self.matcher(query)
        for title, words, run in self._acts():
            score = max(matcher.match(title), matcher.match(words or "") * 0.8)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, text=title, help=words)
