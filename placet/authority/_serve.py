"""One authority process: the API, and the jobs that run beside it."""

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import aiohttp
from starlette.applications import Starlette
from temporalio.client import Client

from placet.authority._acts import OPENING, Acts, end_emergencies, lapse_proposals
from placet.authority._app import make_app
from placet.authority._archiving import ARCHIVING, Archivist
from placet.authority._bootstrap import NoLog, load_keys
from placet.authority._campaigns import Campaigns
from placet.authority._cases import Cases
from placet.authority._channels import channels
from placet.authority._checkpoints import Checkpoints
from placet.authority._core import Core
from placet.authority._decisions import Decisions
from placet.authority._definitions import Definitions
from placet.authority._ending_soon import tell_endings
from placet.authority._enrolments import Enrolments
from placet.authority._erasing import ERASED
from placet.authority._errors import Unavailable
from placet.authority._events import Events
from placet.authority._facts import FactsClient
from placet.authority._grants import Grants
from placet.authority._health import health_of, refresh_metrics
from placet.authority._inventories import Inventories
from placet.authority._joining import Joining, OidcAttestation
from placet.authority._key_ages import KeyAges
from placet.authority._leaving import Leaving, disown_orphans
from placet.authority._log import LedgerReads
from placet.authority._log_keys import retire_log_key
from placet.authority._namespace import NamespaceTrouble
from placet.authority._notices import NOTICES, Notices
from placet.authority._orders import Orders
from placet.authority._outbox import TOPIC as OUTBOX
from placet.authority._outbox import Outbox
from placet.authority._passphrases import WrongPassphrase
from placet.authority._payloads import PayloadService
from placet.authority._people import People
from placet.authority._provider import Provider
from placet.authority._registry import Registry
from placet.authority._requests import Requests
from placet.authority._revoking import Revoking
from placet.authority._services import Services
from placet.authority._sessions import Sessions
from placet.authority._settings import AuthoritySettings
from placet.authority._settlements import Settling
from placet.authority._signing import HeadKeys, SigningKeys, read_head_keys
from placet.authority._signing_in import SigningIn
from placet.authority._standings import Standings
from placet.authority._store import Store, StoreUnavailable
from placet.authority._temporal import Temporal
from placet.authority._usage import Usage
from placet.authority._uses import Uses
from placet.authority._views import Views
from placet.authority._vouching import Vouching
from placet.clock import system_clock
from placet.ledger import Checkpoint as Head
from placet.ledger import NoteSigner, sign_checkpoint
from placet.model import build_models
from placet.telemetry import TelemetrySettings, metrics, serve_metrics, served
from placet.transport import (
    STOP_SECONDS,
    TemporalTlsSettings,
    TlsSettings,
    Transport,
    bind,
    serve_until_told,
    server_config,
    temporal_tls,
)

_log = logging.getLogger("placet.authority")

_REST = 4.0
"""How many times as long as a look at Temporal took the next one waits: however many cases are open
and however slow Temporal is, looking takes a fifth of the time at most."""


_LOOK_AT_TEMPORAL = 5.0
"""Seconds for a first look at Temporal; the authority serves without it, and looks again."""


@contextlib.asynccontextmanager
async def open_authority(
    settings: AuthoritySettings,
    client: Client,
    *,
    clock: Callable[[], datetime] = system_clock,
    random: Callable[[int], bytes] = os.urandom,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Starlette]:
    """Open the store, start the jobs, and give the ASGI application.

    ``tls`` is for the systems of record; others are asked as anybody asks them.

    Raises:
        NoLog: ``placet authority init`` was not run on this database.
        StoreMismatch: the database is another log's.
        WrongPassphrase: the signing keys are under another passphrase.
    """
    store = await Store.open(settings.database_url, origin=settings.origin, clock=clock)
    keys = SigningKeys.of(settings)
    connector = aiohttp.TCPConnector(ssl=tls or True)
    async with (
        store,
        aiohttp.ClientSession() as session,
        aiohttp.ClientSession(connector=connector) as systems,
    ):
        await load_keys(store, keys)
        if not keys.published(clock()):
            raise NoLog("the database has no log yet; run: placet authority init")
        temporal = Temporal(client, timedelta(hours=settings.temporal_retention_hours))
        core = Core(settings, store, temporal, keys, clock, random)
        services = _services(core, session, systems)
        notices = Notices(core, channels(settings, session))
        running = [
            asyncio.create_task(each)
            for each in (
                store.sign_heads(_head_signer(core)),
                _follow(store, OPENING, services.cases.start_opened, 1.0),
                _follow(store, OUTBOX, Outbox(core).deliver, 1.0),
                _follow(store, NOTICES, notices.take, 1.0),
                *(
                    _follow(store, NOTICES, partial(notices.deliver, each), 1.0)
                    for each in notices.channels
                ),
                _follow(store, None, lambda: lapse_proposals(core), 5.0),
                _follow(store, None, lambda: end_emergencies(core), 1.0),
                _follow(store, None, lambda: disown_orphans(core), 2.0),
                _follow(store, None, lambda: tell_endings(core), 600.0),
                _follow(store, None, services.sessions.recheck, 1.0),
                _follow(store, ARCHIVING, services.archivist.archive_closed, 1.0),
                _follow(store, None, services.cases.expire_grants, 1.0),
                _follow(store, None, services.cases.expire_checkpoints, 1.0),
                _follow(store, None, services.cases.watch_lately, 5.0, _REST),
                _follow(store, None, services.cases.watch_open, 5.0, _REST),
                _follow(store, None, services.archivist.watch_closed, 10.0, _REST),
                _follow(store, ERASED, store.forget, 60.0),
                _follow(store, None, lambda: load_keys(store, keys), 5.0),
                _follow(store, None, lambda: retire_log_key(store), 1.0),
                _follow(store, None, store.sweep, 10.0),
                _follow(store, None, store.keep_ahead, 60.0),
            )
        ]
        try:
            health = health_of(core)
            app = make_app(services, health)
            app.state.stop_streams = services.events.stop
            app.state.health = health
            app.state.prepare = core.temporal.prepare
            app.state.refresh_metrics = lambda: refresh_metrics(core)
            yield app
        finally:
            for job in running:
                job.cancel()
            await asyncio.gather(*running, return_exceptions=True)


def _services(
    core: Core, session: aiohttp.ClientSession, systems: aiohttp.ClientSession
) -> Services:
    definitions = Definitions()
    campaigns = Campaigns(core, definitions)
    facts = FactsClient(core, systems)
    provider = Provider(core, session)
    sessions = Sessions(core, provider)
    vouching = Vouching(core, sessions)
    return Services(
        core=core,
        requests=Requests(core),
        grants=Grants(core, definitions, facts),
        people=People(core),
        signing_in=SigningIn(core, provider),
        sessions=sessions,
        enrolments=Enrolments(core),
        key_ages=KeyAges(core),
        joining=Joining(core, OidcAttestation(core, session)),
        settling=Settling(core, definitions),
        revoking=Revoking(core),
        checkpoints=Checkpoints(core, definitions, facts),
        decisions=Decisions(core, vouching),
        acts=Acts(core, definitions, facts, vouching, campaigns),
        campaigns=campaigns,
        orders=Orders(core),
        standings=Standings(core),
        cases=Cases(core, definitions),
        archivist=Archivist(core, definitions),
        payloads=PayloadService(core, definitions),
        uses=Uses(core),
        views=Views(core, vouching),
        registry=Registry(core),
        usage=Usage(core),
        leaving=Leaving(core),
        inventories=Inventories(core),
        ledger=LedgerReads(core),
        events=Events(core),
    )


def _head_signer(core: Core) -> Callable[[int, bytes], Awaitable[str]]:
    origin = core.settings.origin

    def note(size: int, root: bytes, keys: HeadKeys) -> str:
        signers = [NoteSigner(origin, each) for each in core.keys.head_keys(size, *keys)]
        with metrics.signing("head"):
            return sign_checkpoint(Head(origin=origin, size=size, root=root), signers)

    async def sign(size: int, root: bytes) -> str:
        keys = await core.store.read(read_head_keys)  # as they are now, whoever has changed them
        try:
            return await asyncio.to_thread(note, size, root, keys)  # one may be another process's
        except (Unavailable, WrongPassphrase) as error:  # the head is signed later, or elsewhere
            raise StoreUnavailable(str(error)) from None

    return sign


async def _follow(
    store: Store,
    topic: str | None,
    job: Callable[[], Awaitable[object]],
    pause: float,
    rest: float = 0.0,
) -> None:
    """Run a job whenever ``topic`` changes, and at least every ``pause`` seconds.

    Without a topic it rests ``rest`` times as long as it took, if that is more.
    """
    now = asyncio.get_running_loop().time
    while True:
        began = now()
        seen = store.number(topic) if topic else 0
        try:
            await job()
        except (NamespaceTrouble, StoreUnavailable, Unavailable) as error:
            _log.warning("a job waits: %s", error)
        except Exception:  # noqa: BLE001 - a job must outlive one bad row; it is logged and retried
            metrics.JOB_FAILURES.inc()
            _log.exception("a job failed and is tried again")
        if topic is None:
            await asyncio.sleep(max(pause, rest * (now() - began)))
        else:
            await store.changed(topic, seen, pause)


async def serve(settings: AuthoritySettings, telemetry: TelemetrySettings) -> None:
    """Serve the authority until it is told to stop (SIGTERM, SIGINT).

    Told to stop, it is not ready any more, answers the requests that are under way, and closes its
    store once what was queued is durable.

    Raises:
        NamespaceTrouble: Temporal's namespace is not as cases need it.
        OSError: an address is taken, or none of this machine's.
    """
    transport = Transport(TlsSettings())
    client = await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        lazy=True,
        tls=temporal_tls(TemporalTlsSettings()),
    )
    build_models()
    async with open_authority(settings, client, tls=transport.client) as app, transport.kept():
        listening = bind(settings.host, settings.port)  # before Temporal is waited for
        try:
            async with asyncio.timeout(_LOOK_AT_TEMPORAL):
                await app.state.prepare()
        except (Unavailable, TimeoutError) as error:
            _log.warning("Temporal is not ready; cases start when it is: %s", error)
        config = server_config(
            served(app, "authority"),
            transport.server,
            lifespan="off",
            proxies=settings.trusted_proxies,
            timeout_graceful_shutdown=STOP_SECONDS,
        )

        def stopping() -> None:
            app.state.health.stop()
            app.state.stop_streams()  # or the server would wait for whoever listens to events

        async with serve_metrics(
            telemetry, app.state.health, app.state.refresh_metrics, transport=transport
        ):
            await serve_until_told(
                [config], [listening], stopping=stopping, ready_file=settings.ready_file
            )
