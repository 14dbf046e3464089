"""Erasing a case: who may, when, what is gone, and what still holds. And who gets payload keys."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import create_engine, text
from temporalio import activity
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest
from temporalio.client import Client
from typer.testing import CliRunner

from placet.agent import current_grant, governed
from placet.audit import (
    approvals_again,
    read_bundle,
    replay,
    timeline,
    verify,
    verify_bundle,
    write_bundle,
)
from placet.cli import fetch_case, fetch_log
from placet.cli._app import app
from placet.client import AuthorityError, OperatorClient
from placet.ledger import LedgerError
from placet.model import (
    ActAnswer,
    AuthorityMatrix,
    CaseArchive,
    EnrolIdentity,
    Finding,
    Hold,
    PartRef,
    Proposal,
    Reason,
    RowCut,
    Verdict,
    digest_json,
)
from placet.process import StepRequest
from placet.tokens import SigningKey, make_client_assertion, make_proof, write_key_file
from tests.audit.recording import changed_entry, find, names, put
from tests.harness import processes
from tests.harness.databases import KINDS, new_database
from tests.harness.logs import only, whole_log
from tests.harness.parcel_work import Weight
from tests.harness.parcels import ParcelCheck
from tests.harness.reading import KeysOfStore
from tests.harness.world import World, temporal_server, until, world

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = Reason(reason="the borrower asked for it")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def temporal() -> AsyncIterator[Client]:
    """One server for the module's worlds."""
    async with temporal_server() as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def w(
    request: pytest.FixtureRequest, temporal: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """One world for the module, and one more on PostgreSQL; each test has parcels of its own."""
    folder = tmp_path_factory.mktemp("w")
    with new_database(request, getattr(request, "param", "sqlite"), folder) as url:
        async with world(temporal, folder, url) as made:
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bea(w: World) -> AsyncIterator[OperatorClient]:
    """A second administrator."""
    key = SigningKey.generate()
    body = EnrolIdentity(jwk=key.public.jwk(), roles=("administrator",))
    await w.admin.act("operator.enrol", "operator:bea", body)
    async with OperatorClient(w.issuer, "operator:bea", key) as client:
        yield client


async def publish_retention(w: World, days: int | None, version: list[int]) -> None:
    """Set the lender's retention, by a new matrix."""
    version[0] += 1
    matrix: AuthorityMatrix = processes.matrix(version[0])
    matrix = matrix.model_copy(update={"retention_days": days})
    await w.admin.act("matrix.publish", "parcel-check", matrix)


async def closed_case(w: World, parcel: str) -> str:
    """A case that was approved with words of a person's own, and archived."""
    async with w.workers():
        case = await w.open(f"depot/E1/parcel/{parcel}")
        checkpoint = await w.until_checkpoint(case)
        await w.people["cleo"].decide(
            checkpoint, Verdict.APPROVE, amount=Decimal("80.00"), comment="I know the sender"
        )
        await w.until_archived(case)
    return case


async def erase(w: World, bea: OperatorClient, case: str) -> ActAnswer:
    """Two administrators sign."""
    proposed = await w.admin.act("case.erase", case, WHY)
    assert proposed.status == "proposed"
    waiting = next(each for each in await bea.proposals() if each.target == case)
    return await bea.countersign(waiting)


async def refused(w: World, bea: OperatorClient, case: str, why: str) -> None:
    """Both sign, and it is refused all the same; the proposal is taken back."""
    with pytest.raises(AuthorityError, match=why):
        await erase(w, bea, case)
    for waiting in await w.admin.proposals():
        await w.admin.act("act.withdraw", waiting.jti, Reason(reason="refused"))


async def in_files(w: World, words: bytes) -> bool:
    """Whether words are in a file of the database; PostgreSQL is told to forget first."""
    if w.settings.database_url.startswith("sqlite"):
        folder = Path(w.settings.database_url.removeprefix("sqlite:///")).parent
        names = "authority.db*"  # the write-ahead file as well
    else:
        engine = create_engine(w.settings.database_url.replace("://", "+psycopg://"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as database:
            database.execute(text("VACUUM FULL"))
            database.execute(text("CHECKPOINT"))
            folder = Path(database.execute(text("SHOW data_directory")).scalar_one()) / "base"
        engine.dispose()
        names = "*/*"
    return any(words in each.read_bytes() for each in folder.glob(names) if each.is_file())


@pytest.mark.parametrize("w", KINDS, indirect=True)
async def test_a_case_is_erased_by_two_after_its_retention_and_under_no_hold(
    w: World, bea: OperatorClient
) -> None:
    """I6, I8: what may go is gone; the ledger and what was decided stay, and still verify."""
    version = [1]
    case = await closed_case(w, "1")
    other = await closed_case(w, "2")
    await refused(w, bea, case, "no retention is set")
    await publish_retention(w, 30, version)
    await refused(w, bea, case, "must be kept until")
    await publish_retention(w, 0, version)
    await w.people["hal"].act("hold.place", "depot/E1", Hold(reason="a court wants it"))
    await refused(w, bea, case, "is on hold")
    await w.people["hal"].act("hold.lift", "depot/E1", Reason(reason="it does not any more"))

    una = w.people["una"]
    before = CaseArchive.model_validate(await una.get(f"/v1/cases/{case}/archive"))
    (opened,) = [e for e in await w.entries("checkpoint.opened") if e["case"] == case]
    jws = (await una.checkpoint(opened["data"]["checkpoint"])).decisions[0].jws
    parts = [each["digest"] for each in await _parts(w, case)]
    assert parts
    words = jws.split(".")[1].encode()
    assert await in_files(w, words)
    done = await erase(w, bea, case)
    assert done.status == "done"

    after = CaseArchive.model_validate(await una.get(f"/v1/cases/{case}/archive"))
    assert (after.erased, after.runs, after.salt) == (True, (), None)
    assert (after.seal, after.contents) == (before.seal, before.contents)
    view = await una.case(case)
    assert (view.archive, view.result) == ("erased", "dispatched")
    for digest in parts:
        with pytest.raises(AuthorityError, match="erased"):
            await una.get(f"/v1/cases/{case}/parts/{digest}")
    for digest in await _kept(w, case):
        with pytest.raises(AuthorityError, match="nothing is kept"):
            await una.get(f"/v1/kept/{digest}")
    ring = await KeysOfStore(w.settings).ring(case)
    assert "[]" in repr(ring)

    async def gone() -> bool:  # a moment later
        return not await in_files(w, words)

    await until(gone)
    (entry,) = [e for e in await w.entries("case.erased") if e["case"] == case]
    assert entry["data"]["second"]
    assert entry["data"]["erased"]["keys"] == 1
    assert {"histories": 1, "parts": 3, "decisions": 1}.items() <= entry["data"]["erased"].items()

    # Nobody else's case has lost anything, and it is erased once.
    kept = CaseArchive.model_validate(await una.get(f"/v1/cases/{other}/archive"))
    assert kept.runs
    await refused(w, bea, case, "was erased at")
    files = await whole_log(una)
    report = verify(files)
    assert [(each.name, each.found) for each in report.troubles] == []
    at = find(files, "case.erased")
    unsigned = changed_entry(files, at, put(act=token_urlsafe(18)))
    assert ("act-missing", f"entry {at}") in names(verify(unsigned))
    told = await replay(files, case, [ParcelCheck])
    assert (told.holds, told.checked) == (True, {"cases whose history was erased": 1})
    *_, last = timeline(files, case)
    assert last.text.startswith("erased, signed by two: ")
    assert "1 histories" in last.text
    bundle = write_bundle(only(files, case), case)
    with zipfile.ZipFile(io.BytesIO(bundle)) as members:
        assert b"erased, signed by two: " in members.read("report.html")
    assert verify_bundle(read_bundle(bundle)).troubles == ()

    # Under a head of before, what is gone would be missing without a reason.
    signed = await una.get("/v1/ledger/heads?limit=1024")
    before = max(each["size"] for each in signed["heads"] if each["size"] <= at)
    with pytest.raises(LedgerError, match=rf"erased by entry {at}, .* under a later head"):
        await fetch_case(una, case, before)
    assert (await fetch_case(una, case)).archives[case].erased


@activity.defn(name="weigh")
@governed(action="parcel:weigh", system="authority")
async def weigh_and_doubt(_: StepRequest) -> PartRef:
    """Weigh a parcel, and find something that people must accept."""
    doubt = Finding(
        id="scale.level#1", check="scale.level", severity="blocking", message="not level"
    )
    value = Decimal("80.00")
    proposal = Proposal(
        amount=value, requested=value, payments_digest=digest_json([str(value)]), findings=(doubt,)
    )
    return current_grant().keep("weight", Weight(value=str(value)), proposal)


async def on_a_terminal(w: World, folder: Path, *command: str) -> str:
    """What a command says to somebody."""
    file = folder / "una.key"
    file.unlink(missing_ok=True)
    write_key_file(file, w.keys["una"], "words")
    settings = {
        "PLACET_ISSUER": w.issuer,
        "PLACET_OPERATOR": "una",
        "PLACET_KEY_FILE": str(file),
        "PLACET_PASSPHRASE": "words",
        "COLUMNS": "200",
    }
    said = await asyncio.to_thread(CliRunner().invoke, app, list(command), env=settings)
    assert said.exit_code == 0, said.output
    return said.output


async def test_why_an_exception_was_accepted_is_gone_and_by_whom_is_not(
    w: World, bea: OperatorClient, tmp_path: Path
) -> None:
    """I8: the ledger says who accepted which finding; their words go with the case's."""
    finding, why = "scale.level#1", "the floor is not level"
    async with w.workers(scale=weigh_and_doubt):
        case = await w.open("depot/E1/parcel/41")
        asked = await w.until_checkpoint(case)
        await w.people["cleo"].decide(
            asked, Verdict.APPROVE, amount=Decimal("80.00"), exceptions={finding: why}
        )
        await w.until_archived(case)
    commands = (
        ("audit", "timeline", case),
        ("checkpoint", "show", asked.id),
        ("checkpoint", "proof", asked.id),
        ("case", "show", case),
    )
    await w.admin.act("hold.place", "depot/E1", Hold(reason="a dispute"))
    held = await on_a_terminal(w, tmp_path, "checkpoint", "show", asked.id, "--json")
    assert json.loads(held)["held_on"] == "depot/E1"
    await w.admin.act("hold.lift", "depot/E1", Reason(reason="settled"))
    story, shown, proof, _ = [await on_a_terminal(w, tmp_path, *each) for each in commands]
    assert f"; accepts {finding}: {why}\n" in story
    assert f"  accepts {finding}: {why}\n" in shown
    assert f"exception {finding}: accepted by operator:cleo: {why}\n" in proof
    await publish_retention(w, 0, [800])
    await erase(w, bea, case)
    story, shown, proof, told = [await on_a_terminal(w, tmp_path, *each) for each in commands]
    assert not [each for each in (story, shown, proof, told) if why in each]
    assert f"; accepts {finding}; why was erased\n" in story
    assert "erased, signed by two: " in story
    assert "the case was erased: " in shown
    assert f"exception {finding}: accepted by operator:cleo\n" in proof
    assert "archive  erased\n" in told


async def test_what_is_erased_while_it_is_fetched_is_no_forgery(
    w: World, bea: OperatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I8: an audit of the whole log says that it was erased, and no bundle lacks it unexplained."""
    una = w.people["una"]
    cases = [await closed_case(w, parcel) for parcel in ("51", "52")]
    await publish_retention(w, 0, [850])
    asks, due = una.get, cases[:1]

    async def meanwhile(path: str) -> Any:
        if path.startswith("/v1/contents?") and due:
            await erase(w, bea, due.pop())
        return await asks(path)

    async def covered() -> bool:
        return (await una.head() or "").split("\n")[1:2] == [str(len(await w.entries()))]

    await until(covered)
    monkeypatch.setattr(una, "get", meanwhile)
    report = verify(await fetch_log(una))
    assert [(each.name, each.found) for each in report.troubles] == []
    assert [each.name for each in report.unchecked] == cases[:1]
    due.append(cases[1])
    with pytest.raises(LedgerError, match=rf"{cases[1]} was erased by entry .* under a later head"):
        await fetch_case(una, cases[1])
    monkeypatch.undo()
    await until(covered)
    assert verify(await fetch_log(una)).holds


async def lowered_case(w: World, parcel: str) -> str:
    """A case whose people were asked twice: one of them took something off, and said why."""
    async with w.workers():
        case = await w.open(f"depot/E1/parcel/{parcel}")
        first = await w.until_checkpoint(case)
        rows = [RowCut(item="4", amount=Decimal("0.01"), reason="it is broken")]
        await w.people["cleo"].lower(first, rows)
        second = await w.until_checkpoint(case)
        assert second.changed is not None
        await w.people["cleo"].decide(second, Verdict.APPROVE, amount=Decimal("79.99"))
        await w.until_archived(case)
    return case


async def test_a_case_that_was_asked_twice_is_erased_as_any_other(
    w: World, bea: OperatorClient
) -> None:
    """I8, I9: it is shown, verified, replayed, bundled and backtested, and so are the others."""
    una, other = w.people["una"], await closed_case(w, "31")
    case = await lowered_case(w, "32")
    version = [900]
    await publish_retention(w, 0, version)
    await erase(w, bea, case)
    assert [each.changed for each in await una.checkpoints(case=case)] == [None, None]
    files = await whole_log(una)
    assert [(each.name, each.found) for each in verify(files).troubles] == []
    for each in (case, other):
        assert (await replay(files, each, [ParcelCheck])).holds
        bundle = write_bundle(only(files, each), each)
        assert verify_bundle(read_bundle(bundle)).troubles == ()
    asked = approvals_again(files, processes.matrix(version[0] + 1))
    assert asked.erased >= 1
    assert (asked.otherwise, asked.changes) == ((), ())


async def test_an_open_case_is_not_erased(w: World, bea: OperatorClient) -> None:
    """I6: what is not closed and sealed has to be kept."""
    case = await w.open("depot/E2/parcel/1")
    await refused(w, bea, case, "only a closed one is erased")
    assert [e for e in await w.entries("case.erased") if e["case"] == case] == []


async def _parts(w: World, case: str) -> list[dict[str, str]]:
    settled = [e for e in await w.entries("grant.settled") if e["case"] == case]
    return [part for each in settled for part in each["data"]["parts"]]


async def _kept(w: World, case: str) -> list[str]:
    settled = [e for e in await w.entries("grant.settled") if e["case"] == case]
    found = [each["data"].get("reasoning_digest") for each in settled]
    return [each for each in found if each]


# --- who gets payload keys --------------------------------------------------------------------


async def ask_keys(w: World, agent: str, case: str, key: SigningKey | None = None) -> Any:
    """Ask for a case's payload keys, as anyone could."""
    url = f"{w.issuer}/v1/cases/{case}/keys"
    now, key = datetime.now(UTC), key or w.agents[agent]
    assertion = make_client_assertion(
        key, f"agent:{agent}", issuer=w.issuer, now=now, jti=token_urlsafe(18)
    )
    proof = make_proof(key, "POST", url, now=now, jti=token_urlsafe(18))
    headers = {"Client-Assertion": assertion, "DPoP": proof}
    async with httpx.AsyncClient() as http:
        return await http.post(url, json={}, headers=headers)


async def test_keys_are_for_the_orchestrator_and_for_whoever_is_at_work(w: World) -> None:
    """I2, I7: an agent at rest gets none, of no case; one at work those of its own steps."""
    async with w.workers():
        case = await w.open("depot/E3/parcel/1")
        await w.until_checkpoint(case)
    nobodys = "case-" + "0" * 26
    at_rest = [await ask_keys(w, agent, case) for agent in ("scale", "second-scale", "carrier")]
    unknown = await ask_keys(w, "scale", nobodys)
    assert {each.status_code for each in (*at_rest, unknown)} == {403}
    assert len({each.text for each in (*at_rest, unknown)}) == 1  # nor is it said which exist
    stranger = await ask_keys(w, "orchestrator", case, SigningKey.generate())
    assert stranger.status_code == 401
    given = await ask_keys(w, "orchestrator", case)
    assert given.status_code == 200
    assert given.headers["cache-control"] == "no-store"
    secrets = json.loads(given.text)["keys"]
    assert "scope" not in json.loads(given.text)

    async def at_work() -> Any:
        answer = await ask_keys(w, "scale", waiting)
        return answer if answer.status_code == 200 else None

    async with w.workers(only=("orchestrator",)):
        waiting = await w.open("depot/E3/parcel/2")

        async def scheduled() -> bool:
            found = await (await w.workflow(waiting)).describe()
            return bool(found.raw_description.pending_activities)

        await until(scheduled)
        assert (await ask_keys(w, "scale", waiting)).status_code == 403  # scheduled, not started
    task = await w.temporal.workflow_service.poll_activity_task_queue(_poll("scale"))
    assert task.activity_type.name == "weigh"
    theirs = json.loads((await until(at_work)).text)
    assert theirs["scope"] == "agent:scale"
    assert not set(theirs["keys"].values()) & set(secrets.values())
    assert (await ask_keys(w, "second-scale", waiting)).status_code == 403


def _poll(queue: str) -> Any:
    return PollActivityTaskQueueRequest(
        namespace="default", task_queue=TaskQueue(name=queue), identity="a thief"
    )
