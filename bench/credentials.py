"""The plain step with somebody else's credential: what each side's worker does before its work.

A side is ``bare``, or one of ``SIDES``. None of them asks who may do the step of which case; each
gets what its makers give a step, freshly for each one.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from temporalio import activity
from temporalio.client import Client, Plugin
from temporalio.worker import Interceptor

from bench.work import BareBench, bare_close, bare_touch
from placet.model import CaseInput, PartRef
from placet.process import StepRequest

BARE = "bare"
TENUO = "tenuo"
SIDES = ("openbao-token", "openbao-database", "keycard", TENUO)
RESOURCE = "https://records.bench.example"
ROLE = "bench"
CLIENT = ("bench", "only a benchmark")

Obtain = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Credentials:
    """A side's steps, and what its worker is given."""

    touch: Callable[..., Any]
    close: Callable[..., Any]
    interceptors: list[Interceptor] = field(default_factory=list)
    plugin: Callable[[], Plugin] | None = None
    """What a client of it has, each its own."""


def credentials(side: str, url: str, token: str) -> Credentials:
    """What a side's worker runs; ``url`` and ``token`` are of who issues its credentials."""
    match side:
        case "bare":
            return Credentials(bare_touch, bare_close)
        case "openbao-token":
            body = {"ttl": "60s", "policies": ["default"]}
            return _after(_Asked(f"{url}/v1/auth/token/create", token, body))
        case "openbao-database":
            return _after(_Asked(f"{url}/v1/database/creds/{ROLE}", token, None))
        case "keycard":
            return _keycard(url)
        case "tenuo":
            return Credentials(*_PLAIN, plugin=lambda: tenuo_plugin(token))
    raise ValueError(f"no such side: {side}")


class _Asked:
    """A credential of OpenBao, over one connection that stays."""

    def __init__(self, url: str, token: str, body: Mapping[str, object] | None) -> None:
        self._url, self._body = url, body
        self._headers = {"X-Vault-Token": token}
        self._http: aiohttp.ClientSession | None = None

    async def __call__(self) -> None:
        if self._http is None:
            self._http = aiohttp.ClientSession(headers=self._headers)
        method = "GET" if self._body is None else "POST"
        async with self._http.request(method, self._url, json=self._body) as answer:
            if answer.status != 200:
                raise RuntimeError(f"OpenBao answered {answer.status}: {await answer.text()}")
            await answer.read()


def _after(obtain: Obtain) -> Credentials:
    """Both steps, each after it has its credential."""

    @activity.defn(name="touch")
    async def touch(request: StepRequest) -> PartRef:
        await obtain()
        return await bare_touch(request)

    @activity.defn(name="close_case")
    async def close(request: StepRequest) -> StepRequest:
        await obtain()
        return await bare_close(request)

    return Credentials(touch, close)


def _keycard(url: str) -> Credentials:
    """Both steps with a token of their own, minted by Keycard's interceptor."""
    from keycardai.oauth.server import ClientSecret
    from keycardai.temporal import KeycardInterceptor, access, grant

    @activity.defn(name="touch")
    async def touch(request: StepRequest) -> PartRef:
        assert access().access_token
        return await bare_touch(request)

    @activity.defn(name="close_case")
    async def close(request: StepRequest) -> StepRequest:
        assert access().access_token
        return await bare_close(request)

    granted: Callable[..., Any] = grant(RESOURCE)
    interceptors: list[Interceptor] = [KeycardInterceptor(url, ClientSecret(CLIENT))]
    return Credentials(granted(touch), granted(close), interceptors)


@activity.defn(name="touch")
async def _plain_touch(case: str, record: str) -> PartRef:
    return await bare_touch(StepRequest(case=case, record=record))


@activity.defn(name="close_case")
async def _plain_close(case: str, record: str) -> StepRequest:
    return await bare_close(StepRequest(case=case, record=record))


_PLAIN = (_plain_touch, _plain_close)


def tenuo_plugin(key: str) -> Plugin:
    """Tenuo's own plugin; the key, in hex, is issuer, holder and trusted root in one."""
    from tenuo import SigningKey
    from tenuo.temporal import InMemoryPopDedupStore, TenuoPluginConfig
    from tenuo.temporal_plugin import TenuoTemporalPlugin

    signer = SigningKey.from_bytes(bytes.fromhex(key))
    config = TenuoPluginConfig(
        signing_key=signer,
        trusted_roots=[signer.public_key],
        pop_dedup_store=InMemoryPopDedupStore(),
        activity_fns=list(_PLAIN),
    )
    plugin: Plugin = TenuoTemporalPlugin(config)
    return plugin


async def run_with_warrant(client: Client, key: str, case: CaseInput, task_queue: str) -> None:
    """A workflow to its end, with a warrant of its own for both steps."""
    from tenuo import SigningKey, Warrant
    from tenuo.temporal import start_workflow_authorized

    signer = SigningKey.from_bytes(bytes.fromhex(key))
    minted = Warrant.mint_builder().tool("touch").tool("close_case").ttl(600)
    handle = await start_workflow_authorized(
        client=client,
        workflow_run_fn=BareBench.run,
        workflow_id=case.case,
        warrant=minted.holder(signer.public_key).mint(signer),
        key_id="bench",
        args=[case],
        task_queue=task_queue,
    )
    await handle.result()
