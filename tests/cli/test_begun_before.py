"""A first start that was killed half-way is gone on with by the next one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from lender import embedded
from lender.serve import SYSTEMS
from placet.model import Mode
from tests.harness.world import free_port, serving


class Killed(BaseException):
    """What a test ends a start with."""


def killed_at(count: int, work: Callable[..., Any]) -> Callable[..., Any]:
    """The work, whose so manieth call does not happen."""
    calls: list[object] = []

    def run(*args: Any, **named: Any) -> Any:
        calls.append(args)
        if len(calls) == count:
            raise Killed
        return work(*args, **named)

    return run


@pytest.mark.parametrize(
    ("name", "count"), [("write_key_file", 2), ("write_key_file", 14), ("create_log", 1)]
)
async def test_keys_and_log_are_made_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, count: int
) -> None:
    """I11: what is missing is made, and what is there stays."""
    plain = getattr(embedded, name)
    monkeypatch.setattr(embedded, name, killed_at(count, plain))
    with pytest.raises(Killed):
        await embedded._open(tmp_path, Mode.ASSIST)
    before = {each: each.read_bytes() for each in tmp_path.rglob("*.key")}
    made = await embedded._open(tmp_path, Mode.ASSIST)
    assert {each: each.read_bytes() for each in before} == before
    assert {each.stem for each in (tmp_path / "lender").glob("*.key")} == set(SYSTEMS)
    assert made.log_key


async def test_ports_are_kept_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: no start meets half a file."""
    monkeypatch.setattr(json, "dump", killed_at(1, json.dump))
    with pytest.raises(Killed):
        embedded._state(tmp_path, Mode.ASSIST)
    kept = embedded._state(tmp_path, Mode.ASSIST)
    assert embedded._state(tmp_path, Mode.ASSIST) == kept
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


async def test_everyone_is_enrolled_by_the_next_start(tmp_path: Path) -> None:
    """I11: what the one that was killed has done is not done again."""
    made = await embedded._open(tmp_path, Mode.ASSIST)
    temporal = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    settings = made.authority.model_copy(update={"port": int(made.issuer.rpartition(":")[2])})
    async with serving(settings, temporal):
        await embedded.enrol(made, Mode.ASSIST)
        await embedded.enrol(made, Mode.ASSIST)
        async with made.person("una") as una:
            assert await una.cases() == []
