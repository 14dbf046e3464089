"""Notices: told once for one thing, to real receivers over real HTTP."""

import asyncio
import base64
import contextlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.client import Client

from placet.authority import open_authority
from placet.authority._channels import Notice, NotSent, Webhook
from placet.authority._notices import MAX_TRIES, put_notice
from placet.authority._settings import WebhookSettings
from placet.authority._store import DeliveryRow
from placet.client import AuthorityError, OperatorClient
from placet.model import EnrolIdentity
from placet.tokens import SigningKey
from tests.authority.test_two_administrators import holds
from tests.harness.alone import Alone, alone
from tests.harness.world import free_port, until

SECRET = base64.b64encode(b"a secret of a test, 32 bytes .. ").decode()


@dataclass
class Receiver:
    """Someone's own service, that takes webhooks and what Apprise posts."""

    port: int
    status: int = 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    slow: asyncio.Event = field(default_factory=asyncio.Event)
    """Until it is set, ``/slow`` takes a notice and answers nothing."""

    @property
    def ids(self) -> list[str]:
        """The ids of the webhooks that came."""
        return [headers["webhook-id"] for headers, _ in self.got]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """One that listens."""
    made = Receiver(free_port())

    async def take(request: Request) -> Response:
        made.got.append((dict(request.headers), await request.body()))
        made.paths.append(request.url.path)
        if request.url.path == "/slow":
            await made.slow.wait()
        elsewhere = {"location": "/elsewhere"} if made.status == 307 else {}
        return Response(status_code=made.status, headers=elsewhere)

    app = Starlette(routes=[Route("/{any:path}", take, methods=["POST"])])
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=made.port, log_config=None, lifespan="off")
    )
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield made
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def told(folder: Path, receiver: Receiver, **settings: Any) -> AsyncIterator[Alone]:
    """An authority with a webhook, where two must sign: a proposal is a notice."""
    webhook = {"name": "desk", "url": f"http://127.0.0.1:{receiver.port}/hook", "secret": SECRET}
    settings.setdefault("webhooks", (webhook,))
    url = f"sqlite:///{folder / 'authority.db'}"
    async with alone(url, signatures=2, **settings) as made:
        yield made


async def propose(client: OperatorClient) -> None:
    body = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), roles=("clerk",))
    await client.act("operator.enrol", "operator:cleo", body)


async def arrived(receiver: Receiver, count: int = 1) -> None:
    async def look() -> bool:
        return len(receiver.got) >= count

    await until(look)


async def tried(client: OperatorClient, count: int) -> None:
    async def look() -> bool:
        found = await client.notices()
        return [(each.attempts, each.status) for each in found] in (
            [(count, "waiting")],
            [(count, "dead")],
        )

    await until(look)


async def settled(client: OperatorClient, status: str) -> Any:
    async def look() -> Any:
        found = await client.notices()
        return found if found and all(each.status == status for each in found) else None

    return await until(look)


async def test_a_webhook_is_signed_as_standard_webhooks_says(
    tmp_path: Path, receiver: Receiver
) -> None:
    """The receiver checks id, time and body under the secret that both have."""
    async with told(tmp_path, receiver) as made, made.ada() as ada:
        await propose(ada)
        await arrived(receiver)
        headers, body = receiver.got[0]
        signed = b".".join(
            (headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body)
        )
        mac = hmac.new(base64.b64decode(SECRET), signed, "sha256").digest()
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
        said = json.loads(body)
        assert said["type"] == "act.proposed"
        await settled(ada, "done")


async def test_a_notice_says_neither_who_nor_what_unless_the_lender_says_so(
    tmp_path: Path, receiver: Receiver
) -> None:
    """I7: no person and no record leaves the house by itself."""
    async with told(tmp_path, receiver) as made, made.ada() as ada:
        await propose(ada)
        await arrived(receiver)
    assert b"cleo" not in receiver.got[0][1]
    receiver.got.clear()
    (tmp_path / "two").mkdir()
    async with (
        told(tmp_path / "two", receiver, notice_details=True) as made,
        made.ada() as ada,
    ):
        await propose(ada)
        await arrived(receiver)
    assert b"operator:cleo" in receiver.got[0][1]


async def test_nobody_is_told_twice_for_one_thing(tmp_path: Path, receiver: Receiver) -> None:
    """I11: the same key is one notice, however often it is put and delivered."""
    async with told(tmp_path, receiver) as made, made.ada() as ada:
        await made.core_write(lambda tx: put_notice(tx, "checkpoint.waiting", "ckpt-1"))
        await made.core_write(lambda tx: put_notice(tx, "checkpoint.waiting", "ckpt-1"))
        await made.core_write(lambda tx: put_notice(tx, "checkpoint.waiting", "ckpt-2"))
        await arrived(receiver, 2)
        await settled(ada, "done")
        assert len(receiver.ids) == len(set(receiver.ids)) == 2


async def test_what_nobody_takes_becomes_a_dead_letter_and_is_sent_again(
    tmp_path: Path, receiver: Receiver
) -> None:
    """I11: it is tried for a while under one id, then waits for a person's word."""
    receiver.status = 500
    async with told(tmp_path, receiver) as made, made.ada() as ada:
        await propose(ada)
        for count in range(1, MAX_TRIES + 1):
            await tried(ada, count)  # written down, with when it is tried again
            made.ahead += timedelta(minutes=6)
        assert len(receiver.got) == MAX_TRIES
        (dead,) = await settled(ada, "dead")
        assert (dead.attempts, dead.trouble) == (MAX_TRIES, "answered 500")
        assert len(set(receiver.ids)) == 1
        receiver.status = 200
        await ada.act("notice.resend", str(dead.id), {})
        await settled(ada, "done")
        with pytest.raises(AuthorityError, match="dead letter"):
            await ada.act("notice.resend", str(dead.id), {})
        assert await holds(ada) == []


async def test_a_receiver_that_is_slow_holds_up_nobody_else(
    tmp_path: Path, receiver: Receiver
) -> None:
    """One that takes a notice and does not answer waits alone; the others hear of all of them."""
    address = f"http://127.0.0.1:{receiver.port}"
    hooks = tuple(
        {"name": name, "url": f"{address}/{name}", "secret": SECRET} for name in ("slow", "desk")
    )
    async with told(tmp_path, receiver, webhooks=hooks) as made, made.ada() as ada:
        await made.core_write(lambda tx: put_notice(tx, "checkpoint.waiting", "ckpt-1"))
        await until(lambda: _came(receiver, {"/slow": 1, "/desk": 1}))
        await made.core_write(lambda tx: put_notice(tx, "checkpoint.waiting", "ckpt-2"))
        await until(lambda: _came(receiver, {"/slow": 1, "/desk": 2}))
        receiver.slow.set()
        await settled(ada, "done")
    assert receiver.paths.count("/slow") == 2


async def test_a_try_that_outlasts_its_lease_does_not_send_again_what_was_sent(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I11: another replica has sent it meanwhile; that the slow one did not is no news."""
    send, trying, go_on = Webhook.send, asyncio.Event(), asyncio.Event()

    async def slow_once(self: Webhook, notice: Notice) -> None:
        if trying.is_set():
            return await send(self, notice)
        trying.set()
        await go_on.wait()
        raise NotSent("answered 500")

    monkeypatch.setattr(Webhook, "send", slow_once)
    async with told(tmp_path, receiver) as made, made.ada() as ada:
        await made.core_write(lambda tx: put_notice(tx, "checkpoint.waiting", "ckpt-1"))
        await trying.wait()
        made.ahead += timedelta(seconds=61)
        temporal = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
        async with open_authority(made.settings, temporal, clock=made.now):
            await settled(ada, "done")
        go_on.set()
        made.ahead += timedelta(minutes=6)
        await made.core_write(lambda tx: put_notice(tx, "checkpoint.waiting", "ckpt-2"))
        await arrived(receiver, 2)
        await settled(ada, "done")
    assert len(receiver.ids) == len(set(receiver.ids)) == 2


async def _came(receiver: Receiver, wanted: dict[str, int]) -> bool:
    return {path: receiver.paths.count(path) for path in wanted} == wanted


async def test_a_redirect_is_not_followed(tmp_path: Path, receiver: Receiver) -> None:
    """What a receiver answers sends a notice nowhere else, inside the house or out of it."""
    receiver.status = 307
    async with told(tmp_path, receiver) as made, made.ada() as ada:
        await propose(ada)
        await tried(ada, 1)
        (waiting,) = await ada.notices()
    assert waiting.trouble == "answered 307"
    assert set(receiver.paths) == {"/hook"}


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
async def test_after_a_kill_only_who_knows_the_id_is_told_again(
    tmp_path: Path, receiver: Receiver
) -> None:
    """I11: a delivery that may have been made goes again where it counts once, and nowhere else."""
    apprise = f"json://127.0.0.1:{receiver.port}/apprise"
    async with told(tmp_path, receiver, notice_urls=(apprise,)) as made, made.ada() as ada:
        receiver.status = 500  # so that both are open
        await propose(ada)
        await arrived(receiver, 2)
        await settled(ada, "waiting")  # else a failure told late undoes what is set below
        receiver.status = 200

        def killed(tx: Any) -> None:
            for row in tx.all(DeliveryRow):
                tx.change(DeliveryRow, row.id, status="sending", next_try_at=tx.now)

        await made.core_write(killed)

        async def look() -> Any:
            found = {each.channel: each for each in await ada.notices()}
            over = {each.status for each in found.values()} <= {"done", "dead"}
            return found if over else None

        found = await until(look)
    assert found["webhook/desk"].status == "done"
    assert found["apprise/1"].status == "dead"
    assert "may have been sent" in found["apprise/1"].trouble
    assert len({each for each in (h.get("webhook-id") for h, _ in receiver.got) if each}) == 1


# Apprise looks for a module that Python 3.11 has still, and warns of.
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
async def test_apprise_tells_any_service(tmp_path: Path, receiver: Receiver) -> None:
    """A real Apprise, to an address of the lender's."""
    apprise = f"json://127.0.0.1:{receiver.port}/apprise"
    settings = {"webhooks": (), "notice_urls": (apprise,)}
    async with told(tmp_path, receiver, **settings) as made, made.ada() as ada:
        await propose(ada)
        await arrived(receiver)
        await settled(ada, "done")
    said = json.loads(receiver.got[0][1])
    assert said["title"] == "An act waits for a second signature"


def test_a_secret_that_is_none_stops_the_start() -> None:
    for secret in ("short", "whsec_@@@", base64.b64encode(b"x" * 8).decode()):
        with pytest.raises(ValueError, match="secret"):
            WebhookSettings(name="desk", url="https://desk.example/hook", secret=secret)
    with pytest.raises(ValueError, match="url"):
        WebhookSettings(name="desk", url="http://desk.example/hook", secret=SECRET)
