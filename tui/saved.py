"""The person's own views of the queue, kept in a file of theirs: each a query, by name."""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tui.settings import view_query

MOST = 40
_LONGEST = 40


def load(path: Path) -> dict[str, str]:
    """The views that were saved; what is no view is left out, as is a file that is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    views: dict[str, str] = {}
    for name, query in list(found.items())[:MOST] if isinstance(found, dict) else ():
        with contextlib.suppress(ValueError):
            if isinstance(query, str):
                view_query(query)
                views[name[:_LONGEST]] = query
    return views


def keep(path: Path, views: Mapping[str, str]) -> None:
    """Write them all, or leave the file as it was.

    Raises:
        ValueError: there are too many, or a name is none.
        OSError: it can't be written.
    """
    if len(views) > MOST:
        raise ValueError(f"there are {MOST} views of your own; delete one first")
    for name in views:
        if not name.strip() or len(name) > _LONGEST or not name.isprintable():
            raise ValueError(f"a view's name has 1 to {_LONGEST} characters")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(dict(views), file, indent=1)
        Path(made).replace(path)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise
