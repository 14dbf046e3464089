"""What each picture of the report shows: numbers of ``results.json`` alone, drawn by ``plots``.

A picture whose figures are missing is not drawn. Its digest stands in the drawn file, so that a
test finds one that is older than its figures.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bench.reading import Measured, Results
from bench.sections import GRANT_PARTS, GROWN, STEP_PARTS

PLOTS = Path(__file__).parent / "plots"
MARK = "placet-bench:"


@dataclass(frozen=True)
class Series:
    """One colour of a picture: a value for each label, or none."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Picture:
    """One picture, whatever draws it."""

    name: str
    title: str
    axis: str
    kind: Literal["bars", "stacked", "lines"]
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    aim: float | None = None

    def digest(self) -> str:
        """Of all that is drawn."""
        spelled = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(spelled.encode()).hexdigest()


def drawn_from(path: Path) -> str | None:
    """The digest of what a file was drawn from, as the file says."""
    _, found, rest = path.read_text().partition(MARK)
    return rest[:64] if found else None


def _processor(results: Results) -> Picture | None:
    found = results.get("throughput.governed_over_bare")
    if found is None or not found.processor:
        return None
    sides = tuple(found.processor)
    parts = tuple(dict.fromkeys(part for each in found.processor.values() for part in each))
    return Picture(
        "processor",
        "Processor time of one empty activity",
        "ms",
        "stacked",
        sides,
        tuple(
            Series(part, tuple(found.processor[side].get(part) for side in sides)) for part in parts
        ),
    )


def _own(found: Measured | None) -> float | None:
    return None if found is None else found.own


def _issuing(results: Results) -> Picture | None:
    kinds = (
        ("grants, SQLite", "grant_sqlite"),
        ("grants, PostgreSQL", "grant_postgresql"),
        ("OpenBao's service tokens", "token_openbao"),
    )
    series = tuple(
        Series(said, tuple(_own(results.get(f"issuing.{kind}_{each}_per_s")) for each in (1, 8)))
        for said, kind in kinds
    )
    if any(value is None for each in series for value in each.values):
        return None
    labels = ("1 connection", "8 connections")
    return Picture("issuing", "Credentials issued", "a second", "bars", labels, series)


def _beside(results: Results) -> Picture | None:
    sides = {
        "governed": "a grant",
        "keycard": "Keycard's token",
        "tenuo": "Tenuo's warrant",
        "openbao_token": "OpenBao's token",
        "openbao_database": "OpenBao's PostgreSQL role",
    }
    found = {words: results.get(f"beside.{side}_over_bare") for side, words in sides.items()}
    there = {words: each.value for words, each in found.items() if each is not None}
    if not there:
        return None
    series = (Series("over no credential", tuple(there.values())),)
    title = "Activities a second, a credential for each"
    return Picture("beside", title, "ratio", "bars", tuple(there), series, 0.9)


def _growth(name: str, said: str, title: str) -> Callable[[Results], Picture | None]:
    def made(results: Results) -> Picture | None:
        series: dict[str, dict[int, float]] = {}
        for what, exponents in GROWN.items():
            for each in exponents:
                found = results.get(f"growth.{what}{said}_1e{each}")
                if found is not None and found.plain is not None:
                    kept = series.setdefault(what, {exponents[0] - 1: found.plain})
                    kept[each] = found.own
        if not series:
            return None
        places = sorted({place for kept in series.values() for place in kept})
        drawn = tuple(
            Series(what, tuple(kept.get(place) for place in places))
            for what, kept in series.items()
        )
        return Picture(name, title, "ms", "lines", tuple(f"1e{each}" for each in places), drawn)

    return made


def _attacks(results: Results) -> Picture | None:
    said = ("governed", "ungoverned")
    series = tuple(
        Series(what, tuple(_own(results.get(f"attacks.{what}.{side}")) for side in said))
        for what in ("attempted", "succeeded")
    )
    if any(value is None for each in series for value in each.values):
        return None
    return Picture("attacks", "Attacks on agents that reason", "attempts", "bars", said, series)


def _profile(of: str, title: str, parts: Mapping[str, str]) -> Callable[[Results], Picture | None]:
    def made(results: Results) -> Picture | None:
        found = [results.get(f"profile.{of}.{part}_ms") for part in parts]
        if any(each is None for each in found):
            return None
        series = tuple(
            Series(words, (_own(each),)) for words, each in zip(parts.values(), found, strict=True)
        )
        return Picture(f"profile-{of}", title, "ms of processor time", "stacked", (of,), series)

    return made


_MADE: tuple[Callable[[Results], Picture | None], ...] = (
    _processor,
    _profile("grant", "A grant in the authority", GRANT_PARTS),
    _profile("step", "An empty step in its worker", STEP_PARTS),
    _beside,
    _issuing,
    _growth("growth", "", "A grant, p50, as things grow"),
    _growth("growth_processor", "_processor", "The authority's processor time of a grant"),
    _attacks,
)


def pictures(results: Results) -> dict[str, Picture]:
    """Each picture that the figures are there for, by name."""
    made = (each(results) for each in _MADE)
    return {each.name: each for each in made if each is not None}
