"""What a system tells the authority: intents before it acts, everything else until it is heard."""

import asyncio
from collections.abc import Sequence

import pytest
from starlette.responses import JSONResponse, Response

from placet.model import GrantUse, UseStage, digest_bytes, digest_json
from placet.resource import CannotJudge, VerifiedGrant, WrongAction, tell_uses
from placet.tokens import by_kid, verify_grant
from tests.harness.world import until
from tests.resource.simulator import SYSTEM, USES, Library

BODY = digest_bytes(b"pay 100.00")


def verified(library: Library) -> VerifiedGrant:
    """A grant that the guard has let through."""
    return VerifiedGrant(
        verify_grant(
            library.grant(),
            by_kid([library.authority.key.public]),
            issuer=library.authority.issuer,
            audience=f"urn:placet:system:{SYSTEM}",
            now=library.clock.now,
        )
    )


async def test_an_intent_is_with_the_authority_before_the_action(library: Library) -> None:
    """I4: when it returns, the authority has it; with the digest of what is to be done."""
    grant = verified(library)
    await library.guard.record_intent(grant, "intent-0123456789", BODY)
    (told,) = library.authority.uses.values()
    assert (told["stage"], told["grant"], told["body_digest"]) == ("intent", grant.id, BODY)
    shown = (digest_json(grant.claims.details), grant.claims.cnf.jkt)
    assert (told["details_digest"], told["jkt"]) == shown


async def test_a_refused_intent_stops_the_action(library: Library) -> None:
    """I10: the authority's word at the last moment, as a challenge that says so."""
    library.authority.refused_uses["intent-0123456789"] = "the record is on hold"
    with pytest.raises(WrongAction, match="on hold") as refused:
        await library.guard.record_intent(verified(library), "intent-0123456789", BODY)
    assert 'error="insufficient_scope"' in refused.value.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "spoilt",
    [
        Response("[" * 200_000),
        JSONResponse({"refused": "none"}),
        JSONResponse({"error": "temporarily_unavailable"}, 503),
        JSONResponse({"error": "invalid_client"}, 401),
    ],
    ids=["endlessly-nested", "another-shape", "unavailable", "unknown-system"],
)
async def test_an_intent_that_was_not_taken_stops_the_action(
    library: Library, spoilt: Response
) -> None:
    """I4: nothing is known to be durable, so nothing may be done."""
    library.authority.spoilt[USES] = lambda: spoilt
    with pytest.raises(CannotJudge):
        await library.guard.record_intent(verified(library), "intent-0123456789", BODY)


class Outbox:
    """A table of uses whose database is busy now and then."""

    def __init__(self, uses: Sequence[GrantUse], busy: int) -> None:
        self.waiting = {use.id: use for use in uses}
        self.busy = busy

    async def pending(self) -> Sequence[GrantUse]:
        """The first two."""
        self._work()
        return list(self.waiting.values())[:2]

    async def told(self, ids: Sequence[str]) -> None:
        """These were told."""
        self._work()
        for use in ids:
            del self.waiting[use]

    def _work(self) -> None:
        self.busy -= 1
        if self.busy >= 0 and self.busy % 2:
            raise OSError("the database is busy")


async def test_uses_are_told_until_they_are_heard(library: Library) -> None:
    """I11: a busy database, an authority that is away and one refused use lose no other use."""
    grant = verified(library)
    uses = [library.guard.use(grant, f"use-{number:016}", UseStage.USE, 200) for number in range(5)]
    outbox = Outbox(uses, busy=6)
    library.authority.refused_uses[uses[3].id] = "no grant for this system"
    library.authority.spoilt[USES] = lambda: Response(status_code=503)
    telling = asyncio.create_task(tell_uses(library.guard, outbox, pause=0.01))

    async def tried() -> bool:
        return library.authority.asked[USES] >= 3

    async def empty() -> bool:
        return not outbox.waiting

    await until(tried)
    del library.authority.spoilt[USES]
    await until(empty)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    assert sorted(library.authority.uses) == [use.id for use in uses if use is not uses[3]]


async def test_why_uses_wait_is_told_once_and_again_when_it_is_another(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    """Two lines a second, each with a trace where the database is away, would fill a log."""
    use = library.guard.use(verified(library), "use-0123456789abcdef", UseStage.USE, 200)
    outbox = Outbox([use], busy=20)  # every second look fails
    library.authority.spoilt[USES] = lambda: JSONResponse({}, 503)

    async def looked() -> bool:
        return outbox.busy < 0 and library.authority.asked[USES] > 12

    async def heard() -> bool:
        return not outbox.waiting

    caplog.clear()
    telling = asyncio.create_task(tell_uses(library.guard, outbox, pause=0.01))
    await until(looked)
    del library.authority.spoilt[USES]
    await until(heard)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    said = [each.message for each in caplog.records if each.name == "placet.resource"]
    assert said == [
        "library: telling uses failed and is tried again",
        "library: uses wait: the authority answered 503",
    ]


async def test_an_outbox_that_gives_all_it_has_is_told_a_part_at_a_time(library: Library) -> None:
    """I11: the authority takes 256 at once; after it was away there may be more."""
    grant, count = verified(library), 600

    class Whole(Outbox):
        async def pending(self) -> Sequence[GrantUse]:
            return list(self.waiting.values())

    uses = [library.guard.use(grant, f"use-{n:016}", UseStage.USE, 200) for n in range(count)]
    outbox = Whole(uses, busy=0)
    telling = asyncio.create_task(tell_uses(library.guard, outbox, pause=0.01))

    async def heard() -> bool:
        return not outbox.waiting

    await until(heard)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    assert list(library.authority.uses) == [use.id for use in uses]
