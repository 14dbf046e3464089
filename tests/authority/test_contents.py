"""What the ledger's entries name, asked for many at a time."""

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from placet.audit import verify
from placet.authority import _views
from placet.client import AuthorityError, OperatorClient
from placet.model import ActClaims
from tests.harness.logs import assert_holds, whole_log
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


async def test_an_act_under_the_oddest_id_is_fetched_like_any_other(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I8: who signs chooses it, and nobody can make a log that holds look as if it did not, or
    keep others from a case's bundle."""
    una, plain = w.people["una"], OperatorClient._claims
    ids = iter(("." * 128, "~" * 127 + ".", "a.b.c.d-e_f~g.h.i"))

    def odd(*told: Any) -> ActClaims:
        return plain(*told).model_copy(update={"jti": next(ids)})

    checkpoint = (await una.checkpoints())[0]
    monkeypatch.setattr(OperatorClient, "_claims", odd)
    await una.comment(checkpoint.id, "who weighed this?")
    await una.attach(checkpoint.id, "scale.txt", b"calibrated in May", "text/plain")
    await una.comment(checkpoint.id, "nobody did")
    files = await whole_log(una)
    assert_holds(files)
    assert len(files.attachments) == 1


async def opened(w: World) -> list[str]:
    """The entry that opened the case."""
    found = await w.people["una"].get("/v1/ledger/entries?limit=1024")
    return [each for each in found["entries"] if '"type":"case.opened"' in each]
