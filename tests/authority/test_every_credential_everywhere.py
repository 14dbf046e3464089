"""Every kind of credential offered at every route, in every place: exactly the right ones count.

The routes are the application's own and the kinds those of ``placet.tokens``: a new one of either
is in the matrix by itself, or the test says what it lacks. What is offered is good somewhere,
signed by who should sign it, and proven by the key it is bound to, so that nothing but its kind is
wrong with it (RFC 8725 section 3.11; I1, I6).
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from placet.authority import SigningKeys, Store, load_signing_keys
from placet.client import JWT_BEARER
from placet.client._sending import DEVICE_GRANT
from placet.tokens import SigningKey
from tests.authority.site import ROUTES, SYSTEM, Route, Site, routes_of_the_app, site
from tests.harness.credentials import HOLDER, Issuers, every_kind, kinds_that_lack
from tests.harness.world import PASSPHRASE

pytestmark = pytest.mark.asyncio(loop_scope="module")

Place = str
"""Where in a request a credential stands, such as ``form token``."""

PLACES = (
    "DPoP scheme",
    "Bearer scheme",
    "DPoP",
    "Client-Assertion",
    *(f"form {each}" for each in ("client_assertion", "assertion", "token", "device_code")),
    *(f"body {each}" for each in ("client_assertion", "act", "decision", "attestation")),
    *(f"body {each}" for each in ("enrolment", "decisions", "settlements", "rotation", "uses")),
)
_DOORS: dict[str, dict[Place, str]] = {
    "open": {},
    "proof": {"DPoP": "proof"},
    "form": {"form client_assertion": "client assertion", "DPoP": "proof"},
    "header": {"Client-Assertion": "client assertion", "DPoP": "proof"},
    "body": {"body client_assertion": "client assertion", "DPoP": "proof"},
    "session": {"DPoP scheme": "session", "DPoP": "proof"},
    "grant": {"DPoP scheme": "grant", "DPoP": "proof"},
}
_SIGNED: dict[str, dict[Place, str]] = {
    "/v1/acts": {"body act": "act"},
    "/v1/enrolments": {"body act": "act", "body enrolment": "enrolment"},
    "/v1/decisions": {"body decisions": "decision"},
    "/v1/checkpoints/{checkpoint}/decisions": {"body decision": "decision"},
}
_FURTHER: dict[str, dict[Place, str]] = {
    "/oauth/token": {"form assertion": "sign-in", "form device_code": "device code"},
    "/oauth/introspect": {"form token": "grant"},
    "/oauth/revoke": {"form token": "grant"},
    "/v1/uses": {"body uses": "use"},
    "/v1/settlements": {"body settlements": "settlement"},
    "/v1/keys": {"body rotation": "key rotation"},
    "/v1/joins": {"body enrolment": "enrolment", "body attestation": "workload token"},
}
_UNPROVEN = {"/oauth/introspect", "/v1/revocations", "/v1/uses"}
"""Systems of record prove their key by the assertion alone."""

_AS_IF_NONE = {
    *("invalid_client", "invalid_token", "invalid_dpop_proof", "invalid_grant"),
    *("invalid_request", "unauthorized_client"),
}
"""What a request hears whose credential was not taken; a good request hears none of it."""


def taken_at(route: Route) -> dict[Place, str]:
    """The places where a route looks for a credential, and the kind that counts there.

    A route that takes signatures must say which: a new one fails here until it does.
    """
    taken = dict(_SIGNED[route.path] if route.door == "signature" else _DOORS[route.door])
    if route.path in _UNPROVEN:
        del taken["DPoP"]
    return taken | _FURTHER.get(route.path, {})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """One site for the whole matrix."""
    folder = tmp_path_factory.mktemp("matrix")
    async with site(folder, f"sqlite:///{folder}/authority.db") as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kinds(s: Site) -> Callable[[], dict[str, str]]:
    """Makes one of each kind, signed with the authority's own key where that signs."""
    keys = SigningKeys(PASSPHRASE)
    async with await Store.open(s.w.settings.database_url, origin=s.w.settings.origin) as store:
        await load_signing_keys(store, keys)
        by = Issuers(
            issuer=s.w.issuer,
            audience="urn:placet:system:authority",
            authority=keys.signer(store.clock()),
            agent=("agent:orchestrator", s.w.agents["orchestrator"]),
            operator=("operator:una", s.w.keys["una"]),
            system=(SYSTEM, s.system_key),
            provider=SigningKey.generate(),
        )
    return lambda: {name: s.keep(token) for name, token in every_kind(by).items()}


def put(made: dict[str, Any], place: Place, token: str) -> None:
    """Put a credential at a place of a request, instead of what stands there."""
    headers = made["headers"]
    where, _, name = place.partition(" ")
    in_a_header = "".join(each if " " <= each <= "~" else "" for each in token)
    match where:
        case "form":
            made["data"][name] = token
        case "body":
            made["json"][name] = _MANY[name](made, token) if name in _MANY else token
        case "DPoP" | "Bearer" if name == "scheme":
            headers["Authorization"] = f"{where} {in_a_header}"
        case _:
            headers[place] = in_a_header


def _for_checkpoints(made: dict[str, Any], token: str) -> list[dict[str, str]]:
    stands = made["json"].get("decisions") or [{"checkpoint": "ckpt-" + "0" * 26}]
    return [{**each, "decision": token} for each in stands]


def _for_grants(made: dict[str, Any], token: str) -> list[dict[str, Any]]:
    return [{**each, "settlement": token} for each in made["json"].get("settlements") or [{}]]


def _alone(_: dict[str, Any], token: str) -> list[str]:
    return [token]


_MANY = {"decisions": _for_checkpoints, "settlements": _for_grants, "uses": _alone}


def bare(s: Site, route: Route) -> dict[str, Any]:
    """A good request of a route: what is not a credential in it is whole."""
    made = s.good(route, s.path(route) + _QUERY.get(route.path, ""))
    body = _rest_of_the_body(s, route)
    if body is not None:
        made.pop("data", None)
        made["json"] = {**made.get("json", {}), **body}
    if route.path == "/v1/keys":
        made["headers"]["DPoP"] = s.proof(HOLDER, "POST", route.path)
    if route.path == "/oauth/token":
        made["data"]["authorization_details"] = json.dumps([_details(s)])
    if route.path in {"/oauth/introspect", "/oauth/revoke"}:
        made["data"]["token"] = s.grant
    return made


def _details(s: Site) -> dict[str, Any]:
    return {**s.step, "case": "case-" + "0" * 26}


_QUERY = {"/v1/ledger/consistency": "?from=1&to=1"}


def _rest_of_the_body(s: Site, route: Route) -> dict[str, Any] | None:
    """What a body has besides the sender's assertion; ``None`` where there is none."""
    nobodys = "grant-" + "0" * 26
    match route.path:
        case "/v1/grants":
            return {"asks": [_details(s)]}
        case "/v1/settlements":
            return {"settlements": [s.settlement(nobodys)]}
        case "/v1/uses":
            return {"uses": [s.use(sub=nobodys)]}
        case "/v1/acts":
            body = {"reason": "a test"}
            return {"act": s.act("hold.place", "depot/D1", body), "body": body}
        case "/v1/enrolments":
            jwk = dict(HOLDER.public.jwk())
            act = s.act("operator.claim", "operator:pat", {"jwk": jwk})
            return {"act": act, "enrolment": s.enrolment("operator:pat"), "body": {"jwk": jwk}}
        case "/v1/decisions":
            return {"decisions": [{"checkpoint": s.checkpoint.id, "decision": s.decision()}]}
        case "/v1/keys":
            return {"rotation": s.rotation(HOLDER.thumbprint)}
        case "/v1/cases/{case}/keys":
            return {}
        case "/v1/joins":
            return {"agent": "scale", "environment": "test", "task_queues": ["scale"],
                    "enrolment": s.enrolment("agent:scale")}  # fmt: skip
        case path if path.endswith("/decisions"):
            return {"decision": s.decision()}
        case "/v1/cases/{case}/checkpoints":
            return {"checkpoint": "release"}
        case "/v1/cases/{case}/close":
            return {"result": "done"}
    return {} if route.door in {"body", "signature"} else None


def offers(s: Site, route: Route, token: str) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The requests that offer a token at a route: once at each place where the route looks, and
    once at all others, with nothing where it looks.
    """
    taken = taken_at(route)
    for place in taken:
        made = bare(s, route)
        _make_room(made, place)
        put(made, place, token)
        if place == "DPoP scheme":
            path = str(made["url"])
            made["headers"]["DPoP"] = s.proof(HOLDER, route.method, path, _in_a_header(token))
        yield place, made
    made = bare(s, route)
    for place in taken:
        _take_away(made, place)
    if not taken:
        return
    for place in PLACES:
        if place in taken or not _fits(made, place):
            continue
        put(made, place, token)
    yield "elsewhere", made


def _in_a_header(token: str) -> str:
    return "".join(each if " " <= each <= "~" else "" for each in token)


def _fits(made: dict[str, Any], place: Place) -> bool:
    where = place.partition(" ")[0]
    return {"form": "data", "body": "json"}.get(where, "headers") in made


def _make_room(made: dict[str, Any], place: Place) -> None:
    """Ask so that the route looks at this place, and at no other of the same use."""
    if place == "form assertion":
        made["data"] = {"grant_type": JWT_BEARER}
    if place == "form device_code":
        made["data"] = {"grant_type": DEVICE_GRANT}
    if place == "body attestation":
        del made["json"]["enrolment"]


def _take_away(made: dict[str, Any], place: Place) -> None:
    where, _, name = place.partition(" ")
    match where:
        case "form":
            made["data"].pop(name, None)
        case "body":
            made["json"].pop(name, None)
        case _:
            made["headers"].pop("Authorization" if name == "scheme" else place, None)


def counted(route: Route, place: Place, answer: httpx.Response) -> bool:
    """Whether the credential that was offered was taken for what the route looks for."""
    assert answer.status_code < 500, (str(route), place, answer.text)
    if place == "form token":  # of another's token, and of what is none, nothing is said
        return route.path == "/oauth/introspect" and answer.json() != {"active": False}
    if answer.status_code in {400, 401}:
        return answer.json()["error"] not in _AS_IF_NONE
    if route.path == "/v1/decisions":
        problems = [each.get("problem", {}) for each in answer.json()["answers"]]
        return any(each.get("error") not in _AS_IF_NONE for each in problems)
    if (
        route.path == "/v1/settlements"
    ):  # nobody's grant: looked for only if the word is the agent's
        reasons = [each["reason"] for each in answer.json()["settlements"]]
        return reasons == ["not a grant of this agent and key"]
    return True


async def test_the_matrix_has_every_route_and_every_kind(
    kinds: Callable[[], dict[str, str]],
) -> None:
    """What nobody listed can't be offered, and where nobody looks nothing is found out."""
    assert {(each.method, each.path) for each in ROUTES} == routes_of_the_app()
    assert kinds_that_lack(kinds()) == set()
    places = {place for route in ROUTES for place in taken_at(route)}
    assert places <= set(PLACES)
    assert {kind for route in ROUTES for kind in taken_at(route).values()} <= set(kinds())


async def test_no_kind_counts_where_another_belongs(
    s: Site, kinds: Callable[[], dict[str, str]]
) -> None:
    """I1, I6: nothing is answered as if it were known, and nothing at all is changed."""
    rows, entries, cells = s.rows(), await s.entry_types(), 0
    s.stayed.clear()
    wrong: list[str] = []
    for route in ROUTES:
        await s.stay_granted()
        for name, token in kinds().items():
            for place, made in offers(s, route, token):
                if taken_at(route).get(place) == name:
                    continue
                cells += 1
                if counted(route, place, await s.send(made)):
                    wrong.append(f"{name} at {route}, {place}")
    assert wrong == []
    assert cells > 10 * len(ROUTES)
    assert (await s.entry_types())[len(entries) :] == s.stayed
    assert s.rows() == rows


async def test_the_right_kind_counts_at_its_own_place(s: Site) -> None:
    """The cells that are left: each route answers the very request that was spoilt above."""
    wrong = []
    for route in sorted(
        ROUTES, key=lambda each: _LAST.index(each.path) if each.path in _LAST else -1
    ):
        await s.stay_granted()
        answer = await s.send(bare(s, route))
        if route.path not in _NOTHING_GOOD_HERE and not counted(route, "", answer):
            wrong.append(f"{route}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


_LAST = ("/oauth/revoke", "/v1/keys")
"""After the one nothing holds the live grant, after the other the agent has another key."""

_NOTHING_GOOD_HERE = {
    "/v1/joins": "tests/authority/test_joins.py",
    "/v1/enrolments": "tests/authority/test_invitations.py",
    "/oauth/device_authorization": "tests/authority/test_identity_provider.py",
}
"""What a person or a platform must do first is done in these tests."""
