"""Canonical JSON and digests: the one spelling of a value that is hashed or signed outside a JWS.

Canonical form is RFC 8785 (JCS). A digest is SHA-256, written ``sha-256:`` followed by base64url
without padding (43 characters). A second spelling of the same digest is refused.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, cast

import rfc8785
from pydantic import BaseModel, JsonValue, StringConstraints

# 43 characters carry 258 bits: the last one may only spell values whose two low bits are zero.
_DIGEST_PATTERN = r"^sha-256:[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"

_WHOLE = 2**53  # beyond it, whole numbers have no spelling of their own in JSON (RFC 8785, 3.2.2.3)

Digest = Annotated[str, StringConstraints(pattern=_DIGEST_PATTERN)]
"""``sha-256:<base64url, no padding>``; the only spelling of a digest in Placet."""


def digest_bytes(data: bytes) -> Digest:
    """Return the digest of ``data``."""
    return digest_hash(hashlib.sha256(data).digest())


def digest_hash(hashed: bytes) -> Digest:
    """Spell the 32 bytes of a hash as a digest."""
    return "sha-256:" + base64.urlsafe_b64encode(hashed).decode().rstrip("=")


def read_digest(digest: Digest) -> bytes:
    """The 32 bytes of a digest."""
    return base64.urlsafe_b64decode(digest.removeprefix("sha-256:") + "=")


def canonical_json(value: BaseModel | JsonValue) -> bytes:
    """Return ``value`` in RFC 8785 canonical form.

    A model is dumped as pydantic's JSON mode shows it, fields named by their aliases, members that
    are ``None`` left out: a field added later with the default ``None`` changes no older digest.

    Raises:
        rfc8785.CanonicalizationError: a value has no canonical form (an integer beyond 2^53, NaN).
    """
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if _is_plain(value):
        try:
            return _encode_plain(value).encode("utf-8")
        except UnicodeEncodeError:
            pass  # half a surrogate pair: the library says what is wrong
    return rfc8785.dumps(value)


# The standard library's encoder, written in C, writes plain values as RFC 8785 does, five times as
# fast as the library that knows all of it. Names in ASCII sort alike as characters and as UTF-16.
_encode_plain = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode


def _is_plain(value: object) -> bool:
    """Whether a value has only text, truths, whole numbers below 2^53, nulls and ASCII names."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is dict:
        return all(
            type(name) is str and name.isascii() and _is_plain(each)
            for name, each in cast("dict[object, object]", value).items()
        )
    if kind is list or kind is tuple:
        return all(map(_is_plain, cast("list[object]", value)))
    return kind is int and -_WHOLE < cast("int", value) < _WHOLE


def digest_json(value: BaseModel | JsonValue) -> Digest:
    """Return the digest of the canonical form of ``value``."""
    return digest_bytes(canonical_json(value))


def salted_digest(salt: str, data: bytes) -> Digest:
    """The digest of ``data`` kept beside the ledger: SHA-256 of the salt's 32 bytes and ``data``.

    ``salt`` is spelled in base64url without padding (43 characters).
    """
    return digest_bytes(base64.urlsafe_b64decode(salt + "=") + data)


def payloads_digest(payloads: Iterable[bytes]) -> Digest:
    """The digest of a step's input or output: JSON payloads, each read and put in canonical form.

    Agent and auditor compute the same from what the worker encodes and what the history keeps.

    Raises:
        ValueError: a payload is no JSON.
    """
    return digest_json([json.loads(payload) if payload else None for payload in payloads])
