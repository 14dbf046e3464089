"""A framework's report: for each control, the evidence that this ledger holds for a period.

It says what is evidence *for* a control, and plainly where there is none; it judges nothing.
"""

from collections.abc import Iterator
from datetime import datetime

from placet.audit._files import LogFiles
from placet.audit._frameworks import CONTROLS, NAMES, Control, Framework, Shows
from placet.ledger import Entry, EntryError, decode_entry
from placet.model import Model, UtcTime


class EvidenceFor(Model):
    """Entries of the period that show something: how many, and the first and last."""

    shows: str
    entries: int
    types: dict[str, int]
    first: int | None = None
    last: int | None = None


class ControlCoverage(Model):
    """What a ledger holds for one control. ``own_controls`` is for an institution to fill in."""

    id: str
    title: str
    evidence: tuple[EvidenceFor, ...]
    elsewhere: str = ""
    own_controls: str = ""

    @property
    def held(self) -> int:
        """How many entries there are for it."""
        return sum(each.entries for each in self.evidence)


class Coverage(Model):
    """A framework's report on a period of a ledger."""

    framework: str
    name: str
    origin: str
    since: UtcTime | None
    until: UtcTime | None
    entries: int
    controls: tuple[ControlCoverage, ...]


def coverage(
    files: LogFiles,
    framework: Framework,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Coverage:
    """What a log holds for each control of a framework, from a time on and before another.

    The entries are taken as they are: :func:`placet.audit.verify` says whether they are the log's.

    Raises:
        EntryError: an entry is damaged; the message names it.
    """
    chosen = list(entries_between(files, since, until))
    return Coverage(
        framework=framework.value,
        name=NAMES[framework],
        origin=files.origin,
        since=since,
        until=until,
        entries=len(chosen),
        controls=tuple(_control(each, chosen) for each in CONTROLS[framework]),
    )


def entries_between(
    files: LogFiles, since: datetime | None, until: datetime | None
) -> Iterator[tuple[int, Entry]]:
    """The entries from a time on and before another, with their indices.

    Raises:
        EntryError: an entry is damaged; the message names it.
    """
    for index, data in files.numbered():
        try:
            entry = decode_entry(data)
        except EntryError as error:
            raise EntryError(f"entry {index}: {error}") from None
        if (since is None or entry.time >= since) and (until is None or entry.time < until):
            yield index, entry


def _control(control: Control, entries: list[tuple[int, Entry]]) -> ControlCoverage:
    return ControlCoverage(
        id=control.id,
        title=control.title,
        evidence=tuple(_evidence(each, entries) for each in control.evidence),
        elsewhere=control.elsewhere,
    )


def _evidence(shows: Shows, entries: list[tuple[int, Entry]]) -> EvidenceFor:
    found = [(index, entry) for index, entry in entries if entry.type in shows.types]
    counts = {each.value: sum(entry.type is each for _, entry in found) for each in shows.types}
    return EvidenceFor(
        shows=shows.what,
        entries=len(found),
        types={name: count for name, count in counts.items() if count},
        first=found[0][0] if found else None,
        last=found[-1][0] if found else None,
    )
