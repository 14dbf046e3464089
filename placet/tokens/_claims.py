"""What stands in each kind of token; the claims of decisions and acts are in ``placet.model``.

What Placet alone makes has no unknown member: a signature over something that the verifier does
not understand says nothing. Client assertions and proofs come from other people's libraries too,
so there unknown members are passed over, as RFC 7519 section 4 asks.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from placet.model import (
    CaseId,
    GrantedDetails,
    GrantId,
    Jti,
    Model,
    Principal,
    RecordId,
    Thumbprint,
)
from placet.model._details import SystemUrn
from placet.model._ids import AgentPrincipal
from placet.model._signed import Audience, NumericDate, OperatorPrincipal


class Confirmation(Model):
    """RFC 7800: the key whose possession the sender must prove, by its thumbprint (RFC 9449)."""

    jkt: Thumbprint


class GrantClaims(Model):
    """A just-in-time credential for one action on one record (RFC 9068, RFC 9396).

    ``sub`` and ``client_id`` are the agent, ``aud`` the one system, ``txn`` the case.
    """

    iss: Audience
    sub: AgentPrincipal
    aud: SystemUrn
    iat: NumericDate
    nbf: NumericDate
    exp: NumericDate
    jti: GrantId
    client_id: Principal
    txn: CaseId
    cnf: Confirmation
    authorization_details: tuple[GrantedDetails]

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.client_id != self.sub:
            raise ValueError("client_id is the agent itself")
        if self.details.audience != self.aud or self.details.case != self.txn:
            raise ValueError("authorization_details name another audience or case")
        return self

    @property
    def details(self) -> GrantedDetails:
        """What was granted."""
        return self.authorization_details[0]

    @property
    def expires_at(self) -> datetime:
        """When it ends, in UTC."""
        return datetime.fromtimestamp(self.exp, UTC)


class EnrolmentClaims(Model):
    """The word of an invitation's key: ``cnf`` names the key of whom it invites, ``sub``."""

    aud: Audience
    iat: NumericDate
    sub: Principal
    cnf: Confirmation


class InquiryClaims(Model):
    """The authority's own question to a system of record: the facts of one record."""

    iss: Audience
    sub: Literal["system:authority"] = "system:authority"
    aud: SystemUrn
    iat: NumericDate
    exp: NumericDate
    jti: Jti
    identifier: RecordId
    cnf: Confirmation


class SessionClaims(Model):
    """A person's access to read at the authority, for a quarter of an hour."""

    iss: Audience
    sub: OperatorPrincipal
    aud: Audience
    iat: NumericDate
    exp: NumericDate
    jti: Jti
    cnf: Confirmation


class SignInClaims(Model):
    """A person's authorization grant (RFC 7523 section 2.1), under the person's own key."""

    iss: OperatorPrincipal
    sub: OperatorPrincipal
    aud: Audience
    iat: NumericDate
    exp: NumericDate
    jti: Jti


class _Foreign(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ClientAssertionClaims(_Foreign):
    """A client's authentication with its key (RFC 7523 section 2.2).

    ``iat`` is optional there; the lifetime is then judged by what is left of it.
    """

    iss: Principal
    sub: Principal
    aud: Audience
    exp: NumericDate
    jti: Jti
    iat: NumericDate | None = None
    nbf: NumericDate | None = None


class ProofClaims(_Foreign):
    """A DPoP proof (RFC 9449 section 4.2)."""

    jti: Jti
    htm: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,32}$")]
    htu: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,2048}$")]
    iat: NumericDate
    ath: Annotated[str, Field(max_length=64)] | None = None
    nonce: Annotated[str, Field(max_length=256)] | None = None
