"""The three systems of record, served; and an agent who calls them as any OAuth client would."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

import httpx

from activities.checks import Given
from activities.checks._loan import duplicate
from lender import compliance, servicing, storage
from lender._service import Database
from lender.model import (
    Analysis,
    Basis,
    BilledInvoice,
    Claim,
    Cover,
    InsuranceKind,
    InvoiceMatch,
    LoanFile,
    Packet,
    Payment,
    ScheduleRow,
    payments_digest,
)
from lender.samples import make_loan
from placet.model import CheckResult, digest_bytes
from placet.resource import Guard
from placet.tokens import SigningKey, make_proof
from tests.lender.authority import SimulatedAuthority
from tests.lender.serving import address, listening, serving

T = TypeVar("T")
LOAN = "L-1001"
DRAW = f"loan/{LOAN}/draw/1"
STAFF = "the staff's token"
APPROVED = "sha-256:" + "A" * 43


def loan_file(loan: str = LOAN) -> LoanFile:
    """A loan that was not drawn on yet."""
    return make_loan(loan, "Test Row", "Test LLC", "1 Test Road", Decimal("400000.00"), 30)


def payment(number: int, amount: str, name: str = "pay-test") -> Payment:
    """A payment to one of the loan's payees."""
    return Payment(
        id=f"{name}-{number}",
        payee=f"P-1001{number}",
        account=f"acct-1001{number}",
        amount=Decimal(amount),
    )


PAYMENTS = (payment(0, "1500.00"), payment(1, "250.50"))


BASIS = Basis(
    title_effective=datetime.now(UTC).date(),
    cover=tuple(Cover(kind=kind, through=date(2199, 12, 31)) for kind in InsuranceKind),
    cost_to_complete=Decimal("530000.00"),
    sources=loan_file().sources,
)
"""What a draw of the loan rests on, as of today; the day may turn, which the window allows."""


def analysis_of(
    payments: tuple[Payment, ...] = PAYMENTS, loan: str = LOAN, draw: int = 1, **changed: Any
) -> Analysis:
    """An analysis that recommends these payments."""
    total = sum((each.amount for each in payments), Decimal("0.00"))
    said: dict[str, Any] = {
        "loan": loan,
        "draw": draw,
        "loan_version": 1,
        "as_of": date(2026, 11, 24),
        "packet": digest_bytes(b"a packet"),
        "results": (),
        "requested": total,
        "recommended": total,
        "payments": payments,
        "invoices": (BilledInvoice(vendor="Acme", number="7", amount=Decimal("250.50")),),
        "claims": (Claim(claimant="Ridgeline Builders 10010", amount=total),),
        "period_to": date(2026, 10, 31),
        "rows": (
            ScheduleRow(
                item="01",
                scheduled_value=Decimal("9000.00"),
                previous=Decimal("0.00"),
                this_period=Decimal("1800.00"),
                stored=Decimal("0.00"),
                total=Decimal("1800.00"),
                retainage=Decimal("49.50"),
            ),
        ),
        "earned_less_retainage": total,
        "basis": BASIS,
    }
    return Analysis.model_validate(said | changed)


def known_duplicate(*invoices: BilledInvoice, billed_before: bool = True) -> CheckResult:
    """What the check itself says of invoices that loan servicing knows, or does not."""

    def read(value: Any) -> dict[str, Any]:
        return {"value": value, "place": {"document": "invoice.pdf", "spot": "page 1"}}

    packet = Packet.model_validate(
        {
            "invoices": [
                {
                    "vendor": read(each.vendor),
                    "number": read(each.number),
                    "amount": read(each.amount),
                }
                for each in invoices
            ]
        }
    )
    matches = tuple(
        InvoiceMatch(**each.model_dump(), billed_before=billed_before) for each in invoices
    )
    given = Given(packet, loan_file(), 1, (), matches, date(2026, 11, 24))
    return duplicate(given)


@dataclass
class Lending:
    """What a test can reach."""

    authority: SimulatedAuthority
    http: httpx.AsyncClient
    databases: dict[str, Database]
    urls: dict[str, str]
    agent: SigningKey = field(default_factory=SigningKey.generate)
    apps: dict[str, Any] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        *,
        action: str = "",
        record: str = DRAW,
        system: str = "loan-servicing",
        token: str | None = None,
        key: SigningKey | None = None,
        proof: str | None = None,
        content: bytes | None = None,
        **fixed: Any,
    ) -> httpx.Response:
        """One request under a grant; a fresh one for this action and record if none is given."""
        key = key or self.agent
        if token is None:
            token = self.authority.sign(key, action, record, system=system, **fixed)
        url = self.urls[system] + path
        if proof is None:
            proof = self.proof(method, url, token, key)
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        if content is not None:
            headers["Content-Type"] = "application/json"
        return await self.http.request(method, url, content=content, headers=headers)

    def proof(self, method: str, url: str, token: str, key: SigningKey | None = None) -> str:
        """A proof of possession for one request."""
        return make_proof(
            key or self.agent,
            method,
            url,
            now=datetime.now(UTC),
            jti=secrets.token_urlsafe(18),
            access_token=token,
        )

    async def facts(self, record: str = DRAW, system: str = "loan-servicing") -> dict[str, Any]:
        """What the authority is told of a record."""
        token = self.authority.ask(system, record)
        path = f"/v1/facts/{record}"
        answer = await self.call(
            "GET", path, system=system, token=token, key=self.authority.inquirer
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def analyse(self, analysis: Analysis | None = None) -> httpx.Response:
        """Write an analysis to its draw, as the draw analyst does."""
        analysis = analysis or analysis_of()
        return await self.call(
            "PUT",
            f"/loans/{analysis.loan}/draws/{analysis.draw}/analysis",
            action="analysis:write",
            record=f"loan/{analysis.loan}/draw/{analysis.draw}",
            content=analysis.model_dump_json(exclude_none=True).encode(),
        )

    async def approved(
        self, payments: tuple[Payment, ...] = PAYMENTS, record: str = DRAW, **changed: Any
    ) -> dict[str, Any]:
        """What a grant carries once people approved these payments on the draw as it is now."""
        total = sum((each.amount for each in payments), Decimal("0.00"))
        return {
            "max_amount": total,
            "payments_digest": payments_digest(payments),
            "approvals": ("decision-0123456789",),
            "evidence_digest": APPROVED,
            "record_version": (await self.facts(record))["version"],
        } | changed

    async def pay(
        self,
        fixed: dict[str, Any],
        payments: tuple[Payment, ...] = PAYMENTS,
        record: str = DRAW,
        **how: Any,
    ) -> httpx.Response:
        """Ask for a disbursement under a grant that fixes this."""
        _, loan, _, draw = record.split("/")
        body = ",".join(each.model_dump_json() for each in payments)
        return await self.call(
            "POST",
            f"/loans/{loan}/draws/{draw}/disbursement",
            **{"action": "draw:disburse", "record": record, "agent": "disbursement"} | fixed | how,
            content=b'{"payments":[' + body.encode() + b"]}",
        )

    def paid(self, loan: str = LOAN) -> list[tuple[str, int]]:
        """Every payment that was made: its id and cents."""
        rows = servicing.payments_made(self.databases["loan-servicing"], loan)
        return sorted((row.id, row.amount_cents) for row in rows)

    def loan(self, loan: str = LOAN) -> LoanFile:
        """The loan as it stands."""
        return servicing.read_loan(self.databases["loan-servicing"], loan)


PAID = [("pay-test-0", 150_000), ("pay-test-1", 25_050)]


async def until(look: Callable[[], Awaitable[T]], seconds: float = 20) -> T:
    """Wait until ``look`` gives something that holds."""
    async with asyncio.timeout(seconds):
        while True:
            found = await look()
            if found:
                return found
            await asyncio.sleep(0.02)


def require_problem(answer: httpx.Response, status: int, error: str, said: str = "") -> None:
    """Hold an answer against the one shape of error that Placet's services have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error", "error_description", "reasons"}
    assert body["error"] == error
    assert said in body["error_description"]


@asynccontextmanager
async def lending(databases: dict[str, Database]) -> AsyncIterator[Lending]:
    """The systems of record over these databases, with one loan, following an authority."""
    sockets = {name: listening() for name in ("authority", *databases)}
    authority = SimulatedAuthority(address(sockets["authority"]))
    applications = [(authority.app(), sockets["authority"])]
    apps: dict[str, Any] = {}
    for system, database in databases.items():
        url = address(sockets[system])
        proofs = database.proofs(system)
        guard = Guard(system, authority.issuer, url, SigningKey.generate(), proofs=proofs)
        apps[system] = _MAKE[system](database, guard)
        applications.append((apps[system], sockets[system]))
    urls = {name: address(taken) for name, taken in sockets.items()}
    async with serving(*applications), httpx.AsyncClient(timeout=30) as http:
        yield Lending(authority, http, databases, urls, apps=apps)


def _servicing(database: Database, guard: Guard) -> Any:
    servicing.import_loan(database, loan_file())
    return servicing.make_app(database, guard)


def _compliance(database: Database, guard: Guard) -> Any:
    compliance.register_payees(database, loan_file())
    return compliance.make_app(database, guard)


_MAKE: dict[str, Callable[[Database, Guard], Any]] = {
    "loan-servicing": _servicing,
    "document-storage": lambda database, guard: storage.make_app(database, guard, STAFF),
    "compliance": _compliance,
}
