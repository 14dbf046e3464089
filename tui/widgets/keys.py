"""The line of keys at the foot of a screen: each is there whole, or in the help and the palette.

Before them it says, where nothing above does, that the authority is away.
"""

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.events import Resize
from textual.widgets import Footer, Label
from textual.widgets._footer import FooterKey  # it has no other address; Textual is pinned

_BORDER = 1  # before the palette


class Keys(Footer):
    """Textual's own footer, which cuts the last key in two where the screen is narrow.

    Keys that do not fit are left out, the last ones first; help and the palette have them all.
    """

    _shown: tuple[object, ...] = ()

    def __init__(self, *, says_live: bool = True) -> None:
        super().__init__()
        self._says_live = says_live

    @property
    def _away(self) -> str:
        return str(getattr(self.app, "live", "")) if self._says_live else ""

    def on_mount(self) -> None:
        """Follow whether the authority answers."""
        if self._says_live:
            self.watch(self.app, "live", self._say_live, init=False)

    def _say_live(self) -> None:
        self.call_later(self.recompose)

    def compose(self) -> ComposeResult:
        """That the authority is away; then the keys."""
        if self._away:
            yield Label(f"○ {self._away} ", classes="away", markup=False)
        yield from super().compose()

    @on(Resize)
    def fit(self) -> None:
        """Another width."""
        self.call_after_refresh(self._fit)

    async def recompose(self) -> None:
        """Other keys; the same are left as they are, since making them anew takes long."""
        if not self.is_attached:
            return  # its screen has gone while this was asked for
        shown = self._offered()
        if shown != self._shown:
            self._shown = shown
            await super().recompose()
        self._fit()

    def _offered(self) -> tuple[object, ...]:
        return (
            self._away,
            self._bindings_ready,
            *(
                (key, each.binding, each.enabled, each.tooltip)
                for key, each in self.screen.active_bindings.items()
                if each.binding.show or key == self.app.COMMAND_PALETTE_BINDING
            ),
        )

    def _fit(self) -> None:
        keys = list(self.query(FooterKey))
        kept = [each for each in keys if each.has_class("-command-palette") or _helps(each)]
        said = cell_len(f"○ {self._away} ") if self._away else 0
        left = self.size.width - said - sum(_width(each) for each in kept) - _BORDER
        for each in keys:
            if each not in kept:
                left -= _width(each)
                each.display = left >= 0


def _helps(key: FooterKey) -> bool:
    return key.action.removeprefix("app.") == "help"


def _width(key: FooterKey) -> int:
    """How wide it is drawn. To draw it takes long, and this is asked at each change."""
    if not key.description:
        return cell_len(key.key_display)
    parts = [key.get_component_styles(f"footer-key--{each}") for each in ("key", "description")]
    return cell_len(key.key_display + key.description) + sum(each.padding.width for each in parts)
