"""``python -m bench.report``: ``bench/REPORT.md`` and its pictures, from ``bench/results.json``.

Nothing is measured here. A figure that is not in the results is named as missing.
"""

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import sizing
from bench.pictures import PLOTS, Picture, drawn_from, pictures
from bench.reading import Measured, Results, read
from bench.sections import SECTIONS, UNLISTED, Section, Shown

REPORT = Path(__file__).parent / "REPORT.md"
_HEAD = """\
# What was measured

Made by `python -m bench.report` from `bench/results.json`: don't edit it. `make bench` measures
everything anew, and `python -m bench NAME…` some of it. What is compared was taken in one run on
one machine: compare ratios, not figures of different sections. The load is the machine's when a
figure was written: a run of its own on two cores has two to four; above that, others worked beside
it, and absolute figures are too bad. Where none is said, it was not noted. What the figures mean
stands in [what governing costs](../docs/explanation/cost.md).
"""


def report(results: Results) -> str:
    """The whole report."""
    machine = results.machine
    lines = [
        _HEAD,
        f"Machine: {machine['cores']} cores, {machine['processor']}, Python {machine['python']}.\n",
        *_aims(results),
    ]
    drawn = pictures(results)
    for section in SECTIONS:
        lines += _section(section, results, drawn)
    lines += _others(results)
    return "\n".join(lines).rstrip() + "\n"


def number(value: float) -> str:
    """A figure to three places, or whole."""
    if 0 < abs(value) < 0.01:
        return f"{value:.3f}"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - len(str(int(abs(value)))) + 1)}f}"


def _aims(results: Results) -> Iterator[str]:
    yield "## Aims\n"
    yield "| what | aim | measured | met |"
    yield "|---|---|---|---|"
    for section in SECTIONS:
        for shown in section.figures:
            if shown.aim is not None:
                found = results.get(shown.name)
                said = "missing" if found is None else _said(found)
                yield f"| {shown.what} | {shown.aim.words} | {said} | {_met(shown, found)} |"
    yield ""


def _said(found: Measured) -> str:
    unit = "" if found.ours is not None else f" {found.unit}"
    return number(found.value) + unit


def _met(shown: Shown, found: Measured | None) -> str:
    if shown.aim is None:
        return ""
    if found is None:
        return "not measured"
    return "yes" if shown.aim.meets(found) else "**no**"


def _section(section: Section, results: Results, drawn: Mapping[str, Picture]) -> Iterator[str]:
    yield f"## {section.title}\n"
    if section.words:
        yield f"{section.words}\n"
    yield "| figure | ours | beside | ratio | aim | met | load |"
    yield "|---|---|---|---|---|---|---|"
    missing: list[str] = []
    for shown in section.figures:
        found = results.get(shown.name)
        if found is None:
            missing.append(shown.name)
            continue
        yield _row(shown, found)
    yield ""
    if missing:
        yield f"Missing from the results: {', '.join(f'`{each}`' for each in missing)}.\n"
    for name in section.pictures:
        if name in drawn:
            yield f"![{drawn[name].title}](plots/{name}.svg)\n"
        else:
            yield f"No picture `{name}`: its figures are missing.\n"
    if section.after:
        yield f"{section.after}\n"
    if section.again:
        yield f"Again: `python -m bench {section.again}`\n"


def _row(shown: Shown, found: Measured) -> str:
    aim = shown.aim.words if shown.aim else ""
    ours = f"{number(found.own)} {found.unit}"
    beside, ratio = "", ""
    if found.plain is not None:
        beside = f"{number(found.plain)} {found.unit}: {found.plain_is}"
        ratio = number(found.value)
    load = "" if found.load is None else f"{found.load:g}"
    said = (shown.what, ours, beside, ratio, aim, _met(shown, found), load)
    return f"| {' | '.join(said)} |"


def _others(results: Results) -> Iterator[str]:
    """What no section knows, so that nothing is hidden."""
    known = {shown.name for section in SECTIONS for shown in section.figures}
    others = [
        name for name in results.figures if name not in known and not name.startswith(UNLISTED)
    ]
    if others:
        yield "## Other figures\n"
        yield "| figure | ours | beside | ratio | aim | met | load |"
        yield "|---|---|---|---|---|---|---|"
        for name in others:
            yield _row(Shown(name, f"`{name}`"), results.figures[name])


def renew() -> None:
    """Write the report; draw its pictures where matplotlib is installed, and say where it isn't."""
    results = read()
    REPORT.write_text(report(results))
    sizing.renew(results, number)
    if importlib.util.find_spec("matplotlib") is None:
        sys.stderr.write("No picture is drawn: matplotlib comes with bench/requirements.lock.\n")
        return
    from bench.plots import draw

    drawn = pictures(results)
    for path in PLOTS.glob("*.svg"):
        if path.stem not in drawn:
            path.unlink()
    for each in drawn.values():
        if not (PLOTS / f"{each.name}.svg").exists() or _is_old(each):
            draw(each)


def _is_old(each: Picture) -> bool:
    return drawn_from(PLOTS / f"{each.name}.svg") != each.digest()


if __name__ == "__main__":
    renew()
