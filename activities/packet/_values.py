"""Reading values as people write them: money, dates, shares, whole numbers. Never a guess.

Each function raises ``ValueError`` with a few words on what was found, fit to be shown: control
characters are replaced and length is bounded, since the text may be hostile.
"""

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from lender.model import to_cents

_MONEY = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3})*(?:\.[0-9]{1,2})?|-?[0-9]{1,13}(?:\.[0-9]{1,2})?")
_SHARE = re.compile(r"(-?[0-9]{1,4}(?:\.([0-9]{1,8}))?)\s*(%?)")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_US = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_SIGN = re.compile(r"\s*(?:USD|US\$|\$)\s*")
_BLANK = re.compile(r"[\s$_]*")
_DASH = {"-", "–", "—"}
_HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, direction, tags, unassigned


def show(value: object, limit: int = 200) -> str:
    """A value as text that does no harm: no control or direction characters, bounded length."""
    # A few times the limit is enough to see; the rest of a huge cell is never looked at.
    start = str(value)[: limit * 4]
    text = "".join("\ufffd" if unicodedata.category(c) in _HARMFUL else c for c in start).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def read_money(value: object) -> Decimal:
    """Money in whole cents: ``1,234.50``, ``$ (12.00)``, an accounting dash for zero, a number.

    A number of a spreadsheet may carry the noise of binary fractions; anything else below a cent is
    an error, not rounded away.
    """
    if isinstance(value, bool) or value is None:
        raise ValueError(f"{show(value, 20)!r} is no amount")
    if isinstance(value, (int, float, Decimal)):
        return _number(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
    text = str(value).strip().replace("\u00a0", " ").replace("\u2212", "-")
    text = _SIGN.sub("", text).strip()
    if text in _DASH:
        return Decimal("0.00")
    negative = text.startswith("(") and text.endswith(")")
    if negative:
        text = text[1:-1].strip()
    if not _MONEY.fullmatch(text) or (negative and text.startswith("-")):
        raise ValueError(f"{show(value, 40)!r} is no amount")
    amount = Decimal(text.replace(",", "")).quantize(Decimal("0.01"))
    return -amount if negative and amount else amount


def is_blank(value: str) -> bool:
    """Whether nothing is written but a form's own line or sign: ``$ ______``."""
    return _BLANK.fullmatch(value) is not None


def is_sign(value: object) -> bool:
    """Whether a cell holds a currency's sign alone, as where the amount has a cell of its own."""
    return isinstance(value, str) and _SIGN.fullmatch(value) is not None


def has_amount(value: object) -> bool:
    """Whether a cell says an amount other than zero, though it may not be readable."""
    try:
        return value is not None and read_money(value) != 0
    except (ValueError, ArithmeticError):
        return any(each.isdigit() for each in str(value))


def _number(number: Decimal) -> Decimal:
    if not number.is_finite() or abs(number) >= 10**13:
        raise ValueError("an amount is a finite number below 10^13")
    cents = to_cents(number)
    if abs(number - cents) > Decimal("0.000001"):
        raise ValueError(f"{show(number, 40)} has a fraction of a cent")
    return cents or Decimal("0.00")


def read_date(value: object) -> date:
    """A date: a spreadsheet's own, ``2026-11-24``, or ``11/24/2026`` (month first)."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value).strip()
    if _ISO.fullmatch(text):
        return date.fromisoformat(text)
    if found := _US.fullmatch(text):
        return date(int(found[3]), int(found[1]), int(found[2]))
    raise ValueError(f"{show(value, 40)!r} is no date")


def read_share(value: object) -> tuple[Decimal, int]:
    """A share of one, and how many places of a per cent were shown: ``43.5%`` or ``0.435``."""
    if isinstance(value, bool) or value is None:
        raise ValueError(f"{show(value, 20)!r} is no percentage")
    if isinstance(value, (int, float, Decimal)):
        share = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        shown = share.as_tuple().exponent
        if not isinstance(shown, int):
            raise ValueError(f"{show(value, 20)!r} is no percentage")
        return share, min(max(-shown - 2, 0), 6)
    found = _SHARE.fullmatch(str(value).strip())
    if not found:
        raise ValueError(f"{show(value, 40)!r} is no percentage")
    try:
        number = Decimal(found[1])
    except InvalidOperation:
        raise ValueError(f"{show(value, 40)!r} is no percentage") from None
    places = len(found[2] or "")
    return (number / 100, places) if found[3] else (number, max(places - 2, 0))


def read_hundredths(value: object) -> tuple[Decimal, int]:
    """A percentage that is written without its sign, as in a column called ``%``: ``43.5``."""
    if str(value).strip().endswith("%"):
        raise ValueError(f"{show(value, 40)!r} has its sign")
    number = read_share(value)[0]
    shown = number.as_tuple().exponent
    return number / 100, min(max(-shown, 0), 6) if isinstance(shown, int) else 0


def is_bare_above_one(value: object) -> bool:
    """Whether a share is written as a number above one, without ``%``: 45, of a hundred."""
    try:
        return not str(value).strip().endswith("%") and read_share(value)[0] > 1
    except (ValueError, ArithmeticError):
        return False


def read_complete(value: object, *, bare: bool = True) -> Decimal:
    """How much of something is done, from nothing to all of it; never 45 times.

    ``bare`` is false where other numbers stand for hundredths: there a 1 may be 1% or 100%.
    """
    share = read_share(value)[0]
    shown = show(value, 20)
    if not 0 <= share <= 1:
        raise ValueError(f"{shown!r} is not between 0% and 100%; a share is written 45% or 0.45")
    if not bare and share and not str(value).strip().endswith("%"):
        raise ValueError(f"{shown!r} stands beside numbers above 1: is it a share or a percentage?")
    return share


def read_number(value: object) -> int:
    """A whole number above zero, of at most six digits."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip().lstrip("#")
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) == 0:
        raise ValueError(f"{show(value, 40)!r} is no number")
    return int(text)


def read_item(value: object) -> str:
    """An item number as text: ``01``, ``3.2``, ``CO-1``; a spreadsheet's 3.0 is ``3``."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,15}", text):
        raise ValueError(f"{show(value, 40)!r} is no item number")
    return text


def read_text(value: object) -> str:
    """Text, made harmless; empty text is an error."""
    text = show(value, 300)
    if not text:
        raise ValueError("nothing is written there")
    return text


def label(value: object) -> str:
    """A label in the form labels are compared in: lower case, words only."""
    if not isinstance(value, str):
        return ""
    return re.sub(r"[^a-z0-9%]+", " ", value[:200].lower()).strip()
