"""``placet demo`` and ``placet up``: everything on this machine, in parts of its own."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

import typer

from lender import storage
from lender.demo import Books, DemoFailed, Script
from lender.embedded import (
    ADMINISTRATOR,
    PEOPLE,
    Embedded,
    PartDied,
    embedded,
    passphrase_of,
)
from lender.ports import NoPorts
from lender.sample_folder import write_samples
from lender.samples import catalog, plan_for, sample_loans
from placet.authority import FORESEEN
from placet.cli import (
    REFUSED,
    console,
    data_folder,
    fail,
    failures,
    run,
)
from placet.model import Mode
from worker.registry import ACTIVITIES


def demo(
    script: Annotated[
        bool, typer.Option("--script", help="Play the people's parts, verify, and end.")
    ] = False,
) -> None:
    """Start everything and take real packets through; on a terminal, Enter opens the console."""
    with failures(*FORESEEN):
        scripted = script or not (sys.stdin.isatty() and sys.stdout.isatty())
        with tempfile.TemporaryDirectory(prefix="placet-demo-") as folder:
            try:
                wrong = run(_scripted(Path(folder)) if scripted else _shown(Path(folder)))
            except (PartDied, NoPorts, DemoFailed) as error:
                raise fail(str(error)) from None
            except asyncio.CancelledError:
                raise fail("stopped before the end") from None
        raise typer.Exit(REFUSED if wrong else 0)


@contextlib.asynccontextmanager
async def _started(folder: Path, mode: Mode = Mode.ASSIST) -> AsyncIterator[Embedded]:
    """Start everything, and say so meanwhile; a closed terminal ends the parts as well."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_sole(folder))
        what = f"Temporal, the authority, three systems of record and {len(ACTIVITIES)} agents"
        with console().status(f"starting {what}"):
            made = await stack.enter_async_context(embedded(folder, mode=mode))
        console().print(f"started {what}")
        yield made


@contextlib.contextmanager
def _sole(folder: Path) -> Iterator[None]:
    """Be the only start of a folder: two would begin each part twice, at the same addresses.

    Raises:
        PartDied: there is another.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    held = os.open(folder, os.O_RDONLY)  # which ends with this process, and is no part's
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise PartDied(f"{folder}: it is started there already; stop that first") from None
    try:
        yield
    finally:
        os.close(held)


async def _scripted(folder: Path) -> int:
    async with _started(folder) as made:
        with Books.of(made.lender) as books:
            return await Script(made, books, console()).play()


async def _shown(folder: Path) -> int:
    async with _started(folder) as made:
        with Books.of(made.lender) as books:
            script = Script(made, books, console())
            for each in sample_loans():
                books.take_in(each)
            write_samples(folder / "samples")
            await script.take_in_others()
            await _open_some(script)
        _introduce(made)
        console().print("Enter opens the console over this; Ctrl+Q in it stops everything.")
        await _entered()
        await _work_in_the_console(made)
    return 0


async def _entered() -> None:
    """Until Enter is pressed: whoever works in another terminal copies from this one."""
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, pressed.set)
    try:
        await pressed.wait()
    finally:
        loop.remove_reader(sys.stdin)
    sys.stdin.readline()


async def _work_in_the_console(made: Embedded) -> None:
    """The console, as the loan officer, on this terminal; everything stops when it ends."""
    people = ", ".join(PEOPLE)
    settings = {
        **made.settings_for_people("omar"),
        "PLACET_PASSPHRASE": passphrase_of("omar"),
        "PLACET_CONSOLE_HINT": f'omar\'s is "{passphrase_of("omar")}", and so for: {people}',
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "placet.cli", "console"), env={**os.environ, **settings}
    )
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _open_some(script: Script) -> None:
    """Open a clean and a defective case, so that something waits for people."""
    chosen = {"small-clean": "L-1001", "hostile": "L-1003", "large-clean-two-approvals": "L-1002"}
    async with script.made.person("dana") as opener:
        for sample in catalog():
            if sample.name not in chosen:
                continue
            found = script.books.loan(sample.loan)
            folder = script.made.folder / "packets" / sample.name
            sample.write(plan_for(found), folder)
            storage.store_packet(
                script.books.storage,
                found.loan_id,
                found.next_draw,
                storage.read_packet_folder(folder),
            )
            subject = f"loan/{found.loan_id}/draw/{found.next_draw}"
            opened = await opener.open_case("loan-draw", subject)
            script.out.print(f"opened {opened.case} on {subject}, with packet {sample.name}")


def _introduce(made: Embedded) -> None:
    out = console()
    out.print(f"\nEverything is up; the authority is at {made.issuer}. Its people:")
    for name, roles in {ADMINISTRATOR: ("administrator",), **PEOPLE}.items():
        out.print(f"  {name:6} {', '.join(roles):20} passphrase: {passphrase_of(name)}")
    out.print("\nIn another terminal, as the loan officer:")
    if shutil.which("placet") is None:
        out.print(f'  export PATH="{Path(sys.executable).parent}:$PATH"', soft_wrap=True)
    for name, value in made.settings_for_people("omar").items():
        out.print(f"  export {name}={value}", soft_wrap=True)
    out.print("  placet checkpoint list")
    out.print("  placet checkpoint show CHECKPOINT")
    out.print("  placet checkpoint approve CHECKPOINT --amount AMOUNT")
    out.print(f"\nWhat an auditor trusts: --trust {made.folder / 'trust.json'}", soft_wrap=True)
    if (made.folder / "samples").exists():
        out.print(f"Sample loans and packets: {made.folder / 'samples'}", soft_wrap=True)
    out.print("Ctrl+C stops everything.")


async def _until_stopped() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def up(
    mode: Annotated[Mode, typer.Option(help="How far agents go alone.")] = Mode.ASSIST,
) -> None:
    """Start everything embedded and stay, until stopped; state is kept in PLACET_HOME."""

    async def work() -> None:
        async with _started(data_folder().absolute(), mode) as made:
            _introduce(made)
            await _until_stopped()

    with failures(*FORESEEN):
        try:
            run(work())
        except (PartDied, NoPorts) as error:
            raise fail(str(error)) from None
        except asyncio.CancelledError:
            raise fail("stopped before everything was up") from None
