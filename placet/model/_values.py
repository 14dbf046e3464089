"""Values with one spelling: money, time, and the base of every model.

* Money is :class:`decimal.Decimal` with exactly two places, written as a decimal string
  (``"184200.00"``). Floats and exponents are refused.
* Time is aware UTC, written as RFC 3339 with ``Z``.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
)

CENT = Decimal("0.01")
_MONEY = re.compile(r"-?(0|[1-9][0-9]{0,12})\.[0-9]{2}\Z")


class Model(BaseModel):
    """The base of every model: frozen, and a member that is not known is an error.

    What checks its members is built when it is first needed: a command needs few of some hundreds.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_inf_nan="constants", defer_build=True
    )


def build_models() -> None:
    """Build what checks the members of every model that is loaded.

    For what serves or runs workflows: no request waits for it, and no workflow task, which may
    take two seconds.
    """
    waiting = [Model]
    while waiting:
        model = waiting.pop()
        model.model_rebuild()
        waiting += model.__subclasses__()


def parse_money(text: str) -> Decimal:
    """Parse the canonical spelling of money: digits, a point, two digits; at most 13 before it.

    Raises:
        ValueError: any other spelling, among them ``1.5``, ``+1.00``, ``-0.00``, ``1e3``.
    """
    if not _MONEY.match(text) or text == "-0.00":
        raise ValueError(f"money must be written like 184200.00, not {text[:32]!r}")
    return Decimal(text)


def _to_money(value: object) -> Decimal:
    if isinstance(value, str):
        return parse_money(value)
    if isinstance(value, Decimal):
        if not value.is_finite() or value != value.quantize(CENT) or abs(value) >= 10**13:
            raise ValueError("money must be whole cents, below 10^13")
        cents = value.quantize(CENT)
        return cents or Decimal("0.00")
    raise ValueError("money must be a decimal string or Decimal, never a float or an integer")


Money = Annotated[
    Decimal, BeforeValidator(_to_money), PlainSerializer(lambda value: f"{value:.2f}", str)
]
"""An amount to the hundredth, in whichever currency the process has; JSON ``"184200.00"``."""


def format_time(moment: datetime) -> str:
    """Spell ``moment`` as RFC 3339 in UTC; the fraction is left out or has six digits."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time must say its zone")
    return value.astimezone(UTC)


UtcTime = Annotated[datetime, AfterValidator(_to_utc), PlainSerializer(format_time, str)]
"""An aware time, kept in UTC; JSON spelling ``2026-11-24T09:50:00Z``."""

WebAddress = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:https://[!-~]+|http://(?:127\.0\.0\.1|localhost)(?::[0-9]+)?(?:/[!-~]*)?)$",
        max_length=300,
    ),
]
"""Another service's address: with TLS, unless it is on this very machine."""
