"""Typed ids. Each is a narrow string, so that one kind can't be spelled in another's place."""

from typing import Annotated

from pydantic import StringConstraints

_SEGMENT = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?"
_NAME = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"

RecordId = Annotated[
    str, StringConstraints(pattern=rf"^{_SEGMENT}(?:/{_SEGMENT}){{1,7}}$", max_length=200)
]
"""A record at a system of record, as a path of two to eight segments: ``loan/L-1001/draw/7``."""

Name = Annotated[str, StringConstraints(pattern=rf"^{_NAME}$", max_length=64)]
"""A lower-case name with hyphens: of an agent, operator, system, process, checkpoint, role."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
"""A lower-case name with underscores: of an activity type, an evidence part, a reason."""

Action = Annotated[str, StringConstraints(pattern=rf"^{_NAME}:{_NAME}$", max_length=64)]
"""``object:verb``, such as ``draw:read``."""

Principal = Annotated[
    str, StringConstraints(pattern=rf"^(?:agent|operator|system):{_NAME}$", max_length=80)
]
"""Who acts: ``agent:draw-analyst``, ``operator:ana-ruiz``, ``system:loan-servicing``."""

AgentPrincipal = Annotated[Principal, StringConstraints(pattern=r"^agent:")]
"""A non-human identity that does steps: ``agent:<name>``."""

SystemPrincipal = Annotated[Principal, StringConstraints(pattern=r"^system:")]
"""A system of record: ``system:<name>``."""

CaseId = Annotated[str, StringConstraints(pattern=r"^case-[0-9a-z]{26}$")]
CheckpointId = Annotated[str, StringConstraints(pattern=r"^ckpt-[0-9a-z]{26}$")]
GrantId = Annotated[str, StringConstraints(pattern=r"^grant-[0-9a-z]{26}$")]
Jti = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{16,128}$")]
"""A JWT's ``jti`` that someone else chose (RFC 7519 section 4.1.7); unguessable by its length."""

Thumbprint = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
"""A key's RFC 7638 thumbprint: SHA-256, base64url without padding."""

SYSTEM_URN = "urn:placet:system:"


def system_urn(system: str) -> str:
    """The audience of a system's grants: ``urn:placet:system:<name>``."""
    return SYSTEM_URN + system


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32


def spell_id(prefix: str, random: bytes) -> str:
    """Spell 16 random bytes as an id: ``<prefix>-`` and 26 characters of Crockford's base 32.

    Raises:
        ValueError: not 16 bytes.
    """
    if len(random) != 16:
        raise ValueError("an id is made of 16 random bytes")
    number = int.from_bytes(random)
    digits = [_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}-{''.join(digits)}"
