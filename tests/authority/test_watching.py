"""Thousands of open cases are watched without asking Temporal about each of them at each look."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest

from placet.authority import AuthoritySettings, SigningKeys, Store, _serve, create_log
from placet.authority._core import Core
from placet.authority._store import CaseRun, Tx
from placet.authority._temporal import SeenRun
from placet.authority._watching import IN_TURN, Watching
from placet.tokens import SigningKey
from tests.harness.crowd import NOON, number_id, parcel_case
from tests.harness.world import PASSPHRASE

COUNT = 2 * IN_TURN + 7


@dataclass
class Visibility:
    """What Temporal lists."""

    runs: list[SeenRun] = field(default_factory=list)
    everything: list[bool] = field(default_factory=list)

    async def seen_since(self, moment: datetime, *, everything: bool) -> AsyncIterator[SeenRun]:
        assert moment < NOON
        self.everything.append(everything)
        for each in self.runs:
            yield each


def _open(tx: Tx) -> None:
    for number in range(COUNT):
        tx.add(parcel_case(number, run_id=f"run-{number}"))
    tx.add(parcel_case(COUNT, status="closed", closed_at=NOON, run_id="its own"))
    closed = number_id("case", COUNT)
    tx.add(CaseRun(case_id=closed, run_id="its own", seq=0, admitted=True, at=NOON))


async def test_each_comes_in_its_turn_and_what_is_strange_at_once(tmp_path: Path) -> None:
    """I1: another run, or an end, is looked at in the next look; nothing is left out for ever."""
    settings = AuthoritySettings(
        issuer="http://127.0.0.1:8600",
        database_url=f"sqlite:///{tmp_path / 'authority.db'}",
        key_passphrase=PASSPHRASE,
    )
    url, origin = settings.database_url, settings.origin
    async with await Store.open(url, origin=origin, clock=lambda: NOON) as store:
        await create_log(store, SigningKeys(PASSPHRASE), [("ada", SigningKey.generate().public)])
        await store.write(_open)
        temporal = Visibility()
        keys = SigningKeys(PASSPHRASE)
        core = Core(settings, store, cast("Any", temporal), keys, lambda: NOON, os.urandom)
        watching = Watching(core)
        rounds = [await watching.in_turn() for _ in range(3)]
        assert [len(each) for each in rounds] == [IN_TURN, IN_TURN, 7]
        assert len({case.id for each in rounds for case in each}) == COUNT
        last = [number_id("case", COUNT - each) for each in (1, 2, 3, 4)]
        temporal.runs = [
            SeenRun(last[0], f"run-{COUNT - 1}", running=True),  # as it should be
            SeenRun(last[1], f"run-{COUNT - 2}", running=False),
            SeenRun(last[2], "another", running=True),
            SeenRun("no case of ours", "run", running=True),
            SeenRun(number_id("case", COUNT), "its own", running=False),
            SeenRun(number_id("case", COUNT), "reset", running=True),
        ]
        strange = await watching.strange()
        assert strange.cases.keys() == {last[1], last[2]}
        assert [each.run_id for each in strange.reopened] == ["reset"]
        assert len(await watching.in_turn()) == IN_TURN
        assert temporal.everything == [False]


@pytest.mark.parametrize(("rest", "least"), [(0.0, 5.0), (1_000_000.0, 1000.0)])
async def test_the_longer_a_look_takes_the_longer_the_next_one_waits(
    monkeypatch: pytest.MonkeyPatch, rest: float, least: float
) -> None:
    """Where it takes long, all else gets its turn; another job's pause is what it is."""
    pauses: list[float] = []

    async def look() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        raise asyncio.CancelledError

    monkeypatch.setattr(_serve.asyncio, "sleep", pause)
    with pytest.raises(asyncio.CancelledError):
        await _serve._follow(cast("Any", None), None, look, 5.0, rest)  # noqa: SLF001 - its pace
    assert (pauses[0] >= least, pauses[0] == 5.0) == (True, rest == 0.0)
