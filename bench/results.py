"""What a measurement gives: a figure, or a ratio with the plain thing beside it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One figure by itself."""

    name: str
    value: float
    unit: str
    samples: int


@dataclass(frozen=True)
class Result:
    """One figure: a ratio of two medians."""

    name: str
    governed: float
    plain: float
    unit: str
    plain_is: str
    samples: int

    @property
    def value(self) -> float:
        """The governed thing over the plain one."""
        return self.governed / self.plain
