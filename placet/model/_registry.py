"""The registry of non-human identities: what each is for, whose it is, and until when.

Those that Placet enrols (``agent:…``, ``system:…``) and those that others own, under the name of
their kind (``api-key:payments/stripe``), stand in one registry.
"""

import json
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from placet.model._ids import Action, AgentPrincipal, CaseId, Identifier, Name, Thumbprint
from placet.model._secrets import looks_secret
from placet.model._signed import Audience, CompactJws, NumericDate
from placet.model._values import Model, UtcTime, WebAddress

_NAME = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"


class IdentityKind(StrEnum):
    """The five kinds of non-human identity."""

    SERVICE_ACCOUNT = "service-account"
    API_KEY = "api-key"
    AI_AGENT = "ai-agent"
    CERTIFICATE = "certificate"
    BOT = "bot"


_OUR_KINDS = {"agent": IdentityKind.AI_AGENT, "system": IdentityKind.SERVICE_ACCOUNT}
_OUTSIDE = "|".join(IdentityKind)

IdentityId = Annotated[
    str,
    StringConstraints(
        pattern=rf"^(?:(?:agent|system):{_NAME}|(?:{_OUTSIDE}):[A-Za-z0-9][A-Za-z0-9._/@+=,:-]*)$",
        max_length=160,
    ),
]
"""A non-human identity: one of ours (``agent:draw-analyst``), or ``<kind>:<name elsewhere>``."""

Person = Annotated[str, StringConstraints(pattern=rf"^operator:{_NAME}$", max_length=80)]
"""A person who answers for identities."""


def kind_of(identity: str) -> IdentityKind:
    """Of which kind an identity is, by its id.

    Raises:
        ValueError: it is the id of no non-human identity.
    """
    prefix = identity.partition(":")[0]
    return _OUR_KINDS.get(prefix) or IdentityKind(prefix)


def is_ours(identity: str) -> bool:
    """Whether an identity is one that Placet enrols, rather than one that others own."""
    return identity.partition(":")[0] in _OUR_KINDS


class CredentialKind(StrEnum):
    """What an identity proves itself with. ``key``: a private key that never leaves its holder."""

    KEY = "key"
    CERTIFICATE = "certificate"
    API_KEY = "api-key"
    TOKEN = "token"  # noqa: S105 - a kind of credential, and none itself
    PASSWORD = "password"  # noqa: S105 - the same


_TaskQueue = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,100}$")]


class Workload(Model):
    """A platform's word for a workload: the three claims of its OIDC token, matched exactly."""

    issuer: WebAddress
    audience: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,300}$")]
    subject: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$")]


class RegisterIdentity(Model):
    """Body of ``identity.register``: all that is said of an identity from now on.

    ``deputy`` follows an owner who leaves. ``runs_on`` names the task queues or hosts where it may
    run; none named, anywhere in its environment. Of those that Placet enrols the age of the
    credential is known; ``credential_since`` is for the others. ``vendor`` is the third party that
    runs it. Who has a token of ``workload`` may join as this agent.
    """

    owner: Person | None = None
    deputy: Person | None = None
    purpose: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    process: Name | None = None
    environment: Name
    credential: CredentialKind = CredentialKind.KEY
    credential_since: UtcTime | None = None
    vendor: Name | None = None
    runs_on: tuple[_TaskQueue, ...] = Field(default=(), max_length=20)
    review_by: UtcTime
    ends_at: UtcTime
    workload: Workload | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.deputy is not None and self.deputy == self.owner:
            raise ValueError("deputy: must be another person than the owner")
        if self.review_by > self.ends_at:
            raise ValueError("review_by: must not be after ends_at")
        return self

    def on_the_ledger(self) -> dict[str, JsonValue]:
        """What the ledger says of it: all but the purpose, which is free text."""
        said: dict[str, JsonValue] = self.model_dump(mode="json", exclude={"purpose"})
        return said


def secret_in(identity: str, said: RegisterIdentity) -> str | None:
    """The member of what is said of an identity that looks like a secret (I7)."""
    if looks_secret(identity, is_id=True):
        return "identity"
    for name, value in said.model_dump(mode="json", exclude_none=True).items():
        if looks_secret(json.dumps(value), is_id=name != "purpose"):
            return name
    return None


class InviteAgent(Model):
    """Body of ``agent.invite``; the target is the agent, which stands in the registry.

    ``invitation_key`` is the thumbprint of the key in the one-time token
    (``placet.tokens.invitation_key``), which its maker hands over.
    """

    environment: Name
    task_queues: tuple[_TaskQueue, ...] = Field(min_length=1, max_length=20)
    invitation_key: Thumbprint
    minutes: int = Field(default=15, ge=1, le=60)


class JoinAs(Model):
    """As what a worker asks to join."""

    agent: Name
    environment: Name
    task_queues: tuple[_TaskQueue, ...] = Field(min_length=1, max_length=20)
    instance: Name | None = None


class Join(JoinAs):
    """Body of ``POST /v1/joins``, under a DPoP proof by the key that the worker has made.

    Either ``enrolment``, in which the key of a one-time token names the worker's, or the
    platform's signed word in ``attestation``.
    """

    enrolment: CompactJws | None = None
    attestation: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", max_length=16384)] | None
    ) = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.enrolment is None) == (self.attestation is None):
            raise ValueError("enrolment, attestation: send one of them")
        return self


class Joined(Model):
    """Answer to a join: the key that counts for the agent from now on, and its entry."""

    agent: Name
    thumbprint: Thumbprint
    entry: int


class KeyStanding(Model):
    """What a worker is told of its own key: when to make the next one, and how long it counts."""

    thumbprint: Thumbprint
    since: UtcTime
    rotate_at: UtcTime
    expires_at: UtcTime


class RotationClaims(Model):
    """An agent's signed word, under the key that counts now, that ``sub`` is its next key."""

    iss: AgentPrincipal
    aud: Audience
    iat: NumericDate
    sub: Thumbprint


class RotateKey(Model):
    """Body of ``POST /v1/keys``, under a DPoP proof by the next key.

    The assertion is by the key that counts now, and so is ``rotation``, the JWS over
    :class:`RotationClaims` that stays on the ledger.
    """

    client_assertion: CompactJws
    rotation: CompactJws


class KeyView(Model):
    """A public key of an identity; ``instance`` is the worker's that has it."""

    thumbprint: Thumbprint
    status: str
    since: UtcTime
    expires_at: UtcTime | None = None
    replaces: Thumbprint | None = None
    instance: Name | None = None
    runs_on: tuple[str, ...] | None = None


class MayDo(Model):
    """What an identity may do by the signed processes in force: a step of theirs."""

    process: Name
    activity_type: Identifier
    action: Action
    system: Name


class Did(Model):
    """What an identity was granted: how often, and when last."""

    action: Action
    times: int
    last: UtcTime


class RegisteredView(Model):
    """One non-human identity, as the registry has it.

    ``status`` is ``active``, ``suspended`` or ``offboarded``; ``invited`` without a key yet, and
    ``elsewhere`` of those that others own. ``lacks`` says in words why it gets no grant, and
    ``suspended_for`` why the authority itself has suspended it; ``narrowed_to`` are all the actions
    that its owner's review has left it.
    """

    identity: IdentityId
    kind: IdentityKind
    status: str
    owner: Person | None = None
    deputy: Person | None = None
    purpose: str | None = None
    process: Name | None = None
    environment: Name | None = None
    credential: CredentialKind | None = None
    credential_since: UtcTime | None = None
    vendor: Name | None = None
    runs_on: tuple[str, ...] = ()
    workload: Workload | None = None
    review_by: UtcTime | None = None
    ends_at: UtcTime | None = None
    lacks: tuple[str, ...] = ()
    suspended_for: str | None = None
    narrowed_to: tuple[Action, ...] | None = None
    keys: tuple[KeyView, ...] = ()
    last_used: UtcTime | None = None
    may: tuple[MayDo, ...] = ()
    did: tuple[Did, ...] = ()
    live_grants: int = 0


class IdentityReport(StrEnum):
    """What can be wrong with an identity that still works, or be so soon."""

    STALE = "stale"
    UNOWNED = "unowned"
    OVER_PRIVILEGED = "over-privileged"
    SHARED = "shared"
    LONG_LIVED = "long-lived"
    CROSS_ENVIRONMENT = "cross-environment"
    OVERDUE = "overdue"
    ENDING = "ending"


class ReportLine(Model):
    """One identity in a report: why it is there, and the command that mends it."""

    report: IdentityReport
    identity: IdentityId
    owner: Person | None = None
    why: str
    mend: str


class SwitchOff(Model):
    """Body of ``vendor.off``; the target is the vendor.

    ``identities`` are all that its signer was shown (:class:`VendorView`); if there are others by
    then, it is refused.
    """

    identities: tuple[IdentityId, ...] = Field(min_length=1, max_length=400)
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class VendorView(Model):
    """What switching off a third party would stop now.

    All its identities are counted. ``running`` are the cases in which they have a live grant;
    ``open_cases`` is how many are open whose process needs them, and ``cases`` the first hundred.
    ``payments_in_flight`` are live grants for guarded actions. One act names no more than
    ``identities``; ``further`` ones wait for the next.
    """

    vendor: Name
    identities: tuple[IdentityId, ...] = ()
    running: tuple[CaseId, ...] = ()
    cases: tuple[CaseId, ...] = ()
    live_grants: int = 0
    payments_in_flight: int = 0
    further: int = 0
    open_cases: int = 0


class LeftBehind(Model):
    """What an identity that is gone leaves behind; :attr:`complete` if nothing.

    ``steps`` of signed processes still name it, and ``open_cases`` of these processes wait for a
    person when they come to such a step; ``cases`` are the first hundred.
    """

    identity: IdentityId
    works: bool
    keys: int
    live_grants: int
    join_tokens: int
    steps: tuple[str, ...] = ()
    open_cases: int = 0
    cases: tuple[CaseId, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is left."""
        left = self.keys or self.live_grants or self.join_tokens or self.open_cases
        return not (self.works or left or self.steps)


class ImportedIdentity(Model):
    """An identity that others own, as an inventory tells of it."""

    identity: IdentityId
    said: RegisterIdentity
    last_used: UtcTime | None = None

    @model_validator(mode="after")
    def _is_others(self) -> Self:
        if is_ours(self.identity):
            raise ValueError("identity: Placet's own are enrolled, and never imported")
        return self


class ImportIdentities(Model):
    """Body of ``identity.import``; the target is the source.

    A row without an owner leaves the owner and deputy that stand.
    """

    rows: tuple[ImportedIdentity, ...] = Field(min_length=1, max_length=500)
