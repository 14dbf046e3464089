"""A case's timeline as a picture: a lane for each who took part, a mark for each moment."""

import html
import itertools
from collections.abc import Sequence
from datetime import datetime

from placet.audit._report import spelled
from placet.audit._timeline import Moment

_LEFT, _WIDTH, _LANE, _TOP = 190, 960, 26, 30
_MARKS = {
    "glass.broken": "no",
    "review.closed": "people",
    "grant.denied": "no",
    "decision.refused": "no",
    "act.refused": "no",
    "case.stopped": "no",
    "case.alarm": "no",
    "grant.leaked": "no",
    "decision.recorded": "people",
    "decision.withdrawn": "people",
    "case.opened": "people",
    "checkpoint.resolved": "end",
    "case.closed": "end",
    "case.archived": "end",
}
PICTURE_STYLE = """
svg { width: 100%; height: auto; font: 11px Georgia, serif; }
svg .lane { stroke: #ddd; } svg .step { fill: #fff; stroke: #333; stroke-width: 1.5; }
svg .people { fill: #333; } svg .no { stroke: #333; stroke-width: 2; fill: none; }
svg .end { fill: #888; stroke: #333; }
"""


def picture(moments: Sequence[Moment]) -> str:
    """The picture as an SVG element; each mark says in its title what happened.

    The distance is by order, not by time: most of a case's time is people's, and its steps would
    fall together. Kinds differ by their shape, not by colour alone.
    """
    if not moments:
        return ""
    actors = list(dict.fromkeys(each.actor for each in moments))
    height = _TOP + _LANE * len(actors) + 46
    step = (_WIDTH - _LEFT - 20) / max(1, len(moments) - 1)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'aria-label="who did something, in order">\n'
    ]
    for lane, actor in enumerate(actors):
        y = _TOP + lane * _LANE
        out.append(
            f'<text x="0" y="{y + 4}">{_esc(actor[:30])}</text>'
            f'<line class="lane" x1="{_LEFT}" y1="{y}" x2="{_WIDTH - 20}" y2="{y}"/>\n'
        )
    for at, each in enumerate(moments):
        x, y = _LEFT + at * step, _TOP + actors.index(each.actor) * _LANE
        title = f"<title>{_esc(f'{each.time} {each.actor}: {each.text}'[:300])}</title>"
        out.append(f"<g>{title}{_mark(_MARKS.get(each.type, 'step'), x, y)}</g>\n")
    out.append(_times(moments, step, _TOP + len(actors) * _LANE))
    out.append(_legend(height - 8))
    out.append("</svg>\n")
    return "".join(out)


def _mark(kind: str, x: float, y: float) -> str:
    if kind == "people":
        return f'<rect class="people" x="{x - 5:.1f}" y="{y - 5}" width="10" height="10"/>'
    if kind == "no":
        return (
            f'<path class="no" d="M{x - 5:.1f} {y - 5}L{x + 5:.1f} {y + 5}'
            f'M{x - 5:.1f} {y + 5}L{x + 5:.1f} {y - 5}"/>'
        )
    if kind == "end":
        points = f"{x:.1f},{y - 6} {x + 6:.1f},{y} {x:.1f},{y + 6} {x - 6:.1f},{y}"
        return f'<polygon class="end" points="{points}"/>'
    return f'<circle class="step" cx="{x:.1f}" cy="{y}" r="4"/>'


def _times(moments: Sequence[Moment], step: float, y: int) -> str:
    """The times of the first and last moment, and how long people were waited for at most."""
    first, last = moments[0].time, moments[-1].time
    told = (
        f'<text x="{_LEFT}" y="{y}">{_esc(first)}</text>'
        f'<text x="{_WIDTH - 20}" y="{y}" text-anchor="end">{_esc(last)}</text>\n'
    )
    gaps = [
        (_moment(after) - _moment(before), at)
        for at, (before, after) in enumerate(itertools.pairwise(moments))
    ]
    if gaps and (longest := max(gaps, key=lambda each: each[0]))[0].total_seconds() >= 60:
        x = _LEFT + (longest[1] + 0.5) * step
        told += (
            f'<line class="lane" x1="{x:.1f}" y1="{_TOP - 12}" x2="{x:.1f}" y2="{y - 14}"/>'
            f'<text x="{x:.1f}" y="{_TOP - 16}" text-anchor="middle">{longest[0]}</text>\n'
        )
    return told


def _legend(y: int) -> str:
    told = ""
    for at, (kind, said) in enumerate(
        (("step", "step"), ("people", "person's word"), ("end", "outcome"), ("no", "refused"))
    ):
        x = _LEFT + 8 + at * 140
        told += f'{_mark(kind, x, y - 4)}<text x="{x + 12}" y="{y}">{said}</text>'
    return told + "\n"


def _moment(moment: Moment) -> datetime:
    return datetime.fromisoformat(moment.time)


def _esc(text: str) -> str:
    return html.escape(spelled(text), quote=True)
