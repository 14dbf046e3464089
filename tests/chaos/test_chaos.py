"""What `make chaos` rests on: plans that repeat, links that are cut, points that are armed."""

import asyncio
import contextlib
import re
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from bench.chaos import __main__ as chaos
from bench.chaos import journal
from bench.chaos.breaking import Breaking
from bench.chaos.draws import until
from bench.chaos.journal import Came, Journal
from bench.chaos.links import Link
from bench.chaos.plan import POINTS, RUNS_A_STACK, Fault, Kind, plan, store_of
from bench.chaos.stack import Stack
from placet.client import AuthorityError
from placet.model import Problem
from placet.tokens import Proof, SigningKey, TokenError, make_proof, verify_proof
from tests.harness.world import free_port

ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    "rotation.before-asking": "no worker renews its key in a draw's seconds",
    "rotation.before-keeping": "the same",
    "tool.before-proof": "no owner's tool is called in a draw",
    "notice.before-send": "nobody is told of a draw here",
    "notice.after-send": "the same",
}
"""Steps that no draw comes to, and why; tests/spine and tests/kill have them."""


def test_every_step_that_the_code_names_is_one_at_which_a_part_dies() -> None:
    """A new kill point is in the plans, or stands above with its reason."""
    named = set()
    for folder in ("placet", "lender", "activities", "worker", "workflows"):
        for path in (ROOT / folder).rglob("*.py"):
            named |= set(re.findall(r"kill_point\(\s*\"([^\"]+)\"", path.read_text("utf-8")))
    planned = {point for points in POINTS.values() for point in points}
    assert named == planned | set(ELSEWHERE)
    assert not planned & set(ELSEWHERE)


def test_a_seed_is_one_plan_and_many_are_all_there_is() -> None:
    """A failing seed can be repeated, and no part or kind is left out."""
    plans = [plan(seed) for seed in range(500)]
    assert plans == [plan(seed) for seed in range(500)]
    faults = [fault for each in plans for fault in each.faults]
    assert {each.kind for each in faults} == set(Kind)
    assert {each.part for each in faults} == {*POINTS, "temporal", "database"}
    assert {(each.part, each.point) for each in faults if each.point} == {
        (part, point) for part, points in POINTS.items() for point in points
    }
    for each in plans:
        assert each.store == store_of(each.seed)
        assert each.store == "postgresql" or all(f.part != "database" for f in each.faults)
    assert store_of(0) != store_of(RUNS_A_STACK)


class Dying:
    """A process that takes its time to die, or to stand still."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.looked = 0

    def poll(self) -> int | None:
        """It is dead when it is looked at for the third time."""
        self.looked += signal.SIGKILL in self.heard
        return -9 if self.looked > 2 else None


@dataclass
class Parts:
    """What a stack has of its parts; none runs."""

    more: dict[str, dict[str, str]] = field(default_factory=dict)
    parts: dict[str, Dying] = field(default_factory=lambda: defaultdict(Dying))
    looked: int = 0

    def signal(self, part: str, number: int) -> None:
        """It is heard, and takes its time to work."""
        self.parts[part].heard.append(number)

    def stands_still(self, part: str) -> bool:
        """It does when it is looked at for the third time."""
        self.looked += signal.SIGSTOP in self.parts[part].heard
        return self.looked > 2


@pytest.mark.parametrize("kind", [Kind.KILL, Kind.STOP, Kind.SKEW])
async def test_a_fault_has_come_to_pass_when_it_is_over(kind: Kind) -> None:
    """Seed 21099: a part died just after all were found whole, and nobody started it again."""
    stack = Parts()
    await Breaking(cast(Stack, stack)).do(Fault(kind, "lender", None, at=0.0, lasts=0.0))
    process = stack.parts["lender"]
    assert process.heard
    assert stack.stands_still("lender") if kind is Kind.STOP else process.poll() is not None
    assert stack.looked > 3 if kind is Kind.STOP else process.looked > 3


async def test_two_wrong_clocks_of_one_part_come_right() -> None:
    """Seed 5107: the later one was set right first, and the earlier one's end found none to set."""
    stack = Parts()
    breaking = Breaking(cast(Stack, stack))
    await asyncio.gather(
        breaking.do(Fault(Kind.SKEW, "lender", None, at=0.0, lasts=0.04, skew=3.0)),
        breaking.do(Fault(Kind.SKEW, "lender", None, at=0.01, lasts=0.01, skew=240.0)),
    )
    assert stack.more == {}
    assert [each.kind for each in plan(5107).faults].count(Kind.SKEW) == 2


@pytest.mark.parametrize("wrong", [timedelta(minutes=-4), timedelta(minutes=4)])
async def test_whoever_asks_waits_until_a_wrong_clock_is_right(wrong: timedelta) -> None:
    """Seed 22022: an authority that was ahead called the proof of a new session too old."""
    key, url, right = SigningKey.generate(), "http://127.0.0.1/oauth/token", datetime.now(UTC)
    clocks = [right + wrong, right]

    async def look() -> Proof:
        proof = make_proof(key, "POST", url, now=right, jti="one-of-its-own-0001")
        try:
            return verify_proof(proof, method="POST", url=url, now=clocks.pop(0))
        except TokenError as error:
            said = Problem(error="invalid_dpop_proof", error_description=str(error))
            raise AuthorityError(400, said) from error

    assert (await until(look, lambda: "")).jkt == key.public.thumbprint
    assert not clocks


def came(seed: int, *troubles: str) -> Came:
    """A run, and what was wrong with it."""
    return Came(seed, [*troubles], ["1.0 s: kill lender then, 1.0 s"], ["small"], [], 3.0, 1.0)


def test_a_series_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What held is not taken again; what broke is, and stays broken."""
    kept = Journal.of_this_code(tmp_path)
    assert kept.read(range(100)) == []
    kept.write([came(7), came(8)])
    kept.write([came(9, "paid twice")])
    assert kept.read(range(8, 100)) == [came(8), came(9, "paid twice")]

    def take(seeds: Sequence[int], _logs: Path, journal: Journal) -> None:
        taken.extend(seeds)
        journal.write(came(each) for each in seeds)

    taken: list[int] = []
    monkeypatch.setattr(chaos, "_take_all", take)
    asked = ["--dry", "--logs", str(tmp_path), "--seed", "7", "--runs"]
    monkeypatch.setattr(sys, "argv", ["chaos", *asked, "2"])
    assert chaos.main() == 0
    assert "2 of these runs were taken" in capsys.readouterr().out
    assert not taken
    monkeypatch.setattr(sys, "argv", ["chaos", *asked, "4"])
    assert chaos.main() == 1
    assert taken == [9, 10]
    assert "4 runs, 5 draws, 5 faults: 1 broken [9]" in capsys.readouterr().out


def test_after_a_change_to_the_code_all_runs_are_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A figure of runs is one of the code that stands beside it."""
    monkeypatch.setattr(journal, "_ROOT", tmp_path)
    module = tmp_path / "placet" / "grants.py"
    module.parent.mkdir()
    seen = set()
    for content in ("a = 1", "a = 2", "a = 1"):
        module.write_text(content)
        seen.add(Journal.of_this_code(tmp_path / "logs").path)
    assert len(seen) == 2
    module.rename(module.with_name("other.py"))
    assert Journal.of_this_code(tmp_path / "logs").path not in seen


@contextlib.asynccontextmanager
async def echoed() -> AsyncIterator[tuple[Link, int]]:
    """A link to a server that says everything again."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(100):
                writer.write(chunk)
        writer.close()

    own, shown = free_port(), free_port()
    server = await asyncio.start_server(echo, "127.0.0.1", own)
    link = await Link.of_port(shown, own)
    try:
        yield link, shown
    finally:
        await link.close()
        server.close()


async def said(port: int) -> bytes:
    """What comes back of a word; nothing if the connection is cut."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"word")
        back = await reader.read(4)
        writer.close()
    except ConnectionError:
        return b""
    return back


async def test_a_link_that_is_dropped_cuts_what_there_is_and_what_comes() -> None:
    async with echoed() as (link, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"word")
        assert await reader.readexactly(4) == b"word"
        link.drop()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        assert await said(port) == b""
        link.mend()
        assert await said(port) == b"word"


async def test_a_hole_says_nothing_and_gives_what_it_held_when_it_is_mended() -> None:
    async with echoed() as (link, port):
        link.hole()
        waiting = asyncio.create_task(said(port))
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done
        link.mend()
        assert await waiting == b"word"


_COMES_BY = "from placet.kill import kill_point; kill_point('a.step'); print('past')"


@pytest.mark.parametrize("word", ["KILL", None])
def test_a_point_is_armed_while_its_process_runs(
    tmp_path: Path, word: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first that comes there dies, once; the next gets past it."""
    monkeypatch.setenv("PLACET_KILL_ARMED", str(tmp_path))
    if word is not None:
        (tmp_path / "a.step").write_text(word)

    def run() -> int:
        return subprocess.run([sys.executable, "-c", _COMES_BY], check=False, cwd=ROOT).returncode

    assert run() == (-9 if word else 0)
    assert run() == 0


@pytest.mark.parametrize("said_", ["", "-240", "3.5"])
def test_a_clock_is_as_wrong_as_it_is_set(said_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACET_CLOCK_SKEW", said_)
    script = (
        "from datetime import datetime, UTC; from placet.clock import system_clock;"
        "print((system_clock() - datetime.now(UTC)).total_seconds())"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout
    assert float(out) == pytest.approx(float(said_ or 0), abs=0.05)
