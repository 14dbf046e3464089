"""What a sender may do with a grant, a proof and their headers: one thing, and once (I1)."""

import base64
import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from placet.tokens import Confirmation, InquiryClaims, SigningKey, sign_inquiry
from tests.resource.simulator import SYSTEM, Authority, Clock, Library, guarded
from tests.tokens.samples import sign_raw
from tests.tokens.test_keys import private_jwk

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALGS = 'algs="ES256 Ed25519 EdDSA"'
PROOF = f'DPoP error="invalid_dpop_proof", {ALGS}'
TOKEN = f'DPoP error="invalid_token", {ALGS}'
SCOPE = f'DPoP error="insufficient_scope", {ALGS}'
NOTHING = f"DPoP {ALGS}"
STRANGER = SigningKey.generate()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop() -> AsyncIterator[Library]:
    """One guarded system for all: refused requests leave nothing behind."""
    clock = Clock()
    authority = Authority(clock, SigningKey.generate())
    await authority.start()
    async with guarded(authority, clock) as made:
        yield made
    await authority.stop()


@dataclass
class Asking:
    """A request that would be answered with 200, for a test to spoil."""

    shop: Library
    token: str
    proof: str
    method: str = "GET"
    path: str = "/books/1"

    async def send(self, *headers: tuple[str, str]) -> httpx.Response:
        """Send it, with these headers instead of its own."""
        mine = [("Authorization", f"DPoP {self.token}"), ("DPoP", self.proof)]
        return await self.shop.send(list(headers) or mine, path=self.path, method=self.method)


def asking(shop: Library, proof: dict[str, Any] | None = None, **claims: Any) -> Asking:
    """A request with parts of the proof or the grant changed before they are signed."""
    token = shop.grant(**claims)
    return Asking(shop, token, shop.proof(token, **(proof or {})))


def forged_proof(shop: Library, token: str, header: dict[str, Any], **claims: Any) -> str:
    """A proof with any header and claims, signed by the holder's key."""
    made = shop.proof(token).split(".")
    parts = [json.loads(base64.urlsafe_b64decode(each + "==")) for each in made[:2]]
    return sign_raw({**parts[0], **header}, {**parts[1], **claims}, shop.holder)


_PROOFS: dict[str, Callable[[Library], dict[str, Any]]] = {
    "another-method": lambda _: {"method": "POST"},
    "head-for-get": lambda _: {"method": "HEAD"},
    "another-path": lambda s: {"url": f"{s.url}/books/2"},
    "a-path-below": lambda s: {"url": f"{s.url}/books/1/"},
    "another-port": lambda _: {"url": "http://127.0.0.1:9/books/1"},
    "another-host": lambda s: {"url": f"{s.url.replace('127.0.0.1', 'localhost')}/books/1"},
    "another-scheme": lambda s: {"url": f"{s.url.replace('http:', 'https:')}/books/1"},
    "no-token-hash": lambda _: {"access_token": None},
    "another-tokens-hash": lambda s: {"access_token": s.grant()},
    "another-key": lambda _: {"key": STRANGER},
    "too-old": lambda s: {"now": s.clock.now - timedelta(seconds=66)},
    "from-the-future": lambda s: {"now": s.clock.now + timedelta(seconds=6)},
}


@pytest.mark.parametrize("name", sorted(_PROOFS))
async def test_a_proof_is_for_one_request_one_token_and_one_key(shop: Library, name: str) -> None:
    """I1: RFC 9449 section 4.3; and the refusal says what was wrong in the challenge."""
    answer = await asking(shop, _PROOFS[name](shop)).send()
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, PROOF)
    assert answer.json()["error"] == "invalid_dpop_proof"


_FORGED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another-kind": ({"typ": "JWT"}, {}),
    "unsigned": ({"alg": "none"}, {}),
    "symmetric": ({"alg": "HS256"}, {}),
    "critical": ({"crit": ["b64"], "b64": False}, {}),
    "no-key": ({"jwk": None}, {}),
    "hash-that-is-no-text": ({}, {"ath": 1}),
    "two-methods": ({}, {"htm": ["GET", "POST"]}),
    "no-id": ({}, {"jti": ""}),
    "guessable-id": ({}, {"jti": "1"}),
    "time-as-text": ({}, {"iat": "1"}),
    "time-beyond-all": ({}, {"iat": 10**400}),
    "method-in-lower-case": ({}, {"htm": "get"}),
    "a-query-for-the-path": ({}, {"htu": "http://127.0.0.1?/books/1"}),
    "a-user-in-the-address": ({}, {"htu": "http://127.0.0.1@127.0.0.1/books/1"}),
}


@pytest.mark.parametrize("name", sorted(_FORGED))
async def test_a_forged_proof_is_refused(shop: Library, name: str) -> None:
    """I12: signed by the right key, and still no proof."""
    made = asking(shop)
    header, claims = _FORGED[name]
    made.proof = forged_proof(shop, made.token, header, **claims)
    answer = await made.send()
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, PROOF)


async def test_a_proof_with_a_private_key_is_refused(shop: Library) -> None:
    """RFC 9449 section 4.3, item 7."""
    made = asking(shop)
    made.proof = forged_proof(shop, made.token, {"jwk": private_jwk(shop.holder)})
    assert (await made.send()).status_code == 401


_PROOF_HEADERS: dict[str, Callable[[Asking], list[str]]] = {
    "none": lambda _: [],
    "empty": lambda _: [""],
    "two": lambda a: [a.proof, a.shop.proof(a.token)],
    "the-same-twice": lambda a: [a.proof, a.proof],
    "two-joined-by-a-proxy": lambda a: [f"{a.proof}, {a.shop.proof(a.token)}"],
    "with-a-comma": lambda a: [f"{a.proof},"],
    "the-grant": lambda a: [a.token],
    "huge": lambda a: [a.proof + "A" * 60_000],
    "huge-and-empty": lambda _: ["." * 60_000],
    "no-ascii": lambda a: [a.proof[:-1] + "é"],
}


@pytest.mark.parametrize("name", sorted(_PROOF_HEADERS))
async def test_a_request_has_exactly_one_proof(shop: Library, name: str) -> None:
    """RFC 9449 section 4.3, item 1."""
    made = asking(shop)
    proofs = [("DPoP", each) for each in _PROOF_HEADERS[name](made)]
    headers = [("Authorization", f"DPoP {made.token}"), *proofs]
    answer = await made.send(*[(name, _latin(value)) for name, value in headers])  # type: ignore[misc]  # httpx takes bytes
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, PROOF)


def _latin(value: str) -> bytes:
    return value.encode("latin-1")


_GRANTS: dict[str, Callable[[Library], dict[str, Any]]] = {
    "another-systems": lambda s: {
        "aud": "urn:placet:system:archive",
        "authorization_details": _details(s, "urn:placet:system:archive"),
    },
    "another-issuers": lambda _: {"iss": "https://elsewhere.example"},
    "expired": lambda s: _times(s, -66, -6),
    "of-tomorrow": lambda s: _times(s, 6, 60),
    "for-an-hour": lambda s: _times(s, 0, 3600),
    "by-a-stranger": lambda _: {"signer": STRANGER},
    "by-its-holder": lambda s: {"signer": s.holder},
}


def _times(shop: Library, starts: int, ends: int) -> dict[str, Any]:
    at = int(shop.clock.now.timestamp())
    return {"iat": at + starts, "nbf": at + starts, "exp": at + ends}


def _details(shop: Library, audience: str) -> Any:
    from placet.model import ActivityRef, GrantedDetails
    from tests.resource.simulator import ACTION, CASE

    ref = ActivityRef(
        workflow_id=CASE, run_id="run-1", activity_id="1", activity_type="read", attempt=1
    )
    return (
        GrantedDetails(
            locations=(audience,), actions=(ACTION,), identifier="book/1", case=CASE, activity=ref
        ),
    )


@pytest.mark.parametrize("name", sorted(_GRANTS))
async def test_a_grant_is_the_authoritys_for_this_system_and_now(shop: Library, name: str) -> None:
    """I1: RFC 9068 section 4."""
    answer = await asking(shop, **_GRANTS[name](shop)).send()
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, TOKEN)
    assert answer.json()["error"] == "invalid_token"


_AUTHORIZATIONS: dict[str, tuple[Callable[[Asking], list[str]], str]] = {
    "none": (lambda _: [], NOTHING),
    "another-scheme": (lambda _: ["Basic dXNlcjpwYXNz"], NOTHING),
    "as-a-bearer": (lambda a: [f"Bearer {a.token}"], NOTHING),
    "without-a-scheme": (lambda a: [a.token], NOTHING),
    "empty": (lambda _: [""], NOTHING),
    "scheme-alone": (lambda _: ["DPoP"], TOKEN),
    "the-same-twice": (lambda a: [f"DPoP {a.token}"] * 2, TOKEN),
    "a-bearer-too": (lambda a: [f"DPoP {a.token}", f"Bearer {a.token}"], TOKEN),
    "two-joined-by-a-proxy": (lambda a: [f"DPoP {a.token}, DPoP {a.token}"], TOKEN),
    "two-spaces": (lambda a: [f"DPoP  {a.token}"], TOKEN),
    "with-a-parameter": (lambda a: [f"DPoP {a.token} realm=x"], TOKEN),
    "token-in-quotes": (lambda a: [f'DPoP "{a.token}"'], TOKEN),
    "the-proof": (lambda a: [f"DPoP {a.proof}"], TOKEN),
    "huge": (lambda a: [f"DPoP {a.token}{'A' * 60_000}"], TOKEN),
    "huge-scheme": (lambda _: ["D" * 60_000], NOTHING),
    "no-ascii": (lambda a: [f"DPoP {a.token[:-1]}é"], TOKEN),
}


@pytest.mark.parametrize("name", sorted(_AUTHORIZATIONS))
async def test_a_request_has_exactly_one_grant_and_no_bearer(shop: Library, name: str) -> None:
    """Each refusal carries the challenge (RFC 6750 section 3, RFC 9449 section 7.1)."""
    made = asking(shop)
    make, challenge = _AUTHORIZATIONS[name]
    headers = [*(("Authorization", each) for each in make(made)), ("DPoP", made.proof)]
    answer = await made.send(*[(name, _latin(value)) for name, value in headers])  # type: ignore[misc]  # httpx takes bytes
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, challenge)
    assert answer.headers.get_list("WWW-Authenticate") == [challenge]
    assert made.token not in answer.text


@pytest.mark.parametrize("changed", [{"record": "book/2"}, {"action": "book:burn"}])
async def test_a_grant_for_something_else_is_too_little(
    shop: Library, changed: dict[str, str]
) -> None:
    """I2: RFC 6750 section 3.1; nothing is said of the other record."""
    answer = await asking(shop, **changed).send()
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (403, SCOPE)
    assert answer.json()["error"] == "insufficient_scope"
    assert "book" not in answer.text


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP"])
async def test_the_scheme_may_be_written_in_any_case(shop: Library, scheme: str) -> None:
    """RFC 9110 section 11.1."""
    made = asking(shop)
    answer = await made.send(("Authorization", f"{scheme} {made.token}"), ("DPoP", made.proof))
    assert answer.status_code == 200


async def test_the_query_is_no_part_of_what_is_proven_and_the_method_is(shop: Library) -> None:
    """RFC 9449 section 4.2: htu has no query; HEAD is not GET."""
    made = asking(shop)
    made.path = "/books/1?page=2"
    assert (await made.send()).status_code == 200
    head = asking(shop, {"method": "HEAD"})
    head.method = "HEAD"
    assert (await head.send()).status_code == 200


_PATHS = [
    ("/books/a%2Fb", "/books/a/b", 401),
    ("/books/a%2Fb", "/books/a%2Fb", 200),
    ("/books/a%2fb", "/books/a%2Fb", 200),
    ("/books/a/b", "/books/a%2Fb", 401),
    ("/books/%61/b", "/books/a/b", 200),
    ("/books/a%252Fb", "/books/a%2Fb", 401),
    ("/books/x%3Fy", "/books/x", 401),
    ("/books/x/../a/b", "/books/a/b", 401),
    ("/books/x/%2e%2e/a/b", "/books/a/b", 401),
]


@pytest.mark.parametrize(("sent", "proven", "status"), _PATHS)
async def test_the_address_is_proven_as_it_was_sent(
    shop: Library, sent: str, proven: str, status: int
) -> None:
    """I1: two addresses that decode to one are still two (RFC 3986 section 2.4)."""
    import asyncio

    token = shop.grant(record="book/a/b")
    proof = shop.proof(token, url=shop.url + proven)
    port = int(shop.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)  # no client tidies the path
    writer.write(
        f"GET {sent} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: DPoP {token}\r\nDPoP: {proof}\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert int(answer.split()[1]) == status


def inquiry(shop: Library, record: str, **changed: Any) -> str:
    """The authority's own question about a record."""
    at = int(shop.clock.now.timestamp())
    claims: dict[str, Any] = {
        "iss": shop.authority.issuer,
        "aud": f"urn:placet:system:{SYSTEM}",
        "iat": at,
        "exp": at + 30,
        "jti": secrets.token_urlsafe(18),
        "identifier": record,
        "cnf": Confirmation(jkt=shop.holder.thumbprint),
    }
    return sign_inquiry(InquiryClaims(**{**claims, **changed}), shop.authority.key)


async def test_only_the_authority_asks_for_facts_and_only_of_the_record_it_names(
    shop: Library,
) -> None:
    """I3: a grant is no inquiry, an inquiry no grant."""
    url = f"{shop.url}/facts/1"
    for token, status in (
        (inquiry(shop, "book/1"), 200),
        (inquiry(shop, "book/2"), 403),
        (inquiry(shop, "book/1", aud="urn:placet:system:archive"), 401),
        (inquiry(shop, "book/1", cnf=Confirmation(jkt=STRANGER.thumbprint)), 401),
        (shop.grant(), 401),
    ):
        proof = shop.proof(token, url=url)
        answer = await shop.read(token, proof, path="/facts/1")
        assert answer.status_code == status
    token = inquiry(shop, "book/1")
    assert (await shop.read(token)).status_code == 401
