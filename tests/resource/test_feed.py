"""A grant that has ended stops here within seconds, whatever becomes of the feed (I10)."""

from collections.abc import Callable

import aiohttp
import pytest
from starlette.responses import JSONResponse, Response

from placet.resource import FEED_MAX_AGE, _authority, _feed
from tests.harness.world import until
from tests.resource.simulator import (
    FEED,
    INTROSPECT,
    Authority,
    Clock,
    Library,
    grant_id,
    guarded,
)


async def asked_again(authority: Authority, times: int = 2) -> None:
    """Wait until the feed was asked so many times more: the answers before the last are in."""
    wanted = authority.asked[FEED] + times

    async def look() -> bool:
        return authority.asked[FEED] >= wanted

    await until(look)


async def test_a_revoked_grant_is_refused_within_two_polls(library: Library) -> None:
    """I10: and the authority is not asked about each grant while the feed is fresh."""
    await asked_again(library.authority)
    token = library.grant()
    assert (await library.read(token)).status_code == 200
    library.authority.revoke(grant_id(token))
    await asked_again(library.authority)
    answer = await library.read(token)
    assert answer.status_code == 401
    assert answer.json()["error_description"] == "the grant was revoked or has been settled"
    assert library.authority.asked[INTROSPECT] == 0


async def test_an_authority_that_is_away_closes_the_system_after_two_seconds(
    library: Library, authority: Authority, clock: Clock
) -> None:
    """I10: two seconds of grace, not a millisecond more; and open again once it is back."""
    await asked_again(authority)
    token = library.grant()
    assert (await library.read(token)).status_code == 200
    await authority.stop()
    clock.advance(FEED_MAX_AGE.total_seconds())
    assert (await library.read(token)).status_code == 200
    clock.advance(0.001)
    refused = await library.read(token)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json()["error"] == "temporarily_unavailable"
    assert "WWW-Authenticate" not in refused.headers
    await authority.start()

    async def back() -> bool:
        return (await library.read(token)).status_code == 200

    await until(back)


async def test_why_the_feed_waits_is_told_once_and_again_when_it_is_another(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    """A system that is not enrolled yet asks twice a second, and would fill its log."""
    authority = library.authority
    caplog.clear()
    authority.spoilt[FEED] = lambda: JSONResponse({"error": "invalid_client"}, 401)
    await asked_again(authority, 4)
    authority.spoilt[FEED] = lambda: JSONResponse({}, 500)
    await asked_again(authority, 3)
    del authority.spoilt[FEED]
    await asked_again(authority)
    authority.spoilt[FEED] = lambda: JSONResponse({}, 500)
    await asked_again(authority, 3)
    said = [each.message for each in caplog.records if each.name == "placet.resource"]
    assert said == [
        "library: the revocation feed waits: the authority does not know this system: look at its "
        "key, its clock and whether it is enrolled",
        "library: the revocation feed waits: the authority answered 500",
        "library: the revocation feed waits: the authority answered 500",
    ]


async def test_a_clock_that_was_set_back_does_not_make_the_feed_fresh(library: Library) -> None:
    """I10: knowledge from the future is not knowledge."""
    authority = library.authority
    await asked_again(authority)
    for path in (FEED, INTROSPECT):
        authority.spoilt[path] = lambda: Response(status_code=500)
    await asked_again(authority)
    assert (await library.read(library.grant())).status_code == 200
    library.clock.advance(-30)
    assert (await library.read(library.grant())).status_code == 503


async def test_one_page_of_many_is_not_the_feed(library: Library) -> None:
    """I10: until the last page is read, the authority itself is asked about each grant."""
    authority = library.authority
    token = library.grant()
    await asked_again(authority)
    authority.page = 3
    authority.gates[FEED].close()
    await asked_again(authority, 1)  # a question of before the revocations; its answer is held
    for number in range(7):
        authority.revoke(f"grant-{number:026}")
    authority.revoke(grant_id(token))
    library.clock.advance(2.5)
    authority.gates[FEED].let_one()
    await asked_again(authority, 1)  # the first page of three, asked for just now
    authority.gates[FEED].let_one()
    await asked_again(authority, 1)  # so that one was read
    assert (await library.read(token)).status_code == 401
    assert authority.asked[INTROSPECT] == 1
    authority.gates[FEED].open()
    await asked_again(authority, 3)
    assert (await library.read(token)).json()["error_description"].endswith("been settled")
    assert authority.asked[INTROSPECT] == 1


async def test_all_pages_are_read_without_a_pause(
    authority: Authority, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I10: a system that starts late is fresh as soon as it has read what there is."""
    monkeypatch.setattr(_feed, "_PAUSE", 3600)
    authority.page = 2
    for number in range(9):
        authority.revoke(f"grant-{number:026}")
    async with guarded(authority, clock) as library:
        token = library.grant()

        async def fresh() -> bool:
            before = authority.asked[INTROSPECT]
            assert (await library.read(token)).status_code == 200
            return authority.asked[INTROSPECT] == before

        await until(fresh)
    assert authority.asked[FEED] == 5


async def test_the_feed_is_as_old_as_its_question(
    library: Library, authority: Authority, clock: Clock
) -> None:
    """I10: what was revoked while an answer was on its way is not known from it."""
    await asked_again(authority)
    token = library.grant()
    authority.gates[FEED].close()
    await asked_again(authority, 1)  # its answer is held
    authority.revoke(grant_id(token))
    clock.advance(2.5)
    authority.gates[FEED].let_one()
    await asked_again(authority, 1)  # so that one was read; the next is held
    assert (await library.read(token)).status_code == 401
    assert authority.asked[INTROSPECT] == 1


async def test_a_slow_authority_is_waited_for_and_a_silent_one_is_away(
    library: Library, authority: Authority, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I10: slow is no refusal, and no permission either."""
    import asyncio

    await asked_again(authority)
    live, dead = library.grant(), library.grant()
    assert (await library.read(live)).status_code == 200
    for path in (FEED, INTROSPECT):
        authority.gates[path].close()
    await asked_again(authority, 1)
    authority.ended.add(grant_id(dead))
    clock.advance(2.5)
    waiting = [asyncio.create_task(library.read(token)) for token in (live, dead)]

    async def both_asked() -> bool:
        return authority.asked[INTROSPECT] == 2

    await until(both_asked)
    assert not any(task.done() for task in waiting)
    authority.gates[INTROSPECT].let_one()
    authority.gates[INTROSPECT].let_one()
    assert [(await task).status_code for task in waiting] == [200, 401]
    monkeypatch.setattr(_authority, "_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    assert (await library.read(live)).status_code == 503


async def test_a_feed_that_goes_backwards_is_read_again_from_its_start(
    library: Library, authority: Authority, clock: Clock
) -> None:
    """I10: an authority that was put back numbers anew; nothing it revokes may be missed."""
    before, after = library.grant(), library.grant()
    authority.revoke("grant-" + "0" * 26)
    authority.revoke(grant_id(before))
    await asked_again(authority)
    assert (await library.read(before)).status_code == 401
    authority.gates[FEED].close()
    await asked_again(authority, 1)
    authority.gates[FEED].let_one()
    await asked_again(authority, 1)
    authority.feed.clear()
    authority.revoke(grant_id(after))  # number 1, which the guard believes to have read
    authority.gates[FEED].let_one()
    await asked_again(authority, 1)
    authority.gates[FEED].let_one()  # this one shows that it went back
    await asked_again(authority, 1)
    assert (await library.read(after)).status_code == 401
    assert authority.asked[INTROSPECT] == 1
    authority.gates[FEED].open()
    await asked_again(authority)
    assert (await library.read(after)).status_code == 401
    assert (await library.read(before)).status_code == 401
    assert authority.asked[INTROSPECT] == 1


_SPOILT: dict[str, Callable[[], Response]] = {
    "not-json": lambda: Response("<html>", media_type="application/json"),
    "not-utf-8": lambda: Response(b'"\xff"'),
    "endlessly-nested": lambda: Response("[" * 200_000),
    "too-large": lambda: Response('"' + "A" * 2_000_000 + '"'),
    "another-shape": lambda: JSONResponse({"cursor": "many"}),
    "a-grant-that-is-none": lambda: JSONResponse(
        {"revocations": [{"cursor": 9, "grant": "../../"}], "cursor": 9, "complete": True}
    ),
    "a-cursor-beyond-all": lambda: JSONResponse(
        {"revocations": [], "cursor": 10**30, "complete": True}
    ),
    "below-zero": lambda: JSONResponse({"revocations": [], "cursor": -5, "complete": True}),
    "a-refusal": lambda: JSONResponse({"error": "access_denied"}, 403),
    "a-redirect": lambda: Response(status_code=307, headers={"Location": "http://127.0.0.1:9/"}),
}


@pytest.mark.parametrize("name", sorted(_SPOILT))
async def test_no_answer_ends_the_following(library: Library, name: str) -> None:
    """I12: a spoilt feed is an old feed, and the next good answer counts again."""
    authority = library.authority
    authority.spoilt[FEED] = _SPOILT[name]
    await asked_again(authority, 3)
    token = library.grant()
    del authority.spoilt[FEED]
    await asked_again(authority, 3)
    library.clock.advance(2.5)
    await asked_again(authority, 3)
    assert (await library.read(token)).status_code == 200
    assert authority.asked[INTROSPECT] == 0
    authority.revoke(grant_id(token))
    await asked_again(authority, 3)
    assert (await library.read(token)).status_code == 401


async def test_what_has_ended_stays_ended_for_as_long_as_it_could_be_used(
    library: Library,
) -> None:
    """I10: the feed says it once; a grant is good for a minute and the skew."""
    authority = library.authority
    token = library.grant()
    authority.revoke(grant_id(token))
    for _ in range(8):
        await asked_again(authority)
        assert (await library.read(token)).status_code == 401
        library.clock.advance(8)
    assert authority.asked[INTROSPECT] == 0


async def test_before_the_feed_was_read_the_authority_is_asked_about_each_grant(
    authority: Authority, clock: Clock
) -> None:
    """I10: a system that has just started knows of no revocation."""
    authority.gates[FEED].close()
    async with guarded(authority, clock) as library:
        live, dead = library.grant(), library.grant()
        authority.revoke(grant_id(dead))
        assert (await library.read(live)).status_code == 200
        assert (await library.read(dead)).status_code == 401
        assert authority.asked[INTROSPECT] == 2


_ANSWERS: dict[str, tuple[Callable[[], Response], int]] = {
    "about-another-grant": (
        lambda: JSONResponse({"active": True, "jti": "grant-" + "0" * 26}),
        401,
    ),
    "about-no-grant": (lambda: JSONResponse({"active": True}), 401),
    "not-active": (lambda: JSONResponse({"active": False}), 401),
    "half-an-answer": (lambda: JSONResponse({}), 503),
    "truth-as-text": (lambda: JSONResponse({"active": "perhaps"}), 503),
    "not-json": (lambda: Response("active"), 503),
    "endlessly-nested": (lambda: Response("[" * 200_000), 503),
    "no-client-of-its": (lambda: JSONResponse({"error": "invalid_client"}, 401), 503),
    "unavailable": (lambda: JSONResponse({"error": "temporarily_unavailable"}, 503), 503),
}


async def test_only_a_clear_answer_lets_a_grant_through(authority: Authority, clock: Clock) -> None:
    """I10, I12: while the feed is old, anything but a plain yes about this grant is no yes."""
    authority.gates[FEED].close()
    async with guarded(authority, clock) as library:
        for name, (answer, status) in _ANSWERS.items():
            authority.spoilt[INTROSPECT] = answer
            assert (await library.read(library.grant())).status_code == status, name
        del authority.spoilt[INTROSPECT]
        assert (await library.read(library.grant())).status_code == 200
