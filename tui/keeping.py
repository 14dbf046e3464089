"""Keeping a file for the person: where they work, or handed over where that is a browser."""

import contextlib
import io
from pathlib import Path

from textual.app import App


def keep(app: App[object], path: Path, content: bytes) -> str:
    """Keep it, and say in which words that was done; what is there already is never written over.

    Raises:
        ValueError: it can't be kept there; the message says why, and what to do.
    """
    if app.is_web:  # in a terminal Textual's own opens the file as text, and leaves it empty
        app.deliver_binary(io.BytesIO(content), save_filename=path.name)
        return f"{path.name} is handed over."
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise ValueError(f"{path.name} is there already: choose another name.") from None
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)  # half a file is none
        raise ValueError(f"{path.name}: {error.strerror}") from None
    return f"Kept as {path.absolute()}"
