"""A case is opened on what a system of record says now: when it does not, says something else, or
counts no more."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from placet.authority import _facts
from placet.authority._errors import Unavailable
from placet.authority._facts import FactsClient, FetchedFacts
from placet.authority._store import Case, Checkpoint, Identity, Registered, Tx
from placet.model import EnrolIdentity, FactSource, OpenCase
from placet.tokens import SigningKey
from tests.agent.surroundings import serving
from tests.harness.acting import Acting, acting
from tests.harness.crowd import Asked, number_id, parcel_case, put
from tests.harness.processes import DEFINITION, matrix
from tests.harness.world import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT, WHY = "depot/D1/parcel/{}", {"reason": "a test"}


@dataclass
class Depot:
    """A system of record that answers what a test wants."""

    url: str = ""
    status: int = 200
    said: dict[str, Any] = field(default_factory=dict[str, Any])
    padding: int = 0
    asked: int = 0

    @contextlib.asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Let it answer."""
        app = Starlette(routes=[Route("/v1/facts/{record:path}", self._facts)])
        async with serving(app, int(self.url.rpartition(":")[2])):
            yield

    async def _facts(self, request: Request) -> Response:
        self.asked += 1
        plain = {"record": request.path_params["record"], "version": "1", "facts": {}}
        body = json.dumps({**plain, **self.said}) + " " * self.padding
        return Response(body, self.status, media_type="application/json")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Acting]:
    """An authority whose parcels' facts are told by a system that is not enrolled yet."""
    async with acting(tmp_path_factory.mktemp("facts")) as made:
        source = FactSource(name="depot", system="depot", relation="parcel")
        definition = DEFINITION.model_copy(update={"facts": (source,)})
        await made.act("ada", "process.publish", DEFINITION.name, definition)
        await made.act("ada", "matrix.publish", DEFINITION.name, matrix())
        await made.enrol("pat", "porter")
        await made.enrol("paul", "porter")
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def depot(at: Acting) -> Depot:
    """The system, enrolled where nobody answers yet."""
    made = Depot(f"http://127.0.0.1:{free_port()}")
    body = EnrolIdentity(jwk=SigningKey.generate().public.jwk())
    await at.act("ada", "system.enrol", "system:depot", body)
    said = "system depot is not enrolled with an address"
    await at.refuses_act("pat", "case.open", SUBJECT.format(1), opening(1), 503, said)
    more = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), url=made.url)
    await at.act("ada", "system.enrol", "system:depot", more)
    return made


def opening(number: int) -> OpenCase:
    return OpenCase(process=DEFINITION.name, subject=SUBJECT.format(number))


async def test_a_system_that_nobody_enrolled_tells_nothing(at: Acting) -> None:
    """I3: the authority asks none that no administrator has named."""
    said = "system depot is not enrolled with an address"
    await at.refuses_act("pat", "case.open", SUBJECT.format(1), opening(1), 503, said)


async def test_what_a_system_says_otherwise_than_it_must_opens_nothing(
    at: Acting, depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I3, I12: not with another status, of another record, or more than anyone reads."""
    act = ("pat", "case.open", SUBJECT.format(1), opening(1))
    await at.refuses_act(*act, 503, "system depot does not answer")
    monkeypatch.setattr(_facts, "_MAX_ANSWER", 1000)
    async with depot.up():
        depot.status = 500
        await at.refuses_act(*act, 503, "system depot answered 500 for its facts")
        depot.status, depot.padding = 200, 2000
        await at.refuses_act(*act, 503, "system depot answered 200 for its facts")
        depot.padding, depot.said = 0, {"record": SUBJECT.format(2)}
        await at.refuses_act(*act, 503, "system depot answered about another record")
        depot.said = {}
        assert (await at.act(*act)).case is not None


async def test_what_is_answered_without_a_system_does_not_wait_for_it(
    at: Acting, depot: Depot
) -> None:
    """I11, I10: an act that was carried out is answered the same while the system is away, and who
    may not act is told so."""
    signed = at.sign("pat", "case.open", SUBJECT.format(3), opening(3))
    async with depot.up():
        answer = await at.acts.perform(signed)
    asked = depot.asked
    assert await at.acts.perform(signed) == answer
    await at.act("ada", "operator.suspend", "operator:paul", WHY)
    said = "operator:paul or its key is suspended"
    subject = SUBJECT.format(4)
    await at.refuses_act("paul", "case.open", subject, opening(4), 403, said, "I10", "suspended")
    assert depot.asked == asked


async def test_only_what_was_returned_is_answered_with_a_version_that_nobody_has_read(
    at: Acting, depot: Depot
) -> None:
    """I5: a new version answers a return; before people were asked there is none to answer."""
    case, checkpoint = number_id("case", 70), number_id("ckpt", 70)
    asked = Asked(70, process=DEFINITION.name, subject=SUBJECT.format(70), now=at.core.clock())
    await at.write(lambda tx: tx.add(parcel_case(70)))
    body = {"record": SUBJECT.format(70), "version": "1"}
    async with depot.up():
        said = "nothing was returned: the case has no checkpoint yet"
        await at.refuses_act("pat", "case.resubmit", case, body, 409, said)

        def returned(tx: Tx) -> None:
            tx.remove(Case, case)
            put(tx, asked)
            tx.change(Checkpoint, checkpoint, status="returned")

        await at.write(returned)
        await at.act("pat", "case.resubmit", case, body)
    last = (await at.entries())[-1]
    assert (last["type"], last["data"]["checkpoint"]) == ("case.resubmitted", checkpoint)
    assert "replaces" not in last["data"] or last["data"]["replaces"] is None


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("system.suspend", "system depot is suspended"),
        ("identity.end", "system depot: the identity's end date has passed"),
        ("system.offboard", "system depot is offboarded"),
    ],
)
async def test_a_system_that_is_off_is_neither_asked_nor_believed(
    at: Acting, depot: Depot, monkeypatch: pytest.MonkeyPatch, act: str, said: str
) -> None:
    """I3, I10: from that instant, also what it has answered a moment before."""
    await at.write(_works_again)
    opens = ("pat", "case.open", SUBJECT.format(80), opening(80))
    fetch = FactsClient.fetch

    async def then_off(asked: FactsClient, *about: Any) -> FetchedFacts:
        told = await fetch(asked, *about)
        await at.act("ada", act, "system:depot", WHY)
        return told

    async with depot.up():
        asked = depot.asked
        with monkeypatch.context() as patched:
            patched.setattr(FactsClient, "fetch", then_off)
            with pytest.raises(Unavailable, match=said):
                await at.act(*opens)
        assert depot.asked == asked + 1
        await at.refuses_act(*opens, 503, said)
        assert depot.asked == asked + 1


def _works_again(tx: Tx) -> None:
    tx.change(Identity, "system:depot", status="active")
    tx.change(Registered, "system:depot", ends_at=None)
