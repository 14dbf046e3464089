"""``make bench``: measure, print, and write ``bench/results.json`` and ``bench/REPORT.md``.

``python -m bench throughput grant`` measures those alone; what is not measured stays as it was.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from bench.approvals import approvals
from bench.attacks import attacks
from bench.audit import MEASURES as AUDIT
from bench.beside import beside
from bench.console import console
from bench.drawing import draws
from bench.growth import growth
from bench.identities import identities
from bench.inbox import inbox
from bench.issuing import issuing
from bench.ledger import MEASURES as LEDGER
from bench.measures import MEASURES
from bench.profiling import profile
from bench.results import Figure, Result, add
from bench.stage import Stage, stage
from bench.waiting import waiting

_Found = Result | list[Result] | list[Figure] | list[Figure | Result]
MEASURED: tuple[Callable[[Stage], Coroutine[Any, Any, _Found]], ...] = (
    *MEASURES,
    approvals,
    *LEDGER,
    *AUDIT,
    attacks,  # before the lists are long: each of its cases is replayed from the whole log
    identities,
    waiting,  # after the audits: its log would be theirs as well
    inbox,  # after that: it fills the lists with what can't be audited
    console,  # on those lists
    issuing,  # last: on stages of its own
    draws,
    profile,
    beside,
    growth,
)


async def run(folder: Path, names: Sequence[str] = ()) -> list[Result | Figure]:
    """Take each measurement on one stage; what is measured is written before the next begins."""
    output = Console(stderr=True)
    results: list[Result | Figure] = []
    async with stage(folder) as ready:
        for measure in MEASURED:
            if names and measure.__name__ not in names:
                continue
            with output.status(f"measuring {measure.__name__}"):
                found = await measure(ready)
            taken = [found] if isinstance(found, Result | Figure) else [*found]
            add(taken)
            results += taken
    return results


def show(results: list[Result | Figure]) -> None:
    """Print the figures."""
    table = Table(Column("figure", overflow="fold"), "ratio", "governed", "plain", "beside")
    for each in results:
        if isinstance(each, Figure):
            table.add_row(each.name, "", f"{each.value:.1f} {each.unit}", "", "")
            continue
        table.add_row(
            each.name,
            f"{each.value:.2f}",
            f"{each.governed:.1f} {each.unit}",
            f"{each.plain:.1f} {each.unit}",
            each.plain_is,
        )
        for side, parts in each.processor.items():
            said = ", ".join(f"{part} {took:.1f}" for part, took in parts.items())
            table.add_row("", "", side, f"{sum(parts.values()):.1f} ms", f"processor time: {said}")
    Console().print(table)


def main() -> None:
    """Measure everything, or what is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = [each.__name__ for each in MEASURED]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    names = parser.parse_args().names
    if unknown := sorted({*names} - {*known}):
        parser.error(f"no such measurement: {', '.join(unknown)}; there are {', '.join(known)}")
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        results = asyncio.run(run(Path(folder), names))
    show(results)


if __name__ == "__main__":
    main()
