"""``make bench``: measure, print, and write ``bench/results.json``."""

import asyncio
import json
import platform
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.audit import MEASURES as AUDIT
from bench.measures import MEASURES, Result
from bench.stage import stage

RESULTS = Path(__file__).parent / "results.json"


async def run(folder: Path) -> list[Result]:
    """Take every measurement on one stage."""
    console = Console(stderr=True)
    results = []
    async with stage(folder) as ready:
        for measure in (*MEASURES, *AUDIT):
            with console.status(f"measuring {measure.__name__}"):
                results.append(await measure(ready))
    return results


def write(results: list[Result]) -> None:
    """Write the figures, each with the plain thing beside it."""
    said = {
        each.name: {
            "value": round(each.value, 3),
            "unit": "ratio",
            "governed": {"value": round(each.governed, 3), "unit": each.unit},
            "plain": {
                "value": round(each.plain, 3),
                "unit": each.unit,
                "what": each.plain_is,
            },
            "samples": each.samples,
        }
        for each in results
    }
    machine = {"python": platform.python_version(), "processor": platform.machine()}
    RESULTS.write_text(json.dumps({"machine": machine, "figures": said}, indent=2) + "\n")


def show(results: list[Result]) -> None:
    """Print the figures."""
    table = Table("figure", "ratio", "governed", "plain", "beside")
    for each in results:
        table.add_row(
            each.name,
            f"{each.value:.2f}",
            f"{each.governed:.1f} {each.unit}",
            f"{each.plain:.1f} {each.unit}",
            each.plain_is,
        )
    Console().print(table)


def main() -> None:
    """Measure everything."""
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        results = asyncio.run(run(Path(folder)))
    write(results)
    show(results)


if __name__ == "__main__":
    main()
