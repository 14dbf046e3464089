"""The system of record that a page writes, and its tests; and what they rehearse, held to be so."""

import contextlib
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.client import Client
from temporalio.worker import Worker

from placet.agent import ORCHESTRATION, AgentConfig, PlacetPlugin
from placet.model import EnrolIdentity, UseStage, Verdict, digest_bytes
from placet.resource import Guard, VerifiedGrant
from placet.resource.testing import RehearsedAuthority, Shown
from placet.tokens import GrantClaims, SigningKey
from tests.admitting import admit
from tests.harness.logs import assert_holds, whole_log
from tests.harness.world import (
    World,
    free_port,
    publish,
    sandbox,
    temporal_server,
    until,
    world,
)
from tests.resource import liens
from tests.resource.simulator import served

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-system-of-record.md"
_FILE = re.compile(r"^`(registry/[a-z_.]+)`:\n\n```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the package of the page is, importable."""
    made = tmp_path / "site"
    (made / "registry").mkdir(parents=True)
    for name, content in _FILE.findall(PAGE.read_text()):
        (made / name).write_text(content)
    (made / "registry" / "__init__.py").touch()
    sys.path.insert(0, str(made))
    yield made
    sys.path.remove(str(made))
    for name in [each for each in sys.modules if each.partition(".")[0] == "registry"]:
        del sys.modules[name]


def test_the_tests_that_the_page_writes_pass(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "registry"],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "15 passed" in done.stdout, done.stdout + done.stderr


class Loses:
    """Loses the first answer to a release, after it was done; keeps the tokens that it saw."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.tokens: dict[str, str] = {}
        self.released = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand it on."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = {name: value.decode() for name, value in scope["headers"]}
        token = headers[b"authorization"].partition(" ")[2]
        if not scope["path"].endswith("/release"):
            kind = "question" if scope["path"].startswith("/v1/facts/") else "grant"
            self.tokens[kind] = token
            return await self._app(scope, receive, send)
        self.tokens["release"] = token
        self.released += 1
        if self.released > 1:
            return await self._app(scope, receive, send)

        async def nowhere(_: Any) -> None:
            pass

        await self._app(scope, receive, nowhere)
        raise ConnectionResetError("the answer is lost")


async def worker(w: World, agent: str, url: str) -> Worker:
    """The worker of one agent, which knows where the registry is."""
    plugin = PlacetPlugin(AgentConfig(agent, w.agents[agent], w.issuer, {liens.SYSTEM: url}))
    host = w.temporal.service_client.config.target_host
    activities = {
        "orchestrator": list(ORCHESTRATION),
        "lien-reader": [liens.read_lien],
        "lien-releaser": [liens.release_lien],
    }
    return Worker(
        await Client.connect(host, plugins=[plugin]),
        task_queue=agent,
        activities=activities[agent],
        workflows=[liens.LienRelease] if agent == "orchestrator" else [],
        workflow_runner=sandbox(),
    )


async def let_in(w: World, url: str) -> SigningKey:
    """Publish the process, and enrol its agents and the registry; the registry's key."""
    await publish(w.admin, liens.DEFINITION, liens.MATRIX, liens.POLICIES, liens.SCHEMA)
    for agent in liens.AGENTS:
        key = w.agents[agent] = SigningKey.generate()
        body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:ada")
        await w.admin.act("agent.enrol", f"agent:{agent}", body)
    key = SigningKey.generate()
    body = EnrolIdentity(jwk=key.public.jwk(), url=url)
    await w.admin.act("system.enrol", f"system:{liens.SYSTEM}", body)
    return key


@contextlib.asynccontextmanager
async def lending(
    registry: Any, app: Callable[[Guard], ASGIApp], folder: Path
) -> AsyncIterator[World]:
    """A world in which the page's registry is up, and its agents are at work."""
    registry.add("L-7", "bank-1")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with contextlib.AsyncExitStack() as stack:
        temporal = await stack.enter_async_context(temporal_server())
        w = await stack.enter_async_context(world(temporal, folder))
        guard = Guard(liens.SYSTEM, w.issuer, url, await let_in(w, url))
        await stack.enter_async_context(served(app(guard), port, lifespan="on"))
        for agent in ("orchestrator", *liens.AGENTS):
            await stack.enter_async_context(await worker(w, agent, url))
        yield w


async def approved(w: World) -> str:
    """A case whose release was approved."""
    opened = await w.people["pat"].open_case("lien-release", "lien/L-7")
    assert opened.case is not None
    w.started.append(opened.case)
    await w.people["cleo"].decide(await w.until_checkpoint(opened.case), Verdict.APPROVE)
    return opened.case


async def test_a_case_whose_release_lost_its_answer_ends_as_released(
    folder: Path, tmp_path: Path
) -> None:
    """I11: the next attempt, under another grant, releases nothing more; and the record holds."""
    written = importlib.import_module("registry.app")
    registry = written.Registry(tmp_path / "registry.db")
    made: list[tuple[Guard, Loses]] = []

    def app(guard: Guard) -> Loses:
        made.append((guard, Loses(written.make_app(guard, registry))))
        return made[0][1]

    async with lending(registry, app, tmp_path) as w:
        case = await approved(w)
        assert (await w.until_closed(case)).result == "released"
        await w.until_archived(case)
        assert_holds(await whole_log(w.admin))
        ((guard, lossy),) = made
        assert lossy.released == 2
        assert registry.version("L-7") == "1"
        rehearsed = RehearsedAuthority(liens.SYSTEM)
        _are_of_the_form_of(lossy.tokens, rehearsed)
        real = await _judged(guard, lossy.tokens["release"])
        async with rehearsed.guard().following() as its_guard:
            grant = _approved(rehearsed)
            rehearsed.revoke(grant)
            assert await _judged(its_guard, grant.token) == real


async def test_what_was_done_is_not_called_void(folder: Path, tmp_path: Path) -> None:
    """I11: a registry that tells its own release as a change loses no approval: people look."""
    written = importlib.import_module("registry.app")

    class Changing(written.Registry):  # type: ignore[misc, name-defined]  # of a module made here
        mended = False

        def version(self, lien: str) -> str | None:
            with self.transaction() as db:
                (version,) = db.execute("SELECT version FROM lien WHERE id = ?", (lien,)).fetchone()
            return str(super().version(lien) if self.mended else version)

    registry = Changing(tmp_path / "registry.db")
    app = lambda guard: Loses(written.make_app(guard, registry))  # noqa: E731
    async with lending(registry, app, tmp_path) as w:
        case = await approved(w)

        async def stopped() -> bool:
            return (await w.people["una"].case(case)).status in {"stopped", "closed"}

        await until(stopped)
        view = await w.people["una"].case(case)
        why = "release_lien was denied: I11, done_already, I3, forbidden, policy:approved"
        assert (view.status, view.stopped_for) == ("stopped", why)
        assert not await w.entries("checkpoint.voided")
        Changing.mended = True
        await admit(w.admin, case, "the registry tells it as it was approved now")
        assert (await w.until_closed(case)).result == "released"
        await w.until_archived(case)
        assert_holds(await whole_log(w.admin))


async def test_what_changed_on_the_way_to_its_release_goes_back_to_people(
    folder: Path, tmp_path: Path
) -> None:
    """I5: the registry says `conflict`; the authority looks as well, and the approval is void."""
    written = importlib.import_module("registry.app")
    registry = written.Registry(tmp_path / "registry.db")

    def app(guard: Guard) -> ASGIApp:
        inner = written.make_app(guard, registry)

        async def changing(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"].endswith("/release"):
                with registry.transaction() as db:
                    db.execute("UPDATE lien SET version = 2")
            await inner(scope, receive, send)

        return changing

    async with lending(registry, app, tmp_path) as w:
        case = await approved(w)
        assert (await w.until_closed(case)).result == "voided"
        performed = await w.entries("action.performed")
        assert [each["data"]["status"] for each in performed] == [409]
        await w.until_archived(case)
        assert_holds(await whole_log(w.admin))


def _approved(rehearsed: RehearsedAuthority) -> Shown:
    digest = digest_bytes(b"what is to be done")
    return rehearsed.grant("lien:release", "lien/L-7", payments_digest=digest, record_version="1")


def _are_of_the_form_of(tokens: dict[str, str], rehearsed: RehearsedAuthority) -> None:
    """What is rehearsed has the very members that the authority's own tokens have."""
    made = {
        "question": rehearsed.inquiry("lien/L-7"),
        "grant": rehearsed.grant("lien:read", "lien/L-7"),
        "release": _approved(rehearsed),
    }
    assert set(tokens) == set(made)
    for kind, shown in made.items():
        assert _members(shown.token) == _members(tokens[kind]), kind


def _members(token: str) -> list[Any]:
    header, claims = jwt.get_unverified_header(token), _claims(token)
    (details,) = claims.get("authorization_details", [{}])
    return [{**header, "kid": ""}, sorted(claims), sorted(details)]


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def _judged(guard: Guard, token: str) -> list[str | None]:
    """What an authority says to uses of a grant that has ended."""
    grant = VerifiedGrant(GrantClaims.model_validate_json(json.dumps(_claims(token))))
    use = guard.use(grant, "use-of-one-thing", UseStage.USE, 200)
    another = use.model_copy(update={"id": "use-of-another-thing"})
    said: list[str | None] = []
    for told in (
        use,
        use,
        use.model_copy(update={"status": 409}),
        use.model_copy(update={"body_digest": digest_bytes(b"another")}),
        another.model_copy(update={"grant": "grant-" + "0" * 26}),
        another.model_copy(update={"record": "lien/L-8"}),
        another.model_copy(update={"jkt": "A" * 43}),
        another.model_copy(update={"stage": UseStage.INTENT, "status": 0}),
    ):
        answer = await guard.link.tell((told,))
        said.append(answer.refused.get(told.id))
    # Which end it had is not the same: a step settles, and a test revokes.
    assert said[-1] in {"the grant is settled", "the grant is revoked"}
    assert said[:4] == [None, None, *2 * ["this id was used for another use"]]
    return said[:-1]
