"""A million cases a day, from what was measured: what each part must carry, and what gives first.

Everything is arithmetic on ``results.json`` and on what one reference draw took, as
``docs/how-to/size-a-deployment.md`` has it. ``bench.report`` writes the table into
``docs/explanation/scale.md``; a figure that is missing makes its line say so.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.reading import Results

SCALE = Path(__file__).parents[1] / "docs/explanation/scale.md"
BEGIN, END = "<!-- computed from bench/results.json -->", "<!-- to here -->"
CASES_A_DAY, PEAK, DAY = 1_000_000, 3.0, 86_400
"""The busiest hour has three times an even hour's cases."""

GRANTS, ENTRIES = 16, 61
CORES = {"authorities": 0.79, "Temporal": 0.49, "systems of record": 0.27, "workers": 0.43}
KILOBYTES = {"authority's database": 169, "of which the ledger": 51, "Temporal's database": 54}
"""Of one draw: grants, entries, seconds of a core, and what stays on disk."""

REPLAYED_CORES = 2
"""Cores on which the replays were measured, whose figure is of both."""

LOCKED = ("look_up", "policy", "write", "writer", "commit")
"""Parts of a grant during which its writer holds the head of the ledger, of which ``look_up`` is
begun before, and a commit is shared by whoever writes at the same time: rather too much."""


@dataclass(frozen=True)
class Line:
    """One part: what it must carry on the average and in the busiest hour, and what one can."""

    part: str
    unit: str
    even: float | None
    carries: str
    missing: str = ""
    of_one: bool = False
    """Whether only one can do it, so that more of them don't help."""

    @property
    def busiest(self) -> float | None:
        """In the busiest hour."""
        return None if self.even is None else self.even * PEAK


def a_second() -> float:
    """Cases a second, if every hour is like every other."""
    return CASES_A_DAY / DAY


def writer_seconds(results: Results) -> float | None:
    """How long one draw holds the head of the ledger: its grants, and the entries besides.

    An entry besides is taken at what a bare append takes, the least that it can.
    """
    parts = [results.get(f"profile.grant.{part}_ms") for part in LOCKED]
    append = results.get("ledger.append_over_raw")
    if append is None or any(each is None for each in parts):
        return None
    grant = sum(each.own for each in parts if each is not None) / 1000
    return GRANTS * grant + (ENTRIES - GRANTS) / append.own


def lines(results: Results) -> Iterator[Line]:
    """Each part's line."""
    held = writer_seconds(results)
    wanted = " and ".join(
        [*(f"`profile.grant.{part}_ms`" for part in LOCKED), "`ledger.append_over_raw`"]
    )
    yield Line(
        "the ledger's writer",
        "of its one thread",
        None if held is None else held * a_second(),
        "1: it is one for all authorities",
        wanted,
        of_one=True,
    )
    for part, seconds in CORES.items():
        yield Line(part, "cores", seconds * a_second(), "as many as there are")
    verified = results.get("ledger.verify_over_sha256")
    yield Line(
        "verifying the whole log",
        "cores",
        None if verified is None else ENTRIES * a_second() / verified.own,
        "as many as there are",
        "`ledger.verify_over_sha256`",
    )
    replayed = results.get("replay.over_replayer")
    yield Line(
        "replaying as many cases of 5 empty steps",
        "cores",
        None if replayed is None else REPLAYED_CORES * a_second() / replayed.own,
        "as many as there are",
        "`replay.over_replayer`",
    )


def most_a_day(results: Results) -> float | None:
    """Cases a day at which the one writer is full in the busiest hour."""
    held = writer_seconds(results)
    return None if held is None else DAY / PEAK / held


def table(results: Results, spell: Callable[[float], str]) -> str:
    """What ``scale.md`` has between its marks."""
    said = [
        "| part | even | busiest hour | can carry |",
        "|---|---|---|---|",
    ]
    for each in lines(results):
        if each.even is None or each.busiest is None:
            said.append(f"| {each.part} | missing: {each.missing} | | |")
            continue
        even, busiest = spell(each.even), spell(each.busiest)
        gives = " **gives**" if each.of_one and each.busiest > 1 else ""
        said.append(f"| {each.part} | {even} {each.unit} | {busiest}{gives} | {each.carries} |")
    for what, kilobytes in KILOBYTES.items():
        gigabytes = kilobytes * CASES_A_DAY / 1e6
        said.append(f"| {what} | {spell(gigabytes)} GB a day | | the disk |")
    most, held = most_a_day(results), writer_seconds(results)
    if most is not None and held is not None:
        said += [
            "",
            f"One draw holds the ledger's writer for about {spell(held * 1000)} ms. It is full"
            f" in the busiest hour at {most / 1e6:.2f} million draws a day.",
        ]
    return "\n".join(said)


def renewed(page: str, results: Results, spell: Callable[[float], str]) -> str:
    """The page with its table made anew.

    Raises:
        ValueError: the page has no marks.
    """
    before, found, rest = page.partition(BEGIN)
    _, ends, after = rest.partition(END)
    if not (found and ends):
        raise ValueError("the page has no marks for the table")
    return f"{before}{BEGIN}\n\n{table(results, spell)}\n\n{END}{after}"
