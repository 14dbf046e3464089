"""What a measurement gives: a figure, or a ratio with the plain thing beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
