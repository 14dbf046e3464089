"""The leak guard finds a token however it is wrapped, and nothing else (I7)."""

import base64
import json
import urllib.parse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.tokens import find_token
from tests.tokens.samples import SAMPLES

TOKEN = SAMPLES["grant"].token
SIGNATURE = TOKEN.rpartition(".")[2]
OTHERS = [SAMPLES[kind].token for kind in ("proof", "inquiry", "client assertion")]


def _escape_json(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


def _escape_url(text: str) -> str:
    return "".join(f"%{ord(character):02x}" for character in text)


WRAPPED: dict[str, bytes] = {
    "as-it-stands": f"error: Bearer {TOKEN} was refused".encode(),
    "signature-alone": SIGNATURE.encode(),
    "cut-at-the-front": TOKEN[-50:].encode(),
    "cut-at-the-end": TOKEN[:-30].encode(),
    "inside-json": json.dumps({"headers": {"Authorization": f"DPoP {TOKEN}"}}).encode(),
    "json-escaped": f'"{_escape_json(TOKEN)}"'.encode(),
    "json-escaped-dashes": TOKEN.replace("-", "\\u002d").replace("_", "\\u005f").encode(),
    "url-encoded": urllib.parse.quote(TOKEN, safe="").encode(),
    "url-encoded-throughout": _escape_url(TOKEN).encode(),
    "url-encoded-in-upper-case": _escape_url(TOKEN).upper().replace("%", "%").encode(),
    "url-encoded-inside-escaped-json": json.dumps(_escape_url(TOKEN)).encode(),
    "broken-over-lines": "\r\n ".join(TOKEN[i : i + 20] for i in range(0, 2000, 20)).encode(),
    "lines-inside-json": json.dumps(
        "\n".join(TOKEN[i : i + 30] for i in range(0, 2000, 30))
    ).encode(),
    "utf-16": TOKEN.encode("utf-16-le"),
    "base64-of-the-token": base64.b64encode(TOKEN.encode()),
    "base64-in-mime-lines": base64.encodebytes(b"header " + TOKEN.encode()),
    "base64-inside-escaped-url": urllib.parse.quote(base64.b64encode(TOKEN.encode())).encode(),
    "base64-with-json-escaped-slashes": base64.b64encode(b"??>" + TOKEN.encode()).replace(
        b"/", b"\\/"
    ),
    "bytes-of-a-repr": repr({"token": TOKEN.encode()}).encode(),
}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_a_wrapped_token_is_found(wrapping: str) -> None:
    assert find_token(WRAPPED[wrapping], [TOKEN])
    assert find_token(b"\x00\xff before " + WRAPPED[wrapping] + b" after", [*OTHERS, TOKEN])


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_another_token_is_not(wrapping: str) -> None:
    assert not find_token(WRAPPED[wrapping], OTHERS)


@settings(max_examples=60)
@given(before=st.binary(max_size=80), after=st.binary(max_size=80))
def test_base64_of_anything_around_a_token_is_found(before: bytes, after: bytes) -> None:
    """At each of the three alignments, in both alphabets."""
    inside = before + TOKEN.encode() + after
    assert find_token(base64.b64encode(inside), [TOKEN])
    assert find_token(base64.urlsafe_b64encode(inside), [TOKEN])


@settings(max_examples=60)
@given(st.binary(max_size=400))
def test_any_bytes_are_searched_without_an_error(data: bytes) -> None:
    assert not find_token(data, [TOKEN])


def test_text_is_searched_too() -> None:
    assert find_token(f"\ud800 {TOKEN}", [TOKEN])
    assert not find_token("\ud800", [TOKEN])


def test_what_every_token_of_a_kind_has_in_common_is_no_leak() -> None:
    """Headers and payloads can't be replayed, and ids in them are on the ledger anyway."""
    header, payload, _ = TOKEN.split(".")
    assert not find_token(f"{header}.{payload}".encode(), [TOKEN])


def test_other_secrets_are_looked_for_as_a_whole() -> None:
    assert find_token(b"x 0123456789abcdef x", ["0123456789abcdef"])
    assert not find_token(b"x 0123456789abcde x", ["0123456789abcdef"])
    for short in ("", "0123456789abcde", "a.b.c"):
        with pytest.raises(ValueError, match="at least 16"):
            find_token(b"", [short])


@pytest.mark.parametrize("alignment", range(3))
def test_other_secrets_are_found_in_base64_at_every_alignment(alignment: int) -> None:
    """``~`` and ``?`` become ``+`` and ``/``, or ``-`` and ``_``."""
    secret = "a~?b~~??c~~~???d"  # noqa: S105 - made up for this test
    inside = b"x" * alignment + secret.encode() + b" and more"
    assert find_token(base64.b64encode(inside), [secret])
    assert find_token(base64.urlsafe_b64encode(inside), [secret])


def test_no_tokens_are_nowhere() -> None:
    assert not find_token(b"anything", [])


def test_a_large_result_is_searched_quickly_enough() -> None:
    """4 MiB is the most that a part may have."""
    data = json.dumps({"text": "a\\b % c\n" * 500_000}).encode()
    assert not find_token(data, OTHERS)
