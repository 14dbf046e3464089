"""A JSON value as a person reads it."""

import json
from typing import Any


def plain(value: Any) -> str:
    """A value in words: texts as they are, lists with commas, nothing for nothing."""
    if isinstance(value, list):
        return ", ".join(plain(each) for each in value)
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value)
