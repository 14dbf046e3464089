"""Others' identities are rotated and offboarded by their owners' own tools, once, with a proof."""

import contextlib
import importlib.resources
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.worker import Worker

from placet.agent import current_grant, governed
from placet.audit import read_bundle, replay, timeline, verify_bundle, write_bundle
from placet.cli._orders import order
from placet.client import AuthorityError, OperatorClient
from placet.governance import (
    OFFBOARDING_PROCESS,
    ROTATION_PROCESS,
    IdentityOffboarding,
    IdentityRotation,
)
from placet.governance._requests import ToolRun
from placet.governance.keeping import Tool, Tools, keeper_activities
from placet.model import (
    AuthorityMatrix,
    CheckpointView,
    EnrolIdentity,
    Goal,
    Governance,
    IdentityRules,
    ImportedIdentity,
    OrderIdentity,
    Standing,
    Verdict,
)
from placet.process import StepRequest
from placet.tokens import SigningKey, write_key_file
from tests.authority.test_two_administrators import troubles
from tests.harness.forked import begun
from tests.harness.hasty import Hasty
from tests.harness.logs import assert_holds, only, whole_log
from tests.harness.secrets import search
from tests.harness.world import World, publish, until
from tests.spine.test_identities import registration
from tests.spine.test_reviews import person

pytestmark = pytest.mark.asyncio(loop_scope="module")
OLGA = "operator:olga"
GOOD, FAILS, TELLS, HANGS, DIES, LOST = (
    f"api-key:aws/{name}" for name in ("good", "fails", "tells", "hangs", "dies", "lost")
)
GONE, KEPT, UNKNOWN = "api-key:aws/gone", "api-key:aws/kept", "bot:by-hand"
SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2"
TOOL = r"""#!/bin/sh
cd "$(dirname "$0")"
read told
echo "$PLACET_IDENTITY $PLACET_ORDER ${PLACET_PASSPHRASE:-none}" >> calls
echo "$told" >> told
case "$PLACET_IDENTITY" in
    *hangs) sleep 600 & wait ;;
    *tells) echo '{"credential": "SECRET"}'; exit 0 ;;
esac
if mkdir "$PLACET_ORDER" 2>/dev/null; then
    date -u +%Y-%m-%dT%H:%M:%SZ > "$PLACET_ORDER/at"
    echo "$PLACET_IDENTITY" >> done
    case "$PLACET_IDENTITY" in *fails) echo SECRET >&2; exit 3 ;; esac
fi
echo "{\"credential\": \"AKIA-2\", \"at\": \"$(cat "$PLACET_ORDER/at")\", \"earlier\": \"disabled\"}"
""".replace("SECRET", SECRET)


def shipped(name: str) -> str:
    """A file that comes with the processes."""
    return (importlib.resources.files("placet.governance") / name).read_text()


def tools(folder: Path) -> Tools:
    """One tool, which leaves files that say what it was told and did."""
    program = folder / "tool"
    program.write_text(TOOL)
    program.chmod(0o700)
    tool = Tool(command=(str(program),), seconds=30)
    return Tools(sources={"aws": {Goal.ROTATE: tool, Goal.OFFBOARD: tool}})


_DEAD: set[str] = set()


def dying(found: Tools) -> list[Any]:
    """The keeper's activities; of two identities' cases the worker dies half-way, once each."""
    look, rotate, confirmed, offboard = keeper_activities(found)
    hasty = Tools(
        sources={
            "aws": {
                goal: tool.model_copy(update={"seconds": 1})
                for goal, tool in found.sources["aws"].items()
            }
        }
    )
    _, impatient, _, _ = keeper_activities(hasty)

    @activity.defn(name="rotate_identity")
    @governed(action="identity:rotate", system="authority")
    async def dies(request: StepRequest) -> ToolRun:
        whose = _WHOSE.get(request.record)
        if whose == DIES and whose not in _DEAD:
            _DEAD.add(DIES)
            await current_grant().request("POST", f"/v1/cases/{request.case}/tool")
            raise RuntimeError("the worker died here")
        run: ToolRun = await (impatient if whose == HANGS else rotate)(request)
        if whose == LOST and whose not in _DEAD:
            _DEAD.add(LOST)
            raise RuntimeError("the worker died here, after the proof")
        return run

    return [look, dies, confirmed, offboard]


_WHOSE: dict[str, str] = {}
"""The identity of each order, by its subject."""


async def published(w: World) -> None:
    """The processes, and their agent."""
    for process, name in ((ROTATION_PROCESS, "rotation"), (OFFBOARDING_PROCESS, "offboarding")):
        matrix = AuthorityMatrix.model_validate_json(shipped(f"{name}-matrix.json"))
        policies, schema = shipped("policies.cedar"), shipped("schema.cedarschema")
        await publish(w.admin, process.definition, matrix, policies, schema)
    key = w.agents["identity-keeper"] = SigningKey.generate()
    body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:una")
    await w.admin.act("agent.enrol", "agent:identity-keeper", body)


@contextlib.asynccontextmanager
async def keeping(w: World, folder: Path, rotation: type = IdentityRotation) -> AsyncIterator[None]:
    """The processes' agents work."""
    worker = Worker(
        await w.agent_client("identity-keeper"),
        task_queue="identity-keeper",
        activities=dying(tools(folder)),
    )
    workflows = (rotation, IdentityOffboarding)
    async with w.workers(workflows=workflows, only=("orchestrator",)), worker:
        yield


OLD = datetime(2024, 5, 1, tzinfo=UTC)


def rows(*identities: str) -> list[ImportedIdentity]:
    """What an inventory says of them: that their credentials are old."""
    said = registration(owner=OLGA, credential="api-key", credential_since=OLD)
    return [ImportedIdentity(identity=each, said=said) for each in identities]


async def _asked(w: World, case: str, name: str) -> tuple[CheckpointView, dict[str, Any]]:
    view = await w.until_checkpoint(case, name)
    lead = view.evidence.items[0].digest
    part = (await w.people["una"].part(case, lead)).part
    return view, dict(part.data)


async def ordered(w: World, by: OperatorClient, identity: str, goal: Goal) -> str:
    found = await by.act("identity.order", identity, OrderIdentity(goal=goal, reason="a test"))
    assert found.entry is not None
    (newest, *_) = await by.orders(identity)
    _WHOSE[newest.subject] = identity
    again = await order(by, identity, goal, "a test")  # cut off after the order, and begun again
    assert again.order == newest.order
    assert again.case is not None
    w.started.append(again.case)
    return again.case


async def _all_ordered(w: World, olga: OperatorClient, otto: OperatorClient) -> dict[str, str]:
    """Each goes as it goes; the cases."""
    cases = {
        each: await ordered(w, w.admin, each, Goal.ROTATE)
        for each in (GOOD, FAILS, TELLS, HANGS, DIES, LOST)
    }
    cases[KEPT] = await ordered(w, w.admin, KEPT, Goal.OFFBOARD)
    cases[GONE] = await ordered(w, olga, GONE, Goal.OFFBOARD)
    await _refused(w, otto)

    for each in (GOOD, LOST):
        assert (await w.until_closed(cases[each])).result == "rotated"
    why = {
        FAILS: "ended with status 3",
        TELLS: "looks like a secret",
        HANGS: "within 1 second",
        DIES: "told nothing",
    }
    for identity, words in why.items():
        view, told = await _asked(w, cases[identity], "another-try")
        assert words in told["why"]
        verdict = Verdict.APPROVE if identity in (FAILS, DIES) else Verdict.REJECT
        await olga.decide(view, verdict, reason_code="no")
    for identity in why:
        closed = await w.until_closed(cases[identity])
        assert closed.result == ("rotated" if identity in (FAILS, DIES) else "given_up")

    confirm, told = await _asked(w, cases[KEPT], "confirmation")
    assert (told["identity"], told["confirmer"]) == (KEPT, OLGA)
    with pytest.raises(AuthorityError, match="someone else decides"):
        await otto.decide(confirm, Verdict.APPROVE)
    await olga.decide(confirm, Verdict.REJECT, reason_code="no")
    confirm, told = await _asked(w, cases[GONE], "confirmation")
    assert "confirmer" not in told
    with pytest.raises(AuthorityError, match="opened"):
        await olga.decide(confirm, Verdict.APPROVE)
    await w.admin.decide(confirm, Verdict.APPROVE)
    assert (await w.until_closed(cases[GONE])).result == "offboarded"
    assert (await w.until_closed(cases[KEPT])).result == "rejected"
    return cases


async def _when_rotations_are_confirmed(
    w: World, olga: OperatorClient, cases: dict[str, str]
) -> None:
    """I5: where the rules say so, a person does it first; what was refused is ordered anew."""
    rules = Governance(version=1, identities=IdentityRules(confirm_rotation=True))
    await w.admin.act("governance.publish", "governance", rules)
    cases["again"] = await ordered(w, w.admin, KEPT, Goal.ROTATE)
    confirm, _ = await _asked(w, cases["again"], "confirmation")
    await olga.decide(confirm, Verdict.APPROVE)
    assert (await w.until_closed(cases["again"])).result == "rotated"


async def _nobody_was_asked(w: World) -> None:
    """I5: without it the tool is not called, whatever code orders the steps."""
    case = await ordered(w, w.admin, GOOD, Goal.ROTATE)

    async def stopped() -> str | None:
        return (await w.people["una"].case(case)).stopped_for

    assert "I5, unconfirmed" in await until(stopped)


async def test_owners_tools_rotate_and_offboard_once_with_a_proof(w: World, tmp_path: Path) -> None:
    """I4, I5, I6, I7, I11, I12: whatever a tool does, a person is asked, and it is done once."""
    async with (
        person(w, "olga", "identity-owner") as olga,
        person(w, "otto", "identity-owner") as otto,
    ):
        await published(w)
        mine = (GOOD, FAILS, TELLS, HANGS, DIES, LOST, GONE, KEPT)
        await w.admin.import_identities("aws", rows(*mine))
        await w.admin.act("identity.register", UNKNOWN, registration(owner=OLGA))
        async with keeping(w, tmp_path):
            cases = await _all_ordered(w, olga, otto)
            await _when_rotations_are_confirmed(w, olga, cases)
            for each in cases.values():
                await w.until_archived(each)  # its workflow ends a moment after the case
        await _registry_says_what_was_proven(w)
        await _no_secret_is_kept(w, cases)
        await _log_says_so(w, cases)
        async with keeping(w, tmp_path, Hasty):
            await _nobody_was_asked(w)
        _tool_was_called_as_people_said(tmp_path)


async def _refused(w: World, otto: OperatorClient) -> None:
    """Who may not, what is not others', and twice."""
    body = OrderIdentity(goal=Goal.ROTATE, reason="a test")
    with pytest.raises(AuthorityError, match="or to own the identity"):
        await otto.act("identity.order", KEPT, body)
    for identity, why in (
        (KEPT, "goes on, to offboard"),
        ("agent:scale", "rotate by themselves"),
        (UNKNOWN, "no inventory names it"),
        ("bot:nobody", "no such identity"),
    ):
        with pytest.raises(AuthorityError, match=why):
            await w.admin.act("identity.order", identity, body)


async def _registry_says_what_was_proven(w: World) -> None:
    shown = {each: await w.admin.registered(each) for each in (GOOD, FAILS, TELLS, HANGS, GONE)}
    for identity in (GOOD, FAILS):
        newest = (await w.admin.orders(identity))[-1]
        assert newest.proof is not None
        assert shown[identity].credential_since == newest.proof.at > OLD
        assert newest.proof.earlier is Standing.DISABLED
    assert {shown[each].credential_since for each in (TELLS, HANGS)} == {OLD}
    assert "end date has passed" in str(shown[GONE].lacks)
    # An inventory that was made before does not make the credential old again.
    await w.admin.import_identities("aws", rows(GOOD))
    assert (await w.admin.registered(GOOD)).credential_since == shown[GOOD].credential_since
    old = {each.identity for each in await w.admin.identity_report("long-lived")}
    assert GOOD not in old
    assert HANGS in old
    with pytest.raises(AuthorityError, match="has ended already"):
        body = OrderIdentity(goal=Goal.ROTATE, reason="a test")
        await w.admin.act("identity.order", GONE, body)


def _tool_was_called_as_people_said(folder: Path) -> None:
    calls = [line.split() for line in (folder / "calls").read_text().splitlines()]
    assert {each[2] for each in calls} == {"none"}  # the worker's own environment is not its
    called = [each[0] for each in calls]
    assert sorted(called) == sorted([GOOD, FAILS, FAILS, TELLS, HANGS, DIES, LOST, GONE, KEPT])
    assert len({each[1] for each in calls if each[0] == FAILS}) == 1
    done = (folder / "done").read_text().split()
    assert sorted(done) == sorted([GOOD, FAILS, DIES, LOST, GONE, KEPT])


async def _no_secret_is_kept(w: World, cases: dict[str, str]) -> None:
    """I7: what a tool said on either stream, and was no proof, is nowhere."""
    places = {"ledger": str(await w.entries()).encode()}
    for case in cases.values():
        history = await w.temporal.get_workflow_handle(case).fetch_history()
        places[case] = history.to_json().encode()
    for file in Path(w.settings.database_url.removeprefix("sqlite:///")).parent.glob("*.db*"):
        places[file.name] = file.read_bytes()
    assert search(places, [SECRET.encode()]) == []


async def _log_says_so(w: World, cases: dict[str, str]) -> None:
    files = await whole_log(w.people["una"])
    assert_holds(files)
    workflows = {FAILS: IdentityRotation, GONE: IdentityOffboarding}
    for identity, workflow in workflows.items():
        case = cases[identity]
        assert verify_bundle(read_bundle(write_bundle(only(files, case), case))).troubles == ()
        assert (await replay(files, case, [workflow])).troubles == ()
        told = [each.text for each in timeline(files, case)]
        assert "lets the owner's tool be called" in told
        assert "takes the proof of the owner's tool" in told
    proven = {"credential": "AKIA-2", "at": "2020-01-01T00:00:00Z", "earlier": "disabled"}
    for type_, change in (
        ("identity.ordered", "operator:otto"),
        ("identity.ordered", {"confirm": False}),
        ("identity.ordered", None),
        ("tool.begun", {"tries": 7}),
        ("tool.begun", None),
        ("identity.proven", {"proof": proven}),
        ("identity.proven", None),
    ):
        assert "order" in troubles(files, type_, change), (type_, change)


@contextlib.contextmanager
def keeper(w: World, folder: Path, kill_at: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """The keeping agent's worker, a process of its own, as it is started in production."""
    file = folder / "tools.toml"
    file.write_text(f'[aws.rotate]\ncommand = ["{folder / "tool"}"]\n')
    key = folder / "keeper.key"
    if not key.exists():
        write_key_file(key, w.agents["identity-keeper"])
    settings = {
        "PLACET_WORKER_KEY_FILE": str(key),
        "PLACET_WORKER_ISSUER": w.issuer,
        "PLACET_WORKER_TEMPORAL_ADDRESS": w.temporal.service_client.config.target_host,
        "PLACET_WORKER_TOOLS_FILE": str(file),
        "PLACET_KILL_AT": kill_at,
    }
    command = [sys.executable, "-m", "worker", "--agent", "identity-keeper"]
    process = begun(command, env={**os.environ, **settings})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


async def test_a_tool_whose_worker_was_killed_is_called_again_on_a_persons_word(
    w: World, tmp_path: Path
) -> None:
    """I11: killed between the tool and its proof, it is asked about, and done once."""
    tools(tmp_path)
    async with person(w, "olga", "identity-owner") as olga:
        await published(w)
        await w.admin.import_identities("aws", rows(GOOD))
        async with w.workers(workflows=(IdentityRotation,), only=("orchestrator",)):
            with keeper(w, tmp_path, "tool.before-proof") as killed:
                case = await ordered(w, w.admin, GOOD, Goal.ROTATE)
                await until(lambda: _ended(killed))
            assert killed.returncode == -signal.SIGKILL
            with keeper(w, tmp_path):
                view, told = await _asked(w, case, "another-try")
                assert "told nothing" in told["why"]
                await olga.decide(view, Verdict.APPROVE)
                assert (await w.until_closed(case)).result == "rotated"
    assert (tmp_path / "done").read_text().split() == [GOOD]
    assert len((tmp_path / "calls").read_text().splitlines()) == 2


async def _ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None
