"""Text for widgets: pieces with theme colours, never parsed as markup, and harmless."""

from collections.abc import Iterator

from textual.content import Content

from tui.text import harmless, spelled_out

TONE_STYLES = {
    "plain": "",
    "muted": "$foreground-muted",
    "good": "$text-success",
    "warn": "$text-warning",
    "bad": "$text-error",
    "accent": "$text-accent",
    "strong": "bold",
    "head": "bold $text-primary",
}

Piece = str | tuple[str, str]


def said(*pieces: Piece) -> Content:
    """Pieces of text, in lines; a pair is a text and its tone.

    Who made a piece of what others wrote has made that harmless, in one line: here it is once more.
    """
    made: list[str | tuple[str, str]] = []
    for piece in pieces:
        if isinstance(piece, str):
            made.append(spelled_out(piece, lines=True))
        else:
            text, tone = spelled_out(piece[0], lines=True), piece[1]
            style = TONE_STYLES[tone]
            made.append((text, style) if style else text)
    return Content.assemble(*made)


def field(label: str, text: str, tone: str = "plain") -> Iterator[Piece]:
    """One line of a closer look: its label, and what others may have written; none for nothing."""
    if text:
        yield (f"{label}  ", "muted")
        yield (f"{harmless(text)}\n", tone)
