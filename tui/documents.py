"""A document that someone opens: fetched, and given to the system's viewer.

A viewer gets a copy, of a kind that no desktop runs; it goes when the console does.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from placet.cli import File, NoDocument, fetch_document
from tui.answers import Refused

VIEWED = frozenset({"pdf", "xlsx", "csv", "txt", "png", "jpg", "jpeg", "tif", "tiff", "gif"})
"""Kinds of files that are given to a viewer: nothing that a desktop would run."""


async def fetch(process: str, subject: str, file: File) -> bytes:
    """A document's bytes: the very ones that the evidence was read from.

    Raises:
        Refused: this machine can't reach it, or there is another one by now.
    """
    try:
        return await fetch_document(process, subject, file)
    except NoDocument as error:
        raise Refused(str(error)) from None


class Viewer:
    """Opens documents in the system's viewer, and takes its copies away again."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def open(self, name: str, content: bytes) -> None:
        """Open one.

        Raises:
            Refused: there is no viewer here, or none for such a file.
        """
        kind = name.lower().rpartition(".")[2]
        if kind not in VIEWED:
            raise Refused(f"a {kind} file is not opened from here")
        command = self._viewer()
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="placet-", ignore_cleanup_errors=True)
        place = Path(tempfile.mkdtemp(dir=self._folder.name)) / f"document.{kind}"
        place.touch(mode=0o600)
        place.write_bytes(content)
        subprocess.Popen(  # noqa: S603 - the person's own viewer, and a file that it is for
            [*command, str(place)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _viewer(self) -> list[str]:
        if self._command:
            return shlex.split(self._command)
        if sys.platform == "darwin":
            return ["open"]
        there = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        found = shutil.which("xdg-open") if there else None
        if found is None:
            raise Refused("there is no viewer here: read it as text, or set console.viewer")
        return [found]

    def close(self) -> None:
        """Take away what was written for a viewer."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
