"""Which processes a start has begun, kept in its folder for whoever finds them there without it."""

import json
from collections.abc import Mapping
from pathlib import Path
from subprocess import Popen


def note_begun(folder: Path, parts: Mapping[str, Popen[bytes]]) -> None:
    """Keep the parts' process ids."""
    _file(folder).write_text(json.dumps({name: each.pid for name, each in parts.items()}))


def forget_begun(folder: Path) -> None:
    """They have ended."""
    _file(folder).unlink(missing_ok=True)


def runs_already(folder: Path, parts: list[str]) -> str:
    """That parts run which nobody has started now, and what to do about it."""
    file = _file(folder)
    try:
        begun = json.loads(file.read_text()) if file.exists() else {}
    except ValueError:  # it was being written when its writer was killed
        begun = {}
    ids = ", ".join(f"{name} {number}" for name, number in begun.items()) or "not known"
    return (
        f"{folder}: another start's parts answer here ({', '.join(parts)}): stop it, or, if it was "
        f"killed, end the processes that it has left: {ids}"
    )


def _file(folder: Path) -> Path:
    return folder / "begun.json"
