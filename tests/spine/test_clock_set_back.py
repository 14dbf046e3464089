"""An authority whose clock was set back: what it writes must hold, and replay, ever after (I9)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from placet.authority._cases import Cases
from placet.authority._errors import Unavailable
from placet.authority._temporal import Temporal
from tests.harness.world import until, world


async def test_no_case_begins_before_it_was_opened(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 22121: its start stood on the ledger half a minute before Temporal's, for ever."""
    back, away, looked, started = timedelta(0), True, 0, 0
    start, start_opened = Temporal.start, Cases.start_opened

    async def starts(it: Temporal, **given: object) -> str:
        nonlocal started
        if away:
            raise Unavailable("Temporal is away")
        started += 1
        return await start(it, **given)  # type: ignore[arg-type]

    async def looks(it: Cases) -> None:
        nonlocal looked
        await start_opened(it)
        looked += 1

    async def again() -> bool:
        return looked > before + 1

    monkeypatch.setattr(Temporal, "start", starts)
    monkeypatch.setattr(Cases, "start_opened", looks)
    async with world(temporal, tmp_path, clock=lambda: datetime.now(UTC) - back) as w:
        case = await w.open("depot/D1/parcel/1")
        back, before = timedelta(seconds=30), looked
        await until(again)  # no look is under way that began before
        away, before = False, looked
        await until(again)
        assert started == 0
        back = timedelta(0)
        await w.workflow(case)
        assert started == 1
        times = {each["type"]: each["time"] for each in await w.entries()}
        assert times["case.opened"] <= times["case.started"]
