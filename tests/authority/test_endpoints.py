"""Every route of the authority given wrong input: an answer, and nothing changed (I12).

After each test the ledger has no entry more than the refusals that are meant to be recorded, and
the store not one row; and no log line has a token in it or tells of an unforeseen error (I7).
"""

import itertools
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import pytest_asyncio
from pydantic import BaseModel

from placet.client import JWT_BEARER
from placet.model import trouble_digest
from placet.tokens import SigningKey
from tests.authority.site import (
    ROUTES,
    SYSTEM,
    Route,
    Site,
    assert_no_secret,
    assert_refused,
    claims_of,
    routes_of_the_app,
    site,
    unsigned,
)
from tests.harness import processes
from tests.harness.databases import KINDS, new_database

pytestmark = pytest.mark.asyncio(loop_scope="module")
MEGABYTE = 1024 * 1024


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both kinds of database for tests whose wrong values may reach it: they differ in what they take.

    The others are refused before it, for their token, their proof, their method or who asks.
    """
    if "s" in metafunc.fixturenames:
        reaching = metafunc.definition.get_closest_marker("reaches_the_database")
        kinds = KINDS if reaching else KINDS[:1]
        metafunc.parametrize("s", kinds, indirect=True, scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    """One site for all requests, on each kind of database."""
    folder = tmp_path_factory.mktemp("site")
    with new_database(request, request.param, folder) as url:
        async with site(folder, url) as made:
            yield made


@dataclass
class Meant:
    """The entries that a test means to be written."""

    entries: list[str] = field(default_factory=list)


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def meant(s: Site, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Meant]:
    """Nothing changed, but for what the test says."""
    await s.stay_granted()
    s.stayed.clear()
    rows, entries, expected = s.rows(), await s.entry_types(), Meant()
    yield expected
    assert (await s.entry_types())[len(entries) :] == s.stayed + expected.entries
    assert s.rows() == rows
    unforeseen = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert not unforeseen, caplog.text
    assert_no_secret(s, caplog.text)


Check = Callable[[Site, Route], Awaitable[None]]


def on(routes: Iterable[Route]) -> Callable[[Check], Callable[..., Awaitable[None]]]:
    """Check these routes one after the other, each in a subtest of its name.

    One test for each would look through the whole store and ledger hundreds of times.
    """

    def wrap(check: Check) -> Callable[..., Awaitable[None]]:
        async def test(s: Site, subtests: pytest.Subtests) -> None:
            for route in routes:
                with subtests.test(str(route)):
                    await s.stay_granted()
                    await check(s, route)

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return wrap


def _of(*doors: str) -> list[Route]:
    return [each for each in ROUTES if each.door in doors]


# Systems of record prove their key by the assertion alone.
_PROVEN = [
    each for each in ROUTES if each.door not in {"open", "signature"} and each.client != SYSTEM
]


async def test_every_route_is_listed() -> None:
    """A new route needs a line in ROUTES, and is then given all that is wrong below."""
    assert {(each.method, each.path) for each in ROUTES} == routes_of_the_app()


@pytest.mark.reaches_the_database
async def test_every_route_answers_its_good_request(s: Site) -> None:
    """The requests that are spoilt below are good ones: their senders are known."""
    for route in ROUTES:
        answer = await s.send(s.good(route))
        assert answer.status_code not in {401, 405, 500}, (str(route), answer.text)


# --- the request as such ----------------------------------------------------------------------


async def test_a_wrong_method_is_told_the_right_ones(s: Site) -> None:
    """RFC 9110 section 15.5.6."""
    for route in ROUTES:
        right = {each.method for each in ROUTES if each.path == route.path}
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - right:
            answer = await s.send({"method": method, "url": s.path(route)})
            body = assert_refused(s, answer, 405)
            assert body["error"] == "method_not_allowed"
            assert right <= {each.strip() for each in answer.headers["allow"].split(",")}


async def test_an_unknown_path_is_not_found(s: Site) -> None:
    for path in ("/", "/v1", "/v1/casess", "/oauth/token/x", "/v1/cases/a/b/c"):
        assert_refused(s, await s.send({"method": "GET", "url": path}), 404)


@on(_of("form", "header", "body", "session", "grant"))
async def test_without_credentials_nobody_gets_in(s: Site, route: Route) -> None:
    """I1: who asks must be told, whatever else is in the request."""
    made = s.good(route)
    made["headers"].pop("Client-Assertion", None)
    made["headers"].pop("Authorization", None)
    if route.door == "form":
        del made["data"]["client_assertion"]
    if route.door == "body":
        made["json"] = {}
    answer = await s.send(made)
    body = assert_refused(s, answer, 400 if route.door == "body" else 401)
    if route.door in {"form", "header"}:
        assert body["error"] == "invalid_client"
    if route.door in {"session", "grant"}:
        assert body["error"] == "invalid_token"


_SCHEMES = {
    "bearer": "Bearer {token}",
    "basic": "Basic cGF0OnNlY3JldA==",
    "no-token": "DPoP",
    "no-scheme": "{token}",
    "two-tokens": "DPoP {token} {token}",
    "comma": "DPoP {token}, DPoP {token}",
    "nothing": "",
    "latin-1": "DPoP \xe9\xff",
}


@on(_of("session", "grant"))
async def test_a_token_counts_under_its_scheme_alone(s: Site, route: Route) -> None:
    """Bearer use is refused (RFC 9449 section 7.2)."""
    token = s.session if route.door == "session" else s.grant
    for scheme in _SCHEMES.values():
        made = s.good(route)
        made["headers"]["Authorization"] = scheme.format(token=token).encode("latin-1")
        assert_refused(s, await s.send(made), 401)


@on(_of("session", "grant"))
async def test_two_headers_for_one_are_refused(s: Site, route: Route) -> None:
    for name in ("Authorization", "DPoP"):
        made = s.good(route)
        made["headers"] = [*made["headers"].items(), (name, made["headers"][name])]
        assert_refused(s, await s.send(made), 401)


@on(_PROVEN)
async def test_a_proof_is_for_one_request_and_one_key(s: Site, route: Route) -> None:
    """RFC 9449 section 4.3: method, address, token, key, and only once."""
    owner = route.client or ("operator:una" if route.door == "session" else "agent:orchestrator")
    token = {"session": s.session, "grant": s.grant}.get(route.door)
    path, key = s.path(route), s.key_of(owner)
    wrong = {
        "method": s.proof(key, "DELETE", path, token),
        "address": s.proof(key, route.method, path + "/x", token),
        "host": s.proof(key, route.method, path, token)[:-4] + "AAAA",
        "garbage": "garbage",
        "a-token": token or s.assertion(owner),
        "empty": "",
    }
    if token:
        wrong["token"] = s.proof(key, route.method, path, "another.token.here")
        wrong["no-token"] = s.proof(key, route.method, path)
        wrong["key"] = s.proof(s.w.keys["pat"], route.method, path, token)
    for name, proof in wrong.items():
        made = s.good(route)
        made["headers"]["DPoP"] = proof
        _complete(route, made)
        body = assert_refused(s, await s.send(made), 400, 401)
        assert body["error"] in {"invalid_dpop_proof", "invalid_token"}, name
    made = s.good(route)
    del made["headers"]["DPoP"]
    _complete(route, made)
    assert_refused(s, await s.send(made), 400, 401)


@on(_of("session"))
async def test_a_proof_counts_once(s: Site, route: Route) -> None:
    """RFC 9449 section 11.1: a request that was seen can't be sent again."""
    made = s.good(route)
    assert (await s.send(made)).status_code in {200, 404}
    assert_refused(s, await s.send(made), 401)


def _complete(route: Route, made: dict[str, Any]) -> None:
    """Give a body what it needs to be read, so that the proof is what is wrong."""
    if route.path == "/v1/grants":
        made["json"]["asks"] = [_GOOD_DETAILS]
    if route.path == "/v1/settlements":
        made["json"]["settlements"] = [_SETTLEMENT]
    if route.path == "/v1/keys":
        made["json"]["rotation"] = "YQ.YQ.YQ"
    if route.path == "/oauth/token":
        made["data"]["authorization_details"] = "[]"
    if route.path == "/oauth/revoke":
        made["data"]["token"] = "none"


_SETTLEMENT = {
    "settlement": "YQ.YQ.YQ",
    "body": {
        "grant": "grant-" + "0" * 26,
        "outcome": "completed",
        "input_digest": "sha-256:" + "A" * 43,
        "salt": "A" * 43,
    },
}


# --- tokens of no kind --------------------------------------------------------------------

_FORGED = {
    "empty": "",
    "garbage": "garbage",
    "two-parts": "YQ.YQ",
    "four-parts": "YQ.YQ.YQ.YQ",
    "long": "YQ." + "Y" * 20_000 + ".YQ",
    "none": unsigned({"iss": "agent:scale"}, alg="none"),
    "hmac": unsigned({"iss": "agent:scale"}, alg="HS256"),
    "nobody": unsigned({"iss": "agent:nobody"}),
    "no-iss": unsigned({}),
    "iss-a-list": unsigned({"iss": ["agent:scale"]}),
    "iss-with-a-nul": unsigned({"iss": "agent:\0scale"}),
    "iss-with-half-a-character": unsigned({"iss": "agent:\ud800"}),
    "iss-huge": unsigned({"iss": "agent:" + "a" * 9000}),
    "deep": unsigned({"iss": "agent:scale", "x": json.loads("[" * 400 + "]" * 400)}),
}


def _forged(s: Site) -> dict[str, str]:
    """Good tokens of other kinds are offered in test_every_credential_everywhere."""
    return {name: s.keep(token) if len(token) > 90 else token for name, token in _FORGED.items()}


@on(_of("form", "header", "body"))
async def test_a_forged_token_is_no_client_assertion(s: Site, route: Route) -> None:
    """RFC 8725 section 3.11: no kind of token is accepted in another's place."""
    for name, token in _forged(s).items():
        made = s.good(route)
        match route.door:
            case "form":
                made["data"]["client_assertion"] = token
            case "header":
                made["headers"]["Client-Assertion"] = token
            case _:
                made["json"]["client_assertion"] = token
                made["json"] |= {
                    "/v1/grants": {"asks": [_GOOD_DETAILS]},
                    "/v1/uses": {"uses": [s.use()]},
                    "/v1/settlements": {"settlements": [_SETTLEMENT]},
                    "/v1/keys": {"rotation": "YQ.YQ.YQ"},
                }[route.path]
        body = assert_refused(s, await s.send(made), 400, 401)
        expected = {"invalid_client"} | ({"invalid_request"} if route.door == "body" else set())
        assert body["error"] in expected, name


@on(_of("session", "grant"))
async def test_a_forged_token_is_no_access_token(s: Site, route: Route) -> None:
    """What nobody signed opens neither a person's route nor a step's."""
    owner = "operator:una" if route.door == "session" else "agent:orchestrator"
    for name, token in _forged(s).items():
        if not token:
            continue
        made = s.good(route)
        made["headers"]["Authorization"] = f"DPoP {token}"
        path = str(made["url"])
        made["headers"]["DPoP"] = s.proof(s.key_of(owner), route.method, path, token)
        body = assert_refused(s, await s.send(made), 401)
        assert body["error"] == "invalid_token", name


async def test_a_forged_token_is_no_sign_in(s: Site) -> None:
    """Nor may an agent's key sign in as a person."""
    for token in [*_forged(s).values(), s.assertion("agent:scale")]:
        for key in (s.w.keys["una"], s.w.agents["scale"]):
            made = {
                "method": "POST",
                "url": "/oauth/token",
                "data": {"grant_type": JWT_BEARER, "assertion": token},
                "headers": {"DPoP": s.proof(key, "POST", "/oauth/token")},
            }
            body = assert_refused(s, await s.send(made), 400)
            assert body["error"] in {"invalid_grant", "invalid_request"}


async def test_a_forged_token_is_no_act(s: Site) -> None:
    for token in _forged(s).values():
        body = {"act": token, "body": {"reason": "a test"}}
        answer = await s.send({"method": "POST", "url": "/v1/acts", "json": body})
        assert_refused(s, answer, 400, 401)


async def test_a_forged_token_is_no_decision(s: Site) -> None:
    """I6: what is no decision is refused, and leaves nothing on the ledger."""
    url = f"/v1/checkpoints/{s.checkpoint.id}/decisions"
    for token in _forged(s).values():
        answer = await s.send({"method": "POST", "url": url, "json": {"decision": token}})
        assert_refused(s, answer, 400, 401)


async def test_a_forged_token_is_not_introspected_or_revoked(s: Site) -> None:
    """RFC 7662 section 2.2: what is no grant for the asker is just not active."""
    introspect = next(each for each in ROUTES if each.path == "/oauth/introspect")
    revoke = next(each for each in ROUTES if each.path == "/oauth/revoke")
    for token in _forged(s).values():
        made = s.good(introspect)
        made["data"]["token"] = token
        answer = await s.send(made)
        if not token:
            assert_refused(s, answer, 400)
            continue
        assert (answer.status_code, answer.json()) == (200, {"active": False})
        made = s.good(revoke)
        made["data"]["token"] = token
        assert (await s.send(made)).status_code == 200
    for route in (introspect, revoke):
        body = assert_refused(s, await s.send(s.good(route)), 400)
        assert body["error"] == "invalid_request"
        assert "token" in body["error_description"]


# --- bodies -----------------------------------------------------------------------------------

_JSON_BODIES: dict[str, bytes] = {
    "empty": b"",
    "cut": b'{"body": ',
    "null": b"null",
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "twice": b'{"act": "YQ.YQ.YQ", "act": "YQ.YQ.YQ"}',
    "nan": b'{"x": NaN}',
    "huge-number": b'{"x": ' + b"9" * 6000 + b"}",
    "deep": b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "not-utf-8": b'{"x": "\xff\xfe"}',
    "utf-16": '{"x": 1}'.encode("utf-16"),
    "half-a-character": b'{"x": "\\ud800"}',
    "nul": b'{"\\u0000": "\\u0000"}',
    "control": b'{"x": "\x01"}',
    "unknown-member": b'{"colour\\u202e\\"\\\\": "red"}',
    "bytes": bytes(range(256)) * 16,
    "xml": b"<?xml version='1.0'?><a/>",
    "form": b"a=1&b=2",
    "too-large": b'{"x": "' + b"a" * (9 * MEGABYTE) + b'"}',
}
_JSON_ROUTES = [
    *(each for each in ROUTES if each.door in {"body", "signature"}),
    next(each for each in ROUTES if each.path.endswith("/checkpoints") and each.door == "grant"),
]


@pytest.mark.reaches_the_database
@on(_JSON_ROUTES)
async def test_a_body_that_is_no_request_is_refused(s: Site, route: Route) -> None:
    """I12: garbage, too much of it, and JSON of every wrong form."""
    for name, content in _JSON_BODIES.items():
        made = s.good(route)
        made.pop("json", None)
        made["content"] = content
        made["headers"]["Content-Type"] = "application/json"
        body = assert_refused(s, await s.send(made), 400)
        assert body["error"] == "invalid_request", name
    for kind in (None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
        made = s.good(route)
        made.pop("json", None)
        made["content"] = b"{}"
        if kind:
            made["headers"]["Content-Type"] = kind
        body = assert_refused(s, await s.send(made), 400)
        assert "application/json" in body["error_description"]


_FORM_BODIES: dict[str, bytes] = {
    "empty": b"",
    "json": b'{"grant_type": "client_credentials"}',
    "not-utf-8": b"grant_type=\xff",
    "escaped-not-utf-8": b"grant_type=%ff%fe",
    "nul": b"grant_type=%00",
    "broken-escape": b"grant_type=%zz",
    "twice": b"grant_type=client_credentials&grant_type=client_credentials",
    "many": b"&".join(b"a%d=1" % number for number in range(100)),
    "control": b"grant_type=%0d%0aX-Injected:%201",
    "too-large": b"grant_type=" + b"a" * MEGABYTE,
    "bytes": bytes(range(256)),
}


@pytest.mark.reaches_the_database
@on(_of("form"))
async def test_a_form_that_is_no_request_is_refused(s: Site, route: Route) -> None:
    """RFC 6749 section 3.2 and 5.2."""
    for name, content in _FORM_BODIES.items():
        made = s.good(route)
        del made["data"]
        made["content"] = content
        made["headers"]["Content-Type"] = "application/x-www-form-urlencoded"
        body = assert_refused(s, await s.send(made), 400, 401)
        assert body["error"] in {"invalid_request", "unsupported_grant_type", "invalid_client"}, (
            name
        )
    for kind in (None, "application/json", "multipart/form-data"):
        made = s.good(route)
        del made["data"]
        made["content"] = b"grant_type=client_credentials"
        if kind:
            made["headers"]["Content-Type"] = kind
        assert_refused(s, await s.send(made), 400)


_OTHER = "sha-256:" + "B" * 42 + "A"
_GOOD_DETAILS: dict[str, Any] = {
    "type": "placet_record",
    "locations": ["urn:placet:system:authority"],
    "actions": ["checkpoint:open"],
    "identifier": "depot/D1/parcel/8",
    "case": "case-" + "0" * 26,
    "activity": {
        "workflow_id": "w",
        "run_id": "r",
        "activity_id": "1",
        "activity_type": "open_checkpoint",
        "attempt": 1,
    },
}
_DETAILS: dict[str, Any] = {
    "missing": None,
    "garbage": "garbage",
    "none": [],
    "object": _GOOD_DETAILS,
    "two": [_GOOD_DETAILS, _GOOD_DETAILS],
    "another-type": [{**_GOOD_DETAILS, "type": "payment"}],
    "two-systems": [{**_GOOD_DETAILS, "locations": ["urn:placet:system:a", "urn:placet:system:b"]}],
    "two-actions": [{**_GOOD_DETAILS, "actions": ["a:b", "c:d"]}],
    "no-action": [{**_GOOD_DETAILS, "actions": []}],
    "amount-of-ones-own": [{**_GOOD_DETAILS, "max_amount": "1000000.00"}],
    "approvals-of-ones-own": [{**_GOOD_DETAILS, "approvals": ["x" * 22]}],
    "no-record": [{**_GOOD_DETAILS, "identifier": "../../etc/passwd"}],
    "nul": [{**_GOOD_DETAILS, "identifier": "depot/D1\0/parcel/8"}],
    "newline": [{**_GOOD_DETAILS, "identifier": "depot/D1/parcel/8\n"}],
    "homoglyph": [{**_GOOD_DETAILS, "identifier": "depot/D1/p\u0430rcel/8"}],
    "huge-attempt": [
        {**_GOOD_DETAILS, "activity": {**_GOOD_DETAILS["activity"], "attempt": 10**30}}
    ],
    "attempt-as-text": [
        {**_GOOD_DETAILS, "activity": {**_GOOD_DETAILS["activity"], "attempt": "1"}}
    ],
    "attempt-true": [{**_GOOD_DETAILS, "activity": {**_GOOD_DETAILS["activity"], "attempt": True}}],
    "long": [{**_GOOD_DETAILS, "activity": {**_GOOD_DETAILS["activity"], "run_id": "r" * 9000}}],
    "member-twice": '[{"type": "placet_record", "type": "placet_record"}]',
    "deep": "[" * 4000 + "]" * 4000,
    "nan": '[{"type": NaN}]',
}


async def test_wrong_details_get_no_grant(s: Site) -> None:
    """RFC 9396 section 5; what people fix can't be asked for (I5)."""
    for name in _DETAILS:
        details = _DETAILS[name]
        made = s.good(next(each for each in ROUTES if each.path == "/oauth/token"))
        if details is not None:
            made["data"]["authorization_details"] = (
                details if isinstance(details, str) else json.dumps(details)
            )
        body = assert_refused(s, await s.send(made), 400)
        assert body["error"] == "invalid_authorization_details"


async def test_the_token_endpoint_tells_what_is_missing(s: Site) -> None:
    """RFC 6749 section 5.2: the codes are those a plain OAuth client knows."""
    route = next(each for each in ROUTES if each.path == "/oauth/token")
    for changed, error in (
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": JWT_BEARER}, "invalid_request"),
        ({"client_assertion_type": None}, "invalid_client"),
        ({"client_assertion_type": "urn:x"}, "invalid_client"),
        ({"client_id": "agent:scale"}, "invalid_client"),
    ):
        made = s.good(route)
        data = {**made["data"], **changed}
        made["data"] = {name: value for name, value in data.items() if value is not None}
        body = assert_refused(s, await s.send(made), 400, 401)
        assert body["error"] == error, changed


@pytest.mark.reaches_the_database
async def test_a_grant_of_a_case_that_is_none_is_denied_and_recorded(s: Site, meant: Meant) -> None:
    """I1, I4: the denial is on the ledger before it is answered."""
    made = s.good(next(each for each in ROUTES if each.path == "/oauth/token"))
    made["data"]["authorization_details"] = json.dumps([_GOOD_DETAILS])
    body = assert_refused(s, await s.send(made), 400)
    assert (body["error"], body["reasons"]) == ("access_denied", ["I1", "case"])
    meant.entries.append("grant.denied")


# --- ids and queries --------------------------------------------------------------------------

_IDS = (
    "nobody-knows-this",
    "%00",
    "a%00b",
    "%0d%0aX-Injected:%201",
    "%ff%fe",
    "%E2%80%AEcase",
    "'%3B%20DROP%20TABLE%20cases%3B--",
    "a" * 1500,
    "%2525",
    "9" * 400,
    "-1",
    "%25",
)


@pytest.mark.reaches_the_database
@on([each for each in ROUTES if "{" in each.path])
async def test_an_id_that_is_none_is_not_found(s: Site, route: Route) -> None:
    """I12: whatever stands where an id belongs."""
    ids = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    for id_, value in itertools.product(ids, _IDS):
        path = s.path(route, **{id_: value})
        made = s.good(route, path)
        if route.path.endswith("decisions"):
            made["json"] = {"decision": s.decision()}
        elif route.method == "POST":
            made["json"] = {"checkpoint": "release"}
        # Who sends odd characters may not be able to name them in a proof: that is a 401.
        assert_refused(s, await s.send(made), 400, 401, 403, 404)


_NUMBERS = ("-1", "1.5", "x", "", "%00", "9" * 16, "9" * 5000, "%D9%A3", "1%20", "0x10", "1e3")
_TEXTS = ("%00", "%ff", "%E2%80%AE", "a" * 5000)


@pytest.mark.reaches_the_database
@on([each for each in ROUTES if each.query])
async def test_a_wrong_query_is_refused_by_name(s: Site, route: Route) -> None:
    """I12: no page of everything, or of nothing, for a question that was none."""
    for name in route.query.split(","):
        text = name in {"status", "case"} or (name == "after" and route.door == "session")
        for value in (*(_TEXTS if text else _NUMBERS), *(("none",) if name == "status" else ())):
            made = s.good(route)
            made["url"] = f"{s.path(route)}?{name}={value}"
            body = assert_refused(s, await s.send(made), 400)
            assert name in body["error_description"], value
        made = s.good(route)
        made["url"] = f"{s.path(route)}?{name}=1&{name}=2"
        assert name in assert_refused(s, await s.send(made), 400)["error_description"]


@pytest.mark.reaches_the_database
async def test_numbers_beyond_the_ledger_are_refused(s: Site) -> None:
    for path in (
        "/v1/ledger/entries/999999999999999/proof",
        "/v1/ledger/entries/0/proof?size=999999999999999",
        "/v1/ledger/consistency?from=0&to=1",
        "/v1/ledger/consistency?from=2&to=1",
        "/v1/ledger/consistency?from=1&to=999999999999999",
    ):
        assert_refused(s, await s.send({"method": "GET", "url": path}), 400, 404)
    answer = await s.send({"method": "GET", "url": "/v1/ledger/entries?from=999999999999999"})
    assert answer.json()["entries"] == []


# --- well signed, and wrong -------------------------------------------------------------------


_USES: dict[str, dict[str, Any]] = {
    "extra": {"colour": "red"},
    "status-huge": {"status": 10**30},
    "status-text": {"status": "ok"},
    "stage": {"stage": "maybe"},
    "no-grant": {"sub": "grant"},
    "nul": {"record": "depot/D1\0/parcel/8"},
    "id-short": {"jti": "1"},
    "id-nul": {"jti": "a\0" * 20},
    "time-text": {"used_at": "2026-11-24T09:50:00Z"},
    "time-far": {"used_at": 2**53},
    "another-system": {"iss": "system:depot"},
    "another-authority": {"aud": "https://another.example"},
    "of-tomorrow": {"iat": 4_000_000_000},
    "time-number": {"used_at": 10**30},
    "time-nan": {"used_at": float("nan")},
    "digest": {"body_digest": "sha-256:x"},
    "details": {"details_digest": "sha-256:x"},
    "no-key": {"jkt": "x"},
}


@pytest.mark.reaches_the_database
async def test_a_wrong_use_is_refused(s: Site) -> None:
    for name in _USES:
        made = s.good(next(each for each in ROUTES if each.path == "/v1/uses"))
        made["json"]["uses"] = [s.use(**_USES[name])]
        made["content"] = json.dumps(made.pop("json"))
        made["headers"]["Content-Type"] = "application/json"
        assert_refused(s, await s.send(made), 400)


@pytest.mark.reaches_the_database
async def test_a_use_that_is_none_is_refused_by_its_id(s: Site) -> None:
    """A system of record can't tell of another's grant, or of one that is none."""
    for changed in ({}, {"sub": "grant-" + "0" * 26}):
        made = s.good(next(each for each in ROUTES if each.path == "/v1/uses"))
        use = s.use(**changed)
        made["json"]["uses"] = [use]
        answer = await s.send(made)
        assert answer.json()["refused"] == {claims_of(use)["jti"]: "no grant for this system"}


def _part(**changed: Any) -> dict[str, Any]:
    return {
        "name": "weight",
        "record": "depot/D1/parcel/8",
        "salt": "A" * 43,
        "data": {"value": "1"},
        **changed,
    }


_SETTLEMENTS: dict[str, dict[str, Any]] = {
    "extra": {"colour": "red"},
    "outcome": {"outcome": "fine"},
    "digest": {"input_digest": "x"},
    "no-grant": {"grant": "grant"},
    "error-long": {"error": "e" * 5000},
    "part-name": {"parts": [_part(name="../weight")]},
    "part-salt": {"parts": [_part(salt="x")]},
    "part-data-list": {"parts": [_part(data=[])]},
    "part-number": {"parts": [_part(data={"n": 2**70})]},
    "part-nan": {"parts": [_part(data={"n": float("nan")})]},
    "part-infinite": {"parts": [_part(data={"n": float("inf")})]},
    "part-half-a-character": {"parts": [_part(data={"n": "\ud800"})]},
    "part-deep": {"parts": [_part(data={"n": json.loads("[" * 900 + "]" * 900)})]},
    "parts-many": {"parts": [_part()] * 21},
}


@pytest.mark.reaches_the_database
async def test_a_wrong_settlement_is_refused(s: Site) -> None:
    """I13, I12: what has no canonical form can't be evidence."""
    for name in _SETTLEMENTS:
        made = s.good(next(each for each in ROUTES if each.path == "/v1/settlements"))
        made["json"]["settlements"] = [s.settlement(s.grant_id, **_SETTLEMENTS[name])]
        made["content"] = json.dumps(made.pop("json"))
        made["headers"]["Content-Type"] = "application/json"
        assert_refused(s, await s.send(made), 400)


async def _settle(s: Site, told: dict[str, Any], by: str = "agent:orchestrator") -> dict[str, Any]:
    route = next(each for each in ROUTES if each.path == "/v1/settlements")
    made = s.good(replace(route, client=by))
    made["json"]["settlements"] = [told]
    (answer,) = (await s.send(made)).json()["settlements"]
    return dict(answer)


async def test_a_settlement_of_anothers_grant_settles_nothing(s: Site) -> None:
    """I13: only who holds a grant settles it, and only with what its step produces."""
    for by, told in (
        ("agent:scale", s.settlement(s.grant_id, by="agent:scale")),
        ("agent:orchestrator", s.settlement("grant-" + "0" * 26)),
        ("agent:orchestrator", s.settlement(s.grant_id, parts=[_part()])),
        ("agent:orchestrator", s.settlement(s.grant_id, parts=[_part()], outcome="failed")),
        ("agent:orchestrator", s.settlement(s.grant_id, parts=[_part(data={"n": "\0"})])),
    ):
        assert (await _settle(s, told, by))["status"] == "refused"


async def test_a_settlement_that_its_agent_did_not_sign_settles_nothing(s: Site) -> None:
    """I13: the ledger has no other word of an agent than the one that it signed."""
    good = s.settlement(s.grant_id)
    another = s.settlement("grant-" + "0" * 26)
    thiefs = s.settlement(s.grant_id, by="agent:scale")
    elsewhere = claims_of(good["settlement"]) | {"txn": "case-" + "0" * 26}
    other_details = claims_of(good["settlement"]) | {"details_digest": _OTHER}
    other_log = claims_of(good["settlement"]) | {"aud": "https://another.example"}
    later = claims_of(good["settlement"]) | {"iat": 4_000_000_000}
    said = {
        "another's word": ({**good, "settlement": thiefs["settlement"]}, True),
        "of another grant": ({**good, "settlement": another["settlement"]}, True),
        "another outcome": ({**good, "body": {**good["body"], "outcome": "failed"}}, True),
        "another input": ({**good, "body": {**good["body"], "input_digest": _OTHER}}, True),
        "other words": ({**good, "body": {**good["body"], "reasoning": "because"}}, True),
        "another part": ({**good, "body": {**good["body"], "parts": [_part()]}}, True),
        "of another case": ({**good, "settlement": s.resign(elsewhere)}, True),
        "of other details": ({**good, "settlement": s.resign(other_details)}, True),
        "for another authority": ({**good, "settlement": s.resign(other_log)}, True),
        "of tomorrow": ({**good, "settlement": s.resign(later)}, False),
    }
    for name, (told, final) in said.items():
        answer = await _settle(s, told)
        assert (answer["status"], answer["final"]) == ("refused", final), name
    assert (await _settle(s, {**good, "settlement": thiefs["settlement"]}, "agent:scale"))[
        "status"
    ] == "refused"


_ACTS: dict[str, tuple[str, str, dict[str, Any], str, int]] = {
    "no-such-act": ("case.burn", "x", {}, "pat", 400),
    "nul-in-reason": ("hold.place", "depot/D1", {"reason": "a\0b"}, "pat", 400),
    "half-a-character": ("hold.place", "depot/D1", {"reason": "x"}, "pat", 400),
    "no-record": ("hold.place", "depot", {"reason": "x"}, "pat", 400),
    "lift-nothing": ("hold.lift", "depot/D1", {"reason": "x"}, "pat", 409),
    "extra": ("hold.place", "depot/D1", {"reason": "x", "colour": "red"}, "pat", 400),
    "empty": ("hold.place", "depot/D1", {"reason": ""}, "pat", 400),
    "type": ("hold.place", "depot/D1", {"reason": 7}, "pat", 400),
    "unknown-process": ("case.open", "a/b", {"process": "none", "subject": "a/b"}, "pat", 409),
    "another-subject": (
        "case.open",
        "depot/D1/parcel/9",
        {"process": "parcel-check", "subject": "depot/D1/parcel/8"},
        "pat",
        400,
    ),
    "no-subject": (
        "case.open",
        "loan/L-1/draw/1",
        {"process": "parcel-check", "subject": "loan/L-1/draw/1"},
        "pat",
        400,
    ),
    "open-already": (
        "case.open",
        "depot/D1/parcel/8",
        {"process": "parcel-check", "subject": "depot/D1/parcel/8"},
        "pat",
        409,
    ),
}


async def test_a_wrong_act_does_nothing(s: Site) -> None:
    """I12: signed by the right person, and still wrong."""
    for name in _ACTS:
        act, target, body, by, status = _ACTS[name]
        sent = {"act": s.act(act, target, body, by), "body": body}
        if name == "half-a-character":
            sent["body"] = {"reason": "\ud800"}
        made = {
            "method": "POST",
            "url": "/v1/acts",
            "content": json.dumps(sent),
            "headers": {"Content-Type": "application/json"},
        }
        assert_refused(s, await s.send(made), status)


async def test_an_act_with_another_body_than_was_signed_does_nothing(s: Site) -> None:
    """I6: the digest of the body is what was signed; numbers without canonical form are none."""
    for body in ({"reason": "another"}, {}, {"reason": 2**70}, {"x": float("nan")}):
        sent = {"act": s.act("hold.place", "depot/D1", {"reason": "x"}), "body": body}
        made = {
            "method": "POST",
            "url": "/v1/acts",
            "content": json.dumps(sent),
            "headers": {"Content-Type": "application/json"},
        }
        assert_refused(s, await s.send(made), 400)


@pytest.mark.parametrize("act", ["agent.enrol", "policy.publish", "process.publish"])
async def test_an_administrators_act_by_anyone_else_is_refused_and_recorded(
    s: Site, meant: Meant, act: str
) -> None:
    """I6: a role is the authority's to give."""
    sent = {"act": s.act(act, "agent:mole", {}), "body": {}}
    answer = await s.send({"method": "POST", "url": "/v1/acts", "json": sent})
    assert assert_refused(s, answer, 403)["reasons"] == ["role"]
    meant.entries.append("act.refused")


def _too_new(model: BaseModel) -> dict[str, Any]:
    """A version beyond what a database's integer holds."""
    return model.model_copy(update={"version": 2**31}).model_dump(mode="json", exclude_none=True)


async def test_wrong_administrators_acts_change_nothing(s: Site) -> None:
    """I12: enrolment, policies and matrices that do not hold together."""
    s.w.keys["ada"] = s.w.admin._key
    jwk = dict(s.w.agents["scale"].public.jwk())
    private = {**jwk, "d": "A" * 43}
    fresh = dict(SigningKey.generate().public.jwk())
    for act, target, body, status in (
        ("agent.enrol", "agent:new", {"jwk": jwk, "owner": "operator:ada"}, 409),
        ("agent.enrol", "agent:new", {"jwk": jwk}, 400),
        ("agent.enrol", "agent:new", {"jwk": {}, "owner": "operator:ada"}, 400),
        ("agent.enrol", "agent:new", {"jwk": private, "owner": "operator:ada"}, 400),
        (
            "agent.enrol",
            "agent:new",
            {"jwk": {"kty": "oct", "k": "AA"}, "owner": "operator:a"},
            400,
        ),
        ("agent.enrol", "agent:New One", {"jwk": jwk, "owner": "operator:ada"}, 401),
        ("agent.enrol", "agent:a_b/../c", {"jwk": fresh, "owner": "operator:ada"}, 400),
        ("agent.enrol", "operator:new", {"jwk": fresh, "owner": "operator:ada"}, 400),
        ("agent.enrol", "agent:", {"jwk": fresh, "owner": "operator:ada"}, 400),
        ("operator.enrol", "operator:new", {"jwk": jwk}, 400),
        ("system.enrol", "system:new", {"jwk": jwk, "url": "file:///etc/passwd"}, 400),
        ("agent.suspend", "agent:nobody", {"reason": "x"}, 409),
        ("agent.suspend", "operator:una", {"reason": "x"}, 409),
        ("agent.resume", "agent:scale", {"reason": "x"}, 409),
        ("case.admit", s.case, {"reason": "x", "trouble_digest": trouble_digest(None, None)}, 409),
        ("case.admit", s.case, {"reason": "x"}, 400),
        ("policy.publish", "p", {"policies": "permit (", "cedar_schema": ""}, 400),
        ("policy.publish", "p", {"policies": "", "cedar_schema": "\0"}, 400),
        ("process.publish", "p", {"name": "p"}, 400),
        ("matrix.publish", "p", {"process": "p", "version": -1}, 400),
        ("matrix.publish", "p", _too_new(processes.matrix()), 400),
        ("process.publish", "p", _too_new(processes.DEFINITION), 400),
    ):
        sent = {"act": s.act(act, target, body, "ada"), "body": body}
        answer = await s.send({"method": "POST", "url": "/v1/acts", "json": sent})
        assert_refused(s, answer, status)


async def test_a_changed_process_needs_a_version_of_its_own_and_is_told_so(s: Site) -> None:
    s.w.keys["ada"] = s.w.admin._key
    changed = processes.DEFINITION.model_copy(update={"workflow_type": "Other"})
    body = changed.model_dump(mode="json", exclude_none=True)
    sent = {"act": s.act("process.publish", changed.name, body, "ada"), "body": body}
    answer = await s.send({"method": "POST", "url": "/v1/acts", "json": sent})
    assert "raise its version" in assert_refused(s, answer, 409)["error_description"]


async def test_a_revocation_of_anothers_grant_revokes_nothing(s: Site) -> None:
    """RFC 7009 section 2.1: only the client that the token was issued to."""
    route = next(each for each in ROUTES if each.path == "/oauth/revoke")
    made = s.good(Route(route.method, route.path, route.door, "agent:scale"))
    made["data"]["token"] = s.grant
    assert (await s.send(made)).status_code == 200
    assert claims_of(s.grant)["jti"] == s.grant_id
    revoked = [each["data"]["reason"] for each in await s.w.entries("grant.revoked")]
    assert set(revoked) <= {"superseded"}  # its own step asks for the next one in time


async def test_agents_are_no_systems_and_systems_no_agents(s: Site, meant: Meant) -> None:
    """I1: each kind of identity has its own routes."""
    for path in ("/oauth/introspect", "/v1/revocations", "/v1/uses"):
        route = next(each for each in ROUTES if each.path == path)
        made = s.good(Route(route.method, route.path, route.door, "agent:scale"))
        if route.door == "form":
            made["data"]["token"] = s.grant
        if route.door == "body":
            made["json"]["uses"] = [s.use()]
        assert_refused(s, await s.send(made), 403)
    token = next(each for each in ROUTES if each.path == "/oauth/token")
    made = s.good(Route(token.method, token.path, token.door, SYSTEM))
    made["data"]["authorization_details"] = json.dumps([{**_GOOD_DETAILS, "case": s.case}])
    assert assert_refused(s, await s.send(made), 400)["reasons"][0] == "I1"
    meant.entries.append("grant.denied")
