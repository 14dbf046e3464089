"""Owners' own tools: which is called for which inventory, and what it may answer (I7, I12).

1. A tool stands in the settings of the agent that calls it, by inventory and goal. Nothing that a
   case says chooses it, or becomes one of its arguments: a command is a list and no shell line, and
   is told what to do on its standard input.
2. (I11) It is told the order, by which it does the same thing once however often it is called.
3. (I7) It answers with a proof, and that alone is read. What it writes on standard error is read by
   nobody; an answer with a secret in it, or of another form, is thrown away, and repeated nowhere.
4. It ends in time, with everything that it started.
"""

import asyncio
import contextlib
import os
import signal
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import aiohttp
from pydantic import Field, ValidationError, model_validator

from placet.model import (
    Goal,
    Model,
    Name,
    ToolProof,
    ToolTask,
    WebAddress,
    first_error,
    looks_secret,
    quantity,
)

MOST_BYTES = 16 * 1024
"""Of an answer: a proof takes two hundred."""

_SEEN_OFF = 5.0
"""Seconds for what a killed command had written."""

_ALWAYS = ("PATH", "HOME", "LANG")
"""What a command is told of the worker's environment, besides what its settings name."""


class ToolFailed(Exception):
    """A tool did not do it, or did not say so; the message has none of its words."""


class BadTools(ValueError):
    """The file of tools can't be used; the message says where and why."""


class Tool(Model):
    """One tool: a command, or an address that takes a POST.

    ``environment`` names the variables of the worker's that a command sees; ``bearer_file`` has the
    token that an address wants.
    """

    command: tuple[str, ...] = Field(default=(), max_length=50)
    environment: tuple[str, ...] = Field(default=(), max_length=50)
    url: WebAddress | None = None
    bearer_file: Path | None = None
    seconds: int = Field(default=120, ge=1, le=300)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if bool(self.command) == (self.url is not None):
            raise ValueError("command, url: a tool is one of them")
        return self


class Tools(Model):
    """The tools of each inventory, by goal."""

    sources: dict[Name, dict[Goal, Tool]] = Field(default_factory=dict)

    def tool(self, source: Name, goal: Goal) -> Tool | None:
        """The tool of an inventory for a goal, if it has one."""
        return self.sources.get(source, {}).get(goal)


def read_tools(file: Path) -> Tools:
    """Read a TOML file of tools: a table for each inventory and goal, as ``[aws-prod.rotate]``.

    Raises:
        BadTools: it can't be read, or a tool in it is none.
    """
    try:
        return Tools.model_validate({"sources": tomllib.loads(file.read_text())}, strict=False)
    except (OSError, ValueError) as error:
        said = str(error)
        if isinstance(error, ValidationError):
            place, said = first_error(error)
            said = f"{place.removeprefix('sources.')}: {said}"
        raise BadTools(f"{file}: {said}") from None


async def call(tool: Tool, task: ToolTask) -> ToolProof:
    """Call a tool, and read its proof.

    Raises:
        ToolFailed: it failed, took too long, or answered with anything but a proof.
    """
    told = task.model_dump_json(exclude={"unsure", "proof", "tries"}, exclude_none=True).encode()
    try:
        async with asyncio.timeout(tool.seconds):
            if tool.url is not None:
                return _read(await _post(tool, tool.url, task, told))
            return _read(await _run(tool, task, told))
    except TimeoutError:
        raise ToolFailed(
            f"it did not end within {quantity(tool.seconds, 'second')}, and may have done it"
        ) from None


def _read(answer: bytes) -> ToolProof:
    if len(answer) > MOST_BYTES:
        raise ToolFailed(f"its answer has more than {MOST_BYTES} bytes, and was thrown away")
    if looks_secret(answer.decode(errors="replace"), is_id=True):
        raise ToolFailed("its answer looks like a secret, and was thrown away")
    try:
        return ToolProof.model_validate_json(answer)
    except ValidationError as error:
        ours = [each["loc"][0] for each in error.errors() if each["loc"]]
        names = [str(name) for name in ours if name in ToolProof.model_fields]
        where = names[0] if names else "it has members that no proof has, or is no JSON object"
        raise ToolFailed(f"its answer is no proof ({where}), and was thrown away") from None


async def _run(tool: Tool, task: ToolTask, told: bytes) -> bytes:
    environment = _environment(tool, os.environ)
    try:
        process = await asyncio.create_subprocess_exec(
            *tool.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**environment, "PLACET_ORDER": task.order, "PLACET_IDENTITY": task.identity},
            start_new_session=True,
        )
    except OSError as error:
        raise ToolFailed(f"it could not be started: {error.strerror}") from None
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(ConnectionError):  # a tool need not read what it is told
            process.stdin.write(told + b"\n")
            await process.stdin.drain()
            process.stdin.close()
        answer = await _read_all(process.stdout)
        if len(answer) > MOST_BYTES:
            return answer
        if await process.wait() != 0:
            raise ToolFailed(f"it ended with status {process.returncode}")
        return answer
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await _see_off(process)


async def _see_off(process: asyncio.subprocess.Process) -> None:
    """Wait for the end of a killed command: of its output too, or asyncio never calls it ended."""
    assert process.stdout is not None
    # What left its process group keeps the output open for as long as it likes.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SEEN_OFF):
            while await process.stdout.read(MOST_BYTES):
                pass
            await process.wait()


async def _read_all(stream: asyncio.StreamReader | aiohttp.StreamReader) -> bytes:
    """All of a stream, or a little more than an answer may have."""
    read = bytearray()
    while len(read) <= MOST_BYTES:
        piece = await stream.read(MOST_BYTES)
        if not piece:
            break
        read += piece
    return bytes(read)


def _environment(tool: Tool, ours: Mapping[str, str]) -> dict[str, str]:
    return {name: ours[name] for name in (*_ALWAYS, *tool.environment) if name in ours}


async def _post(tool: Tool, url: str, task: ToolTask, told: bytes) -> bytes:
    headers = {"Content-Type": "application/json", "Idempotency-Key": task.order}
    try:
        if tool.bearer_file is not None:
            headers["Authorization"] = f"Bearer {tool.bearer_file.read_text().strip()}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=told, headers=headers, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise ToolFailed(f"it answered with status {response.status}")
            return await _read_all(response.content)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ToolFailed(f"it could not be reached: {type(error).__name__}") from None
