"""The console's one way to the authority: typed calls, which fail in three ways.

Nothing else in ``tui`` speaks with the network. What comes is checked by the client; what is
signed is what was shown, or nothing is.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from placet.client import OperatorClient, check_evidence
from placet.model import (
    MAX_PAGE,
    ActAnswer,
    AuthorityMatrix,
    CaseView,
    CheckpointLine,
    CheckpointOrder,
    CheckpointPage,
    CheckpointQuery,
    CheckpointStatus,
    CheckpointView,
    DecisionAnswer,
    DelegationView,
    Governance,
    GroupPage,
    GroupQuery,
    InputPart,
    KeyedValue,
    Overview,
    ProcessDefinition,
    ProposalView,
    Prospect,
    ReviewView,
    RowCut,
    SignInAnswer,
    SignInBegun,
    Verdict,
)
from tui.answers import (
    Away,
    CaseFile,
    Identity,
    Me,
    NotShown,
    Refused,
    TooLong,
    changed,
    identity_of,
    ways_to_fail,
)
from tui.directory import Directory
from tui.ledger import Ledger

_PARTS_AT_ONCE = 4
_MANY = 2000


class Gateway:
    """Everything that the console asks of the authority."""

    def __init__(self, client: OperatorClient) -> None:
        self._client = client
        self._definitions: dict[tuple[str, int], ProcessDefinition] = {}
        self._matrices: dict[str, AuthorityMatrix] = {}
        self.directory = Directory(client)
        self.ledger = Ledger(client)

    @property
    def issuer(self) -> str:
        """The authority's address."""
        return self._client.issuer

    @property
    def operator(self) -> str:
        """Whose key it is."""
        return self._client.operator

    async def close(self) -> None:
        """Forget the session and the key."""
        await self._client.__aexit__(None, None, None)

    # --- who -----------------------------------------------------------------------------------

    async def me(self) -> Me:
        """Who I am to the authority.

        Raises:
            Refused: I am not enrolled, or not active.
        """
        for each in await self.identities("operator"):
            if each.principal == self.operator:
                return Me(each.principal, each.roles)
        raise Refused(f"{self.operator} is not enrolled")

    async def identities(self, kind: str) -> list[Identity]:
        """All identities of a kind."""
        with ways_to_fail():
            return [identity_of(each) for each in await self._client.identities(kind)]

    # --- what waits ----------------------------------------------------------------------------

    async def page(self, query: CheckpointQuery, after: str | None = None) -> CheckpointPage:
        """A page of what waits, filtered and sorted by the authority."""
        with ways_to_fail():
            await self._learn_definitions()
            return await self._client.checkpoint_page(query, after)

    async def groups(self, query: GroupQuery, after: str | None = None) -> GroupPage:
        """A page of groups of what waits, counted by the authority."""
        with ways_to_fail():
            await self._learn_definitions()
            return await self._client.checkpoint_groups(query, after)

    async def lines(self) -> list[CheckpointLine]:
        """Everything that is open, up to a limit: for what counts or joins, not for the queue."""
        found: list[CheckpointLine] = []
        after: str | None = None
        query = CheckpointQuery(status=CheckpointStatus.OPEN, limit=MAX_PAGE)
        while len(found) < _MANY:
            page = await self.page(query, after)
            found += page.checkpoints
            after = page.next
            if after is None:
                break
        return found

    async def returned(self) -> list[CheckpointLine]:
        """What was returned and has not come back, up to a page."""
        query = CheckpointQuery(
            status=CheckpointStatus.RETURNED, sort=CheckpointOrder.OPENED_DOWN, limit=MAX_PAGE
        )
        return list((await self.page(query)).checkpoints)

    async def overview(self) -> Overview:
        """How much there is."""
        with ways_to_fail():
            return await self._client.overview()

    async def prospect(self, checkpoint: str) -> Prospect:
        """What my word would do there."""
        with ways_to_fail():
            return await self._client.prospect(checkpoint)

    async def cases(self, status: str | None = None) -> list[CaseView]:
        """All cases, or those of a status."""
        with ways_to_fail():
            await self._learn_definitions()
            return await self._client.cases(status)

    async def checkpoint(self, checkpoint: str) -> CheckpointView:
        """A checkpoint as it is now, its digests computed again from what it shows.

        Raises:
            NotShown: they are others than it says.
        """
        with ways_to_fail():
            view = await self._client.checkpoint(checkpoint)
            if not view.erased:  # or it would have the digest of what is gone
                check_evidence(view)
            return view

    async def case_file(self, checkpoint: str) -> CaseFile:
        """A checkpoint with its case and every part of its evidence, each held to its digest.

        There are no parts once they were erased.
        """
        view = await self.checkpoint(checkpoint)
        items = () if view.erased else view.evidence.items
        with ways_to_fail():
            gate = asyncio.Semaphore(_PARTS_AT_ONCE)

            async def part(digest: str) -> InputPart:
                async with gate:
                    return await self._client.part(view.case, digest)

            case, prospect, emergency, parts = await asyncio.gather(
                self._client.case(view.case),
                self._client.prospect(checkpoint),
                self._emergency(view),
                asyncio.gather(*(part(each.digest) for each in items)),
            )
            definition = await self.definition(case.process, case.process_version)
            return CaseFile(case, view, definition, tuple(parts), prospect, emergency)

    async def _emergency(self, view: CheckpointView) -> ReviewView | None:
        if view.requirement.emergency_until is None:
            return None
        reviews = await self._client.reviews(None)
        return next((each for each in reviews if each.checkpoint == view.id), None)

    async def definition(self, process: str, version: int) -> ProcessDefinition | None:
        """A published process, by name and version."""
        if (process, version) not in self._definitions:
            with ways_to_fail():
                await self._learn_definitions()
        return self._definitions.get((process, version))

    def newest_definition(self, process: str) -> ProcessDefinition | None:
        """The newest version that is known of a process."""
        found = [each for (name, _), each in self._definitions.items() if name == process]
        return max(found, key=lambda each: each.version, default=None)

    def processes(self) -> tuple[str, ...]:
        """The processes that are published, as far as is known."""
        return tuple(sorted({name for name, _ in self._definitions}))

    def openers(self) -> tuple[str, ...]:
        """The roles that may open a case of any process."""
        return tuple({role for each in self._matrices.values() for role in each.openers})

    def matrix(self, process: str) -> AuthorityMatrix | None:
        """The matrix in force of a process, as far as it is known."""
        return self._matrices.get(process)

    async def _learn_definitions(self) -> None:
        if self._definitions:
            return
        published = await self._client.get("/v1/published")
        for text in published["processes"]:
            made = ProcessDefinition.model_validate_json(text)
            self._definitions[made.name, made.version] = made
        for text in published["matrices"]:
            matrix = AuthorityMatrix.model_validate_json(text)
            self._matrices[matrix.process] = matrix

    # --- what people do ------------------------------------------------------------------------

    async def sign(
        self,
        shown: CheckpointView,
        verdict: Verdict,
        *,
        amount: Decimal | None,
        reason_code: str | None,
        exceptions: Mapping[str, str],
        comment: str | None,
        stands_in_for: str | None = None,
    ) -> str:
        """Sign a decision on what was shown, if the checkpoint is still the same.

        Raises:
            NotShown: it shows other evidence now, or has ended.
            TooLong: so much can't be signed.
        """
        await self._require_same(shown)
        with ways_to_fail():
            check_evidence(shown)
            head = await self._client.head()
        try:
            return self._client.sign_decision(
                shown,
                verdict,
                amount=amount,
                reason_code=reason_code,
                exceptions=exceptions,
                comment=comment,
                stands_in_for=stands_in_for,
                ledger_head=head,
            )
        except ValueError as error:
            raise TooLong("what was typed is more than one signature takes; shorten it") from error

    async def _require_same(self, shown: CheckpointView) -> None:
        if changed(shown, await self.checkpoint(shown.id)):
            raise NotShown("it has changed since you opened it; close this and read it again")

    async def send(self, checkpoint: str, signed: str) -> DecisionAnswer:
        """Send a signed decision; sent twice, it counts once and is answered the same."""
        with ways_to_fail():
            return await self._client.send_decision(checkpoint, signed)

    async def claim(self, checkpoint: str, *, back: bool = False) -> ActAnswer:
        """Say that I see to it, or that I no longer do."""
        with ways_to_fail():
            return await (self._client.unclaim if back else self._client.claim)(checkpoint)

    async def comment(self, checkpoint: str, text: str) -> ActAnswer:
        """Say something about it, for whoever reads it."""
        with ways_to_fail():
            return await self._client.comment(checkpoint, text)

    async def act(self, act: str, target: str, body: BaseModel | Mapping[str, Any]) -> ActAnswer:
        """Sign any other act, and send it."""
        with ways_to_fail():
            return await self._client.act(act, target, body)

    async def attach(
        self, checkpoint: str, name: str, content: bytes, media_type: str
    ) -> ActAnswer:
        """Attach a file."""
        with ways_to_fail():
            return await self._client.attach(checkpoint, name, content, media_type)

    async def attachment(self, shown: CheckpointView, act: str) -> bytes:
        """A file that someone attached, held to the digest that was signed."""
        with ways_to_fail():
            return await self._client.attachment(shown, act)

    async def lower(self, shown: CheckpointView, rows: Sequence[RowCut]) -> ActAnswer:
        """Approve less: take amounts off rows of what was shown.

        Raises:
            NotShown: it shows other evidence now, or has ended.
        """
        await self._require_same(shown)
        with ways_to_fail():
            return await self._client.lower(shown, rows)

    async def key_in(self, shown: CheckpointView, values: Sequence[KeyedValue]) -> ActAnswer:
        """Key what could not be read in what was shown.

        Raises:
            NotShown: it shows other evidence now, or has ended.
        """
        await self._require_same(shown)
        with ways_to_fail():
            return await self._client.key_in(shown, values)

    async def countersign(self, proposal: ProposalView) -> ActAnswer:
        """Sign, as the second person, what was shown."""
        with ways_to_fail():
            return await self._client.countersign(proposal)

    async def open_case(self, process: str, subject: str) -> ActAnswer:
        """Open a case."""
        with ways_to_fail():
            return await self._client.open_case(process, subject)

    async def resubmit(self, case: str, record: str, version: str) -> ActAnswer:
        """Answer a return: a record came back."""
        with ways_to_fail():
            return await self._client.resubmit(case, record, version)

    # --- rules about people --------------------------------------------------------------------

    async def governance(self) -> Governance:
        """The rules about people that are in force."""
        with ways_to_fail():
            return await self._client.governance()

    async def proposals(self) -> list[ProposalView]:
        """The acts that wait for a second signature."""
        with ways_to_fail():
            return await self._client.proposals()

    async def reviews(self) -> list[ReviewView]:
        """The reviews of emergencies that wait."""
        with ways_to_fail():
            return await self._client.reviews()

    async def delegations(self) -> list[DelegationView]:
        """What I have handed over, and what was handed over to me."""
        with ways_to_fail():
            return await self._client.delegations()

    async def sign_in_again(self) -> None:
        """Prove anew, with the key, that I am here."""
        with ways_to_fail():
            await self._client.sign_in_again()

    async def begin_sign_in(self, *, fresh: bool = False) -> SignInBegun:
        """Begin a sign-in at the lender's identity provider."""
        with ways_to_fail():
            return await self._client.begin_sign_in(fresh=fresh)

    async def finish_sign_in(self, begun: SignInBegun) -> SignInAnswer | None:
        """Whether the person has signed in by now."""
        with ways_to_fail():
            return await self._client.finish_sign_in(begun)

    # --- what changes --------------------------------------------------------------------------

    async def changes(self, after: int | None) -> AsyncIterator[int]:
        """The ledger's size as things change, and now and then; until the connection ends.

        Raises:
            Away: the authority does not answer, or tells nothing; ask again.
        """
        told = False
        with ways_to_fail():
            async for block in self._client.listen(after):
                if block.last is not None:
                    told = True
                    yield block.last
        if not told:
            raise Away("the authority tells nothing of what changes")
