"""The facts that a policy decision rested on, in words: what was kept beside its entry."""

from collections.abc import Iterator
from typing import Any

from placet.audit._files import LogFiles
from placet.audit._plainly import plain
from placet.audit._report import spelled
from placet.audit._scene import read_json
from placet.ledger import Entry


def facts_of(files: LogFiles, entry: Entry) -> tuple[str, ...]:
    """Each fact of an entry's kept context; none if it is not there or can't be read."""
    kept = files.kept.get(str(entry.data.get("context_digest")))
    if kept is None:
        return ()
    try:
        return tuple(spelled(each) for each in _flat(read_json(kept.content)["context"]))
    except (ValueError, TypeError, KeyError):
        return ()


def _flat(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name in sorted(value):
            yield from _flat(value[name], f"{path}.{name}" if path else str(name))
    else:
        yield f"{path} {plain(value) or 'none'}"
