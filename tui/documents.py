"""The documents behind a case: fetched where its process keeps them, and shown as text.

1. A document is the one that was read, or it is not shown: its digest is the evidence's.
2. Documents come from strangers: they are read in a process of their own.
3. A viewer is given a copy, of a kind that no desktop runs; it goes when the console does.
"""

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from placet.cli import processes
from placet.model import digest_bytes
from tui.answers import Refused
from tui.evidence import File
from tui.page import SECONDS, NoText, Page, pages_of

VIEWED = frozenset({"pdf", "xlsx", "csv", "txt", "png", "jpg", "jpeg", "tif", "tiff", "gif"})
"""Kinds of files that are given to a viewer: nothing that a desktop would run."""


async def fetch(process: str, subject: str, file: File) -> bytes:
    """A document's bytes: the very ones that the evidence was read from.

    Raises:
        Refused: this machine can't reach it, or there is another one by now.
    """
    content = await asyncio.to_thread(_fetch, process, subject, file)
    if digest_bytes(content) != file.digest:
        raise Refused(f"{file.name} is not the document that was read: its digest is another")
    return content


def _fetch(process: str, subject: str, file: File) -> bytes:
    found = processes().get(process)
    if found is None or found.document is None:
        raise Refused(f"the package of {process} that is installed here reads no documents")
    try:
        return found.document(subject, file.name, file.digest)
    except (ValueError, OSError) as error:
        raise Refused(str(error)) from None


async def read_text(name: str, content: bytes) -> tuple[Page, ...]:
    """A document as text, read in a process of its own that ends in time.

    Raises:
        NoText: there is none, and why.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui.page", Path(name).name),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await process.communicate(content)
        answer = json.loads(said)
    except (TimeoutError, ValueError):
        raise NoText("it takes too much to read as text: open it in a viewer") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if "no_text" in answer:
        raise NoText(str(answer["no_text"]))
    return pages_of(answer["pages"])


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
