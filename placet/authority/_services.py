"""The authority's services, and who may reach them by which route."""

from dataclasses import dataclass

from starlette.requests import Request

from placet.authority._acts import Acts
from placet.authority._archiving import Archivist
from placet.authority._campaigns import Campaigns
from placet.authority._cases import Cases
from placet.authority._checkpoints import Checkpoints
from placet.authority._core import Core
from placet.authority._decisions import Decisions
from placet.authority._enrolments import Enrolments
from placet.authority._errors import NotFound
from placet.authority._events import Events
from placet.authority._grants import Grants
from placet.authority._http import one_header
from placet.authority._inventories import Inventories
from placet.authority._joining import Joining
from placet.authority._key_ages import KeyAges
from placet.authority._leaving import Leaving
from placet.authority._log import LedgerReads
from placet.authority._orders import Orders
from placet.authority._payloads import PayloadService
from placet.authority._people import People
from placet.authority._registry import Registry
from placet.authority._requests import Requests
from placet.authority._revoking import Revoking
from placet.authority._seats import Asker
from placet.authority._sessions import Sessions
from placet.authority._settlements import Settling
from placet.authority._signing_in import SigningIn
from placet.authority._standings import Standings
from placet.authority._usage import Usage
from placet.authority._uses import Uses
from placet.authority._views import Views
from placet.tokens import GrantClaims, Proof, SessionClaims


@dataclass(frozen=True)
class Services:
    """The parts behind the routes."""

    core: Core
    requests: Requests
    grants: Grants
    people: People
    signing_in: SigningIn
    sessions: Sessions
    enrolments: Enrolments
    joining: Joining
    key_ages: KeyAges
    settling: Settling
    revoking: Revoking
    checkpoints: Checkpoints
    decisions: Decisions
    acts: Acts
    cases: Cases
    archivist: Archivist
    payloads: PayloadService
    uses: Uses
    views: Views
    registry: Registry
    usage: Usage
    leaving: Leaving
    campaigns: Campaigns
    orders: Orders
    standings: Standings
    inventories: Inventories
    ledger: LedgerReads
    events: Events

    async def admit(self, request: Request) -> tuple[SessionClaims, Asker]:
        """The person behind a request: with a session, an unused proof, and active."""
        session = self.requests.session(request)
        token = one_header(request, "Authorization").partition(" ")[2]
        return session, await self.views.admit(session, self.requests.proof(request, token))

    def granted(self, request: Request, *actions: str) -> tuple[GrantClaims, Proof]:
        """The grant for the authority behind a request: for one of these actions, in this case.

        Raises:
            NotFound: it is for something else.
        """
        claims, proof = self.requests.grant(request)
        if claims.details.action not in actions or request.path_params["case"] != claims.txn:
            raise NotFound("the grant is not for this")
        return claims, proof
