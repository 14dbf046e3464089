"""The workflow code of closed cases' processes, as it is installed here."""

from collections.abc import Callable, Sequence

from placet.audit import Flight, LogFiles, record_flight
from placet.cli._output import USAGE, fail
from placet.cli._processes import processes
from placet.ledger import EntryError, EntryType, decode_entry


async def record_case(files: LogFiles, case: str) -> Flight:
    """Record a closed case's flight with the workflow code of its process, as installed here."""
    code = codes_of(files, [case])(case)
    return await record_flight(files, case, [] if code is None else [code])


def codes_of(files: LogFiles, cases: Sequence[str]) -> Callable[[str], type | None]:
    """The workflow code of closed cases' processes, as it is installed here.

    Whether it is what was published, the replay says. A process is asked for if a case of it has a
    history: without one there is nothing to run.
    """
    asked, opened, closed = set(cases), dict[str, str](), set(files.archives)
    for data in files.entries:
        try:
            entry = decode_entry(data)
        except EntryError:
            continue  # verifying the log names it
        if entry.case not in asked:
            continue
        if entry.type is EntryType.CASE_OPENED:
            opened.setdefault(str(entry.case), str(entry.data.get("process")))
        elif entry.type is EntryType.CASE_CLOSED:
            closed.add(str(entry.case))
    for case in cases:
        if case not in opened:
            raise fail(f"the ledger has no case {case}", USAGE)
        if case not in closed:
            raise fail(f"{case} is open: it is replayed once it has closed", USAGE)
    code: dict[str, type] = {}
    for case in cases:
        if opened[case] not in code and _has_history(files, case):
            code[opened[case]] = _installed(opened[case])
    return lambda case: code.get(opened[case])


def _has_history(files: LogFiles, case: str) -> bool:
    archive = files.archives.get(case)
    return archive is not None and not archive.erased


def _installed(process: str) -> type:
    found = processes().get(process)  # which fails with 2: 3 would say of a log that it holds
    if found is None:
        said = f"the process {process!r} is not installed here: install what brings it"
        raise fail(said, USAGE)
    return found.workflow
