"""What was looked at before a wait decides nothing that has changed since."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.client import Client

from placet.authority import AuthoritySettings, SigningKeys, Store, _prefixes, open_authority
from placet.authority._alarms import stop_case
from placet.authority._archiving import Archivist, _Known
from placet.authority._cases import Cases
from placet.authority._continuing import Continuing
from placet.authority._core import Core
from placet.authority._errors import Unavailable
from placet.authority._grants import Grants
from placet.authority._histories import Seen
from placet.authority._outbox import ADMITTED, BELL, Outbox, put_signal
from placet.authority._prefixes import Prefixes
from placet.authority._requests import Sender
from placet.authority._store import Case, HistoryPrefix, Tx
from placet.authority._temporal import Execution, ExecutionNotFound, Temporal
from placet.client import AuthorityError
from placet.model import AdmitCase, Reason, RequestedDetails
from placet.payloads import Keyring
from tests.admitting import admit
from tests.authority.test_archiving import dispatch, entries, reset, stopped_or_waiting, until_view
from tests.harness.crowd import NOON
from tests.harness.other_parcels import ContinuingCheck
from tests.harness.raw import rogue_worker
from tests.harness.world import PASSPHRASE, World, temporal_server, until, world

pytestmark = pytest.mark.asyncio(loop_scope="module")

Method = Callable[..., Coroutine[Any, Any, Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def temporal() -> AsyncIterator[Client]:
    """One server for the module."""
    async with temporal_server() as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def w(temporal: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One world for the module; each test has parcels of its own."""
    async with world(temporal, tmp_path_factory.mktemp("w")) as made:
        yield made


class Held:
    """Holds back the first call of a method that ``wanted`` names, until let go."""

    def __init__(self) -> None:
        self.waiting, self.go_on, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def before(self, method: Method, wanted: Callable[..., bool]) -> Method:
        """The method, held before it begins."""

        async def late(*args: Any, **named: Any) -> Any:
            first = wanted(*args, **named) and not self.waiting.is_set()
            if first:
                await self._hold()
            try:
                return await method(*args, **named)
            finally:
                if first:
                    self.done.set()

        return late

    def after(self, method: Method, wanted: Callable[..., bool]) -> Method:
        """The method, its answer held back."""

        async def late(*args: Any, **named: Any) -> Any:
            answer = await method(*args, **named)
            if wanted(*args, **named) and not self.waiting.is_set():
                await self._hold()
            return answer

        return late

    async def _hold(self) -> None:
        self.waiting.set()
        await self.go_on.wait()


async def admit_reset(w: World, case: str) -> None:
    """A person resets a case's workflow, and admits its new run once the case was stopped."""
    run_id = await reset(w, case)
    await until_view(w, case, "status", "stopped")
    await admit(w.admin, case, "it was me", run_id)


async def test_a_start_that_comes_late_stops_no_case_that_has_gone_on(
    w: World, temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1, I11: another replica has started it, and it goes on in a run that continues it."""
    held = Held()
    monkeypatch.setattr(Cases, "_start", held.before(Cases._start, lambda *_: True))
    async with open_authority(w.settings, temporal), w.workers(workflows=(ContinuingCheck,)):
        case = await w.open("depot/B1/parcel/1")
        await held.waiting.wait()
        await w.until_checkpoint(case)
        held.go_on.set()
        await held.done.wait()
        await dispatch(w, case)
        await w.until_archived(case)
    assert len(await entries(w, case, "case.continued")) == 1
    assert await entries(w, case, "case.stopped") == []


async def test_what_was_seen_before_an_admission_does_not_undo_it(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: of two that watch one is slow; what it stops the case for, a person has looked at."""
    async with w.workers():
        case = await w.open("depot/B9/parcel/1")
        await w.until_checkpoint(case)
    first = (await w.people["una"].case(case)).run_id
    held = Held()

    def of_the_reset(_: Continuing, case_id: str, newest: str) -> bool:
        return case_id == case and newest != first

    monkeypatch.setattr(Continuing, "follow", held.after(Continuing.follow, of_the_reset))
    run_id = await reset(w, case)
    await held.waiting.wait()
    await until_view(w, case, "status", "stopped")
    await admit(w.admin, case, "it was me", run_id)
    held.go_on.set()
    async with w.workers():
        await dispatch(w, case)
        await w.until_archived(case)
    assert len(await entries(w, case, "case.stopped")) == 1


async def test_a_step_that_asked_before_the_case_went_on_stops_nothing(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: it is told to ask again, and what Temporal shows by then decides."""
    held, case = Held(), await w.open("depot/B9/parcel/2")

    def mine(_: Grants, __: Sender, details: RequestedDetails) -> bool:
        return details.case == case

    monkeypatch.setattr(Grants, "_look", held.after(Grants._look, mine))
    async with w.workers():
        await held.waiting.wait()
    await admit_reset(w, case)
    held.go_on.set()
    async with w.workers():
        await dispatch(w, case)
        await w.until_archived(case)
    assert len(await entries(w, case, "case.stopped")) == 1


async def invented(w: World, subject: str) -> str:
    """A case that was ended, with a step in its history that nobody was granted."""
    calls: list[Any] = []

    async def invent(_: activity.Info) -> str:
        return "heavy"

    async with rogue_worker(w, "scale", "weigh", invent, calls):
        case = await w.open(subject)

        async def was_invented() -> bool:
            return bool(calls)

        await until(was_invented)
        await stopped_or_waiting(w, case)
    return case


async def test_an_alarm_that_came_while_a_history_was_read_is_not_sealed_over(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I9: what a person has admitted is what they were shown, and not what was met since."""
    held, plain = Held(), Archivist._runs

    def admitted(_: Archivist, known: _Known, __: str) -> bool:
        return known.case.alarm_admitted

    monkeypatch.setattr(Archivist, "_runs", held.before(plain, admitted))
    async with w.workers(only=("second-scale", "orchestrator")):
        case = await invented(w, "depot/B2/parcel/1")
        await w.admin.act("case.end", case, Reason(reason="not ours"))
        await until_view(w, case, "archive", "alarm")
        await admit(w.admin, case, "it is known")
        await held.waiting.wait()
        run_id = await reset(w, case)

        async def told() -> bool:
            return run_id in ((await w.people["una"].case(case)).alarm or "")

        await until(told)
        held.go_on.set()

        async def looked_at_anew() -> bool:
            view = await w.people["una"].case(case)
            return "neither started" in (view.alarm or "") or view.archived

        await until(looked_at_anew)
        assert await entries(w, case, "case.archived") == []
        await admit(w.admin, case, "someone pressed reset", run_id)
        await w.until_archived(case)


async def test_a_person_admits_what_they_were_shown_and_no_later_alarm(w: World) -> None:
    """I9: an admission names the trouble that was looked at; another since then is refused."""
    async with w.workers(only=("second-scale", "orchestrator")):
        case = await invented(w, "depot/B2/parcel/3")
        await w.admin.act("case.end", case, Reason(reason="not ours"))
        seen = await until_view(w, case, "archive", "alarm")
        run_id = await reset(w, case)

        async def another() -> bool:
            return (await w.people["una"].case(case)).alarm != seen.alarm

        await until(another)
        body = AdmitCase(reason="it is known", trouble_digest=seen.trouble_digest)
        with pytest.raises(AuthorityError, match="look again"):
            await w.admin.act("case.admit", case, body)
        assert await entries(w, case, "case.admitted") == []
        await admit(w.admin, case, "someone pressed reset", run_id)
        await w.until_archived(case)


@pytest.mark.parametrize("vanished", [False, True])
async def test_who_comes_late_to_a_history_that_is_sealed_tells_nothing_of_it(
    w: World, temporal: Client, monkeypatch: pytest.MonkeyPatch, *, vanished: bool
) -> None:
    """I9, I11: neither an alarm that a person is through with, nor that it was lost."""
    held, subject = Held(), f"depot/B3/parcel/{1 + vanished}"
    name = "_archive" if vanished else "_alarm"

    def mine(_: Archivist, case: Case, *__: object) -> bool:
        return case.subject == subject

    async def vanish(_: Temporal, workflow_id: str) -> Execution:
        raise ExecutionNotFound(workflow_id)

    monkeypatch.setattr(Archivist, name, held.before(getattr(Archivist, name), mine))
    async with (
        w.workers(only=("second-scale", "orchestrator")),
        open_authority(w.settings, temporal),
    ):
        case = await invented(w, subject)
        await w.admin.act("case.end", case, Reason(reason="not ours"))
        await held.waiting.wait()
        await until_view(w, case, "archive", "alarm")
        await admit(w.admin, case, "it is known")
        await w.until_archived(case)
        if vanished:
            monkeypatch.setattr(Temporal, "describe", vanish)
        else:
            await admit(w.admin, case, "seen")
        held.go_on.set()
        await held.done.wait()
    assert len(await entries(w, case, "case.alarm")) == 1
    assert await entries(w, case, "case.lost") == []


async def test_a_try_that_is_over_gets_nothing_once_the_next_has_had_a_grant(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: what Temporal showed before gives no grant, and takes none from the try that runs."""
    held, subject = Held(), "depot/B4/parcel/1"

    def weighing(_: Grants, __: Sender, details: RequestedDetails) -> bool:
        return details.activity.activity_type == "weigh" and details.identifier == subject

    monkeypatch.setattr(Grants, "_look", held.after(Grants._look, weighing))
    async with w.workers(only=("second-scale", "orchestrator")):
        async with w.workers(only=("scale",)):
            case = await w.open(subject)
            await held.waiting.wait()
        async with w.workers(only=("scale",)):
            await w.until_checkpoint(case)
            held.go_on.set()
            tried = await until(lambda: _tries(w, case, 2))
    assert tried == [("grant.issued", 2), ("grant.denied", 1)]


async def _tries(w: World, case: str, count: int) -> list[tuple[str, int]] | None:
    """What was answered to each try of the weighing, once there are so many answers."""
    found = [
        (each["type"], each["data"]["activity"]["attempt"])
        for type_ in ("grant.issued", "grant.denied")
        for each in await entries(w, case, type_)
        if each["data"]["activity"]["activity_type"] == "weigh"
    ]
    return found if len(found) >= count else None


async def test_a_history_that_was_read_before_an_admission_does_not_undo_it(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I8, I9: of a run that was rewritten, and that a person has reset since."""
    held, runs = Held(), list[str]()

    def first(_: Temporal, __: str, run_id: str) -> bool:
        runs.append(run_id)
        return True

    def rewritten(_: list[HistoryPrefix], seen: Seen) -> str | None:
        return "it was rewritten" if seen.run_id == runs[0] else None

    monkeypatch.setattr(Temporal, "history", held.before(Temporal.history, first))
    plain = Prefixes.look
    ended = asyncio.Event()

    async def look(self: Prefixes, case_id: str) -> Seen | None:
        try:
            return await plain(self, case_id)
        finally:
            if held.go_on.is_set():
                ended.set()

    monkeypatch.setattr(Prefixes, "look", look)
    monkeypatch.setattr(_prefixes, "rewritten", rewritten)
    async with w.workers():
        case = await w.open("depot/B5/parcel/1")
        await held.waiting.wait()
    await admit_reset(w, case)
    held.go_on.set()
    await ended.wait()
    async with w.workers():
        await dispatch(w, case)
        await w.until_archived(case)
    assert len(await entries(w, case, "case.stopped")) == 1


async def test_a_case_that_was_stopped_while_it_was_followed_is_followed_once_admitted(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: nobody takes the run that continues it for the case's own before the ledger says so."""
    links, follow = Continuing._links, Continuing.follow
    seen, go_on, followed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late(self: Continuing, case: Case, newest: str, ring: Keyring) -> Any:
        found = await links(self, case, newest, ring)
        seen.set()
        await go_on.wait()
        return found

    async def through(self: Continuing, case_id: str, newest: str) -> bool:
        try:
            return await follow(self, case_id, newest)
        finally:
            if go_on.is_set():
                followed.set()

    monkeypatch.setattr(Continuing, "_links", late)
    monkeypatch.setattr(Continuing, "follow", through)
    async with w.workers(workflows=(ContinuingCheck,)):
        case = await w.open("depot/B6/parcel/1")
        await seen.wait()
    async with await Store.open(w.settings.database_url, origin=w.settings.origin) as store:
        await store.write(lambda tx: stop_case(tx, one(tx, case), "a person must look"))
    go_on.set()
    await followed.wait()
    await admit(w.admin, case, "I have looked")
    async with w.workers(workflows=(ContinuingCheck,)):
        await dispatch(w, case)
        await w.until_archived(case)
    assert len(await entries(w, case, "case.continued")) == 1
    assert len(await entries(w, case, "case.stopped")) == 1
    assert await entries(w, case, "case.alarm") == []


def one(tx: Tx, case: str) -> Case:
    """A case that is there."""
    found = tx.get(Case, case)
    assert found is not None
    return found


@dataclass
class Lossy:
    """A Temporal whose first answer to a signal is lost."""

    heard: list[tuple[str, str, str]] = field(default_factory=list)

    async def signal(self, *, workflow_id: str, run_id: str, name: str, request_id: str) -> None:
        assert workflow_id == "case-1"
        self.heard.append((run_id, name, request_id))
        if len(self.heard) == 1:
            raise Unavailable("the answer was lost")


@pytest.mark.parametrize("moved", [False, True])
async def test_an_admission_is_counted_once_and_by_the_run_that_was_admitted(
    tmp_path: Path, *, moved: bool
) -> None:
    """I11: told again after a lost answer it is the same signal; a later run hears a bell."""
    now, lossy = [NOON], Lossy()
    settings = AuthoritySettings(
        issuer="http://127.0.0.1:1",
        database_url=f"sqlite:///{tmp_path / 'authority.db'}",
        key_passphrase=PASSPHRASE,
    )
    clock = lambda: now[0]  # noqa: E731
    store = await Store.open(settings.database_url, origin=settings.origin, clock=clock)
    async with store:
        keys = SigningKeys(PASSPHRASE)
        outbox = Outbox(Core(settings, store, cast(Temporal, lossy), keys, clock, os.urandom))

        def admit(tx: Tx) -> None:
            case = Case(
                id="case-1",
                process="parcel-check",
                version=1,
                subject="depot/B7/parcel/1",
                status="open",
                opened_by="operator:pat",
                opened_at=NOON,
                workflow_id="case-1",
                workflow_type="ParcelCheck",
                task_queue="orchestrator",
                request_id="r",
                run_id="first",
            )
            tx.add(case)
            put_signal(tx, case, ADMITTED, "admitted/1")

        await store.write(admit)
        await outbox.deliver()
        if moved:
            await store.write(lambda tx: tx.change(Case, "case-1", run_id="second"))
        for _ in range(2):
            now[0] += timedelta(minutes=1)
            await outbox.deliver()
    (lost, again) = lossy.heard
    assert lost[:2] == ("first", ADMITTED)
    assert again == (("second", BELL, lost[2]) if moved else lost)
