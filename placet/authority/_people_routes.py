"""The routes by which people enrol, act, decide and look."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from placet.authority._acts import list_proposals, list_reviews, show_proposal
from placet.authority._errors import Invalid
from placet.authority._governance import governance
from placet.authority._http import (
    MAX_ACT,
    MAX_DECISION,
    MAX_DECISIONS,
    answer,
    one_of,
    one_query,
    page,
    read_model,
    whole_number,
)
from placet.authority._notices import list_deliveries
from placet.authority._services import Services
from placet.model import (
    DeliveryStatus,
    Enrolment,
    ProposalStatus,
    SignedAct,
    SignedDecision,
    SignedDecisions,
)


class PeopleRoutes:
    """One method a route: read, call, answer."""

    def __init__(self, services: Services) -> None:
        self._s = services

    async def enrol(self, request: Request) -> Response:
        """Enrolling oneself with a one-time code."""
        body = await read_model(request, Enrolment, MAX_DECISION)
        return answer(await self._s.enrolments.enrol(body))

    async def acts(self, request: Request) -> Response:
        """Carrying out a signed act."""
        body = await read_model(request, SignedAct, MAX_ACT)
        return answer(await self._s.acts.perform(body))

    async def decide(self, request: Request) -> Response:
        """Taking a signed decision."""
        body = await read_model(request, SignedDecision, MAX_DECISION)
        decided = await self._s.decisions.decide(request.path_params["checkpoint"], body.decision)
        return answer(decided)

    async def decide_many(self, request: Request) -> Response:
        """Taking many signed decisions, each by itself."""
        body = await read_model(request, SignedDecisions, MAX_DECISIONS)
        return answer(await self._s.decisions.decide_many(body))

    async def act(self, request: Request) -> Response:
        """A signed act as it was sent."""
        await self._s.admit(request)
        return JSONResponse(await self._s.views.act(request.path_params["jti"]))

    async def proposals(self, request: Request) -> Response:
        """A page of acts that wait, or waited, for a second signature."""
        await self._s.admit(request)
        status = one_of(request, "status", ProposalStatus)
        found = await list_proposals(self._s.core, status, one_query(request, "after", 128) or "")
        return page("proposals", found)

    async def proposal(self, request: Request) -> Response:
        """One of them, with its body."""
        await self._s.admit(request)
        return answer(await show_proposal(self._s.core, request.path_params["jti"]))

    async def governance(self, request: Request) -> Response:
        """The rules about people that are in force."""
        await self._s.admit(request)
        return answer(await self._s.core.store.read(governance))

    async def reviews(self, request: Request) -> Response:
        """A page of the reviews of emergencies."""
        await self._s.admit(request)
        status = one_query(request, "status")
        if status not in {None, "open", "closed"}:
            raise Invalid("invalid_request", "status is one of open, closed")
        after = one_query(request, "after") or ""
        return page("reviews", await list_reviews(self._s.core, status, after))

    async def notices(self, request: Request) -> Response:
        """A page of notices at their channels: what was sent, what waits, what is dead."""
        await self._s.admit(request)
        status = one_of(request, "status", DeliveryStatus)
        found = await list_deliveries(self._s.core, status, whole_number(request, "after", 0))
        return page("notices", found)

    async def case(self, request: Request) -> Response:
        """One case."""
        await self._s.admit(request)
        return answer(await self._s.views.case(request.path_params["case"]))

    async def part(self, request: Request) -> Response:
        """One settled part."""
        await self._s.admit(request)
        parameters = request.path_params
        return answer(await self._s.views.part(parameters["case"], parameters["digest"]))

    async def archive(self, request: Request) -> Response:
        """A closed case's sealed history."""
        await self._s.admit(request)
        return answer(await self._s.archivist.read(request.path_params["case"]))

    async def checkpoint(self, request: Request) -> Response:
        """One checkpoint."""
        session, _ = await self._s.admit(request)
        return answer(
            await self._s.views.checkpoint(request.path_params["checkpoint"], session.sub)
        )

    async def prospect(self, request: Request) -> Response:
        """What the asker's word would do at a checkpoint."""
        session, _ = await self._s.admit(request)
        return answer(await self._s.views.prospect(request.path_params["checkpoint"], session.sub))

    async def outcome_proof(self, request: Request) -> Response:
        """Why a checkpoint stands where it stands."""
        await self._s.admit(request)
        return answer(await self._s.views.proof(request.path_params["checkpoint"]))

    async def attachment(self, request: Request) -> Response:
        """A file that was attached: to be kept as a file, never shown in place."""
        await self._s.admit(request)
        parameters = request.path_params
        content, media_type = await self._s.views.attachment(
            parameters["checkpoint"], parameters["act"]
        )
        headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
        return Response(content, media_type=media_type, headers=headers)

    async def delegations(self, request: Request) -> Response:
        """The asker's delegations."""
        session, _ = await self._s.admit(request)
        return page("delegations", await self._s.views.delegations(session.sub))
