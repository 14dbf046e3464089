"""A worker and an OAuth client without any of Placet's own agent code: what an attacker writes."""

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from temporalio import activity
from temporalio.worker import Worker

from placet.client import AuthorityError
from placet.tokens import SigningKey, make_client_assertion, make_proof
from tests.harness.world import World, until

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Reply:
    """Status and JSON of an answer."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def reasons(self) -> list[str]:
        """Why it was refused."""
        return list(self.body.get("reasons", []))


def details_of(
    info: activity.Info,
    *,
    action: str = "parcel:weigh",
    record: str = "depot/D1/parcel/7",
    system: str = "authority",
    **changed: Any,
) -> dict[str, Any]:
    """The authorization_details of a running activity, with parts changed at will."""
    ref = {
        "workflow_id": info.workflow_id,
        "run_id": info.workflow_run_id,
        "activity_id": info.activity_id,
        "activity_type": info.activity_type,
        "attempt": info.attempt,
    }
    ref.update({name: value for name, value in changed.items() if name in ref})
    return {
        "type": "placet_record",
        "locations": [f"urn:placet:system:{system}"],
        "actions": [action],
        "identifier": record,
        "case": changed.get("case", info.workflow_id),
        "activity": ref,
    }


async def ask(
    w: World,
    agent: str,
    details: dict[str, Any],
    *,
    key: SigningKey | None = None,
    proof_key: SigningKey | None = None,
    jti: str | None = None,
) -> Reply:
    """Ask for a grant as any OAuth client would."""
    key = key or w.agents[agent]
    url = f"{w.issuer}/oauth/token"
    now = datetime.now(UTC)
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": make_client_assertion(
            key,
            f"agent:{agent}",
            issuer=w.issuer,
            now=now,
            jti=jti or secrets.token_urlsafe(18),
        ),
        "authorization_details": json.dumps([details]),
    }
    proof = make_proof(proof_key or key, "POST", url, now=now, jti=secrets.token_urlsafe(18))
    async with httpx.AsyncClient() as http:
        response = await http.post(url, data=form, headers={"DPoP": proof})
    return Reply(response.status_code, response.json(), response.headers)


async def call(
    w: World,
    method: str,
    path: str,
    token: str,
    key: SigningKey,
    body: dict[str, Any] | None = None,
) -> Reply:
    """Use a token at the authority under a key."""
    url = w.issuer + path
    proof = make_proof(
        key,
        method,
        url,
        now=datetime.now(UTC),
        jti=secrets.token_urlsafe(18),
        access_token=token,
    )
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
    async with httpx.AsyncClient() as http:
        response = await http.request(method, url, json=body, headers=headers)
    return Reply(response.status_code, response.json())


async def _is_started(w: World, case: str) -> bool:
    """Whether the authority knows that it has started the case, or that it never will."""
    try:
        return (await w.people["una"].case(case)).status != "opening"
    except AuthorityError as error:
        return error.status == 404


Probe = Callable[[activity.Info], Awaitable[Any]]


@asynccontextmanager
async def rogue_worker(
    w: World, queue: str, name: str, probe: Probe, calls: list[Any]
) -> AsyncIterator[None]:
    """A worker without the plugin that takes a queue's tasks and does as it likes."""

    async def run(request: Any) -> Any:
        await until(lambda: _is_started(w, activity.info().workflow_id))
        answer = await probe(activity.info())
        calls.append(answer)
        return {
            "name": "weight",
            "record": request["record"],
            "digest": "sha-256:" + "A" * 43,
        }

    # One who has got hold of the case's keys as well: what he says must count for nothing all the
    # same.
    async with Worker(
        w.temporal,
        task_queue=queue,
        activities=[activity.defn(name=name)(run)],
        # Else a beat is kept back until two seconds before Temporal takes the step for lost.
        max_heartbeat_throttle_interval=timedelta(seconds=1),
    ):
        yield
