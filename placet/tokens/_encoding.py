"""Strict base64url and JSON: one spelling of a value, or an error (RFC 7515 section 2, RFC 8725).

Python's decoders forgive: stray padding, characters outside the alphabet, unused bits that are
set, the last of two equal members. Each would be a second spelling of a signed thing.
"""

import base64
import json
import re
from typing import NoReturn, cast

from placet.tokens._errors import Malformed

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*\Z")

JsonObject = dict[str, object]


def encode_base64url(data: bytes) -> str:
    """Spell bytes in base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_base64url(text: str, what: str) -> bytes:
    """Read the only spelling of some bytes.

    Raises:
        Malformed: padding, white space, any other character, or unused bits that are not zero.
    """
    if not _BASE64URL.match(text) or len(text) % 4 == 1:
        raise Malformed(f"the {what} is not base64url without padding")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode_base64url(data) != text:
        raise Malformed(f"the {what} is not the canonical base64url of its bytes")
    return data


def parse_object(data: bytes, what: str) -> JsonObject:
    """Read one JSON object in UTF-8, without equal members, ``NaN`` or ``Infinity``.

    Raises:
        Malformed: anything else.
    """
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_no_equal_members, parse_constant=_no_constant
        )
    # ValueError: not UTF-8, not JSON, equal members, thousands of digits; RecursionError: too deep.
    except (ValueError, RecursionError):
        value = None  # raised below: a chained JSONDecodeError would carry the text itself
    members = as_object(value)
    if members is None:
        raise Malformed(f"the {what} is not one JSON object with distinct members")
    return members


def as_object(value: object) -> JsonObject | None:
    """A JSON value as an object, or ``None`` if it is none."""
    return cast("JsonObject", value) if isinstance(value, dict) else None


def _no_equal_members(pairs: list[tuple[str, object]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("two equal members")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("not a number")
