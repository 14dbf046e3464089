"""What a rightful caller gets through the gateway, and what the authority hears of it."""

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Send

from placet.model import GrantUse, GrantUsesAnswer, digest_bytes
from tests.gateway.conftest import Before, Heard, say, standing
from tests.harness.world import free_port
from tests.resource.simulator import grant_id

WRITE = {"action": "book:write"}


async def test_what_was_verified_goes_on_and_the_token_does_not(before: Before) -> None:
    """I1, I7: the system behind hears who, what and why; token and proof stay at the gateway."""
    answer = await before.ask(path="/books/1?page=2", more=[("Accept", "text/plain")])
    assert (answer.status_code, answer.text) == (200, "a page")
    (heard,) = before.plain.heard
    assert (heard.method, heard.path, heard.query) == ("GET", b"/inner/books/1", b"page=2")
    said = dict(heard.headers)
    assert said["placet-agent"] == "reader"
    assert said["placet-action"] == "book:read"
    assert said["placet-record"] == "book/1"
    assert said["placet-case"].startswith("case-")
    assert said["placet-grant"].startswith("grant-")
    assert said["accept"] == "text/plain"
    assert not {"authorization", "dpop", "cookie"} & set(said)
    (told,) = await before.until_told("use")
    assert (told["grant"], told["action"], told["record"], told["status"]) == (
        said["placet-grant"],
        "book:read",
        "book/1",
        200,
    )


async def test_what_people_fixed_goes_on_too(before: Before) -> None:
    """I5: the amount, the approvals and the evidence, for the system to hold its own against."""
    fixed = {
        "max_amount": "184200.00",
        "payments_digest": digest_bytes(b"payments"),
        "approvals": ["decision-0123456789"],
        "evidence_digest": digest_bytes(b"evidence"),
        "record_version": "7",
    }
    answer = await before.ask("PUT", content=b"a page", fixed=fixed, **WRITE)
    assert answer.status_code == 200
    said = dict(before.plain.heard[0].headers)
    assert said["placet-max-amount"] == "184200.00"
    assert said["placet-payments-digest"] == fixed["payments_digest"]
    assert said["placet-approvals"] == "decision-0123456789"
    assert said["placet-evidence-digest"] == fixed["evidence_digest"]
    assert said["placet-record-version"] == "7"


async def test_what_people_fixed_needs_a_route_with_an_intent(before: Before) -> None:
    """I4: a guarded action that would be told afterwards is not done."""
    answer = await before.ask(
        "POST", "/books/1/notes", action="book:note", fixed={"max_amount": "1.00"}
    )
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert before.plain.heard == []


async def test_a_change_is_durable_at_the_authority_before_the_system_hears_of_it(
    before: Before,
) -> None:
    """I4: the intent with the body's digest first, then the request, then the result."""
    order: list[int] = []

    async def look(heard: Heard, send: Send) -> None:
        order.append(len(before.told("intent")))
        await say(send, 201, b"")

    before.plain.answer = look
    answer = await before.ask("PUT", content=b"a new page", **WRITE)
    assert (answer.status_code, order) == (201, [1])
    assert before.plain.heard[0].body == b"a new page"
    (result,) = await before.until_told("result")
    assert (result["status"], result["body_digest"]) == (201, digest_bytes(b"a new page"))
    assert before.told("intent")[0]["body_digest"] == digest_bytes(b"a new page")


async def test_without_the_authority_nothing_is_changed(before: Before) -> None:
    """I4: the intent can't be made durable, so the system never hears of it; said later."""
    before.authority.spoilt["/v1/uses"] = lambda: Response(status_code=503)
    answer = await before.ask("PUT", content=b"a new page", **WRITE)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert before.plain.heard == []
    before.authority.spoilt.clear()
    (result,) = await before.until_told("result")
    assert result["status"] == 503


async def test_a_use_that_the_authority_refuses_does_not_happen(
    before: Before, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I4, I10: say, since the record is on hold."""

    async def refusing(uses: tuple[GrantUse, ...]) -> GrantUsesAnswer:
        return GrantUsesAnswer(refused={each.id: "the record is on hold" for each in uses})

    monkeypatch.setattr(before.gateway._guard.link, "tell", refusing)
    answer = await before.ask("PUT", content=b"a new page", **WRITE)
    assert (answer.status_code, before.plain.heard) == (403, [])
    assert "on hold" in answer.json()["error_description"]


async def test_an_answer_is_handed_back_once_its_use_is_on_the_disk(before: Before) -> None:
    """I4: where the use can't be written down, nothing that was read comes out."""
    before.gateway._file._connection.execute("DROP TABLE use_")
    answer = await before.ask()
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert "a page" not in answer.text


async def test_uses_outlive_the_process(tmp_path: Path) -> None:
    """I11: what was written down is told by the next process, once."""
    async with standing(tmp_path) as first:
        first.authority.spoilt["/v1/uses"] = lambda: Response(status_code=503)
        assert (await first.ask()).status_code == 200
        assert first.told("use") == []
    async with standing(tmp_path) as second:
        (told,) = await second.until_told("use")
        assert told["status"] == 200


@pytest.mark.parametrize("size", [0, 1, 65_536, 100_000])
async def test_an_answer_of_any_allowed_size_is_streamed(before: Before, size: int) -> None:
    async def large(_: Heard, send: Send) -> None:
        await say(send, 200, b"x" * size, [(b"x-shelf", b"3")])

    before.plain.answer = large
    answer = await before.ask()
    assert (len(answer.content), answer.headers["x-shelf"]) == (size, "3")


async def test_too_large_an_answer_is_none(before: Before) -> None:
    """I12: told before where its length is said, and cut off where it is not."""

    async def told(_: Heard, send: Send) -> None:
        await say(send, 200, b"x" * 100_001)

    async def untold(_: Heard, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(11):
            await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    before.plain.answer = told
    assert (await before.ask()).status_code == 502
    before.plain.answer = untold
    with pytest.raises(httpx.RemoteProtocolError):
        await before.ask()


@pytest.mark.parametrize(("method", "path", "action"), [
    ("PUT", "/books/1", "book:write"),
    ("POST", "/books/1/notes", "book:note"),
])  # fmt: skip
@pytest.mark.parametrize("told", [True, False])
async def test_too_large_a_body_is_refused(
    before: Before, method: str, path: str, action: str, told: bool
) -> None:
    """I12: whether its length is said or not."""

    async def chunks() -> object:
        for _ in range(11):
            yield b"x" * 100

    content = b"x" * 1001 if told else chunks()
    answer = await before.ask(method, path, content=content, action=action)
    assert answer.status_code == 413
    assert before.plain.heard == []
    assert before.told("intent") == []


async def test_a_body_is_streamed_where_its_use_needs_no_intent(before: Before) -> None:
    async def chunks() -> object:
        for _ in range(3):
            yield b"abc"

    answer = await before.ask("POST", "/books/1/notes", content=chunks(), action="book:note")
    assert answer.status_code == 200
    assert before.plain.heard[0].body == b"abcabcabc"
    assert before.told("intent") == []


async def test_a_read_has_no_body(before: Before) -> None:
    assert (await before.ask(content=b"a body")).status_code == 400
    assert before.plain.heard == []


async def test_an_answer_ends_with_its_grant(before: Before) -> None:
    """I10: revoked while the answer is under way, and the rest of it does not come."""
    going = asyncio.Event()

    async def endless(_: Heard, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        going.set()
        await before.plain.over.wait()

    before.plain.answer = endless
    token = before.authority.grant(before.holder)
    asking = asyncio.create_task(before.ask(token=token))
    await going.wait()
    before.authority.revoke(grant_id(token))
    with pytest.raises(httpx.RemoteProtocolError):
        await asyncio.wait_for(asking, 10)


async def test_what_waits_for_an_answer_ends_with_its_grant(before: Before) -> None:
    """I10, I4: revoked before the system has answered: 401, and no result that nobody knows."""
    asked = asyncio.Event()

    async def never(_: Heard, send: Send) -> None:
        asked.set()
        await before.plain.over.wait()

    usual, before.plain.answer = before.plain.answer, never
    token = before.authority.grant(before.holder, **WRITE)
    asking = asyncio.create_task(before.ask("PUT", content=b"x", token=token))
    await asked.wait()
    before.authority.revoke(grant_id(token))
    answer = await asyncio.wait_for(asking, 10)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    before.plain.answer = usual
    assert await before.results() == []


async def test_whoever_goes_away_leaves_no_result_that_nobody_knows(
    before: Before, caplog: pytest.LogCaptureFixture
) -> None:
    """I4: the system may have done it: that nothing came of it would be false."""
    asked = asyncio.Event()

    async def never(_: Heard, send: Send) -> None:
        asked.set()
        await before.plain.over.wait()

    usual, before.plain.answer = before.plain.answer, never
    asking = asyncio.create_task(before.ask("PUT", content=b"x", **WRITE))
    await asked.wait()
    asking.cancel()
    async with asyncio.timeout(60):
        while "it is unknown what came of book:write of book/1" not in caplog.text:
            await asyncio.sleep(0.01)
    before.plain.answer = usual
    assert await before.results() == []


@pytest.mark.parametrize(("status", "told"), [
    (200, [200]), (409, [409]), (500, [500]), (503, [503]), (502, []), (504, []),
])  # fmt: skip
async def test_what_stands_between_has_not_the_systems_word(
    before: Before, status: int, told: list[int]
) -> None:
    """I4: a balancer that waits no longer does not know what its system has done."""

    async def answer(_: Heard, send: Send) -> None:
        await say(send, status, b"so it is")

    before.plain.answer = answer
    assert (await before.ask("PUT", content=b"x", **WRITE)).status_code == status
    assert await before.results() == told


async def test_a_system_that_is_away_is_a_502(tmp_path: Path) -> None:
    async with standing(tmp_path, upstream=f"http://127.0.0.1:{free_port()}") as made:
        answer = await made.ask("PUT", content=b"x", **WRITE)
        assert (answer.status_code, answer.json()["error"]) == (502, "bad_gateway")
        (result,) = await made.until_told("result")
        assert result["status"] == 502


async def test_a_system_that_is_too_slow_is_a_504(tmp_path: Path) -> None:
    async with standing(tmp_path, upstream_seconds=0.1) as made:

        async def slow(_: Heard, send: Send) -> None:
            await made.plain.over.wait()

        made.plain.answer = slow
        assert (await made.ask()).status_code == 504
        assert (await made.ask("PUT", content=b"x", **WRITE)).status_code == 504
        assert await made.results() == []  # it may do it yet


async def test_the_system_can_tell_the_gateway_from_others(tmp_path: Path) -> None:
    async with standing(tmp_path, upstream_authorization="Basic c2VjcmV0") as made:
        assert (await made.ask()).status_code == 200
        assert made.plain.heard[0].values("authorization") == ["Basic c2VjcmV0"]


async def test_a_redirect_is_handed_back_and_not_followed(before: Before) -> None:
    async def elsewhere(_: Heard, send: Send) -> None:
        await say(send, 302, b"", [(b"location", b"/books/2"), (b"placet-agent", b"x")])

    before.plain.answer = elsewhere
    answer = await before.ask()
    assert (answer.status_code, answer.headers["location"]) == (302, "/books/2")
    assert "placet-agent" not in answer.headers
    assert len(before.plain.heard) == 1
