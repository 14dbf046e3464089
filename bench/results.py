"""What a measurement gives: a figure, or a ratio with the plain thing beside it."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Figure:
    """One figure by itself."""

    name: str
    value: float
    unit: str
    samples: int


@dataclass(frozen=True)
class Result:
    """One figure: a ratio of two medians.

    ``processor`` is milliseconds of processor time for each of what was counted, by side and part.
    """

    name: str
    governed: float
    plain: float
    unit: str
    plain_is: str
    samples: int
    processor: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The governed thing over the plain one."""
        return self.governed / self.plain


def spelled(result: Result | Figure) -> dict[str, Any]:
    """A figure as the file has it."""
    value = {"value": round(result.value, 3), "samples": result.samples}
    if isinstance(result, Figure):
        return {**value, "unit": result.unit}
    spent = {
        side: {part: round(took, 2) for part, took in parts.items()}
        for side, parts in result.processor.items()
    }
    return {
        **value,
        "unit": "ratio",
        **({"processor_ms": spent} if spent else {}),
        "governed": {"value": round(result.governed, 3), "unit": result.unit},
        "plain": {
            "value": round(result.plain, 3),
            "unit": result.unit,
            "what": result.plain_is,
        },
    }


def add(results: Sequence[Result | Figure]) -> None:
    """Put figures beside those that are written, and write the report anew.

    A figure that is not measured this time stays as it was. Each says the machine's load of its
    last minute, its own included: it tells a quiet run from one beside other work.
    """
    kept = json.loads(RESULTS.read_text())
    kept["machine"] = {
        "python": platform.python_version(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
    }
    load = {"load": round(os.getloadavg()[0], 1)}
    kept["figures"] |= {each.name: spelled(each) | load for each in results}
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n")
    from bench.report import renew  # it reads these

    renew()
