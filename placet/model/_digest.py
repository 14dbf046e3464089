"""Canonical JSON and digests: the one spelling of a value that is hashed or signed outside a JWS.

Canonical form is RFC 8785 (JCS). A digest is SHA-256, written ``sha-256:`` followed by base64url
without padding (43 characters). A second spelling of the same digest is refused.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Annotated

import rfc8785
from pydantic import BaseModel, JsonValue, StringConstraints

# 43 characters carry 258 bits: the last one may only spell values whose two low bits are zero.
_DIGEST_PATTERN = r"^sha-256:[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"

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
    return rfc8785.dumps(value)


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
