"""Wrong input to every endpoint: an answer that says what was wrong, and nothing written (I12)."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from lender.servicing import import_loan
from placet.model import Model
from tests.lender.lending import (
    DRAW,
    LOAN,
    STAFF,
    Lending,
    analysis_of,
    loan_file,
    require_problem,
    until,
)

SYSTEMS = ("loan-servicing", "document-storage", "compliance")
HUGE = 10**30

_TABLES = {
    "loan-servicing": ("loan", "analysis", "payment", "disbursement", "invoice", "first_billing"),
    "document-storage": ("packet_file",),
    "compliance": ("payee", "payee_of_loan"),
}


def _books(bank: Lending) -> dict[str, Any]:
    """Everything that the systems have written, but the uses that they tell of."""
    found = {}
    for system, tables in _TABLES.items():
        with bank.databases[system].engine.connect() as connection:
            for table in tables:
                rows = connection.execute(text(f"SELECT * FROM {table}"))
                found[f"{system} {table}"] = sorted(repr(row) for row in rows)
    return found


# --- bodies -------------------------------------------------------------------------------------

_ROUTES: dict[str, tuple[str, str, str]] = {
    "analysis": ("PUT", f"/loans/{LOAN}/draws/1/analysis", "analysis:write"),
    "match": ("POST", f"/loans/{LOAN}/draws/1/invoices/match", "invoices:match"),
    "disbursement": ("POST", f"/loans/{LOAN}/draws/1/disbursement", "draw:disburse"),
}

_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no-json": b"{",
    "not-utf8": b'"\xff\xfe"',
    "a-list": b"[]",
    "null": b"null",
    "a-number": b"1e999999",
    "not-a-number": b"NaN",
    "an-unknown-member": b'{"surprise": 1}',
    "nested-too-deep": b'{"payments":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a-member-twice": b'{"invoices": [], "invoices": [], "payments": [], "payments": []}',
    "a-float-for-money": (
        b'{"payments": [{"id": "pay-1", "payee": "P-1", "account": "a", "amount": 1.5}],'
        b' "invoices": [{"vendor": "a", "number": "1", "amount": 1.5}]}'
    ),
    "money-in-another-spelling": (
        b'{"payments": [{"id": "pay-1", "payee": "P-1", "account": "a", "amount": "1e3"}],'
        b' "invoices": [{"vendor": "a", "number": "1", "amount": "+1.00"}]}'
    ),
    "a-lone-surrogate": b'{"invoices": [{"vendor": "\\ud800", "number": "1", "amount": "1.00"}]}',
}


@pytest.mark.parametrize("route", sorted(_ROUTES))
async def test_a_wrong_body_is_answered(
    bank: Lending, route: str, subtests: pytest.Subtests
) -> None:
    """I12: each wrong body to each route that takes one."""
    method, path, action = _ROUTES[route]
    before = _books(bank)
    for name, body in _BODIES.items():
        with subtests.test(name):
            answer = await bank.call(method, path, action=action, content=body)
            require_problem(answer, 400, "invalid_request")
    too_large = b'{"x": "' + b"x" * (8 * 1024 * 1024) + b'"}'
    answer = await bank.call(method, path, action=action, content=too_large)
    require_problem(answer, 413, "invalid_request", "larger than")
    assert _books(bank) == before
    assert bank.authority.told("intent") == []


_ANALYSES: dict[str, tuple[dict[str, Any], str]] = {
    "of-another-draw": ({"draw": 2}, "another draw"),
    "of-another-loan": ({"loan": "L-1002"}, "another draw"),
    "of-no-loan": ({"loan": "loan/../1"}, "loan"),
    "draw-0": ({"draw": 0}, "draw"),
    "a-huge-draw": ({"draw": HUGE}, "draw"),
    "a-huge-version": ({"loan_version": HUGE}, "loan_version"),
    "version-0": ({"loan_version": 0}, "loan_version"),
    "a-digest-that-is-none": ({"packet": "sha-256:x"}, "packet"),
    "an-unknown-member": ({"approved": True}, "approved"),
    "money-without-cents": ({"recommended": "1"}, "recommended"),
    "a-member-missing": ({"requested": None}, "requested"),
}


async def test_a_wrong_analysis_is_answered(bank: Lending, subtests: pytest.Subtests) -> None:
    """I12: the description names the member; nothing is stored."""
    before = _books(bank)
    good = analysis_of().model_dump(mode="json")
    for name, (changed, said) in _ANALYSES.items():
        with subtests.test(name):
            body = json.dumps(good | changed).encode()
            answer = await bank.call(
                "PUT", f"/loans/{LOAN}/draws/1/analysis", action="analysis:write", content=body
            )
            require_problem(answer, 400, "invalid_request", said)
    assert _books(bank) == before


async def test_an_analysis_of_an_unknown_loan_is_not_kept(bank: Lending) -> None:
    """I12: there is nothing for it to be an analysis of."""
    before = _books(bank)
    require_problem(await bank.analyse(analysis_of(loan="L-404")), 404, "not_found", "loan")
    assert _books(bank) == before


async def test_more_invoices_than_may_be_asked_for(bank: Lending) -> None:
    """I12: a question has a limit."""
    one = {"vendor": "a", "number": "1", "amount": "1.00"}
    path = f"/loans/{LOAN}/draws/1/invoices/match"
    most = json.dumps({"invoices": [one] * 500}).encode()
    assert (await bank.call("POST", path, action="invoices:match", content=most)).status_code == 200
    more = json.dumps({"invoices": [one] * 501}).encode()
    answer = await bank.call("POST", path, action="invoices:match", content=more)
    require_problem(answer, 400, "invalid_request", "invoices")


_UPLOADS: dict[str, bytes] = {
    "nothing": b"",
    "no-files": b"{}",
    "a-list": b'{"files": []}',
    "no-base64": b'{"files": {"a.pdf": "***"}}',
    "base64-with-more": b'{"files": {"a.pdf": "AAAA*AAA"}}',
    "base64-for-urls": b'{"files": {"a.pdf": "_-8="}}',
    "base64-without-padding": b'{"files": {"a.pdf": "AA"}}',
    "base64-with-odd-bits": b'{"files": {"a.pdf": "AB=="}}',
    "a-number": b'{"files": {"a.pdf": 1}}',
    "a-name-twice": b'{"files": {"a.pdf": "", "a.pdf": "AA=="}}',
    "a-surrogate-in-a-name": b'{"files": {"\\ud800": ""}}',
}


async def test_a_wrong_upload_is_answered(bank: Lending, subtests: pytest.Subtests) -> None:
    """I12: nothing of it is stored."""
    before = _books(bank)
    for name, body in _UPLOADS.items():
        with subtests.test(name):
            answer = await bank.http.put(
                f"{bank.urls['document-storage']}/staff/loans/{LOAN}/draws/1/packet",
                content=body,
                headers={"Authorization": f"Staff {STAFF}"},
            )
            require_problem(answer, 400, "invalid_request")
    assert _books(bank) == before


# --- paths --------------------------------------------------------------------------------------

_DRAWS = ("0", "-1", "+1", "01", "1.0", "1_0", "x", str(HUGE), "10000", "%D9%A1", "1%00", "%20")
_LOANS = ("L-", "l-1001", "L-1001%00", "1001", "L-12345678901", "..%2f", "L-1001%0A")


def _paths() -> list[tuple[str, str, str]]:
    """Each route with a path that names no record: system, method, path."""
    found = []
    for loan, draw in [(LOAN, each) for each in _DRAWS] + [(each, "1") for each in _LOANS]:
        base = f"/loans/{loan}/draws/{draw}"
        found.append(("loan-servicing", "GET", base))
        if draw not in {"0", "1", str(HUGE)} or loan not in {LOAN, "L-1001%00"}:
            continue  # a route has the same types: a few are enough to see that it uses them
        found += [
            ("loan-servicing", "PUT", f"{base}/analysis"),
            ("loan-servicing", "POST", f"{base}/invoices/match"),
            ("loan-servicing", "POST", f"{base}/disbursement"),
            ("document-storage", "GET", f"{base}/packet"),
            ("document-storage", "GET", f"{base}/packet/1/a.pdf"),
            ("document-storage", "PUT", f"/staff{base}/packet"),
        ]
    found += [("loan-servicing", "GET", f"/loans/{each}") for each in _LOANS]
    found += [
        ("document-storage", "GET", f"/loans/{LOAN}/draws/1/packet/{each}/a.pdf") for each in _DRAWS
    ]
    found += [
        ("document-storage", "GET", f"/loans/{LOAN}/draws/1/packet/1/{each}")
        for each in ("a%00b", "a%0Ab", "a%5Cb", "x" * 201)
    ]
    found += [
        ("compliance", "POST", f"/payees/{each}/screening")
        for each in ("P-", "p-1", "P-1%00", "P-12345678901")
    ]
    return found


async def test_a_path_that_names_no_record_is_answered(bank: Lending) -> None:
    """I12: for every spelling of a loan, a draw, a version, a name or a payee that is none."""
    before = _books(bank)
    wrong = []
    for system, method, path in _paths():
        answer = await bank.http.request(
            method, bank.urls[system] + path, headers={"Authorization": f"Staff {STAFF}"}
        )
        try:
            if answer.status_code == 404:
                require_problem(answer, 404, "not_found")
            else:
                require_problem(answer, 400, "invalid_request")
        except AssertionError as error:
            wrong.append((method, path, str(error)))
    assert not wrong
    assert _books(bank) == before


async def test_no_route_and_no_method_are_answered(bank: Lending) -> None:
    """I12: the framework's own answers have our shape too; no page of documentation is served."""
    for url in bank.urls.values():
        if url == bank.urls["authority"]:
            continue
        for path in ("/", "/nothing", "/docs", "/openapi.json", "/redoc", f"/loans/{LOAN}/"):
            require_problem(await bank.http.get(url + path), 404, "not_found")
        answer = await bank.http.delete(f"{url}/livez")
        require_problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "GET"
        assert (await bank.http.get(f"{url}/livez")).json()["status"] == "ok"


_FACTS = {
    "loan-servicing": (
        "loan/L-404",
        "loan/L-404/draw/1",
        "payee/P-1",
        "loan/L-1001/draw/0",
        f"{DRAW}/packet",
    ),
    "document-storage": (
        DRAW,
        f"{DRAW}/packet",
        f"{DRAW}/packet/packet",
        f"loan/{LOAN}/packet",
        "payee/P-1",
        "loan/L-1001/draw/x/packet",
    ),
    "compliance": ("payee/P-10010", "loan/x", "loan/L-1001/draw/01", f"{DRAW}/packet"),
}


@pytest.mark.parametrize("system", sorted(_FACTS))
async def test_facts_of_no_record_are_answered(bank: Lending, system: str) -> None:
    """I12: the authority is told that there are none, not something that passes for some."""
    for record in _FACTS[system]:
        token = bank.authority.ask(system, record)
        answer = await bank.call(
            "GET",
            f"/v1/facts/{record}",
            system=system,
            token=token,
            key=bank.authority.inquirer,
        )
        require_problem(answer, 404, "not_found")


async def test_a_draw_that_was_not_made_is_not_there(bank: Lending) -> None:
    """I12: reading beyond what was disbursed."""
    answer = await bank.call("GET", f"/loans/{LOAN}/draws/1", action="draw:read")
    require_problem(answer, 404, "not_found", "draw")
    await bank.analyse()
    assert (await bank.pay(await bank.approved())).status_code == 200
    answer = await bank.call("GET", f"/loans/{LOAN}/draws/1", action="draw:read")
    assert answer.status_code == 200
    assert answer.json()["disbursed"] == "1750.50"


async def test_a_body_that_breaks_off_writes_nothing(bank: Lending) -> None:
    """I12: a sender that goes away in the middle."""
    before = _books(bank)
    path = f"/loans/{LOAN}/draws/1/analysis"
    url = bank.urls["loan-servicing"]
    token = bank.authority.sign(bank.agent, "analysis:write", DRAW)
    port = int(url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: DPoP {token}\r\n"
        f"DPoP: {bank.proof('PUT', url + path, token)}\r\nContent-Length: 100\r\n\r\n"
    )
    writer.write(head.encode() + b'{"loan": "L-1001"')
    await writer.drain()
    writer.close()

    async def told() -> list[Any]:
        return bank.authority.told("use")

    (use,) = await until(told)
    assert use["status"] == 400
    assert _books(bank) == before


async def test_what_nobody_foresaw_tells_nothing_of_our_insides(
    bank: Lending, caplog: pytest.LogCaptureFixture
) -> None:
    """I12: a damaged row is an answer and a line in the log, never a trace to the caller."""
    engine = bank.databases["loan-servicing"].engine
    with engine.begin() as connection:
        connection.execute(text("UPDATE loan SET body = '{\"secret\": 1}'"))
    answer = await bank.call("GET", f"/loans/{LOAN}", action="loan:read", record=f"loan/{LOAN}")
    require_problem(answer, 500, "server_error")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert any(each.exc_info for each in caplog.records)

    async def told() -> list[Any]:
        return bank.authority.told("use")

    assert [each["status"] for each in await until(told)] == [500]


# --- the staff's own door -------------------------------------------------------------------------


def _refusal(work: Callable[..., Any], *given: Any) -> Model:
    from lender._service import Failure

    with pytest.raises(Failure) as refused:
        work(*given)
    return refused.value.problem


async def test_an_import_that_does_not_continue_the_loan_is_refused(bank: Lending) -> None:
    """I11: a file from before a payment can't undo it."""
    await bank.analyse()
    assert (await bank.pay(await bank.approved())).status_code == 200
    before = _books(bank)
    problem = _refusal(import_loan, bank.databases["loan-servicing"], loan_file())
    assert "other draws here" in str(problem)
    assert _books(bank) == before


async def test_an_import_rises_in_version_and_keeps_what_was_paid(bank: Lending) -> None:
    """A newer file of the loan as it stands is taken, under the next version."""
    await bank.analyse()
    assert (await bank.pay(await bank.approved())).status_code == 200
    changed = bank.loan().model_copy(update={"project": "Renamed"})
    import_loan(bank.databases["loan-servicing"], changed)
    assert (bank.loan().version, bank.loan().project) == (3, "Renamed")
    assert bank.loan().next_draw == 2
