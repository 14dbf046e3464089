"""The tutorial's process, built from the blocks of its page, runs; and it can't be got around."""

import contextlib
import importlib
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from temporalio.worker import Worker

from placet.model import AuthorityMatrix, EnrolIdentity, Reason, Verdict
from placet.tokens import SigningKey
from tests.harness.world import World, publish, temporal_server, until, world

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (DOCS / "tutorial" / "a-process-from-nothing.md", DOCS / "how-to" / "test-a-process.md")
_FILE = re.compile(r"^`(refunds/[a-z_.-]+)`:\n\n```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
AGENTS = ("refund-reader", "refund-payer")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The package as the pages have it, importable."""
    made = tmp_path / "site" / "refunds"
    made.mkdir(parents=True)
    for name, content in _FILE.findall("".join(page.read_text() for page in PAGES)):
        (tmp_path / "site" / name).write_text(content)
    (made / "__init__.py").touch()
    sys.path.insert(0, str(made.parent))
    yield made
    sys.path.remove(str(made.parent))
    for name in [each for each in sys.modules if each.partition(".")[0] == "refunds"]:
        del sys.modules[name]


async def working(w: World, agent: str) -> Worker:
    """An agent's worker, as the package makes it."""
    make = importlib.import_module("refunds.worker").make_worker
    address = w.temporal.service_client.config.target_host
    made: Worker = await make(agent, w.agents[agent], w.issuer, address)
    return made


@contextlib.asynccontextmanager
async def shop(
    folder: Path, database: Path, at_work: Sequence[str] = ("orchestrator", *AGENTS)
) -> AsyncIterator[World]:
    """A world in which the package's process is published, and its agents are in, or at work."""
    definition = importlib.import_module("refunds.definition").DEFINITION
    matrix = AuthorityMatrix.model_validate_json((folder / "authority-matrix.json").read_text())
    async with contextlib.AsyncExitStack() as stack:
        temporal = await stack.enter_async_context(temporal_server())
        w = await stack.enter_async_context(world(temporal, database))
        policies, schema = (
            (folder / name).read_text() for name in ("policies.cedar", "schema.cedarschema")
        )
        await publish(w.admin, definition, matrix, policies, schema)
        for name, role in (("desi", "desk"), ("carl", "clerk"), ("mona", "manager")):
            key = w.keys[name] = SigningKey.generate()
            body = EnrolIdentity(jwk=key.public.jwk(), roles=(role,))
            await w.admin.act("operator.enrol", f"operator:{name}", body)
            person = type(w.admin)(w.issuer, f"operator:{name}", key)
            w.people[name] = await stack.enter_async_context(person)
        for agent in AGENTS:
            key = w.agents[agent] = SigningKey.generate()
            body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:ada")
            await w.admin.act("agent.enrol", f"agent:{agent}", body)
        for agent in at_work:
            await stack.enter_async_context(await working(w, agent))
        yield w


async def opened(w: World, refund: int) -> str:
    answer = await w.people["desi"].open_case("refund", f"shop/S1/refund/{refund}")
    assert answer.case is not None
    w.started.append(answer.case)
    return answer.case


async def approve(w: World, case: str, *people: str) -> None:
    view = await w.until_checkpoint(case, "refund-approval")
    for name in people:
        await w.people[name].decide(view, Verdict.APPROVE, amount=view.evidence.proposal.amount)


async def test_the_tutorials_process_asks_people_and_pays(folder: Path, tmp_path: Path) -> None:
    async with shop(folder, tmp_path) as w:
        small, large = await opened(w, 17), await opened(w, 18)
        await approve(w, small, "carl")
        await approve(w, large, "carl")
        assert (await w.until_closed(small)).result == "paid"
        assert (await w.people["una"].case(large)).status == "open"
        await approve(w, large, "mona")
        assert (await w.until_closed(large)).result == "paid"
        view = (await w.people["una"].checkpoints(case=large))[0]
        assert view.requirement.schedule is not None
        types = [each["type"] for each in await w.entries() if each.get("case") == large]
    assert types.count("decision.recorded") == 2
    assert "grant.denied" not in types


async def test_an_approval_that_holds_no_longer_pays_nothing_and_ends_the_case(
    folder: Path, tmp_path: Path
) -> None:
    """I5: who approved was suspended before it was paid; nobody has to end the case by hand."""
    async with shop(folder, tmp_path, ("orchestrator", "refund-reader")) as w:
        case = await opened(w, 17)
        await approve(w, case, "carl")
        await w.admin.act("operator.suspend", "operator:carl", Reason(reason="left the shop"))
        async with await working(w, "refund-payer"):
            assert (await w.until_closed(case)).result == "voided"
        types = [each["type"] for each in await w.entries() if each.get("case") == case]
    assert "case.stopped" not in types


async def test_the_tests_that_the_docs_write_for_it_pass(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    written = importlib.import_module("refunds.test_refunds")
    names = [each for each in vars(written) if each.startswith("test_")]
    assert len(names) == 3
    for name in names:
        await getattr(written, name)()


async def test_the_tutorials_agent_pays_nothing_that_nobody_approved(
    folder: Path, tmp_path: Path
) -> None:
    """I5: workflow code that goes to the payment without asking is denied, and the case stops."""
    page = (folder / "workflow.py").read_text()
    asked = page.index("        outcome = await self.checkpoint(")
    paid = page.index("        await self.close(")
    hasty = """        await self.take(case, "pay_back", case.subject, PartRef)
        result = "paid"
"""
    (folder / "workflow.py").write_text(page[:asked] + hasty + page[paid:])
    async with shop(folder, tmp_path) as w:
        case = await opened(w, 17)

        async def stopped() -> bool:
            return (await w.people["una"].case(case)).status == "stopped"

        await until(stopped)
        types = [each["type"] for each in await w.entries() if each.get("case") == case]
    assert "grant.denied" in types
    assert "decision.recorded" not in types
