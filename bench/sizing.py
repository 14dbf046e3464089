"""A million cases a day, from what was measured: what each part must carry, and what gives first.

Everything is arithmetic on ``results.json``. ``bench.report`` writes what one reference draw takes
into ``docs/how-to/size-a-deployment.md``, and what a million of them do into
``docs/explanation/scale.md``; a figure that is missing makes its line say so.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.reading import Results

_DOCS = Path(__file__).parents[1] / "docs"
SCALE, SIZE = _DOCS / "explanation/scale.md", _DOCS / "how-to/size-a-deployment.md"
BEGIN, END = "<!-- computed from bench/results.json -->", "<!-- to here -->"
CASES_A_DAY, PEAK, DAY = 1_000_000, 3.0, 86_400
"""The busiest hour has three times an even hour's cases."""

CORES = {
    "authorities": "draw.authority_ms",
    "Temporal": "draw.temporal_ms",
    "systems of record": "draw.lender_ms",
    "workers": "draw.worker_ms",
}
KEPT = {
    "authority's database": "draw.authority_bytes",
    "of which the ledger": "draw.ledger_bytes",
    "of which sealed histories": "draw.sealed_bytes",
    "Temporal's database": "draw.temporal_bytes",
}
"""What one draw takes of a processor, and what it leaves on disk."""

GRANTS, ENTRIES = "draw.grants", "draw.entries"
REPLAYED_CORES = 2
"""Cores on which the replays were measured, whose figure is of both."""

LOCKED = ("look_up", "policy", "write", "writer", "commit")
"""Parts of a grant during which its writer holds the head of the ledger, of which ``look_up`` is
begun before, and a commit is shared by whoever writes at the same time: rather too much."""

HELD = (
    *(f"profile.grant.{part}_ms" for part in LOCKED),
    *("ledger.append_over_raw", GRANTS, ENTRIES),
)
"""What is known of how long one draw holds it."""


@dataclass(frozen=True)
class Line:
    """One part: what it must carry on the average and in the busiest hour, and what one can."""

    part: str
    unit: str
    even: float | None
    carries: str
    needs: tuple[str, ...] = ()
    """The figures it is made of."""

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
    found = {name: results.get(name) for name in HELD}
    known = {name: each.own for name, each in found.items() if each is not None}
    if len(known) < len(found):
        return None
    grants, entries = known.pop(GRANTS), known.pop(ENTRIES)
    append = known.pop("ledger.append_over_raw")
    return grants * sum(known.values()) / 1000 + (entries - grants) / append


def lines(results: Results) -> Iterator[Line]:
    """Each part's line."""
    held = writer_seconds(results)
    yield Line(
        "the ledger's writer",
        "of its one thread",
        None if held is None else held * a_second(),
        "1: it is one for all authorities",
        HELD,
        of_one=True,
    )
    for part, name in CORES.items():
        took = results.get(name)
        cores = None if took is None else took.own / 1000 * a_second()
        yield Line(part, "cores", cores, "as many as there are", (name,))
    verified, entries = results.get("ledger.verify_over_sha256"), results.get(ENTRIES)
    yield Line(
        "verifying the whole log",
        "cores",
        None if not (verified and entries) else entries.own * a_second() / verified.own,
        "as many as there are",
        ("ledger.verify_over_sha256", ENTRIES),
    )
    replayed = results.get("replay.over_replayer")
    yield Line(
        "replaying as many cases of 5 empty steps",
        "cores",
        None if replayed is None else REPLAYED_CORES * a_second() / replayed.own,
        "as many as there are",
        ("replay.over_replayer",),
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
            said.append(f"| {each.part} | {_missing(*each.needs)} | | |")
            continue
        even, busiest = spell(each.even), spell(each.busiest)
        gives = " **gives**" if each.of_one and each.busiest > 1 else ""
        said.append(f"| {each.part} | {even} {each.unit} | {busiest}{gives} | {each.carries} |")
    for what, name in KEPT.items():
        stays = results.get(name)
        a_day = _missing(name) if stays is None else _gigabytes(stays.own * CASES_A_DAY, spell)
        said.append(f"| {what} | {a_day}{'' if stays is None else ' a day'} | | the disk |")
    most, held = most_a_day(results), writer_seconds(results)
    if most is not None and held is not None:
        said += [
            "",
            f"One draw holds the ledger's writer for about {spell(held * 1000)} ms. It is full"
            f" in the busiest hour at {most / 1e6:.2f} million draws a day.",
        ]
    return "\n".join(said)


def one_draw(results: Results, spell: Callable[[float], str]) -> str:
    """What ``size-a-deployment.md`` has between its marks."""

    def row(what: str, name: str, *cells: Callable[[float], str]) -> str:
        found = results.get(name)
        said = [_missing(name), ""] if found is None else [each(found.own) for each in cells]
        return f"| {what} | {' | '.join(said)} |"

    return "\n".join(
        [
            "| a draw takes | processor time | 3,600 in an hour |",
            "|---|---|---|",
            *(
                row(
                    part,
                    name,
                    lambda each: f"{spell(each)} ms",
                    lambda each: f"{spell(each / 1000)} cores",
                )
                for part, name in CORES.items()
            ),
            "",
            "| a draw leaves | on disk | 100,000 of them |",
            "|---|---|---|",
            *(
                row(
                    what,
                    name,
                    lambda each: f"{spell(each / 1000)} kB",
                    lambda each: _gigabytes(each * 100_000, spell),
                )
                for what, name in KEPT.items()
            ),
            row("grants", GRANTS, spell, lambda _: ""),
            row("entries of the ledger", ENTRIES, spell, lambda _: ""),
        ]
    )


def _gigabytes(size: float, spell: Callable[[float], str]) -> str:
    return f"{spell(size / 1e9)} GB"


def _missing(*names: str) -> str:
    return f"missing: {' and '.join(f'`{each}`' for each in names)}"


def renewed(page: str, computed: str) -> str:
    """The page with what is computed made anew.

    Raises:
        ValueError: the page has no marks.
    """
    before, found, rest = page.partition(BEGIN)
    _, ends, after = rest.partition(END)
    if not (found and ends):
        raise ValueError("the page has no marks for what is computed")
    return f"{before}{BEGIN}\n\n{computed}\n\n{END}{after}"


def renew(results: Results, spell: Callable[[float], str]) -> None:
    """Write both pages."""
    for page, computed in ((SCALE, table), (SIZE, one_draw)):
        page.write_text(renewed(page.read_text(), computed(results, spell)))
