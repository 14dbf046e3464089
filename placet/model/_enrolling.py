"""How identities and their keys come in: enrolled, invited, or signed in elsewhere."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from placet.model._ids import (
    Name,
    Principal,
    Thumbprint,
)
from placet.model._signed import CompactJws
from placet.model._values import Model, UtcTime


class EnrolIdentity(Model):
    """Body of ``agent.enrol``, ``operator.enrol``, ``system.enrol``; the target is the principal.

    ``jwk`` is the public key (RFC 7517). Operators have ``roles``; agents have an ``owner``;
    systems of record a ``url`` where the authority asks for facts.
    """

    jwk: dict[str, Any]
    roles: tuple[Name, ...] = ()
    owner: Principal | None = None
    url: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=300)] | None = None


class AddKey(Model):
    """Body of ``key.add``: a person's further public key (RFC 7517); the target is the person."""

    jwk: dict[str, Any]


class Invite(Model):
    """Body of ``operator.invite``; the target is the new operator.

    ``invitation_key`` is the thumbprint of the key in the one-time code
    (``placet.tokens.invitation_key``), which its maker hands over.
    """

    roles: tuple[Name, ...] = Field(min_length=1, max_length=20)
    invitation_key: Thumbprint
    minutes: int = Field(default=60, ge=1, le=24 * 60)


class ClaimKey(Model):
    """Body of ``operator.claim``: the public key that was made on the device."""

    jwk: dict[str, Any]


class Enrolment(Model):
    """Body of ``POST /v1/enrolments``: the act signed by the new key itself.

    In ``enrolment`` the key of a one-time code names the new one; the code goes nowhere.
    """

    enrolment: CompactJws
    act: CompactJws
    body: ClaimKey


class SignInBegun(Model):
    """Answer of RFC 8628 section 3.2: what a person is shown, and what the device keeps."""

    device_code: Annotated[str, StringConstraints(max_length=16384)]
    user_code: Annotated[str, StringConstraints(max_length=128)]
    verification_uri: Annotated[str, StringConstraints(max_length=2048)]
    verification_uri_complete: Annotated[str, StringConstraints(max_length=2048)] | None = None
    expires_in: int
    interval: int = 5


class SignInAnswer(Model):
    """Answer of the token endpoint to a finished sign-in at the identity provider."""

    access_token: str
    token_type: str
    expires_in: int
    operator: Principal
    session_ends_at: UtcTime
