"""Requests that mean one thing to the gateway and another to what stands behind it: refused."""

import pytest

from tests.gateway.conftest import Before

GOOD = b"/books/1"

_TARGETS = {
    "dot-dot": b"/books/2/../1",
    "dot-dot-escaped": b"/books/2/%2e%2e/1",
    "dot-dot-half-escaped": b"/books/2/.%2E/1",
    "dot-dot-semicolon": b"/books/2/..;/1",
    "dot": b"/books/./1",
    "double-slash": b"/books//1",
    "double-slash-first": b"//books/1",
    "slash-last": b"/books/1/",
    "slash-escaped": b"/books%2F1",
    "slash-escaped-in-the-id": b"/books/1%2f2",
    "slash-escaped-twice": b"/books/1%252f2",
    "backslash": b"/books\\1",
    "backslash-escaped": b"/books/1%5c..%5c2",
    "nul": b"/books/1%00",
    "newline": b"/books/1%0d%0aHost:%20x",
    "escape-of-a-letter": b"/%62ooks/1",
    "escape-in-small-letters": b"/books/%c3%a9",
    "no-utf-8": b"/books/%ff",
    "too-long-utf-8": b"/books/%c0%ae%c0%ae",
    "broken-escape": b"/books/1%2",
    "parameter": b"/books/1;id=2",
    "other-case": b"/Books/1",
    "extension": b"/books/1.json/x",
    "long": b"/books/" + b"1" * 3000,
    "empty": b"/",
    "star": b"*",
}


@pytest.mark.parametrize("name", _TARGETS)
async def test_a_path_in_another_spelling_is_refused(before: Before, name: str) -> None:
    """I2, I12: with a good grant for book 1, no spelling reaches the system as another path."""
    status, _ = await before.raw(before.spelled(_TARGETS[name]))
    assert 400 <= status < 500, status
    assert before.plain.heard == []


async def test_the_good_spelling_passes(before: Before) -> None:
    """The requests above are refused for their spelling alone."""
    status, _ = await before.raw(before.spelled(GOOD))
    assert status == 200
    assert before.plain.heard[0].path == b"/inner/books/1"


async def test_an_absolute_address_reaches_nothing_else(before: Before) -> None:
    """RFC 9112 section 3.2.2: whatever host it names, the system behind is the one of the settings."""
    for target in (
        b"http://evil.example" + GOOD,
        b"http://127.0.0.1:1" + GOOD,
        GOOD + b"#/books/2",
    ):
        status, _ = await before.raw(before.spelled(target))
        assert status in {200, 400, 404}
    for heard in before.plain.heard:
        assert heard.path == b"/inner/books/1"
        assert "evil" not in "".join(heard.values("host"))


_FORGED = (
    ("Placet-Agent", "boss"),
    ("placet-agent", "boss"),
    ("PLACET-AGENT", "boss"),
    ("Placet_Agent", "boss"),
    ("placet.agent", "boss"),
    ("Placet-Record", "book/2"),
    ("Placet-Max-Amount", "999999.00"),
    ("X-Original-URL", "/books/2"),
    ("X-Rewrite-URL", "/books/2"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Forwarded-For", "127.0.0.1"),
    ("X-Forwarded-Host", "evil.example"),
    ("Forwarded", "for=127.0.0.1"),
    ("X-User", "boss"),
    ("Remote-User", "boss"),
    ("Cookie", "session=boss"),
    ("Proxy-Authorization", "Basic Ym9zcw=="),
    ("Client-Assertion", "a.b.c"),
    ("Expect", "100-continue"),
    ("TE", "trailers"),
)


async def test_no_header_can_be_forged(before: Before) -> None:
    """I1: however it is spelled, what says who asks comes from the grant, once."""
    answer = await before.ask(more=list(_FORGED))
    assert answer.status_code == 200
    (heard,) = before.plain.heard
    assert heard.values("placet-agent") == ["reader"]
    assert heard.values("placet-record") == ["book/1"]
    plain = {name.replace("_", "-").replace(".", "-") for name, _ in heard.headers}
    assert len(plain) == len(heard.headers)
    forged = {name.lower() for name, _ in _FORGED} - {"placet-agent", "placet-record"}
    assert not forged & {name for name, _ in heard.headers}


async def test_connection_names_headers_of_one_hop_alone(before: Before) -> None:
    """RFC 9110 section 7.6.1: a caller can drop their own headers so, and none of ours."""
    more = [("Connection", "close, accept, Placet-Agent, Placet-Record"), ("Accept", "text/plain")]
    assert (await before.ask(more=more)).status_code == 200
    (heard,) = before.plain.heard
    assert heard.values("accept") == []
    assert (heard.values("placet-agent"), heard.values("placet-record")) == (["reader"], ["book/1"])


@pytest.mark.parametrize("name", ["Content-Type", "Accept", "If-Match", "Range"])
async def test_a_header_sent_twice_is_refused(before: Before, name: str) -> None:
    """Which of the two counts is nobody's to guess."""
    answer = await before.ask(more=[(name, "a/b"), (name.upper(), "c/d")])
    assert (answer.status_code, before.plain.heard) == (400, [])


async def test_two_grants_or_proofs_are_refused(before: Before) -> None:
    for name in ("Authorization", "DPoP"):
        more = [(name, before.headers()[name])]
        assert (await before.ask(more=more)).status_code == 401
    assert before.plain.heard == []


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c", b"TLS/1.0"])
async def test_no_other_protocol_is_spoken(before: Before, protocol: bytes) -> None:
    """An upgraded connection would go past everything that is verified here."""
    sent = before.spelled(GOOD, b"Upgrade: " + protocol).replace(
        b"Connection: close", b"Connection: Upgrade, close"
    )
    status, _ = await before.raw(sent)
    assert 400 <= status < 500
    assert before.plain.heard == []


_SMUGGLED = {
    "two-lengths": (b"Content-Length: 5", b"Content-Length: 50"),
    "length-and-chunks": (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "chunks-in-another-spelling": (b"Content-Length: 5", b"Transfer-Encoding: xchunked"),
    "chunks-folded": (b"Transfer-Encoding:\r\n chunked",),
    "space-before-the-colon": (b"Placet-Agent : boss",),
    "bare-newline": (b"X: y\nPlacet-Agent: boss",),
    "bare-return": (b"X: y\rPlacet-Agent: boss",),
    "no-name": (b": boss",),
    "length-of-no-number": (b"Content-Length: +5",),
    "length-of-hexadecimal": (b"Content-Length: 0x5",),
}


async def test_one_request_with_a_body_passes(before: Before) -> None:
    """What the ones below differ from."""
    head = before.spelled(GOOD, b"Content-Length: 5", method="PUT", action="book:write")
    status, _ = await before.raw(head + b"hello")
    assert status == 200
    assert [(each.method, each.path) for each in before.plain.heard] == [("PUT", b"/inner/books/1")]


@pytest.mark.parametrize("name", _SMUGGLED)
async def test_no_second_request_is_smuggled(before: Before, name: str) -> None:
    """RFC 9112 section 11.2: where a request ends is the same for both, or it is refused."""
    head = before.spelled(GOOD, *_SMUGGLED[name], method="PUT", action="book:write")
    smuggled = b"0\r\n\r\nGET /inner/books/2 HTTP/1.1\r\nHost: x\r\nPlacet-Agent: boss\r\n\r\n"
    status, _ = await before.raw(head + smuggled)
    assert status >= 400 or len(before.plain.heard) == 1
    for heard in before.plain.heard:
        assert (heard.method, heard.path) == ("PUT", b"/inner/books/1")
        assert heard.values("placet-agent") == ["reader"]


_QUERIES = {
    "unlisted": b"id=2",
    "twice": b"page=1&page=2",
    "twice-escaped": b"page=1&%70age=2",
    "semicolon": b"page=1;page=2&x",
    "array": b"page[]=1",
    "newline": b"page=%0d%0a",
    "nul": b"page=%00",
    "no-utf-8": b"page=%ff",
    "no-value": b"page",
    "many": b"&".join(b"page%d=1" % number for number in range(50)),
}


@pytest.mark.parametrize("name", _QUERIES)
async def test_a_query_that_the_route_does_not_list_is_refused(before: Before, name: str) -> None:
    """I2: a system that takes its record from the query must not be told another one."""
    status, _ = await before.raw(before.spelled(GOOD + b"?" + _QUERIES[name]))
    assert status == 400
    assert before.plain.heard == []


@pytest.mark.parametrize("path", ["/books/2", "/books/1/files/2"])
async def test_a_grant_opens_its_own_record_alone(before: Before, path: str) -> None:
    """I2: the grant is for book 3."""
    answer = await before.ask(path=path, record="book/3")
    assert answer.status_code in {400, 403, 404}
    assert before.plain.heard == []


async def test_a_method_that_no_route_has_is_told_the_right_ones(before: Before) -> None:
    for method in ("DELETE", "HEAD", "OPTIONS", "TRACE", "PATCH", "POST"):
        answer = await before.ask(method)
        assert answer.status_code == 405, method
    assert before.plain.heard == []


async def test_without_a_grant_nothing_passes(before: Before) -> None:
    """I1: none, as a bearer's, or proven by another's key."""
    good = before.headers()
    for headers in (
        {},
        {**good, "Authorization": good["Authorization"].replace("DPoP", "Bearer")},
        {"Authorization": good["Authorization"]},
        {**good, "DPoP": before.headers(path="/books/2")["DPoP"]},
        {**good, "DPoP": before.headers("PUT")["DPoP"]},
    ):
        answer = await before.http.get(before.url + "/books/1", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("DPoP ")
    assert before.plain.heard == []


async def test_a_proof_counts_once(before: Before) -> None:
    """I11: what was overheard and is sent again is refused (RFC 9449 section 11.1)."""
    sent = before.spelled(GOOD)
    assert [(await before.raw(sent))[0] for _ in range(2)] == [200, 401]
    assert len(before.plain.heard) == 1


async def test_a_header_with_any_bytes_harms_nobody(before: Before) -> None:
    """I12: what is none is an answer."""
    for value in (b"\xff\xfe", b"x" * 60_000, b"=?utf-8?q?=0d=0a?="):
        status, _ = await before.raw(before.spelled(GOOD, b"User-Agent: " + value))
        assert status in {200, 400, 431}
    status, _ = await before.raw(before.spelled(GOOD, *[b"X-%d: y" % n for n in range(2000)]))
    assert status in {200, 400, 431}
