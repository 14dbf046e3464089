"""What commands share that work offline, too: exit codes, and one way to print and to fail.

Exit codes: 0 done, 1 something did not hold or was refused, 2 wrong usage, 3 could not be carried
out or not be judged. This imports nothing that an auditor's machine lacks (``placet[audit]``).
"""

import asyncio
import contextlib
import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from placet.model import first_error

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)
REFUSED = 1
USAGE = 2
AWAY = 3
_LONGEST = 100_000_000
"""Characters of a text file: an inventory of a hundred thousand identities has a third of it."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class CommandFailed(Exception):
    """A command that ends with a message and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class _Output(Console):
    def print(self, *objects: Any, **options: Any) -> None:
        """Print text without what could move the cursor, whoever wrote it."""
        super().print(*(_tame(each) for each in objects), **options)

    def on_broken_pipe(self) -> None:
        """Leave it to :func:`offline_failures`; Rich would end the program with 1."""
        raise  # noqa: PLE0704 - called while it is handled


def console() -> Console:
    """Where people read; markup in what others wrote is escaped by whoever prints it."""
    return _Output(highlight=False)


def fail(message: str, code: int = AWAY) -> CommandFailed:
    """An error to raise."""
    return CommandFailed(message, code)


@contextlib.contextmanager
def offline_failures() -> Iterator[None]:
    """Turn what is foreseen into one line on standard error and its exit code."""
    try:
        yield
    except CommandFailed as error:
        _stop(str(error), error.code)
    except ValidationError as error:
        name, said = first_error(error)
        _stop(f"{name}: {said}" if name else said, USAGE)
    except ModuleNotFoundError as error:
        if is_ours(error):
            raise
        _stop(lacking(error), AWAY)
    except MemoryError:
        _stop("there is not memory enough here for this; nothing was judged", AWAY)
    except BrokenPipeError:  # who read it has left, as `| head` does, and needs no telling
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(AWAY) from None
    except OSError as error:
        _stop(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), AWAY)


def is_ours(error: ModuleNotFoundError) -> bool:
    """Whether a module of ours is missing, which is no installation's fault."""
    return error.name is None or error.name.partition(".")[0] == "placet"


def lacking(error: ModuleNotFoundError) -> str:
    """What a command needs that is not installed, in words."""
    return (
        f"this needs the whole installation: there is no {error.name} here; with placet[audit] "
        "alone there are audit verify BUNDLE, audit replay BUNDLE, audit flight BUNDLE, audit "
        "prove N --bundle BUNDLE and audit witness"
    )


def _stop(message: str, code: int) -> None:
    said = "\n".join(
        harmless(line) for line in message.split("\n")
    )  # a file's name may be anything
    print(f"placet: {said}", file=sys.stderr)
    raise typer.Exit(code)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's asynchronous work."""
    return asyncio.run(work)


def read_bytes(path: Path, most: int, what: str) -> bytes:
    """Up to so many bytes of a file; ``-`` is standard input.

    A pipe or a device that is named could keep who asks waiting for ever, without a word.

    Raises:
        CommandFailed: it is no file, or nothing is piped in.
        OSError: it can't be read.
    """
    if str(path) == "-":
        if sys.stdin.isatty():
            raise fail(f"-: pipe {what} in; standard input is a terminal", USAGE)
        return sys.stdin.buffer.read(most)
    if not path.exists():
        raise fail(f"{path}: there is no such file", USAGE)
    if not path.is_file():
        kind = "folder" if path.is_dir() else "pipe" if path.is_fifo() else "device"
        raise fail(f"{path}: a {kind}, and no file; {what} can be piped in as -", USAGE)
    with path.open("rb") as file:
        return file.read(most)


def new_file(path: Path, name: str) -> Path:
    """Where a new file is to be: there, or under a name of its own in the folder that this is.

    Raises:
        CommandFailed: something else than a file is there.
    """
    path = path / name if path.is_dir() else path
    if str(path) == "-" or (path.exists() and not path.is_file()):
        raise fail(f"{path}: no file; name one, or a folder", USAGE)
    return path


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file as a whole, or not at all.

    Raises:
        OSError: it can't be written; its own name is told.
    """
    whole = path.resolve()  # what a link leads to, and not the link
    part = whole.with_name(f".{secrets.token_hex(8)}.part")  # another export may run beside
    try:
        part.write_bytes(data)
        part.replace(whole)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def read_text(path: Path) -> str:
    """A text file's content.

    Raises:
        CommandFailed: it is not UTF-8, or too long.
        OSError: it can't be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LONGEST + 1)
    except UnicodeDecodeError:
        raise fail(f"{path}: not UTF-8 text", USAGE) from None
    if len(text) > _LONGEST:
        raise fail(f"{path}: longer than {_LONGEST:,} characters", USAGE)
    return text


def read_json(path: Path) -> Any:
    """A JSON file's content.

    Raises:
        CommandFailed: it is none.
        OSError: it can't be read.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise fail(f"{path}: not JSON: {error}", USAGE) from None


def read_model(path: Path, model: type[ModelT]) -> ModelT:
    """A JSON file's content as a model.

    Raises:
        CommandFailed: it does not fit; file and member are named.
        OSError: it can't be read.
    """
    text = read_text(path)
    with contextlib.suppress(ValueError, RecursionError):  # what is no JSON is told below
        json.loads(text, object_pairs_hook=lambda pairs: _once(path, pairs))
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        name, said = first_error(error)
        raise fail(f"{path}: {name}: {said}" if name else f"{path}: {said}", USAGE) from None


def _once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose members stand in it once: of two, each reader would take another."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise fail(f"{path}: {name} stands twice in one object", USAGE)
    return dict(pairs)


_ROOM = 24
"""What a column of words needs to be read; what has no spaces is never broken."""
_GAP = 2
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?Z")


def show(
    data: Any,
    *,
    as_json: bool,
    columns: tuple[str, ...] = (),
    otherwise: Callable[[Mapping[str, Any]], None] | None = None,
) -> None:
    """Print data: as JSON, or as a table of these columns.

    A table that would break an id, a record or another word is none that can be read or copied:
    each row has lines of its own then, or is printed by ``otherwise``.
    """
    rows = [_plain(each) for each in data] if isinstance(data, list) else _plain(data)
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=True))
    elif not rows:
        print("none")
    elif isinstance(rows, list):
        # What no row has says nothing, and takes the room of what some have.
        told = [column for column in columns if any(_cell(row.get(column)) for row in rows)]
        cells = [[_short(row.get(column)) for column in told] for row in rows]
        table = _table(told, cells)
        if table is not None:
            console().print(table)
        for row, (first, *rest) in zip(rows, cells, strict=True) if table is None else ():
            if otherwise is not None:
                otherwise(row)
                continue
            print(first)
            for column, cell in zip(told[1:], rest, strict=True):
                if cell:
                    print(f"    {column}  {cell}")
    else:
        for name, value in rows.items():
            said = f"[bold]{escape(name)}[/bold]  {escape(_cell(value))}"
            console().print(said, soft_wrap=True)  # or a digest stands on a line of its own


def _table(columns: Sequence[str], cells: list[list[str]]) -> Table | None:
    """A table of cells; ``None`` where there is no room for one."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    room = console().width + _GAP
    for name, *column in zip(columns, *cells, strict=True):
        longest = max(map(cell_len, (name, *column)))
        broken = any(" " in each for each in column)
        word = max(map(cell_len, (name, *" ".join(column).split())))
        least = min(longest, max(word, _ROOM)) if broken else longest
        table.add_column(name, min_width=least, no_wrap=not broken)
        room -= least + _GAP
    for each in cells:
        table.add_row(*(escape(cell) for cell in each))
    return table if room >= 0 else None


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    return value


def _short(value: Any) -> str:
    """What stands in a table: times to the minute."""
    return _TIME.sub(r"\1 \2Z", _cell(value))


def _cell(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = "; ".join(value)
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return harmless(text)


def _tame(shown: Any) -> Any:
    if not isinstance(shown, str):
        return shown
    return "\n".join(map(harmless, shown.replace("\r\n", "\n").expandtabs().split("\n")))


def harmless(text: str) -> str:
    """Text without what could move a terminal's cursor; a line break is a mark."""
    marked = text.replace("\r\n", "\n").replace("\n", "↵")
    return "".join(each if each.isprintable() else "\ufffd" for each in marked)
