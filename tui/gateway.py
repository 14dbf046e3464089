"""The console's one way to the authority: typed calls, and three ways in which they fail.

Nothing else in ``tui`` speaks with the network. What comes is checked by the client; what is
signed is what was shown, or nothing is.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import BaseModel, ValidationError

from placet.cli import CommandFailed
from placet.client import (
    AuthorityAway,
    AuthorityError,
    EvidenceMismatch,
    OperatorClient,
    check_evidence,
)
from placet.ledger import Entry, EntryError, LedgerError, decode_entry
from placet.model import (
    MAX_PAGE,
    ActAnswer,
    AuthorityMatrix,
    CaseView,
    CheckpointLine,
    CheckpointPage,
    CheckpointQuery,
    CheckpointStatus,
    CheckpointView,
    DecisionAnswer,
    InputPart,
    Need,
    Overview,
    ProcessDefinition,
    Prospect,
    Verdict,
)

if TYPE_CHECKING:
    from placet.audit import LogFiles

POLL_SECONDS = 2.0
_PARTS_AT_ONCE = 4
_PAGE = 1024
_MANY = 2000


class Away(Exception):
    """The authority does not answer, or not in the form it must; try again later."""


class Refused(Exception):
    """The authority refused, and says why; ``reasons`` are its short words for it."""

    def __init__(self, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reasons = reasons


class NotShown(Exception):
    """What is shown is not what would be signed; nothing was signed."""


@dataclass(frozen=True)
class Me:
    """Who is signed in."""

    principal: str
    roles: tuple[str, ...]

    @property
    def name(self) -> str:
        """Without the kind."""
        return self.principal.partition(":")[2]


@dataclass(frozen=True)
class Identity:
    """One identity, as the authority lists it."""

    principal: str
    status: str
    roles: tuple[str, ...]
    owner: str | None
    keys: tuple[str, ...]
    enrolled_at: datetime


@dataclass(frozen=True)
class Head:
    """The newest signed head: how many entries, and the root's beginning."""

    size: int
    root: str
    note: str


@dataclass(frozen=True)
class Listed:
    """One entry of the ledger with its index; ``entry`` is missing where it can't be read."""

    index: int
    entry: Entry | None
    text: str


@dataclass(frozen=True)
class CaseFile:
    """All that one screen of a case shows."""

    case: CaseView
    checkpoint: CheckpointView
    definition: ProcessDefinition | None
    parts: tuple[InputPart, ...]
    prospect: Prospect


class Gateway:
    """Everything that the console asks of the authority."""

    def __init__(self, client: OperatorClient) -> None:
        self._client = client
        self._definitions: dict[tuple[str, int], ProcessDefinition] = {}
        self._matrices: dict[str, AuthorityMatrix] = {}

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
        with _ways_to_fail():
            return [_identity(each) for each in await self._client.identities(kind)]

    # --- what waits ----------------------------------------------------------------------------

    async def page(self, query: CheckpointQuery, after: str | None = None) -> CheckpointPage:
        """A page of what waits, filtered and sorted by the authority."""
        with _ways_to_fail():
            await self._learn_definitions()
            return await self._client.checkpoint_page(query, after)

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

    async def overview(self) -> Overview:
        """How much there is."""
        with _ways_to_fail():
            return await self._client.overview()

    async def prospect(self, checkpoint: str) -> Prospect:
        """What my word would do there."""
        with _ways_to_fail():
            return await self._client.prospect(checkpoint)

    async def cases(self, status: str | None = None) -> list[CaseView]:
        """All cases, or those of a status."""
        with _ways_to_fail():
            await self._learn_definitions()
            return await self._client.cases(status)

    async def checkpoint(self, checkpoint: str) -> CheckpointView:
        """A checkpoint as it is now, its digests computed again from what it shows.

        Raises:
            NotShown: they are others than it says.
        """
        with _ways_to_fail():
            view = await self._client.checkpoint(checkpoint)
            check_evidence(view)
            return view

    async def case_file(self, checkpoint: str) -> CaseFile:
        """A checkpoint with its case and every part of its evidence, each held to its digest."""
        view = await self.checkpoint(checkpoint)
        with _ways_to_fail():
            case = await self._client.case(view.case)
            definition = await self.definition(case.process, case.process_version)
            gate = asyncio.Semaphore(_PARTS_AT_ONCE)

            async def part(digest: str) -> InputPart:
                async with gate:
                    return await self._client.part(view.case, digest)

            parts = await asyncio.gather(*(part(each.digest) for each in view.evidence.items))
            prospect = await self._client.prospect(checkpoint)
            return CaseFile(case, view, definition, tuple(parts), prospect)

    async def definition(self, process: str, version: int) -> ProcessDefinition | None:
        """A published process, by name and version."""
        if (process, version) not in self._definitions:
            with _ways_to_fail():
                await self._learn_definitions()
        return self._definitions.get((process, version))

    def newest_definition(self, process: str) -> ProcessDefinition | None:
        """The newest version that is known of a process."""
        found = [each for (name, _), each in self._definitions.items() if name == process]
        return max(found, key=lambda each: each.version, default=None)

    def openers(self) -> tuple[str, ...]:
        """The roles that may open a case of any process."""
        return tuple({role for each in self._matrices.values() for role in each.openers})

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
    ) -> str:
        """Sign a decision on what was shown, if the checkpoint is still the same.

        Raises:
            NotShown: it shows other evidence now, or has ended.
        """
        now = await self.checkpoint(shown.id)
        if changed(shown, now):
            raise NotShown("it has changed since you opened it; close this and read it again")
        with _ways_to_fail():
            check_evidence(shown)
            return self._client.sign_decision(
                shown,
                verdict,
                amount=amount,
                reason_code=reason_code,
                exceptions=exceptions,
                comment=comment,
                ledger_head=await self._client.head(),
            )

    async def send(self, checkpoint: str, signed: str) -> DecisionAnswer:
        """Send a signed decision; sent twice, it counts once and is answered the same."""
        with _ways_to_fail():
            return await self._client.send_decision(checkpoint, signed)

    async def claim(self, checkpoint: str, *, back: bool = False) -> ActAnswer:
        """Say that I see to it, or that I no longer do."""
        with _ways_to_fail():
            return await (self._client.unclaim if back else self._client.claim)(checkpoint)

    async def comment(self, checkpoint: str, text: str) -> ActAnswer:
        """Say something about it, for whoever reads it."""
        with _ways_to_fail():
            return await self._client.comment(checkpoint, text)

    async def act(self, act: str, target: str, body: BaseModel | Mapping[str, Any]) -> ActAnswer:
        """Sign any other act, and send it."""
        with _ways_to_fail():
            return await self._client.act(act, target, body)

    # --- the ledger ----------------------------------------------------------------------------

    async def head(self) -> Head | None:
        """The newest signed head."""
        with _ways_to_fail():
            note = await self._client.head()
        lines = (note or "").split("\n")
        if len(lines) < 3 or not lines[1].isascii() or not lines[1].isdecimal():
            return None
        return Head(int(lines[1][:15]), lines[2], note or "")

    async def entries(self, start: int, limit: int) -> list[Listed]:
        """Entries from an index on."""
        with _ways_to_fail():
            page = await self._client.get(f"/v1/ledger/entries?from={start}&limit={limit}")
            return [_listed(start + at, text) for at, text in enumerate(page["entries"])]

    async def entries_of(self, case: str) -> list[Listed]:
        """Every entry of one case."""
        found: list[Listed] = []
        with _ways_to_fail():
            while True:
                start = found[-1].index + 1 if found else 0
                path = f"/v1/cases/{case}/entries?from={start}&limit={_PAGE}"
                page = (await self._client.get(path))["entries"]
                found += [_listed(int(each["index"]), each["entry"]) for each in page]
                if len(page) < _PAGE:
                    return found

    async def tail(self, count: int) -> list[Listed]:
        """The newest entries, the newest last."""
        head = await self.head()
        if head is None:
            return []
        found: list[Listed] = []
        start = max(0, head.size - count)
        while len(found) < count:
            page = await self.entries(start + len(found), min(_PAGE, count))
            found += page
            if len(page) < min(_PAGE, count):
                break
        return found

    async def kept(self, digest: str) -> str:
        """What is kept beside the ledger under a digest; empty where nothing is."""
        try:
            with _ways_to_fail():
                return str((await self._client.get(f"/v1/kept/{digest}"))["content"])
        except Refused:
            return ""

    async def case_files(self, case: str) -> "LogFiles":
        """All that the proof of one case needs."""
        from placet.cli import fetch_case  # noqa: PLC0415 - it takes longer to load than to sign in

        with _ways_to_fail():
            return await fetch_case(self._client, case)

    async def whole_log(self, trust: Mapping[str, Any] | None = None) -> "LogFiles":
        """The whole log with what its entries refer to."""
        from placet.cli import fetch_log  # noqa: PLC0415 - the same

        with _ways_to_fail():
            return await fetch_log(self._client, trust=trust)

    # --- what changes --------------------------------------------------------------------------

    async def sizes(self) -> AsyncIterator[int]:
        """The ledger's size, again and again; everything that changes is an entry.

        Raises:
            Away: the authority does not answer; ask again.
        """
        while True:
            head = await self.head()
            if head is None:
                raise Away("the authority shows no signed head of its ledger")
            yield head.size
            await asyncio.sleep(POLL_SECONDS)


def changed(shown: CheckpointView, now: CheckpointView) -> bool:
    """Whether a checkpoint asks or shows something else than it did, or has ended."""
    return (shown.evidence_digest, shown.requirement_digest, shown.status) != (
        now.evidence_digest,
        now.requirement_digest,
        now.status,
    )


@contextlib.contextmanager
def _ways_to_fail() -> Iterator[None]:
    try:
        yield
    except AuthorityError as error:
        if error.status >= 500:
            raise Away(str(error)) from error
        raise Refused(error.problem.error_description, error.problem.reasons) from error
    except AuthorityAway as error:
        raise Away(str(error)) from error
    except EvidenceMismatch as error:
        raise NotShown(str(error)) from error
    except CommandFailed as error:
        raise Refused(str(error)) from error
    except LedgerError as error:
        raise Refused(f"the authority's ledger is not in its form: {error}") from error
    except httpx.InvalidURL as error:
        raise Away(f"that is no address: {error}") from error
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Away("the authority answered in a form that is not its own") from error


def _identity(body: Mapping[str, Any]) -> Identity:
    return Identity(
        principal=str(body["principal"]),
        status=str(body["status"]),
        roles=tuple(str(each) for each in body["roles"]),
        owner=None if body["owner"] is None else str(body["owner"]),
        keys=tuple(str(each) for each in body["keys"]),
        enrolled_at=datetime.fromisoformat(body["enrolled_at"]),
    )


def word_of(view: CheckpointView, principal: str) -> str | None:
    """What a person has said and not taken back."""
    said = [each.verdict for each in view.decisions if each.operator == principal]
    return said[-1] if said and said[-1] != Verdict.WITHDRAW.value else None


def roles_of(needs: Sequence[Need]) -> tuple[str, ...]:
    """Every role that is asked for, once."""
    return tuple(dict.fromkeys(role for need in needs for role in need.roles))


def _listed(index: int, text: str) -> Listed:
    try:
        return Listed(index, decode_entry(text.encode()), text)
    except EntryError:
        return Listed(index, None, text)


def read_details(text: str) -> str:
    """A JSON text with its members one below the other; as it is where it is none."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
