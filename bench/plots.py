"""Draw the report's pictures with matplotlib: small SVG files, the same from the same figures."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Drawing

from bench.pictures import MARK, PLOTS, Picture

_COLOURS = (
    *("#30638e", "#d1495b", "#edae49", "#66a182", "#8d96a3", "#7d4f96", "#003d5b", "#b08968"),
    *("#00798c", "#e07a5f", "#bdb2a7"),
)
_STYLE: Any = {  # its stubs list every key
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "placet",  # ids that are the same each time
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(each: Picture, folder: Path = PLOTS) -> Path:
    """Draw one picture; its file says what it was drawn from."""
    with mpl.rc_context(_STYLE):
        drawing = Drawing(figsize=(6.4, 3.4), layout="constrained")
        axes: Any = drawing.add_subplot()
        {"bars": _bars, "stacked": _stacked, "lines": _lines}[each.kind](axes, each)
        if each.aim is not None:
            axes.axhline(each.aim, color="#555555", linestyle="--", linewidth=1)
        axes.set_title(each.title, loc="left", fontsize=10)
        if each.kind == "stacked":
            axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
        else:
            axes.legend(frameon=False, fontsize=8)
        path = folder / f"{each.name}.svg"
        described = {"Date": None, "Creator": None, "Description": f"{MARK}{each.digest()}"}
        drawing.savefig(path, format="svg", metadata=described)
    # matplotlib ends lines of paths with a space
    path.write_text("".join(f"{line.rstrip()}\n" for line in path.read_text().splitlines()))
    return path


def _bars(axes: Any, each: Picture) -> None:
    wide = 0.8 / len(each.series)
    for number, one in enumerate(each.series):
        places = [
            place + (number - (len(each.series) - 1) / 2) * wide
            for place in range(len(each.labels))
        ]
        values = [value or 0 for value in one.values]
        drawn = axes.bar(places, values, wide, label=one.name, color=_COLOURS[number])
        axes.bar_label(drawn, [f"{value:.3g}" for value in values], fontsize=7)
    axes.set_xticks(range(len(each.labels)), each.labels)
    axes.set_ylabel(each.axis)


def _stacked(axes: Any, each: Picture) -> None:
    """From left to right, a bar for each label."""
    left = [0.0] * len(each.labels)
    for number, one in enumerate(each.series):
        values = [value or 0.0 for value in one.values]
        axes.barh(
            each.labels, values, 0.6, left, label=one.name, color=_COLOURS[number % len(_COLOURS)]
        )
        left = [before + value for before, value in zip(left, values, strict=True)]
    axes.set_xlabel(each.axis)
    axes.invert_yaxis()


def _lines(axes: Any, each: Picture) -> None:
    """A line for each series over labels that are numbers, on a scale of tens."""
    places = [float(label) for label in each.labels]
    for number, one in enumerate(each.series):
        there = [
            (place, value)
            for place, value in zip(places, one.values, strict=True)
            if value is not None
        ]
        axes.plot(
            [place for place, _ in there],
            [value for _, value in there],
            marker="o",
            markersize=3,
            label=one.name,
            color=_COLOURS[number % len(_COLOURS)],
        )
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_ylabel(each.axis)
