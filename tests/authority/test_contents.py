"""What the ledger's entries name, asked for many at a time."""

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from placet.audit import verify
from placet.authority import _views
from placet.client import AuthorityError
from tests.harness.logs import whole_log
from tests.harness.world import World, temporal_server, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def w(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world in which a case waits for people."""
    folder: Path = tmp_path_factory.mktemp("contents")
    async with temporal_server() as temporal, world(temporal, folder) as made:
        async with made.workers():
            await made.until_checkpoint(await made.open("depot/C1/parcel/1"))
        yield made


async def test_a_log_is_whole_however_little_fits_into_an_answer(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I8: what has no room in an answer is asked for again."""
    usual = await whole_log(w.people["una"])
    monkeypatch.setattr(_views, "_MOST_AT_ONCE", 1)
    files = await whole_log(w.people["una"])
    assert verify(files).troubles == ()
    assert len(usual.parts) > 1
    for kind in ("acts", "kept", "parts"):
        assert dict(getattr(files, kind)) == dict(getattr(usual, kind))


async def test_what_there_is_not_is_left_out_and_too_many_names_are_refused(w: World) -> None:
    una = w.people["una"]
    (known,) = [json.loads(each)["data"]["act"] for each in (await opened(w))]
    names = [("act", known), ("act", known), ("act", secrets.token_urlsafe(18)), ("kept", "x")]
    found = await una.get(f"/v1/contents?{urlencode([*names, ('part', 'x')])}")
    assert {name: sorted(found[name]) for name in found} == {
        "acts": [known],
        "kept": [],
        "parts": [],
        "later": [],
    }
    many = [("kept", secrets.token_hex(8)) for _ in range(31)]
    with pytest.raises(AuthorityError, match="at most 30"):
        await una.get(f"/v1/contents?{urlencode(many)}")


async def opened(w: World) -> list[str]:
    """The entry that opened the case."""
    found = await w.people["una"].get("/v1/ledger/entries?limit=1024")
    return [each for each in found["entries"] if '"type":"case.opened"' in each]
