"""What people read of the authority, page by page and as it changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from placet._event_stream import Told, read_blocks
from placet.client._heads import HeadKeeper
from placet.client._sending import (
    UNHEARD,
    AuthorityAway,
    AuthorityError,
    EvidenceMismatch,
    parameters,
    segment,
)
from placet.model import (
    MAX_PAGE,
    Attach,
    CampaignPage,
    CampaignView,
    Candidate,
    CasePage,
    CaseQuery,
    CaseStatus,
    CaseView,
    CheckpointLine,
    CheckpointOrder,
    CheckpointPage,
    CheckpointQuery,
    CheckpointStatus,
    CheckpointView,
    DelegationView,
    DeliveryView,
    Event,
    Governance,
    GroupPage,
    GroupQuery,
    IdentityStanding,
    InputPart,
    LeftBehind,
    Order,
    OutcomeProof,
    Overview,
    ProposalView,
    Prospect,
    RegisteredView,
    ReportLine,
    ReviewView,
    StoppedModels,
    VendorView,
    salted_digest,
)

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0


class Reader(HeadKeeper):
    """What an operator may read."""

    async def case_page(self, query: CaseQuery, after: str | None = None) -> CasePage:
        """A page of cases; ``after`` is the ``next`` of the page before."""
        return self._model(await self._get("/v1/cases", parameters(query, after)), CasePage)

    async def case_lines(self, query: CaseQuery) -> AsyncIterator[CaseView]:
        """Every case of a list, page by page."""
        after: str | None = None
        while True:
            page = await self.case_page(query, after)
            for each in page.cases:
                yield each
            if (after := page.next) is None:
                return

    async def cases(self, status: str | None = None) -> list[CaseView]:
        """All cases, or those of one status: every page."""
        query = CaseQuery(status=CaseStatus(status) if status else None, limit=MAX_PAGE)
        return [each async for each in self.case_lines(query)]

    async def case(self, case: str) -> CaseView:
        """One case."""
        return self._model(await self._get(f"/v1/cases/{segment(case)}"), CaseView)

    async def checkpoint_page(
        self, query: CheckpointQuery, after: str | None = None
    ) -> CheckpointPage:
        """A page of checkpoints; ``after`` is the ``next`` of the page before."""
        found = await self._get("/v1/checkpoints", parameters(query, after))
        return self._model(found, CheckpointPage)

    async def checkpoint_groups(self, query: GroupQuery, after: str | None = None) -> GroupPage:
        """A page of the groups that the checkpoints of a query fall into, each counted."""
        return self._model(
            await self._get("/v1/checkpoint-groups", parameters(query, after)), GroupPage
        )

    async def checkpoint_lines(self, query: CheckpointQuery) -> AsyncIterator[CheckpointLine]:
        """Every row of a list, page by page."""
        after: str | None = None
        while True:
            page = await self.checkpoint_page(query, after)
            for line in page.checkpoints:
                yield line
            if (after := page.next) is None:
                return

    async def checkpoints(
        self, status: str | None = None, case: str | None = None
    ) -> list[CheckpointView]:
        """All checkpoints, or those of one status or case, each with its evidence.

        For what looks at one case, or audits; a list of what waits is :meth:`checkpoint_page`.
        """
        return [each async for each in self.each_checkpoint(status, case)]

    async def each_checkpoint(
        self, status: str | None = None, case: str | None = None
    ) -> AsyncIterator[CheckpointView]:
        """The same, one at a time: of a whole authority there may be more than memory holds."""
        query = CheckpointQuery(
            status=CheckpointStatus(status) if status else None,
            case=case,
            sort=CheckpointOrder.OPENED,
            limit=MAX_PAGE,
        )
        async for line in self.checkpoint_lines(query):
            yield await self.checkpoint(line.id)

    async def overview(self) -> Overview:
        """How much there is, and how much waits for this operator."""
        return self._model(await self._get("/v1/overview"), Overview)

    async def events(self, after: int | None = None) -> AsyncIterator[Event]:
        """What changes, as it does; reconnects by itself and misses nothing.

        ``after`` is the id of the last event that was seen; ``None`` begins now.

        Raises:
            AuthorityError: the authority refuses: the operator is no longer active.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                async for told in self.listen(after):
                    pause = _FIRST_PAUSE
                    after = after if told.last is None else told.last
                    if told.event is not None:
                        yield told.event
            except AuthorityError as error:
                if error.status != 503:
                    raise
            except AuthorityAway:
                pass
            else:
                pause = _FIRST_PAUSE  # the session ended: the next connection has a new one
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def listen(self, after: int | None = None) -> AsyncIterator[Told]:
        """What one connection tells, heartbeats as well, until it ends with the session.

        For who has to know when nobody is heard any more; :meth:`events` comes back by itself.

        Raises:
            AuthorityAway: the authority does not answer, or the connection broke.
            AuthorityError: it refuses.
        """
        url = f"{self.issuer}/v1/events"
        headers = {**await self._headers(url), "Accept": "text/event-stream"}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        try:
            async with self._http.stream("GET", url, headers=headers) as response:
                if self.session_refused(response):
                    return
                if response.status_code != 200:
                    await response.aread()
                    raise self._refusal(response)
                async for told in read_blocks(response.aiter_lines()):
                    yield told
        except UNHEARD as error:
            raise self.away(error) from error
        except ValueError as error:
            raise AuthorityAway(f"what answers at {self.issuer} tells no events") from error

    async def checkpoint(self, checkpoint: str) -> CheckpointView:
        """One checkpoint."""
        return self._model(
            await self._get(f"/v1/checkpoints/{segment(checkpoint)}"), CheckpointView
        )

    async def proposals(self, status: str | None = "proposed") -> list[ProposalView]:
        """The acts that wait for a second signature, or all that ever did."""
        query = {"status": status} if status else {}
        found = await self._pages("/v1/proposals", "proposals", query, key="jti")
        return [self._model(each, ProposalView) for each in found]

    async def proposal(self, jti: str) -> ProposalView:
        """One of them."""
        return self._model(await self._get(f"/v1/proposals/{segment(jti)}"), ProposalView)

    async def reviews(self, status: str | None = "open") -> list[ReviewView]:
        """The reviews of emergencies that wait, or all."""
        query = {"status": status} if status else {}
        found = await self._pages("/v1/reviews", "reviews", query)
        return [self._model(each, ReviewView) for each in found]

    async def notices(self, status: str | None = None) -> list[DeliveryView]:
        """Notices at their channels, or those of one status."""
        found: list[DeliveryView] = []
        while True:
            query = {"after": str(found[-1].id if found else 0)}
            query |= {"status": status} if status else {}
            page = self._member(await self._get("/v1/notices", query), "notices")
            found += [self._model(each, DeliveryView) for each in page]
            if len(page) < 100:
                return found

    async def governance(self) -> Governance:
        """The rules about people that are in force."""
        return self._model(await self._get("/v1/governance"), Governance)

    async def prospect(self, checkpoint: str) -> Prospect:
        """May I decide this, what would my word do, and what is missing."""
        path = f"/v1/checkpoints/{segment(checkpoint)}/prospect"
        return self._model(await self._get(path), Prospect)

    async def proof(self, checkpoint: str) -> OutcomeProof:
        """Why a checkpoint stands where it stands."""
        path = f"/v1/checkpoints/{segment(checkpoint)}/proof"
        return self._model(await self._get(path), OutcomeProof)

    async def attachment(self, checkpoint: CheckpointView, act: str) -> bytes:
        """A file that was attached; its salt is in the act that attached it.

        Raises:
            EvidenceMismatch: it is not the file whose digest is on the ledger.
        """
        signed = await self._get(f"/v1/acts/{segment(act)}")
        body = Attach.model_validate_json(self._member(signed, "body"))
        content = await self.attachment_as_kept(checkpoint.id, act)
        if salted_digest(body.salt, content) != body.digest:
            raise EvidenceMismatch(f"the file {body.name} is not the one that was attached")
        return content

    async def attachment_as_kept(self, checkpoint: str, act: str) -> bytes:
        """A file that was attached, as the authority has it, for who compares it themselves."""
        return await self._get_bytes(
            f"/v1/checkpoints/{segment(checkpoint)}/attachments/{segment(act)}"
        )

    async def delegations(self) -> list[DelegationView]:
        """What you have handed over, and what was handed over to you."""
        found = self._member(await self._get("/v1/delegations"), "delegations")
        return [self._model(each, DelegationView) for each in found]

    async def part(self, case: str, digest: str) -> InputPart:
        """One evidence part, held against its digest.

        Raises:
            EvidenceMismatch: what came is not what the digest fixes.
        """
        found = self._model(
            await self._get(f"/v1/cases/{segment(case)}/parts/{segment(digest)}"), InputPart
        )
        if found.part.digest != digest:
            raise EvidenceMismatch(f"the part {found.part.name} is not the one that was settled")
        return found

    async def identities(self, kind: str) -> list[dict[str, Any]]:
        """The identities of a kind: agent, operator or system."""
        found = await self._get(f"/v1/identities/{segment(kind)}")
        listed: list[dict[str, Any]] = self._member(found, "identities")
        return listed

    async def stopped_models(self) -> tuple[str, ...]:
        """The language models that are stopped; ``*`` stands for all."""
        return StoppedModels.model_validate(await self._get("/v1/models")).models

    async def registry(self, kind: str | None = None) -> list[RegisteredView]:
        """The non-human identities, or those of one kind."""
        found: list[RegisteredView] = []
        while True:
            page = await self.registry_page(kind, found[-1].identity if found else "")
            found += page
            if not page:
                return found

    async def registry_page(self, kind: str | None = None, after: str = "") -> list[RegisteredView]:
        """The identities that come after one in the registry; none: that was the last."""
        query = {name: value for name, value in (("after", after), ("kind", kind)) if value}
        page = self._member(await self._get("/v1/registry", query), "identities")
        return [RegisteredView.model_validate(each) for each in page]

    async def identity_report(self, report: str) -> list[ReportLine]:
        """All lines of a report on the identities."""
        found: list[ReportLine] = []
        while True:
            page = await self.report_page(report, found[-1].identity if found else "")
            found += page
            if not page:
                return found

    async def report_page(self, report: str, after: str = "") -> list[ReportLine]:
        """The lines of a report that come after an identity's; none: that was the last."""
        path = f"/v1/identity-reports/{segment(report)}"
        page = self._member(await self._get(path, {"after": after} if after else {}), "lines")
        return [ReportLine.model_validate(each) for each in page]

    async def left_behind(self, identity: str) -> LeftBehind:
        """What an identity leaves behind."""
        path = f"/v1/left-behind/{quote(identity, safe='/:')}"
        return self._model(await self._get(path), LeftBehind)

    async def vendor(self, vendor: str) -> VendorView:
        """What switching off a third party would stop now."""
        return self._model(await self._get(f"/v1/vendors/{segment(vendor)}"), VendorView)

    async def candidates(self, days: int) -> list[Candidate]:
        """Whom a campaign should look at: by risk, and by the day on which the review is due."""
        found = self._member(
            await self._get("/v1/campaign-candidates", {"days": str(days)}), "candidates"
        )
        return [Candidate.model_validate(each) for each in found]

    async def orders(self, identity: str) -> list[Order]:
        """The orders to rotate or offboard an identity that others own, the newest first."""
        path = f"/v1/orders/{quote(identity, safe='/:')}"
        found = self._member(await self._get(path), "orders")
        return [Order.model_validate(each) for each in found]

    async def campaign(self, campaign: str) -> CampaignView:
        """A campaign of reviews, and how far it is."""
        return self._model(await self._get(f"/v1/campaigns/{segment(campaign)}"), CampaignView)

    async def campaigns(self) -> list[CampaignView]:
        """The newest campaigns of reviews, and how far each is."""
        return list(self._model(await self._get("/v1/campaigns"), CampaignPage).campaigns)

    async def standing(self, identity: str) -> IdentityStanding:
        """Why an identity is held back now, or would be, and who looks at it again."""
        path = f"/v1/identity-standings/{quote(identity, safe='/:')}"
        return self._model(await self._get(path), IdentityStanding)

    async def inventory(self, source: str) -> list[str]:
        """The ids of all identities that a source has named.

        Raises:
            AuthorityError: nothing was imported from it (404).
        """
        found: list[str] = []
        while True:
            query = {"after": found[-1]} if found else {}
            path = f"/v1/inventories/{segment(source)}"
            page: list[str] = self._member(await self._get(path, query), "names")
            found += page
            if not page:
                return found

    async def registered(self, identity: str) -> RegisteredView:
        """One non-human identity."""
        return RegisteredView.model_validate(
            await self._get(f"/v1/registry/{quote(identity, safe='/:')}")
        )

    async def entries(self, type_: str | None = None) -> list[dict[str, Any]]:
        """The ledger's entries in order, or those of one type; nobody has verified them here."""
        found: list[dict[str, Any]] = []
        start = 0
        while True:
            answer = await self._get("/v1/ledger/entries", {"from": str(start), "limit": "1024"})
            page = [json.loads(each) for each in self._member(answer, "entries")]
            found += [each for each in page if type_ is None or each.get("type") == type_]
            start += len(page)
            if len(page) < 1024:
                return found

    async def get(self, path: str) -> Any:
        """Any other read of the authority's API, as JSON."""
        return await self._get(path)
