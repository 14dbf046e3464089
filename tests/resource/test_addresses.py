"""A system whose address has a path: behind a proxy that takes it off, or beside others."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from placet.resource.testing import RehearsedAuthority
from tests.resource.simulator import library_app


@pytest.mark.parametrize(
    ("sent", "root_path", "mounted"),
    [
        ("/books/1", "", False),
        ("/books/1", "/systems/library", False),
        ("/systems/library/books/1", "/systems/library", False),
        ("/systems/library/books/1", "", True),
    ],
    ids=["a-proxy-takes-it-off", "and-says-so", "the-server-is-told", "mounted"],
)
def test_an_address_may_have_a_path(sent: str, root_path: str, mounted: bool) -> None:
    """I1: what callers ask below it is what they prove, wherever the path comes off."""
    authority = RehearsedAuthority("library", "http://testserver/systems/library")
    guard = authority.guard()
    app = library_app(guard)
    if mounted:
        routes = [Mount("/systems/library", app)]
        app = Starlette(routes=routes, lifespan=app.router.lifespan_context)
    with TestClient(app, root_path=root_path) as http:
        headers = authority.grant("book:read", "book/1").headers("GET", "/books/1")
        assert http.get(sent, headers=headers).status_code == 200
        for prove in ("/books/2", "/systems/library/books/1"):
            headers = authority.grant("book:read", "book/1").headers("GET", prove)
            assert http.get(sent, headers=headers).status_code == 401
