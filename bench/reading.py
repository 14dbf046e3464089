"""What ``bench/results.json`` says, read back for the report."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.results import RESULTS


@dataclass(frozen=True)
class Measured:
    """One figure: by itself, or ours over the plain thing (then ``value`` is the ratio)."""

    value: float
    unit: str
    samples: int
    ours: float | None = None
    plain: float | None = None
    plain_is: str = ""
    processor: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    load: float | None = None

    @property
    def own(self) -> float:
        """What was measured of us, in its own unit."""
        return self.value if self.ours is None else self.ours


@dataclass(frozen=True)
class Results:
    """All figures by name, and the machine they were taken on."""

    machine: Mapping[str, Any]
    figures: Mapping[str, Measured]

    def get(self, name: str) -> Measured | None:
        """A figure, if it was measured."""
        return self.figures.get(name)


def _measured(said: Mapping[str, Any]) -> Measured:
    if "plain" not in said:
        alone, load = (said["value"], said["unit"], said["samples"]), said.get("load")
        return Measured(*alone, load=load)
    return Measured(
        said["value"],
        said["governed"]["unit"],
        said["samples"],
        said["governed"]["value"],
        said["plain"]["value"],
        said["plain"]["what"],
        said.get("processor_ms", {}),
        said.get("load"),
    )


def read(path: Path = RESULTS) -> Results:
    """What a file of results says."""
    said = json.loads(path.read_text())
    figures = {name: _measured(each) for name, each in said["figures"].items()}
    return Results(said["machine"], figures)
