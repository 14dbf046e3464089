"""The routes of agents' workers and of systems of record."""

from starlette.requests import Request
from starlette.responses import Response

from placet.authority._errors import Refusal
from placet.authority._grants import IssuedGrant
from placet.authority._http import MAX_ASKS, MAX_DECISION, answer, read_model, whole_number
from placet.authority._services import Services
from placet.model import (
    AskKeys,
    CloseCase,
    GrantAnswers,
    GrantAsks,
    GrantGiven,
    GrantRefused,
    GrantUses,
    Join,
    OpenCheckpoint,
    RotateKey,
    Settlements,
    StopCase,
)


class AgentRoutes:
    """One method a route: read, call, answer."""

    def __init__(self, services: Services) -> None:
        self._s = services

    async def revocations(self, request: Request) -> Response:
        """The revocation feed, a long poll."""
        sender = await self._s.requests.header_client(request)
        after = whole_number(request, "after", 0)
        wait = float(whole_number(request, "wait", 0))
        return answer(await self._s.uses.revocations(sender, after, wait))

    async def uses(self, request: Request) -> Response:
        """Uses of grants."""
        body = await read_model(request, GrantUses)
        sender = await self._s.requests.client(body.client_assertion)
        return answer(await self._s.uses.record(sender, body))

    async def grants(self, request: Request) -> Response:
        """Grants for several steps of one worker."""
        body = await read_model(request, GrantAsks, MAX_ASKS)
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.client(body.client_assertion, proof)
        answers = await self._s.grants.issue_each(sender, body.asks)
        return answer(GrantAnswers(grants=tuple(map(_grant_answer, answers))))

    async def settlements(self, request: Request) -> Response:
        """Settling grants."""
        body = await read_model(request, Settlements)
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.client(body.client_assertion, proof)
        return answer(await self._s.settling.settle(sender, body))

    async def key_standing(self, request: Request) -> Response:
        """What a worker is told of its own key."""
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.header_client(request, proof)
        return answer(await self._s.key_ages.standing(sender))

    async def rotate_key(self, request: Request) -> Response:
        """A worker's next key."""
        body = await read_model(request, RotateKey, MAX_DECISION)
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.client(body.client_assertion, proof)
        return answer(await self._s.key_ages.rotate(sender, body.rotation))

    async def join(self, request: Request) -> Response:
        """A worker that joins as an instance of its agent."""
        proof = self._s.requests.proof(request)
        body = await read_model(request, Join, MAX_DECISION)
        return answer(await self._s.joining.join(body, proof))

    async def inputs(self, request: Request) -> Response:
        """Settled parts that a step reads."""
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.header_client(request, proof)
        parameters = request.path_params
        return answer(
            await self._s.settling.inputs(sender, parameters["grant"], parameters["name"])
        )

    async def payload_keys(self, request: Request) -> Response:
        """The payload keys of a case, for a worker whose step runs in it."""
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.header_client(request, proof)
        asked = await read_model(request, AskKeys)
        case = request.path_params["case"]
        response = answer(await self._s.payloads.hand_out(sender, case, asked))
        response.headers["Cache-Control"] = "no-store"
        return response

    async def open_checkpoint(self, request: Request) -> Response:
        """Opening a checkpoint, under a grant for the authority."""
        claims, proof = self._s.granted(request, "checkpoint:open")
        body = await read_model(request, OpenCheckpoint)
        return answer(await self._s.checkpoints.open(claims, proof, body.checkpoint))

    async def outcome(self, request: Request) -> Response:
        """Reading a checkpoint's outcome, under a grant for the authority."""
        claims, proof = self._s.granted(request, "outcome:read")
        return answer(await self._s.checkpoints.outcome(claims, proof, request.path_params["name"]))

    async def close_case(self, request: Request) -> Response:
        """Closing a case, under a grant for the authority."""
        claims, proof = self._s.granted(request, "case:close")
        body = await read_model(request, CloseCase)
        return answer(await self._s.cases.close(claims, proof, body.result))

    async def stop_case(self, request: Request) -> Response:
        """Stopping a case, under a grant for the authority."""
        claims, proof = self._s.granted(request, "case:stop")
        body = await read_model(request, StopCase)
        return answer(await self._s.cases.stop(claims, proof, body))


def _grant_answer(issued: IssuedGrant | Refusal) -> GrantGiven | GrantRefused:
    if isinstance(issued, Refusal):
        return GrantRefused(problem=issued.problem, retry_after=issued.retry_after)
    return GrantGiven(
        access_token=issued.token, expires_in=issued.expires_in, details=issued.details
    )
