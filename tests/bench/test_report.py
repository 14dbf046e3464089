"""The report of the benchmarks says what was measured, all of it, and nothing else."""

import re
from dataclasses import replace

import pytest

from bench.pictures import PLOTS, drawn_from, pictures
from bench.reading import Measured, Results, read
from bench.report import REPORT, number, report
from bench.sections import SECTIONS, UNLISTED
from bench.sizing import (
    CORES,
    ENTRIES,
    GRANTS,
    KILOBYTES,
    LOCKED,
    SCALE,
    lines,
    most_a_day,
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


def test_the_sizing_model_is_what_the_results_make_of_it() -> None:
    page = SCALE.read_text()
    assert page == renewed(page, read(), number), AGAIN


def test_the_sizing_model_carries_what_one_draw_took() -> None:
    """By hand: two draws a second, each holding the writer for 16 grants and 45 entries besides."""
    figures = {f"profile.grant.{part}_ms": Measured(1.0, "ms", 1) for part in LOCKED}
    figures["ledger.append_over_raw"] = Measured(0.1, "entries/s", 1, ours=1000.0, plain=10_000.0)
    results = Results({}, figures)
    held = writer_seconds(results)
    assert held == pytest.approx(16 * 0.005 + 45 / 1000)
    assert most_a_day(results) == pytest.approx(28_800 / 0.125)
    first, *others = lines(results)
    assert first.even == pytest.approx(0.125 * 1_000_000 / 86_400)
    assert first.busiest == pytest.approx(3 * 0.125 * 1_000_000 / 86_400)
    cores = {each.part: each.even for each in others}
    assert cores["Temporal"] == pytest.approx(0.49 * 1_000_000 / 86_400)
    assert "**gives**" in table(results, number)


def test_the_sizing_model_says_what_is_missing() -> None:
    said = table(_without("ledger.append_over_raw"), number)
    assert "| the ledger's writer | missing: " in said
    assert "million draws a day" not in said


def test_the_sizing_model_takes_the_draw_of_the_how_to() -> None:
    page = (SCALE.parents[1] / "how-to/size-a-deployment.md").read_text()
    assert f"{GRANTS} grants" in page
    assert f"{ENTRIES} entries" in page
    assert [re.search(rf"\| {seconds} s[ ,]", page) for seconds in CORES.values()].count(None) == 0
    assert [f"{each} kB" in page for each in KILOBYTES.values()].count(False) == 0


def test_what_measures_a_section_again_is_there() -> None:
    source = "".join(path.read_text() for path in REPORT.parent.glob("*.py"))
    known = set(re.findall(r"^async def (\w+)\((?:stage|ready|_shared)\b", source, re.MULTILINE))
    for section in SECTIONS:
        assert {*section.again.split()} <= known, section.title
