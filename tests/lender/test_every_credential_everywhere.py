"""Every kind of credential offered at every route of the systems of record, in every place.

The routes are the applications' own and the kinds those of ``placet.tokens``. What is offered is
signed by the very keys that these systems trust, and proven by the key it is bound to: nothing but
its kind is wrong with it (RFC 8725 section 3.11; I1, I2).
"""

from collections.abc import Iterator

import httpx
from fastapi.routing import APIRoute

from lender.serve import SYSTEMS as EVERY_SYSTEM
from placet.tokens import SigningKey
from tests.harness.credentials import HOLDER, Issuers, every_kind, kinds_that_lack
from tests.lender.lending import STAFF, Lending

SYSTEMS = EVERY_SYSTEM
_IDS = {"loan": "L-1001", "draw": "1", "number": "1", "payee": "P-10010", "version": "1"}
_IDS |= {"payment": "pay-1"}
_IDS |= {"name": "a.pdf", "record": "loan/L-1001"}
OPEN = {"/livez", "/readyz"}
"""What anyone may ask, with or without a credential."""

_BY_KIND = {"/v1/facts/{record:path}": "inquiry"}
_STAFFS = {"/staff/loans/{loan}/draws/{draw}/packet"}
PLACES = ("DPoP scheme", "Bearer scheme", "Staff scheme", "elsewhere")


def _routes(bank: Lending) -> Iterator[tuple[str, str, str]]:
    """Each system's own routes: system, method, path."""
    for system, app in bank.apps.items():
        for route in app.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods:
                if route.path not in OPEN:
                    yield system, method, route.path


def _issuers(bank: Lending, system: str) -> Issuers:
    return Issuers(
        issuer=bank.authority.issuer,
        audience=f"urn:placet:system:{system}",
        authority=bank.authority.key,
        agent=("agent:draw-analyst", bank.agent),
        operator=("operator:una", SigningKey.generate()),
        system=(f"system:{system}", SigningKey.generate()),
        provider=SigningKey.generate(),
    )


async def _offer(
    bank: Lending, system: str, method: str, path: str, place: str, token: str
) -> httpx.Response:
    url = bank.urls[system] + path
    plain = "".join(each for each in token if " " <= each <= "~")
    headers = {"DPoP": bank.proof(method, url, plain, HOLDER), "Content-Type": "application/json"}
    query = {}
    match place.split():
        case [scheme, "scheme"]:
            headers["Authorization"] = f"{scheme} {plain}"
        case _:
            query["access_token"] = plain
            headers |= {"Client-Assertion": plain, "DPoP": plain, "Cookie": f"token={plain}"}
    return await bank.http.request(method, url, params=query, headers=headers, content=b"{}")


async def test_exactly_the_right_kind_counts_at_each_route_of_each_system(bank: Lending) -> None:
    """I1: a grant at its own system, the authority's inquiry for facts, the staff's token."""
    cells, took = 0, set()
    for system, method, route in _routes(bank):
        path = route.replace(":path", "").format_map(_IDS)
        offered = every_kind(_issuers(bank, system)) | {"staff's token": STAFF}
        assert kinds_that_lack(offered) == set()
        elsewhere = every_kind(_issuers(bank, "another-system"))
        offered |= {f"another system's {each}": elsewhere[each] for each in ("grant", "inquiry")}
        for kind, token in offered.items():
            for place in PLACES:
                cells += 1
                answer = await _offer(bank, system, method, path, place, token)
                assert answer.status_code != 500
                if answer.status_code != 401:
                    took.add((system, method, route, place, kind))
    assert cells > 600
    assert took == set(_allowed(bank))
    assert bank.authority.uses == []


def _allowed(bank: Lending) -> Iterator[tuple[str, str, str, str, str]]:
    for system, method, route in _routes(bank):
        place, kind = "DPoP scheme", _BY_KIND.get(route, "grant")
        if route in _STAFFS:
            place, kind = "Staff scheme", "staff's token"
        yield system, method, route, place, kind
