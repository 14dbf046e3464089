"""The draws of a run: their packets, and people who decide on them whatever is away meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from bench.chaos.stack import Stack
from lender import storage
from lender.demo import Books
from lender.embedded import ADMINISTRATOR, PEOPLE
from lender.samples import make_loan, plan_for, write_packet
from placet.client import AuthorityAway, AuthorityError, OperatorClient
from placet.model import AdmitCase, CaseView, CheckpointView, Verdict
from workflows.loan_draw import PROCESS

T = TypeVar("T")
_AWAY = {401, 429, 503}
"""What is asked again: not known just now, too often, away."""

_CLOCKS = ("time", "clock", "future", "older", "expired", "longer")
"""What a refusal says while an authority's clock is wrong, of what is signed or shown now."""

_LOOKS = 0.25
_SECONDS = 150


@dataclass(frozen=True)
class Sort:
    """A kind of draw: how large the loan is, who decides, and how."""

    hard_cost: Decimal
    people: tuple[str, ...]
    verdict: Verdict


SORTS: Mapping[str, Sort] = {
    "small": Sort(Decimal("300000.00"), ("omar",), Verdict.APPROVE),
    "large": Sort(Decimal("3000000.00"), ("omar", "sofia"), Verdict.APPROVE),
    "rejected": Sort(Decimal("300000.00"), ("omar",), Verdict.REJECT),
}


class Stuck(Exception):
    """A draw did not come to its end; the message says where it stands."""


@dataclass
class Played:
    """One draw, as its people saw it."""

    kind: str
    loan: str
    case: str = ""
    view: CaseView | None = None
    approved: Decimal = Decimal(0)
    signed: dict[str, str] = field(default_factory=dict)
    """The decision that counted, by who signed it."""

    stops: list[str] = field(default_factory=list)


class People:
    """Everyone's clients."""

    def __init__(self, clients: Mapping[str, OperatorClient]) -> None:
        self._clients = clients

    def __getitem__(self, name: str) -> OperatorClient:
        return self._clients[name]

    @classmethod
    async def of(cls, stack: Stack, exits: AsyncExitStack) -> "People":
        """Everyone, each with their own key."""
        names = (ADMINISTRATOR, *PEOPLE)
        return cls({each: await exits.enter_async_context(stack.person(each)) for each in names})


async def until(look: Callable[[], Awaitable[T | None]], where: Callable[[], str]) -> T:
    """Wait for something, whatever is away meanwhile.

    Raises:
        Stuck: it did not come.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            while True:
                try:
                    found = await look()
                except AuthorityAway:
                    found = None
                except AuthorityError as error:
                    if error.status not in _AWAY and not any(e in str(error) for e in _CLOCKS):
                        raise
                    found = None
                if found is not None:
                    return found
                await asyncio.sleep(_LOOKS)
    except TimeoutError:
        raise Stuck(f"{where()}: nothing more came of it in {_SECONDS} s") from None


def prepare(stack: Stack, kind: str, number: int) -> Played:
    """A loan of its own, and its packet."""
    loan = make_loan(
        f"L-{number}", "Row", "Row LLC", "1 Row Street, Oakland CA", SORTS[kind].hard_cost, 30
    )
    folder = stack.folder / "packets" / loan.loan_id
    files = storage.read_packet_folder(write_packet(plan_for(loan), folder))
    with Books.of(stack.lender) as books:
        books.take_in(loan)
        storage.store_packet(books.storage, loan.loan_id, 1, files)
    return Played(kind, loan.loan_id)


async def play(people: People, played: Played, opened: float) -> None:
    """Take a draw from its opening to its archive.

    Raises:
        Stuck: it does not come there.
    """
    await asyncio.sleep(opened)
    subject = f"loan/{played.loan}/draw/1"
    una = people["una"]

    async def case() -> str | None:
        found = [each for each in await una.cases() if each.subject == subject]
        if found:
            return found[0].id
        return (await people["dana"].open_case(PROCESS.name, subject)).case

    def where() -> str:
        at = "is not opened" if played.view is None else f"is {played.view.status}"
        return f"the draw of {played.loan} ({played.kind}) {at}, case {played.case}"

    played.case = await until(case, where)

    async def look() -> CaseView | CheckpointView | None:
        view = played.view = await una.case(played.case)
        if view.status == "stopped" or view.archived:
            return view
        waiting = await una.checkpoints("open", played.case)
        return waiting[0] if waiting else None

    while True:
        found: CaseView | CheckpointView = await until(look, where)
        if isinstance(found, CheckpointView):
            await _decide(people, played, found, where)
        elif found.archived:
            return
        else:
            await _admit(people, played, found, where)


async def _decide(
    people: People, played: Played, checkpoint: CheckpointView, where: Callable[[], str]
) -> None:
    sort = SORTS[played.kind]
    proposal = checkpoint.evidence.proposal
    approves = sort.verdict is Verdict.APPROVE
    played.approved = (proposal.amount or Decimal(0)) if approves else Decimal(0)
    for name in sort.people:
        client = people[name]

        async def send(name: str = name, client: OperatorClient = client) -> bool | None:
            """Sign once, send until it is answered; once it was refused for a clock, sign anew."""
            stands = await people["una"].checkpoint(checkpoint.id)
            mine = [each.jti for each in stands.decisions if each.operator == client.operator]
            if mine or stands.status != "open":
                played.signed[name] = mine[0] if mine else ""
                return True
            jws = client.sign_decision(
                checkpoint,
                sort.verdict,
                amount=proposal.amount if approves else None,
                reason_code=None if approves else "findings",
            )
            try:
                while True:
                    try:
                        await client.send_decision(checkpoint.id, jws)
                        break
                    except AuthorityAway:
                        await asyncio.sleep(_LOOKS)
            except AuthorityError as error:
                if error.status in _AWAY or any(each in str(error) for each in _CLOCKS):
                    return None
                raise
            return None

        await until(send, where)


async def _admit(
    people: People, played: Played, stopped: CaseView, where: Callable[[], str]
) -> None:
    played.stops.append(stopped.stopped_for or "")

    async def admit() -> bool:
        case = await people["una"].case(played.case)
        if case.status == "stopped":
            body = AdmitCase(
                reason="looked at: something was broken", trouble_digest=case.trouble_digest
            )
            try:
                await people[ADMINISTRATOR].act("case.admit", played.case, body)
            except AuthorityError as error:
                if error.status != 409:
                    raise
                return False  # something else is wrong by now: look again
        return True

    await until(admit, where)
