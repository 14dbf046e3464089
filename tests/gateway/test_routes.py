"""The file of routes, and the one spelling of a path: pure."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.gateway import BadRoutes, GatewaySettings, Routes, read_routes
from placet.gateway._routes import Route, Unacceptable

_GOOD = """
[[route]]
method = "GET"
path = "/loans/{loan}/files/{name}"
action = "loan:read"
record = "loan/{loan}"
"""
_WRONG = {
    "empty": ("", "route"),
    "no-toml": ("[[route]", "line 1"),
    "method": (_GOOD.replace("GET", "TRACE"), "method"),
    "relative": (_GOOD.replace('"/loans', '"loans'), "path"),
    "dots": (_GOOD.replace("/files/", "/../"), "neither a {place} nor plain text"),
    "half-a-place": (_GOOD.replace("{name}", "{name}.pdf"), "neither a {place} nor plain text"),
    "place-twice": (_GOOD.replace("{name}", "{loan}"), "stands twice"),
    "no-such-place": (_GOOD.replace("loan/{loan}", "loan/{draw}"), "the path has no {draw}"),
    "no-record": (_GOOD.replace("loan/{loan}", "{loan}"), "two to eight segments"),
    "action": (_GOOD.replace("loan:read", "read"), "action"),
    "unknown": (_GOOD + 'colour = "red"\n', "colour"),
    "overlap": (_GOOD + _GOOD.replace("{name}", "list"), "overlaps"),
}


@pytest.mark.parametrize("name", _WRONG)
def test_a_wrong_file_of_routes_is_refused_by_name(tmp_path: Path, name: str) -> None:
    """I12: before anything is served, and it says what and where."""
    text, said = _WRONG[name]
    (tmp_path / "routes.toml").write_text(text)
    with pytest.raises(BadRoutes) as refusal:
        read_routes(tmp_path / "routes.toml")
    assert said in str(refusal.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadRoutes, match="can't be read"):
        read_routes(tmp_path / "none.toml")


def test_a_file_has_a_name_that_needs_escapes() -> None:
    routes = Routes([_route()])
    found = routes.match("GET", b"/loans/L-1/files/a%20caf%C3%A9.pdf", b"")
    assert (found.record, found.target) == ("loan/L-1", "/loans/L-1/files/a%20caf%C3%A9.pdf")


def _route() -> Route:
    return Route.model_validate(
        {
            "method": "GET",
            "path": "/loans/{loan}/files/{name}",
            "action": "loan:read",
            "record": "loan/{loan}",
            "query": ("page",),
        }
    )


_PIECES = st.sampled_from(
    [b"/", b"loans", b"L-1", b"files", b"a", b"..", b".", b"%2e", b"%2F", b"%5C", b";", b"%C3%A9"]
)


@given(st.lists(_PIECES | st.binary(max_size=3), max_size=12), st.binary(max_size=30))
def test_what_is_taken_is_the_very_path_that_was_sent(pieces: list[bytes], query: bytes) -> None:
    """I2: nothing is normalised: a path is taken as it stands, or not at all."""
    path = b"".join(pieces)
    try:
        found = Routes([_route()]).match("GET", path, query)
    except Unacceptable as refusal:
        assert 400 <= refusal.status < 500
        return
    taken, _, asked = found.target.partition("?")
    assert taken.encode() == path
    assert found.record == "loan/" + path.decode().split("/")[2]
    assert asked.count("=") <= 1


def test_a_gateway_that_is_asked_for_facts_says_that_it_tells_none() -> None:
    """I3: not that there is no such record, which is what the authority takes 404 for."""
    routes = Routes([_route()])
    for method, path, status in (
        ("GET", b"/v1/facts/loan/L-1", 501),
        ("GET", b"/v1/factsheet/L-1", 404),
        ("POST", b"/v1/facts/loan/L-1", 404),
    ):
        with pytest.raises(Unacceptable) as refused:
            routes.match(method, path, b"")
        assert refused.value.status == status


def test_headers_that_say_who_asks_cant_be_let_through() -> None:
    """I1: no setting opens them."""
    said = {"system": "library", "upstream": "http://127.0.0.1:1", "routes": "r", "key_file": "k"}
    for name in (
        "Placet-Agent",
        "Authorization",
        "DPoP",
        "Connection",
        "Host",
        "a_b",
        "X-Forwarded-For",
    ):
        with pytest.raises(ValueError, match="can't be passed on"):
            GatewaySettings.model_validate({**said, "pass_headers": [name]})
    assert GatewaySettings.model_validate({**said, "pass_headers": ["X-Depot"]}).pass_headers
