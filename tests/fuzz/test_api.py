"""The authority's API fuzzed by schemathesis, from the description that it gives of itself.

Senders are rightly known: sessions, grants, assertions and proofs are fresh with each request, so
that what is odd about it is looked at, and not who sent it. In the suite few requests are made, the
same each time; ``make fuzz`` makes many, others each time (``PLACET_FUZZ`` is how many).
"""

import asyncio
import contextlib
import os
import re
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS

from tests.authority.site import ROUTES, Route, Site, site

pytestmark = pytest.mark.asyncio(loop_scope="module")
MANY = "PLACET_FUZZ" in os.environ
EXAMPLES = int(os.environ.get("PLACET_FUZZ", "2"))
MODES = tuple(GenerationMode) if MANY else (GenerationMode.POSITIVE,)
"""What the description does not allow takes seconds to make up for each route."""

_JWS = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    *(("negative_data_rejection",) if MANY else ()),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """One site for all requests."""
    folder = tmp_path_factory.mktemp("fuzz")
    async with site(folder, f"sqlite:///{folder}/authority.db") as made:
        yield made


def rightly_sent(s: Site, route: Route, case: Case) -> dict[str, str]:
    """The headers of a sender who is known; an assertion of the body is put into it."""
    try:
        path = case.formatted_path
        good = s.good(route, path)
    except Exception:  # a path that no proof can name
        good = s.good(route)
    if route.door == "body" and isinstance(case.body, dict) and _is_like(case.body):
        case.body["client_assertion"] = good["json"]["client_assertion"]
    if route.door == "form" and isinstance(case.body, dict):
        case.body |= {
            "client_assertion": good["data"]["client_assertion"],
            "client_assertion_type": good["data"]["client_assertion_type"],
        }
    headers: dict[str, str] = good["headers"]
    return headers


def _is_like(body: dict[str, Any]) -> bool:
    """Whether the assertion is one by its form: another one is what is wrong with the body."""
    said = body.get("client_assertion")
    return isinstance(said, str) and len(said) <= 16_384 and re.fullmatch(_JWS, said) is not None


async def test_the_api_keeps_to_its_own_description(s: Site, subtests: pytest.Subtests) -> None:
    """I12: no server error, and no answer that the description does not have."""
    described = (await s.send({"method": "GET", "url": "/openapi.json"})).json()
    assert {
        (method.upper(), path) for path, said in described["paths"].items() for method in said
    } == {(each.method, each.path) for each in ROUTES}
    schema = schemathesis.openapi.from_dict(described)
    routes = {(each.method, each.path): each for each in ROUTES}
    for found in schema.get_all_operations():
        operation = found.ok()
        route = routes[operation.method.upper(), operation.path]
        if route.path == "/v1/events":  # an answer without an end; tests/authority/test_events.py
            continue
        with subtests.test(str(route)):
            await s.stay_granted()
            await asyncio.to_thread(fuzz, s, route, operation)


_QUERY = {"/v1/ledger/consistency": {"from": 1, "to": 1}}


def _ids(s: Site, route: Route) -> dict[str, str]:
    known = s.ids(route)
    return {each[1:-1]: known[each[1:-1]] for each in route.path.split("/") if each[:1] == "{"}


def fuzz(s: Site, route: Route, operation: Any) -> None:
    """Send what the description allows, and what it does not."""
    with requests.Session() as session:
        if route.method == "GET":  # what is there, since nobody guesses an id
            places = operation.Case(
                path_parameters=_ids(s, route), query=_QUERY.get(route.path, {})
            )
            answer = places.call(
                base_url=s.w.issuer, session=session, headers=rightly_sent(s, route, places)
            )
            places.validate_response(answer, checks=CHECKS.get_by_names(_CHECKS))
        for mode in MODES:
            strategy = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=EXAMPLES,
                derandomize=not MANY,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy)
            def send(case: Case) -> None:
                headers = rightly_sent(s, route, case)
                answer = case.call(base_url=s.w.issuer, session=session, headers=headers)
                case.validate_response(answer, checks=CHECKS.get_by_names(_CHECKS))

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # Of some there is nothing that the description does not allow.
                nothing = (Unsatisfiable,) if mode is GenerationMode.NEGATIVE else ()
                with contextlib.suppress(*nothing):
                    send()
