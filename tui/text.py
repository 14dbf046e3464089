"""Making text harmless that others wrote, and clipping it to the width of a cell.

Names, comments and words from documents may carry control characters, overrides of direction and
markup. Nothing here is ever parsed as markup, and what a terminal would act on is spelled out.
"""

import unicodedata

from rich.cells import cell_len, set_cell_size

MAX_SHOWN = 20_000
"""Characters of one text that are shown; more is said to be more."""

_SPELLED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_MAX_MARKS = 4  # combining marks on one letter: more would run over the lines above and below


def harmless(text: str, *, lines: bool = False) -> str:
    """A text as any terminal shows it: what moves a cursor or turns a line round is spelled out.

    Args:
        text: whatever someone wrote.
        lines: whether line ends stay; a mark stands for each otherwise.
    """
    said: list[str] = []
    marks = 0
    for each in text[:MAX_SHOWN].replace("\r\n", "\n"):
        marks = marks + 1 if unicodedata.combining(each) else 0
        if marks > _MAX_MARKS:
            continue
        if each == "\n":
            said.append(each if lines else "↵")
        elif unicodedata.category(each) in _SPELLED:
            said.append(each.encode("unicode_escape", "backslashreplace").decode())
        else:
            said.append(each)
    rest = len(text) - MAX_SHOWN
    return "".join(said) + (f" … and {rest} characters more" if rest > 0 else "")


def set_off(text: str) -> str:
    """Someone's words among lines of ours: each further line of theirs is behind a bar."""
    return harmless(text, lines=True).replace("\n", "\n  │ ")


def fit(text: str, width: int, *, right: bool = False) -> str:
    """A text in exactly so many cells; what is cut off is marked."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, max(0, width - 1)) + "…" if width > 0 else ""
    pad = " " * (width - size)
    return pad + text if right else text + pad
