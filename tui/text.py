"""Making text harmless that others wrote, and clipping it to the width of a cell.

Names, comments and words from documents may carry control characters, overrides of direction and
markup. Nothing here is ever parsed as markup, and what a terminal would act on is spelled out.
"""

import re
import unicodedata

from rich.cells import cell_len, set_cell_size

MAX_SHOWN = 20_000
"""Characters of one text that are shown; more is said to be more."""

_SPELLED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks of no shape."""
_NO_LETTER = "◌"  # what a mark stands on that would stand on what is before the text
_MAX_MARKS = 4  # combining marks on one letter: more would run over the lines above and below
_RESTYLES = re.compile("[\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]")
"""They only say how the character before looks: in some terminals it takes more cells then."""
_RIGHT_TO_LEFT = {"R", "AL", "AN"}
_LTR = "\u200e"
"""Ends what is written from right to left: without it a terminal would turn the cells after it."""
_SHORT_NAME = 9
"""Characters that are left of a name that is cut in its middle: most of them its end."""
_SHORT_WORD = 2
"""Characters that are left of a word: its first, and the mark."""
_UNSURE = re.compile("[\u2630-\u2637\u268a-\u268f\u3248-\u324f\U0001d300-\U0001d376]")
"""Terminals do not agree how wide these are, nor do they about spacing marks (``Mc``)."""


def harmless(text: str, *, lines: bool = False) -> str:
    """A text as any terminal shows it, as far as it is shown.

    Args:
        text: whatever someone wrote.
        lines: whether line ends stay; a mark stands for each otherwise.
    """
    rest = len(text) - MAX_SHOWN
    more = f" … and {rest} characters more" if rest > 0 else ""
    return spelled_out(text[:MAX_SHOWN], lines=lines) + more


def spelled_out(text: str, *, lines: bool = False) -> str:
    """A text without what moves a cursor or turns a line round; done twice, it stays as it is."""
    plain = text.replace("\n", "") if lines else text
    if plain.isascii() and plain.isprintable():
        return text
    said: list[str] = []
    marks, begins, turned = 0, True, False
    for each in _RESTYLES.sub("", text.replace("\r\n", "\n")):
        kind = unicodedata.category(each)
        if each == "\n":
            said.append(_LTR * turned + (each if lines else "↵"))
            begins, turned = True, False
            continue
        mark = kind.startswith("M") and each not in _UNSEEN
        marks = marks + 1 if mark else 0
        if marks > _MAX_MARKS:
            continue
        if mark and begins:
            said.append(_NO_LETTER)
        hidden = kind in _SPELLED or each in _UNSEEN
        ends = each == _LTR and turned  # it is ours: this was made harmless before
        said.append(_spelled(each) if hidden and not ends else each)
        begins = False
        turned = not ends and (turned or unicodedata.bidirectional(each) in _RIGHT_TO_LEFT)
    return "".join(said) + _LTR * turned


def _spelled(each: str) -> str:
    return each.encode("unicode_escape", "backslashreplace").decode()


def set_off(text: str) -> str:
    """Someone's words among lines of ours: each further line of theirs is behind a bar."""
    return harmless(text, lines=True).replace("\n", "\n  │ ")


def shortened(text: str, width: int) -> str:
    """A text that is too wide, its long names cut in their middle: a name's end tells it apart.

    Where that does not do, words of letters alone are cut as well, if names stay in sight so.
    """
    words = text.split(" ")
    for at in sorted(range(len(words)), key=lambda at: -len(words[at])):
        over = cell_len(" ".join(words)) - width
        size = max(_SHORT_NAME, len(words[at]) - over)
        if over > 0 and size < len(words[at]) and words[at].isascii():
            head = (size - 1) // 3
            words[at] = f"{words[at][:head]}…{words[at][head + 1 - size :]}"
    return " ".join(_less_said(words, cell_len(" ".join(words)) - width))


def _less_said(words: list[str], over: int) -> list[str]:
    """Words without so many cells, taken from the longest of letters alone; all, if too few can."""
    sizes = {at: len(each) for at, each in enumerate(words) if each.isascii() and each.isalpha()}
    if sum(max(0, size - _SHORT_WORD) for size in sizes.values()) < over:
        return words
    left = dict(sizes)
    for _ in range(over):
        longest = max(left, key=lambda at: left[at])
        left[longest] -= 1
    return [
        f"{each[: left[at] - 1]}…" if at in left and left[at] < sizes[at] else each
        for at, each in enumerate(words)
    ]


def fit(text: str, width: int, *, right: bool = False) -> str:
    """A text, harmless, in exactly so many cells of every terminal; what is cut off is marked."""
    text = spelled_out(text)
    if not text.isascii():
        text = "".join(_spelled(each) if _is_unsure(each) else each for each in text)
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…" + _LTR * (_LTR in text) if width > 0 else ""
    pad = " " * (width - size)
    return pad + text if right else text + pad


def _is_unsure(each: str) -> bool:
    return unicodedata.category(each) == "Mc" or _UNSURE.match(each) is not None
