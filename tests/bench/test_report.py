"""The report of the benchmarks says what was measured, all of it, and nothing else."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.pictures import PLOTS, drawn_from, pictures
from bench.reading import Measured, Results, read
from bench.report import REPORT, number, report
from bench.sections import SECTIONS, UNLISTED
from bench.sizing import (
    LOCKED,
    SCALE,
    SIZE,
    lines,
    most_a_day,
    one_draw,
    renewed,
    table,
    writer_seconds,
)

AGAIN = "run python -m bench.report and commit what it writes"
SHOWN = [shown for section in SECTIONS for shown in section.figures]


def _without(name: str) -> Results:
    results = read()
    kept = {each: found for each, found in results.figures.items() if each != name}
    return replace(results, figures=kept)


def test_the_report_is_what_the_results_make_of_it() -> None:
    assert REPORT.read_text() == report(read()), AGAIN


def test_each_picture_is_drawn_from_these_results() -> None:
    """And no other stands beside them."""
    drawn = {path.stem: drawn_from(path) for path in PLOTS.iterdir()}
    assert drawn == {name: each.digest() for name, each in pictures(read()).items()}, AGAIN


def test_every_figure_of_the_results_is_in_the_report() -> None:
    """By its words, under "Other figures" by its name, or in a sum that says so."""
    known = {shown.name for shown in SHOWN}
    figures = {**read().figures, "new.figure": Measured(7.25, "ms", 1, load=3.5)}
    said = report(replace(read(), figures=figures))
    for name in figures:
        assert name in known or name.startswith(UNLISTED) or f"| `{name}` |" in said
    assert "| `new.figure` | 7.25 ms |  |  |  |  | 3.5 |" in said


def test_a_missing_figure_is_named_and_not_made_up() -> None:
    for shown in SHOWN:
        results = _without(shown.name)
        (said,) = (line for line in report(results).splitlines() if f"`{shown.name}`" in line)
        assert said.startswith("Missing from the results: ")
        if shown.aim is not None:
            line = f"| {shown.what} | {shown.aim.words} | missing | not measured |"
            assert line in report(results)


def test_a_picture_without_its_figures_is_not_drawn() -> None:
    results = _without("throughput.governed_over_bare")
    assert "processor" not in pictures(results)
    assert "No picture `processor`: its figures are missing." in report(results)
    assert "plots/processor.svg" not in report(results)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("throughput.governed_over_bare", 0.9, "at least 0.9 | 0.90 | yes"),
        ("throughput.governed_over_bare", 0.899, "at least 0.9 | 0.90 | **no**"),
        ("grant.p50_over_floor", 3.99, "below 4 | 3.99 | yes"),
        ("grant.p50_over_floor", 4.0, "below 4 | 4 | **no**"),
        ("issuing.grants_over_openbao_tokens_8", 1.0, "above 1 | 1 | **no**"),
        ("chaos.broken", 1.0, "none | 1 | **no**"),
        ("chaos.runs", 500.0, "at least 500 | 500 | yes"),
    ],
)
def test_an_aim_is_met_or_missed(name: str, value: float, said: str) -> None:
    """A miss is said as plainly as a success, and judged by the figure, not by its spelling."""
    figures = {**read().figures, name: Measured(value, "", 1, ours=value, plain=1.0)}
    aims, _, _ = report(replace(read(), figures=figures)).partition("## Governed")
    assert f"| {said} |" in aims


@pytest.mark.parametrize(("page", "computed"), [(SCALE, table), (SIZE, one_draw)])
def test_the_sizing_model_is_what_the_results_make_of_it(
    page: Path, computed: Callable[[Results, Callable[[float], str]], str]
) -> None:
    said = page.read_text()
    assert said == renewed(said, computed(read(), number)), AGAIN


def test_the_sizing_model_carries_what_one_draw_took() -> None:
    """By hand: 16 grants and 46 entries besides hold the writer; half a second of Temporal."""
    figures = {f"profile.grant.{part}_ms": Measured(1.0, "ms", 1) for part in LOCKED} | {
        "draw.grants": Measured(16.0, "", 1),
        "draw.entries": Measured(62.0, "", 1),
        "draw.temporal_ms": Measured(500.0, "ms", 1),
        "draw.ledger_bytes": Measured(50_000.0, "bytes", 1),
        "ledger.append_over_raw": Measured(0.1, "entries/s", 1, ours=1000.0, plain=10_000.0),
        "ledger.verify_over_sha256": Measured(0.1, "entries/s", 1, ours=500.0, plain=5000.0),
    }
    results = Results({}, figures)
    held = 16 * 0.005 + 46 / 1000
    assert writer_seconds(results) == pytest.approx(held)
    assert most_a_day(results) == pytest.approx(28_800 / held)
    found = {each.part: each for each in lines(results)}
    writer = found["the ledger's writer"]
    assert writer.even == pytest.approx(held * 1_000_000 / 86_400)
    assert writer.busiest == pytest.approx(3 * held * 1_000_000 / 86_400)
    assert found["Temporal"].even == pytest.approx(0.5 * 1_000_000 / 86_400)
    assert found["verifying the whole log"].even == pytest.approx(0.124 * 1_000_000 / 86_400)
    said = table(results, number)
    assert "**gives**" in said
    assert "| of which the ledger | 50 GB a day | | the disk |" in said
    assert "| Temporal | 500 ms | 0.50 cores |" in one_draw(results, number)
    assert "| of which the ledger | 50 kB | 5 GB |" in one_draw(results, number)


def test_the_sizing_model_says_what_is_missing() -> None:
    said = table(_without("ledger.append_over_raw"), number)
    assert "| the ledger's writer | missing: " in said
    assert "million draws a day" not in said
    assert "| grants | missing: `draw.grants` |" in one_draw(_without("draw.grants"), number)


def test_what_measures_a_section_again_is_there() -> None:
    source = "".join(path.read_text() for path in REPORT.parent.glob("*.py"))
    known = set(re.findall(r"^async def (\w+)\((?:stage|ready|_shared)\b", source, re.MULTILINE))
    for section in SECTIONS:
        assert {*section.again.split()} <= known, section.title
