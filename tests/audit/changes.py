"""Any single change to a history: a field changed or gone, an event dropped, doubled, swapped, or
the end cut off."""

import base64
import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

from tests.audit.recording import History, renumber

Path = tuple[str | int, ...]
_WORDS = {"identity", "name", "message", "reason"}


@dataclasses.dataclass(frozen=True)
class Change:
    """What is done, to which event, and to which of its fields."""

    what: str
    event: int
    path: Path = ()

    def __call__(self, history: History) -> None:
        """Do it."""
        events = history["events"]
        match self.what:
            case "change":
                _put(events[self.event], self.path, other(_get(events[self.event], self.path)))
            case "remove":
                del _get(events[self.event], self.path[:-1])[self.path[-1]]
            case "drop":
                del events[self.event]
                renumber(history)
            case "double":
                events.insert(self.event, copy.deepcopy(events[self.event]))
                events[self.event + 1]["eventId"] = "new"
                renumber(history)
            case "swap":
                pair = events[self.event : self.event + 2]
                events[self.event : self.event + 2] = pair[::-1]
                renumber(history)
            case "cut":
                del events[self.event :]
            case _:
                raise AssertionError(self.what)


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every path to a plain value."""
    if isinstance(value, dict):
        for name in value:
            yield from leaves(value[name], (*path, name))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from leaves(value[index], (*path, index))
    else:
        yield path


def changes(history: History) -> list[Change]:
    """Every single change that this module can make to a history."""
    events = history["events"]
    found: list[Change] = []
    for number, event in enumerate(events):
        for path in leaves(event):
            found.append(Change("change", number, path))
            found.append(Change("remove", number, path))
        found += [Change("drop", number), Change("double", number)]
        if number:
            found.append(Change("cut", number))
        if number + 1 < len(events):
            found.append(Change("swap", number))
    return found


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if not isinstance(value, str):
        return "other"
    if value.isdigit():
        return str(int(value) + 1)
    if value.endswith("s") and value[:-1].replace(".", "").isdigit():
        return f"{float(value[:-1]) + 1:g}s"
    if "T" in value and value.endswith("Z") and value[:4].isdigit():
        return f"{int(value[:4]) - 1}{value[4:]}"
    if value.startswith("EVENT_TYPE_"):
        return (
            "EVENT_TYPE_TIMER_FIRED" if "TIMER_FIRED" not in value else "EVENT_TYPE_TIMER_STARTED"
        )
    if value.startswith("TASK_QUEUE_KIND_"):
        return "TASK_QUEUE_KIND_STICKY" if "NORMAL" in value else "TASK_QUEUE_KIND_NORMAL"
    if value.startswith("RETRY_STATE_"):
        return "RETRY_STATE_TIMEOUT"
    return _reencoded(value) or value + "x"


def _reencoded(value: str) -> str | None:
    """Another payload, where it is one."""
    try:
        data = base64.b64decode(value, validate=True)
    except ValueError:
        return None
    if not data or len(value) % 4 or len(value) < 8:
        return None
    at = next((i for i, byte in enumerate(data) if chr(byte).isalpha()), 0)
    changed = data[:at] + (b"x" if data[at : at + 1] != b"x" else b"y") + data[at + 1 :]
    return base64.b64encode(changed).decode()


def _get(value: Any, path: Path) -> Any:
    for name in path:
        value = value[name]
    return value


def _put(value: Any, path: Path, changed: Any) -> None:
    _get(value, path[:-1])[path[-1]] = changed
