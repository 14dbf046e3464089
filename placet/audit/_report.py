"""What was checked, and what did not hold."""

import re
import traceback
from pathlib import Path

from placet.model import Model

_HOSTILE = re.compile(
    r"[\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\uf8ff\ufdd0-\ufdef\ufeff"
    r"\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff\U000f0000-\U0010ffff]"
)
"""Controls, formats, spaces but the plain one, halves of pairs, private ones, and kept for formats.

The list is our own: what Python calls printable changes with the version of Unicode that it knows,
and a report that was written under one would not be the one that is made again under another.
"""

FAULT = "fault"
"""The name of what could not be judged by a fault of this program's own."""


def spelled(text: str, *, lines: bool = False) -> str:
    """A text as any terminal shows it: control and format characters are spelled out.

    A line break is a mark, or stays with ``lines``: whoever prints those sets them off from lines
    of their own.
    """
    kept = text.replace("\r\n", "\n")
    return _HOSTILE.sub(lambda found: _spell(found[0], lines=lines), kept)


def _spell(each: str, *, lines: bool) -> str:
    if each == "\n":
        return each if lines else "↵"
    return each.encode("unicode_escape").decode()


class Trouble(Model):
    """One thing that does not hold: what it is called, where it is, and what was found.

    ``run`` and ``event`` say which event of a history it is, if it is one.
    """

    name: str
    place: str
    found: str
    run: str | None = None
    event: int | None = None

    @property
    def is_fault(self) -> bool:
        """Whether this program could not judge it, which says nothing of what it looked at."""
        return self.name == FAULT


class Unchecked(Model):
    """What is there, or should be, and was not looked at: its file's name, and why."""

    name: str
    found: str


class Report(Model):
    """The result of an audit: how much was checked, and every trouble in order of its place.

    ``trusted`` says whether the log's key came from elsewhere; if not, the log is consistent with
    itself only, since whoever runs it could have made it anew. ``unchecked`` says what was there
    and was not looked at.
    """

    checked: dict[str, int]
    troubles: tuple[Trouble, ...]
    trusted: bool = False
    unchecked: tuple[Unchecked, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether everything that was checked holds, and all was judged."""
        return not self.troubles

    @property
    def refuted(self) -> bool:
        """Whether something does not hold: more than that this program could not judge it."""
        return any(not each.is_fault for each in self.troubles)


class Collector:
    """Counts what was checked and collects what did not hold."""

    def __init__(self) -> None:
        self._checked: dict[str, int] = {}
        self._troubles: list[Trouble] = []
        self._unchecked: list[Unchecked] = []

    def count(self, what: str) -> None:
        """One more of these was checked."""
        self._checked[what] = self._checked.get(what, 0) + 1

    def trouble(self, name: str, place: str, found: str) -> None:
        """Something does not hold."""
        self._troubles.append(Trouble(name=name, place=spelled(place), found=spelled(found[:500])))

    def fault(self, place: str, error: Exception) -> None:
        """This program failed at a place; what it did not expect is its own fault, and no finding.

        What it stumbled over is not repeated: a traceback's words are whoever's the data is.
        """
        last = traceback.extract_tb(error.__traceback__)[-1]
        at = f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}"
        self.trouble(
            FAULT,
            place,
            f"it could not be judged, by a fault of Placet's own: {at}. Report it with what placet "
            "--version prints; it says nothing of the log",
        )

    def unchecked(self, name: str, found: str) -> None:
        """Something is there that can't be checked; what rests on it is nobody's word."""
        self._unchecked.append(Unchecked(name=name, found=found))

    def event(self, run: str, number: int, name: str, case: str, found: str) -> None:
        """An event of a case's history does not hold."""
        place = spelled(f"{case} event {number}")
        self._troubles.append(
            Trouble(name=name, place=place, found=spelled(found[:500]), run=run, event=number)
        )

    def report(self, *, trusted: bool = False) -> Report:
        """Everything so far; what is wrong with events in the order of these."""
        runs = list(dict.fromkeys(each.run for each in self._troubles if each.event is not None))
        placed = sorted(
            self._troubles,
            key=lambda each: (-1, 0) if each.event is None else (runs.index(each.run), each.event),
        )
        return Report(
            checked=dict(sorted(self._checked.items())),
            troubles=tuple(placed),
            trusted=trusted,
            unchecked=tuple(self._unchecked),
        )
