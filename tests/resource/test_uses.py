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
