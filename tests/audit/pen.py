"""A log that goes on as its authority would write it, with what people have really signed."""

import dataclasses
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from placet.audit import ActFile, LogFiles, verify
from placet.model import (
    AUTHORITY,
    ActClaims,
    CheckpointView,
    Countersign,
    DecisionClaims,
    DecisionView,
    RotationClaims,
    Verdict,
    canonical_json,
    digest_bytes,
    digest_json,
)
from placet.tokens import (
    SigningKey,
    invitation_key,
    sign_act,
    sign_decision,
    sign_enrolment,
    sign_rotation,
)
from tests.audit.recording import Entry, resigned

BEGUN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""When a log begins that no authority wrote: a Monday."""

Body = Mapping[str, Any] | BaseModel
Found = set[tuple[str, int | str]]


class Pen:
    """Writes entries, one a second, and keeps beside them what they refer to.

    People's keys are the test's own, so that they can sign what an authority must not let them do.
    """

    def __init__(self, files: LogFiles, keys: Mapping[str, SigningKey], size: int) -> None:
        self.acts, self.parts = dict(files.acts), dict(files.parts)
        self.checkpoints = dict(files.checkpoints)
        self.files = dataclasses.replace(
            files, acts=self.acts, parts=self.parts, checkpoints=self.checkpoints, archives={}
        )
        self.keys = dict(keys)
        self.roles: dict[str, list[str]] = {}
        """Of people, by their names, as they were enrolled here."""
        self.entries = list(files.entries[:size])
        times = [json.loads(self.entries[-1])["time"]] if self.entries else []
        self.now = datetime.fromisoformat(times[0]) if times else BEGUN

    @classmethod
    def new(cls, *administrators: str) -> "Pen":
        """A log's beginning: as many administrators as sign."""
        files = LogFiles(
            origin="pen.example/ledger", issuer="https://pen.example", entries=(), head=""
        )
        pen = cls(files, {each: SigningKey.generate() for each in administrators}, 0)
        named = {f"operator:{name}": key.public.thumbprint for name, key in pen.keys.items()}
        pen.write("log.created", administrators=named, signatures=len(administrators))
        for name in administrators:
            pen.enrolled(f"operator:{name}", pen.keys[name], "administrator", act=None)
        return pen

    def write(
        self,
        type_: str,
        *,
        actor: str = AUTHORITY,
        case: str | None = None,
        record: str | None = None,
        **data: Any,
    ) -> int:
        """An entry; its index."""
        self.now += timedelta(seconds=1)
        entry: Entry = {
            "v": 1,
            "time": self.now.isoformat().replace("+00:00", "Z"),
            "type": type_,
            "actor": actor,
            "data": data,
        }
        entry |= {} if case is None else {"case": case}
        entry |= {} if record is None else {"record": record}
        self.entries.append(canonical_json(entry))
        return len(self.entries) - 1

    def after(self, **by: int) -> None:
        """Let time pass."""
        self.now += timedelta(**by)

    def in_seconds(self, seconds: int = 0, **more: int) -> int:
        """A second, counted from when the next entry is written."""
        moment = self.now + timedelta(seconds=1 + seconds, **more)
        return int(moment.timestamp())

    def sign(self, by: str, act: str, target: str, body: Body) -> dict[str, Any]:
        """A person's act, kept; what an entry says of it."""
        plain = (
            body.model_dump(mode="json", exclude_none=True)
            if isinstance(body, BaseModel)
            else dict(body)
        )
        claims = ActClaims(
            iss=f"operator:{by}",
            aud=self.files.issuer,
            iat=int(self.now.timestamp()),
            jti=secrets.token_urlsafe(18),
            act=act,
            target=target,
            body_digest=digest_json(plain),
        )
        jws = sign_act(claims, self.keys[by])
        self.acts[claims.jti] = ActFile(jws=jws, body=canonical_json(plain).decode())
        return {"act": claims.jti, "target": target}

    def act(
        self, by: str, act: str, type_: str, target: str, body: Body | None = None, /, **more: Any
    ) -> str:
        """An act, and the entry of what it did; the act."""
        signed = self.sign(by, act, target, {"reason": "a test"} if body is None else body)
        self.write(type_, actor=f"operator:{by}", **{**signed, **more})
        return str(signed["act"])

    def processes(self, *bodies: str) -> None:
        """Definitions that are kept, whoever published them."""
        self.files = dataclasses.replace(self.files, processes=bodies)

    # --- people -----------------------------------------------------------------------------

    def enrolled(
        self, principal: str, key: SigningKey, *roles: str, actor: str = AUTHORITY, **data: Any
    ) -> int:
        """The entry of a key."""
        self.roles[principal.partition(":")[2]] = list(roles)
        said = {"owner": None, "jwk": dict(key.public.jwk()), **data}
        return self.write(
            "key.enrolled", actor=actor, principal=principal, roles=list(roles), **said
        )

    def enrol(self, name: str, *roles: str, by: str = "ada", **data: Any) -> int:
        """A person with a key, by an administrator's act."""
        key = self.keys[name] = SigningKey.generate()
        body = {"jwk": dict(key.public.jwk()), "roles": list(roles)}
        act = self.sign(by, "operator.enrol", f"operator:{name}", body)["act"]
        actor = f"operator:{by}"
        return self.enrolled(f"operator:{name}", key, *roles, actor=actor, act=act, **data)

    def add_key(self, name: str, *roles: str) -> int:
        """A person's further key, by an act of their own."""
        key, principal = SigningKey.generate(), f"operator:{name}"
        act = self.sign(name, "key.add", principal, {"jwk": dict(key.public.jwk())})["act"]
        return self.enrolled(principal, key, *roles, actor=principal, act=act)

    def hire(self, agent: str, owner: str, by: str = "ada") -> SigningKey:
        """An agent with a key, by an administrator's act."""
        key = SigningKey.generate()
        body = {"jwk": dict(key.public.jwk()), "roles": [], "owner": owner}
        act = self.sign(by, "agent.enrol", agent, body)["act"]
        self.enrolled(agent, key, actor=f"operator:{by}", act=act, owner=owner)
        return key

    def rotate(self, agent: str, before: SigningKey, until: int) -> SigningKey:
        """An agent's next key, which the one before has named."""
        key = SigningKey.generate()
        claims = RotationClaims(
            iss=agent,
            aud=self.files.issuer,
            iat=int(self.now.timestamp()),
            sub=key.public.thumbprint,
        )
        told = {"replaces": before.public.thumbprint, "until": until}
        self.enrolled(agent, key, actor=agent, rotation=sign_rotation(claims, before), **told)
        return key

    def invite(self, name: str, *roles: str, by: str = "ada", **data: Any) -> dict[str, Any]:
        """A one-time code for a person; what the entry of their key says."""
        principal = f"operator:{name}"
        code = invitation_key(principal, "a code")
        body = {"roles": list(roles), "invitation_key": code.public.thumbprint, "minutes": 15}
        invitation = f"invitation-{secrets.token_hex(13)}"
        said = {"invitation": invitation, "expires_at": self.in_seconds(minutes=15), **body, **data}
        del said["minutes"]
        self.act(by, "operator.invite", "operator.invited", principal, body, **said)
        self.keys[name] = key = SigningKey.generate()
        named = {"audience": self.files.issuer, "now": self.now}
        enrolment = sign_enrolment(code, principal, key.public, **named)
        return {"invitation": invitation, "enrolment": enrolment}

    def claim(self, name: str, *roles: str, **told: Any) -> int:
        """A key that enrols itself with a code."""
        key, principal = self.keys[name], f"operator:{name}"
        act = self.sign(name, "operator.claim", principal, {"jwk": dict(key.public.jwk())})["act"]
        return self.enrolled(principal, key, *roles, actor=principal, act=act, **told)

    # --- two who sign ---------------------------------------------------------------------------

    def propose(self, by: str, act: str, target: str, body: Body, **data: Any) -> str:
        """An act that waits for its second signature."""
        signed = self.sign(by, act, target, body)
        jti = str(signed["act"])
        said = {
            "proposal": jti,
            "name": act,
            "body_digest": digest_json(json.loads(self.acts[jti].body)),
            "lapses_at": self.in_seconds(hours=72),
        }
        self.write("act.proposed", actor=f"operator:{by}", **{**signed, **said, **data})
        return jti

    def countersign(self, by: str, jti: str, act: str, target: str, **data: Any) -> str:
        """The second signature."""
        digest = digest_json(json.loads(self.acts[jti].body))
        body = Countersign(act=act, target=target, body_digest=digest)
        told = {"proposal": jti, **data}
        return self.act(by, "act.countersign", "act.countersigned", jti, body, **told)

    # --- checkpoints ----------------------------------------------------------------------------

    def shown(self, like: CheckpointView, case: str, name: str, **asked: Any) -> str:
        """A checkpoint is opened that shows what another one did, and asks something else."""
        checkpoint = f"ckpt-{len(self.entries):026d}"
        evidence = like.evidence.model_copy(update={"case": case, "checkpoint": name})
        requirement = like.requirement.model_copy(update={"checkpoint": name, **asked})
        self.checkpoints[checkpoint] = like.model_copy(
            update={
                "id": checkpoint,
                "case": case,
                "name": name,
                "evidence": evidence,
                "requirement": requirement,
                "decisions": (),
            }
        )
        self.write(
            "checkpoint.opened",
            actor="agent:orchestrator",
            case=case,
            checkpoint=checkpoint,
            name=name,
            evidence_digest=digest_json(evidence),
            requirement_digest=digest_json(requirement),
            deadline=self.in_seconds(hours=8),
        )
        return checkpoint

    def decide(self, by: str, checkpoint: str, verdict: str, **said: Any) -> str:
        """A person's word at a checkpoint, and its entry; the decision."""
        view = self.checkpoints[checkpoint]
        key = self.keys[by]
        claims = DecisionClaims(
            iss=f"operator:{by}",
            aud=self.files.issuer,
            iat=int(self.now.timestamp()),
            jti=secrets.token_urlsafe(18),
            sub=checkpoint,
            txn=view.case,
            evidence_digest=digest_json(view.evidence),
            requirement_digest=digest_json(view.requirement),
            verdict=Verdict(verdict),
            **said,
        )
        jws = sign_decision(claims, key)
        told = DecisionView(
            jti=claims.jti,
            operator=claims.iss,
            verdict=verdict,
            decided_at=self.now,
            jws=jws,
            stands_in_for=claims.stands_in_for,
        )
        self.checkpoints[checkpoint] = view.model_copy(
            update={"decisions": (*view.decisions, told)}
        )
        self.write(
            "decision.recorded",
            actor=claims.iss,
            case=view.case,
            record=view.subject,
            checkpoint=checkpoint,
            decision=claims.jti,
            decision_digest=digest_bytes(jws.encode()),
            key=key.public.thumbprint,
            verdict=verdict,
            evidence_digest=claims.evidence_digest,
            requirement_digest=claims.requirement_digest,
            exceptions=[],
            stands_in_for=claims.stands_in_for,
            roles=self.roles[by],
        )
        return claims.jti

    def resolve(self, checkpoint: str, status: str, *decisions: str, **more: Any) -> int:
        """What the decisions add up to, as the authority says."""
        view = self.checkpoints[checkpoint]
        said = {"checkpoint": checkpoint, "status": status, "decisions": list(decisions), **more}
        return self.write("checkpoint.resolved", case=view.case, record=view.subject, **said)

    # --- what comes of it -----------------------------------------------------------------------

    def made(self) -> LogFiles:
        """The log, under a head of its own."""
        return resigned(self.files, self.entries)

    def troubles(self) -> Found:
        """What the audit finds, by its name and entry."""
        found = [(each.name, each.place) for each in verify(self.made()).troubles]
        return {(name, _index(place)) for name, place in found}


def _index(place: str) -> int | str:
    number = place.removeprefix("entry ")
    return int(number) if number.isdecimal() else place
