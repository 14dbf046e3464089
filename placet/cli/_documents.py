"""The documents behind a case, for a person to read: fetched where its process keeps them.

1. A document is the one that was read, or it is not shown: its digest is the evidence's.
2. Documents come from strangers: they are read as text in a process of their own.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from placet.cli._output import CommandFailed
from placet.cli._pages import SECONDS, NoText, Page, pages_of
from placet.cli._processes import processes
from placet.model import (
    CheckpointDefinition,
    Digest,
    InputPart,
    Presentation,
    RecordId,
    digest_bytes,
)

Spot = tuple[str, str]


class NoDocument(Exception):
    """It can't be had from here, or there is another one by now; the message says which."""


@dataclass(frozen=True)
class File:
    """A document of a case, as the evidence names it."""

    name: str
    digest: Digest


def value_at(data: Any, path: str) -> Any:
    """What stands at a dotted path, or ``None``."""
    for name in path.split(".") if path else ():
        if not isinstance(data, Mapping):
            return None
        data = data.get(name)
    return data


def subject_named(asked: CheckpointDefinition | None, parts: Iterable[InputPart]) -> str | None:
    """What is decided about at a checkpoint, as its evidence names it, where a process says so."""
    if asked is None or asked.about is None:
        return None
    found = (each.part.data for each in parts if each.part.name == asked.proposal)
    value, _ = read_value(value_at(next(found, None), asked.about))
    return value if isinstance(value, str) else None


def read_value(value: Any) -> tuple[Any, Spot | None]:
    """A value without its place, and the place."""
    if isinstance(value, Mapping) and "value" in value and isinstance(value.get("place"), Mapping):
        place = value["place"]
        return value["value"], (str(place.get("document", "")), str(place.get("spot", "")))
    return value, None


def files_of(presentation: Presentation, parts: Sequence[InputPart]) -> tuple[File, ...]:
    """The documents that the evidence names, each with its digest."""
    listed = presentation.files
    if listed is None:
        return ()
    found: dict[str, File] = {}
    for each in parts:
        rows = value_at(each.part.data, listed.rows) if each.part.name == listed.part else None
        for row in rows if isinstance(rows, list) else ():
            name, digest = (
                read_value(value_at(row, path))[0] for path in (listed.name, listed.digest)
            )
            if isinstance(name, str) and isinstance(digest, str):
                found[name] = File(name, digest)
    return tuple(found.values())


async def fetch_document(process: str, subject: RecordId, file: File) -> bytes:
    """A document's bytes: the very ones that the evidence was read from.

    Raises:
        NoDocument: this machine can't reach it, or there is another one by now.
    """
    content = await asyncio.to_thread(_fetch, process, subject, file)
    if digest_bytes(content) != file.digest:
        raise NoDocument(f"{file.name} is not the document that was read: its digest is another")
    return content


def _fetch(process: str, subject: RecordId, file: File) -> bytes:
    try:
        found = processes().get(process)
        if found is not None and found.document is not None:
            return found.document(subject, file.name, file.digest)
    except (ValueError, OSError, CommandFailed) as error:
        raise NoDocument(str(error)) from None
    raise NoDocument(f"the package of {process} that is installed here reads no documents")


async def read_text(name: str, content: bytes) -> tuple[Page, ...]:
    """A document as text, read in a process of its own that ends in time.

    Raises:
        NoText: there is none, and why.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "placet.cli._pages", Path(name).name),
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
