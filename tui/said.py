"""Text for widgets: pieces with theme colours, never parsed as markup."""

from textual.content import Content

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
    """Pieces of harmless text; a pair is a text and its tone."""
    made: list[str | tuple[str, str]] = []
    for piece in pieces:
        if isinstance(piece, str):
            made.append(piece)
        else:
            text, tone = piece
            style = TONE_STYLES[tone]
            made.append((text, style) if style else text)
    return Content.assemble(*made)
