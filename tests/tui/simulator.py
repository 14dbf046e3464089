"""A simulator of the authority, behind the real client: real digests, signatures and rules.

It can be slow, fail, answer garbage, and change what it shows. Its process is no lender's: parcels
are checked against what they weigh.
"""

import asyncio
import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.ledger import (
    Checkpoint,
    NoteSigner,
    consistency_proof,
    decode_entry,
    encode_entry,
    leaf_hash,
    root_hash,
    sign_checkpoint,
)
from placet.ledger._entries import Entry
from placet.model import (
    Attach,
    AuthorityMatrix,
    CampaignView,
    Candidate,
    CaseStatus,
    CaseView,
    ChartPoints,
    ChartSection,
    ChartSeries,
    ChartValue,
    CheckpointDefinition,
    CheckpointGroup,
    CheckpointLine,
    CheckpointPage,
    CheckpointQuery,
    CheckpointRule,
    CheckpointStatus,
    CheckpointView,
    Compared,
    Count,
    DecisionAnswer,
    DecisionView,
    DelegationView,
    Drawn,
    Due,
    Evidence,
    EvidenceItem,
    Exclusion,
    FieldsSection,
    FilesOf,
    Finding,
    FindingCounts,
    Governance,
    Gravest,
    GroupPage,
    IdentityStanding,
    InputPart,
    LeftBehind,
    Mode,
    Need,
    Outcome,
    Overview,
    Part,
    Place,
    Presentation,
    ProcessDefinition,
    Proposal,
    ProposalView,
    Prospect,
    RegisteredView,
    Relation,
    RemarkView,
    ReportLine,
    Requirement,
    ReviewView,
    Said,
    Severity,
    ShownColumn,
    ShownValue,
    Step,
    TableSection,
    Tier,
    ValueKind,
    VendorView,
    digest_bytes,
    digest_json,
    salted_digest,
    spell_id,
)
from placet.rules import (
    CheckpointStanding,
    CountedDecision,
    DecisionRefused,
    OperatorFacts,
    check_decision,
    missing,
    outcome_status,
    prospect,
)
from placet.tokens import PublicKey, TokenError, verify_act, verify_decision

ISSUER = "http://authority.test"
SALT = "A" * 43
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

PARCELS = ProcessDefinition(
    name="parcels",
    version=1,
    workflow_type="Parcels",
    subject="depot/{depot}/parcel/{parcel}",
    relations=(Relation(name="parcel", template="depot/{depot}/parcel/{parcel}"),),
    steps=(
        Step(
            activity_type="weigh",
            agent="weigher",
            action="parcel:weigh",
            system="scales",
            relation="parcel",
            produces=("weighing",),
        ),
    ),
    checkpoints=(
        CheckpointDefinition(
            name="dispatch",
            title="Dispatch",
            evidence=("weighing",),
            proposal="weighing",
            adjustments="left_out",
            keyed="keyed",
        ),
    ),
    presentation=Presentation(
        subject="parcel {parcel} of {depot}",
        money="€",
        reasons=("too_heavy", "other"),
        keyed=(
            ShownValue(path="label.weight", label="Weight"),
            ShownValue(path="stamp.day", label="Day", kind=ValueKind.DATE),
        ),
        files=FilesOf(part="weighing", rows="files"),
        sections=(
            FieldsSection(
                title="Label",
                part="weighing",
                fields=(
                    ShownValue(path="label.sender", label="Sender"),
                    ShownValue(path="label.value", label="Value", kind=ValueKind.MONEY),
                ),
            ),
            TableSection(
                title="Contents",
                part="weighing",
                rows="contents",
                key="name",
                lowers=True,
                columns=(
                    ShownColumn(path="name", label="Thing"),
                    ShownColumn(path="value", label="Worth", kind=ValueKind.MONEY),
                ),
            ),
            ChartSection(
                title="Weighings",
                series=(
                    ChartSeries(label="Allowed", drawn=Drawn.WHOLE),
                    ChartSeries(label="Said", drawn=Drawn.FILL),
                    ChartSeries(label="Scales", drawn=Drawn.MARK),
                ),
                points=(
                    ChartPoints(
                        part="weighing",
                        rows="before",
                        label="number",
                        prefix="no. ",
                        values=(
                            ChartValue(path="allowed"),
                            ChartValue(path="said"),
                            ChartValue(path="seen"),
                        ),
                    ),
                ),
            ),
        ),
    ),
)


def identifier(kind: str, number: int) -> str:
    """An id of a kind."""
    return spell_id(kind, number.to_bytes(16))


def read(value: object, document: str, spot: str) -> dict[str, object]:
    """A value that was read from a document."""
    return {"value": value, "place": {"document": document, "spot": spot}}


@dataclass
class Simulator:
    """The authority's state, and how it misbehaves."""

    people: dict[str, tuple[tuple[str, ...], PublicKey]] = field(default_factory=dict)
    checkpoints: dict[str, CheckpointView] = field(default_factory=dict)
    cases: dict[str, CaseView] = field(default_factory=dict)
    parts: dict[str, InputPart] = field(default_factory=dict)
    entries: list[bytes] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    acts: list[tuple[str, str, str, dict[str, object]]] = field(default_factory=list)
    identities: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    delay: float = 0
    failing: int | None = None
    garbage: bytes | None = None
    away: bool = False
    loses_answers: bool = False
    then_away: bool = False
    at_provider: bool = False
    silent_at: int | None = None
    document: bytes = b"%PDF-"
    governance: Governance = Governance(version=1)
    proposals: list[ProposalView] = field(default_factory=list)
    reviews: list[ReviewView] = field(default_factory=list)
    delegations: list[DelegationView] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    registry: list[RegisteredView] = field(default_factory=list)
    wrong: list[ReportLine] = field(default_factory=list)
    files: dict[str, tuple[dict[str, object], bytes]] = field(default_factory=dict)
    left: list[LeftBehind] = field(default_factory=list)
    vendors: list[VendorView] = field(default_factory=list)
    clock: datetime | None = None
    about: str | None = None
    points: list[dict[str, object]] = field(
        default_factory=lambda: [
            {"number": each, "allowed": "5.00", "said": f"{each}.00", "seen": "1.50"}
            for each in (1, 2)
        ]
    )
    standings: list[IdentityStanding] = field(default_factory=list)
    campaigns: list[CampaignView] = field(default_factory=list)
    matrices: list[AuthorityMatrix] = field(default_factory=list)
    due: list[Candidate] = field(default_factory=list)

    def told(self) -> int:
        """How far the events have come."""
        return self.silent_at if self.silent_at is not None else len(self.entries)

    @property
    def broken(self) -> bool:
        """Whether a line that is open would break now."""
        return self.away or self.failing is not None or self.garbage is not None

    # --- a world ------------------------------------------------------------------------------

    def enrol(self, name: str, roles: tuple[str, ...], key: PublicKey) -> None:
        """Enrol a person."""
        self.people[f"operator:{name}"] = (roles, key)

    def propose(self, reason: str = "back from leave") -> ProposalView:
        """An act that one administrator has signed, and another has not."""
        body = {"reason": reason}
        proposal = ProposalView(
            jti="j" * 24,
            act="operator.resume",
            target="operator:sam",
            proposed_by="operator:bo",
            proposed_at=NOW,
            lapses_at=NOW + timedelta(hours=72),
            status="proposed",
            body_digest=digest_json(body),
            body=body,
            jws="a.b.c",
        )
        self.proposals = [proposal]
        return proposal

    def add(
        self,
        number: int,
        *,
        amount: str = "184200.00",
        sender: str = "Harbor Street Partners",
        comment: str = "",
        blocking: bool = False,
        excluded: tuple[str, ...] = (),
        hours: float = 72,
        needs: tuple[Need, ...] = (Need(roles=("officer",), count=1),),
    ) -> CheckpointView:
        """Open a case whose parcel waits at its checkpoint."""
        subject = f"depot/D-1/parcel/{number}"
        case = identifier("case", number)
        finding = Finding(
            id=f"weight.heavy#{number}",
            check="weight.heavy",
            severity=Severity.BLOCKING if blocking else Severity.WARNING,
            message=f"the parcel is heavier than its label says {comment}".strip(),
            compared=(
                Compared(
                    label="label",
                    value="2 kg",
                    place=Place(document="label.pdf", spot="page 1, kg"),
                ),
                Compared(label="scales", value="3 kg", place=Place(document="scales", spot="kg")),
            ),
            difference="1 kg",
        )
        proposal = Proposal(amount=Decimal(amount), requested=Decimal(amount), findings=(finding,))
        part = Part(
            name="weighing",
            record=subject,
            salt=SALT,
            data={
                "label": {
                    "sender": read(sender, "label.pdf", "page 1, Sender"),
                    "value": read(amount, "label.pdf", "page 1, kg"),
                },
                "contents": [
                    {"name": read(f"thing {each}", "list.csv", f"row {each}"), "value": "1.50"}
                    for each in range(3)
                ],
                "before": self.points,
                "files": [{"name": "label.pdf", "digest": digest_bytes(self.document)}],
            },
            proposal=proposal,
        )
        digest = salted_digest(part.salt, part.content())
        item = EvidenceItem(
            name="weighing",
            record=subject,
            digest=digest,
            agent="agent:weigher",
            grant=identifier("grant", number),
        )
        self.parts[digest] = InputPart(
            part=part, digest=digest, grant=item.grant, agent="agent:weigher"
        )
        evidence = Evidence(
            case=case,
            checkpoint="dispatch",
            subject=subject,
            salt=SALT,
            items=(item,),
            proposal=proposal,
        )
        requirement = Requirement(
            checkpoint="dispatch",
            matrix_digest=digest_json({"matrix": 1}),
            matrix_version=1,
            needs=needs,
            excluded=tuple(Exclusion(person=each, why="opened") for each in excluded),
            exceptions=proposal.exceptions,
            amount=proposal.amount,
        )
        opened = (self.clock or datetime.now(UTC)) - timedelta(hours=1)
        view = CheckpointView(
            id=identifier("ckpt", number),
            case=case,
            name="dispatch",
            title="Dispatch",
            subject=subject,
            status=CheckpointStatus.OPEN,
            opened_at=opened,
            deadline=opened + timedelta(hours=hours + 1),
            evidence_digest=digest_json(evidence),
            requirement_digest=digest_json(requirement),
            evidence=evidence,
            requirement=requirement,
            missing=missing(requirement, ()),
        )
        self.checkpoints[view.id] = view
        self.cases[case] = CaseView(
            id=case,
            process="parcels",
            process_version=1,
            subject=subject,
            status=CaseStatus.OPEN,
            opened_by="operator:dana",
            opened_at=opened,
            workflow_id=case,
        )
        self.note("case.opened", "operator:dana", case, subject, {"process": "parcels"})
        grant = {
            "grant": item.grant,
            "activity": {"activity_type": "weigh"},
            "action": "parcel:weigh",
        }
        self.note("grant.issued", "agent:weigher", case, subject, grant)
        reasoning = digest_json({"why": number})
        self.kept[reasoning] = f"weighed twice {comment}".strip()
        settled = {"grant": item.grant, "outcome": "completed", "reasoning_digest": reasoning}
        self.note("grant.settled", "agent:weigher", case, subject, settled)
        self.note("checkpoint.opened", "agent:orchestrator", case, subject, {"name": "dispatch"})
        return view

    def hold(self, record: str, *, on: bool = True) -> None:
        """Put a hold on a record and what is below it, or lift the one that is there."""
        for case in self.cases.values():
            if f"{case.subject}/".startswith(f"{record}/"):
                held_on = {"held_on": record if on else None}
                self.cases[case.id] = case.model_copy(update=held_on)
        self.note("hold.placed" if on else "hold.lifted", "operator:ada", None, record, {})

    def note(
        self, kind: str, actor: str, case: str | None, record: str | None, data: dict[str, object]
    ) -> int:
        """Append an entry."""
        entry = Entry.model_validate(
            {
                "v": 1,
                "time": NOW + timedelta(seconds=len(self.entries)),
                "type": kind,
                "actor": actor,
                "case": case,
                "record": record,
                "data": data,
            }
        )
        self.entries.append(encode_entry(entry))
        return len(self.entries) - 1

    def attach(self, checkpoint: str, name: str, content: bytes) -> str:
        """Someone has attached a file; the act that did."""
        act = f"{len(self.files):024}"
        digest = salted_digest(SALT, content)
        body = Attach(
            name=name, media_type="text/plain", size=len(content), salt=SALT, digest=digest
        )
        self.files[act] = (body.model_dump(mode="json"), content)
        remark = RemarkView(
            act=act,
            operator="operator:carl",
            at=NOW,
            name=name,
            media_type="text/plain",
            size=len(content),
            digest=digest,
        )
        view = self.checkpoints[checkpoint]
        self.checkpoints[checkpoint] = view.model_copy(update={"remarks": (*view.remarks, remark)})
        return act

    def erase(self, checkpoint: str) -> None:
        """Erase a checkpoint's case, as the authority does."""
        view = self.checkpoints[checkpoint]
        for item in view.evidence.items:
            del self.parts[item.digest]
        left = view.evidence.model_copy(update={"salt": "A" * 43, "proposal": Proposal()})
        erased = {"erased": True, "evidence": left, "decisions": (), "remarks": ()}
        self.checkpoints[checkpoint] = view.model_copy(update=erased)

    def change(self, checkpoint: str, **members: object) -> None:
        """Show something else at a checkpoint, with digests that are right."""
        view = self.checkpoints[checkpoint].model_copy(update=members)
        self.checkpoints[checkpoint] = view.model_copy(
            update={
                "evidence_digest": digest_json(view.evidence),
                "requirement_digest": digest_json(view.requirement),
            }
        )
        self.note("checkpoint.voided", "agent:orchestrator", view.case, view.subject, {})

    # --- HTTP ---------------------------------------------------------------------------------

    def transport(self) -> httpx.AsyncBaseTransport:
        """What the client sends its requests through."""
        return httpx.MockTransport(self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        if self.away:
            raise httpx.ConnectError("nobody is there", request=request)
        if self.delay:
            await asyncio.sleep(self.delay)
        if b"device_code" in request.content:
            await asyncio.sleep(0.01)  # the server's own turn, or it is asked without a pause
        if self.failing is not None:
            return httpx.Response(self.failing, json=_problem("server_error", "it failed"))
        if self.garbage is not None:
            return httpx.Response(200, content=self.garbage)
        answer = self._routes(request, path, parse_qs(request.url.query.decode()))
        if self.loses_answers and request.method == "POST" and path.endswith("/decisions"):
            self.loses_answers = False
            self.away = self.then_away
            raise httpx.ReadTimeout("the answer was lost", request=request)
        return answer

    def _routes(
        self, request: httpx.Request, path: str, query: dict[str, list[str]]
    ) -> httpx.Response:
        match path.strip("/").split("/"):
            case ["oauth", "device_authorization"]:
                body = {"device_code": "d", "user_code": "ABCD", "interval": 0, "expires_in": 60}
                return httpx.Response(200, json={**body, "verification_uri": "https://idp.test/d"})
            case ["oauth", "token"] if b"device_code" in request.content:
                return self._signed_in_there(request)
            case ["oauth", "token"]:
                return httpx.Response(200, json={"access_token": "a.b.c", "expires_in": 900})
            case ["v1", "events"]:
                after = request.headers.get("Last-Event-ID")
                return httpx.Response(200, stream=_Events(self, after and int(after)))
            case ["ledger", "checkpoint"]:
                head = Checkpoint(
                    "authority.test/ledger", len(self.entries), root_hash(self._leaves())
                )
                return httpx.Response(200, text=sign_checkpoint(head, [_LOG]))
            case ["v1", "ledger", "consistency"]:
                first, second = int(query["from"][0]), int(query["to"][0])
                if second > len(self.entries):
                    return httpx.Response(400, json=_problem("invalid_request", "to: beyond"))
                proof = consistency_proof(self._leaves()[:second], first)
                listed = [base64.b64encode(each).decode() for each in proof]
                return httpx.Response(200, json={"from": first, "to": second, "proof": listed})
            case ["v1", "governance"]:
                return _model(self.governance)
            case ["v1", "proposals"]:
                return _listed("proposals", self.proposals)
            case ["v1", "reviews"]:
                return _listed("reviews", self.reviews)
            case ["v1", "delegations"]:
                return _listed("delegations", self.delegations)
            case ["v1", "published"]:
                return httpx.Response(200, json=self._published())
            case ["v1", "identities", kind]:
                return httpx.Response(200, json={"identities": self._identities(kind)})
            case ["v1", "registry"]:
                after, kind = (query.get(name, [""])[0] for name in ("after", "kind"))
                found = [each for each in self.registry if kind in {"", each.kind.value}]
                page = [each for each in found if each.identity > after][:200]
                return _listed("identities", page)
            case ["v1", "registry", *name]:
                return _model(_of(self.registry, "identity", "/".join(name)))
            case ["v1", "identity-reports", report]:
                return _listed("lines", [each for each in self.wrong if each.report == report])
            case ["v1", "identity-standings", *name]:
                identity = "/".join(name)
                found = _of(self.standings, "identity", identity)
                return _model(found or IdentityStanding(identity=identity))
            case ["v1", "campaigns"]:
                return _listed("campaigns", self.campaigns)
            case ["v1", "campaigns", name]:
                return _model(_of(self.campaigns, "campaign", name))
            case ["v1", "campaign-candidates"]:
                return _listed("candidates", self.due)
            case ["v1", "left-behind", *name]:
                return _model(_of(self.left, "identity", "/".join(name)))
            case ["v1", "vendors", name]:
                return _model(_of(self.vendors, "vendor", name))
            case ["v1", "checkpoints"]:
                return self._checkpoints(query, self._asker(request))
            case ["v1", "checkpoint-groups"]:
                return self._groups(query, self._asker(request))
            case ["v1", "overview"]:
                return self._overview(self._asker(request))
            case ["v1", "checkpoints", name, "prospect"]:
                return _model(self._prospect(self.checkpoints[name], self._asker(request)))
            case ["v1", "checkpoints", name]:
                return _model(self.checkpoints.get(name))
            case ["v1", "checkpoints", _, "attachments", act]:
                return httpx.Response(200, content=self.files[act][1])
            case ["v1", "acts", act]:
                return httpx.Response(200, json={"body": json.dumps(self.files[act][0])})
            case ["v1", "checkpoints", name, "decisions"]:
                return self._decide(name, json.loads(request.content)["decision"])
            case ["v1", "acts"]:
                return self._act(json.loads(request.content))
            case ["v1", "cases"]:
                listed = [each.model_dump(mode="json") for each in self.cases.values()]
                return httpx.Response(200, json={"cases": listed})
            case ["v1", "cases", name]:
                return _model(self.cases.get(name))
            case ["v1", "cases", _, "parts", digest]:
                return _model(self.parts.get(digest))
            case ["v1", "cases", name, "entries"]:
                return self._entries_of(name, int(query["from"][0]))
            case ["v1", "ledger", "entries"]:
                start, limit = int(query["from"][0]), int(query["limit"][0])
                page = [each.decode() for each in self.entries[start : start + limit]]
                return httpx.Response(200, json={"from": start, "entries": page})
            case ["v1", "kept", digest] if digest in self.kept:
                body = {"digest": digest, "salt": SALT, "content": self.kept[digest]}
                return httpx.Response(200, json=body)
        return httpx.Response(404, json=_problem("not_found", f"there is no {path}"))

    def _leaves(self) -> list[bytes]:
        return [leaf_hash(each) for each in self.entries]

    def _signed_in_there(self, request: httpx.Request) -> httpx.Response:
        """The person at the identity provider, who takes until they are told to be there."""
        if not self.at_provider:
            return httpx.Response(400, json=_problem("authorization_pending", "not yet"))
        body = {"access_token": "a.b.c", "token_type": "DPoP", "expires_in": 900}
        ends = (datetime.now(UTC) + timedelta(hours=8)).isoformat()
        who = self._asker(request)
        return httpx.Response(200, json={**body, "operator": who, "session_ends_at": ends})

    def _published(self) -> dict[str, object]:
        matrix = AuthorityMatrix(
            process="parcels",
            version=1,
            mode=Mode.ASSIST,
            automatic_limit=Decimal("0.00"),
            rules=(
                CheckpointRule(
                    checkpoint="dispatch",
                    tiers=(Tier(needs=(Need(roles=("officer",), count=1),)),),
                ),
            ),
            openers=("clerk",),
            keyers=("clerk", "officer"),
        )
        return {
            "processes": [PARCELS.model_dump_json()],
            "matrices": [each.model_dump_json() for each in (matrix, *self.matrices)],
            "policies": [],
        }

    def _identities(self, kind: str) -> list[dict[str, object]]:
        people = [
            {
                "principal": name,
                "status": "active",
                "roles": list(roles),
                "owner": None,
                "keys": [key.thumbprint],
                "enrolled_at": NOW.isoformat(),
            }
            for name, (roles, key) in self.people.items()
        ]
        return people if kind == "operator" else self.identities.get(kind, [])

    def _asker(self, request: httpx.Request) -> str:
        """Whose request it is: who has the key of its proof."""
        header = request.headers["DPoP"].split(".")[0]
        jwk = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["jwk"]
        thumbprint = PublicKey.from_jwk(jwk).thumbprint
        return next(
            (name for name, (_, key) in self.people.items() if key.thumbprint == thumbprint), ""
        )

    def _prospect(self, view: CheckpointView, who: str) -> Prospect:
        facts = self._facts(who)
        foreseen = prospect(
            view.requirement,
            facts,
            self._standing(view),
            view.evidence_digest,
            view.requirement_digest,
            self.clock or datetime.now(UTC),
        )
        return foreseen.model_copy(update={"held_on": self.cases[view.case].held_on})

    def _standing(self, view: CheckpointView) -> CheckpointStanding:
        return CheckpointStanding(
            id=view.id,
            case=view.case,
            status=view.status,
            deadline=view.deadline,
            decisions=tuple(self._counted(each) for each in view.decisions),
        )

    def _line(self, view: CheckpointView, who: str) -> CheckpointLine:
        found = view.evidence.proposal.findings
        return CheckpointLine(
            id=view.id,
            case=view.case,
            process="parcels",
            name=view.name,
            title=view.title,
            subject=view.subject,
            status=view.status,
            opened_at=view.opened_at,
            due_at=view.deadline,
            deadline=view.deadline,
            amount=view.evidence.proposal.amount,
            requested=view.evidence.proposal.requested,
            findings=FindingCounts(
                blocking=sum(each.severity is Severity.BLOCKING for each in found),
                warning=sum(each.severity is Severity.WARNING for each in found),
            ),
            decided=tuple(
                Said(operator=each.operator, verdict=each.verdict) for each in view.decisions
            ),
            needs=view.requirement.needs,
            missing=view.missing,
            mine=self._prospect(view, who).may_decide,
            about=self.about,
            held_on=self.cases[view.case].held_on,
            emergency_until=view.requirement.emergency_until,
        )

    def _groups(self, query: dict[str, list[str]], who: str) -> httpx.Response:
        by = query.get("by", ["kind"])[0]
        narrowings = {
            "kind": [("parcels: dispatch", {"process": "parcels", "name": "dispatch"})],
            "process": [("parcels", {"process": "parcels"})],
            "urgency": [(each.value, {"due": each.value, "status": "open"}) for each in Due],
            "findings": [(each.value, {"gravest": each.value}) for each in Gravest],
            "record": [("depot/D-1", {"record": "depot/D-1/"})],
        }[by]
        told = {{"for": "waits_for"}.get(n, n): v[0] for n, v in query.items() if n != "by"}
        found = []
        for name, more in narrowings:
            narrow = CheckpointQuery.model_validate_strings({**told, **more})
            lines = self._chosen({**query, **{n: [v] for n, v in more.items()}}, who)
            if lines:
                count = Count(count=len(lines))
                found.append(CheckpointGroup(name=name, count=count, query=narrow))
        return _model(GroupPage(groups=tuple(found)))

    def _chosen(self, query: dict[str, list[str]], who: str) -> list[CheckpointLine]:
        def asks(name: str) -> str | None:
            return query.get(name, [None])[0]

        lines = [self._line(each, who) for each in self.checkpoints.values()]
        lines = [each for each in lines if asks("status") in {None, each.status.value}]
        if asks("for") is not None:
            lines = [each for each in lines if each.status.value == "open"]
            lines = [each for each in lines if each.mine is (asks("for") == "me")]
        if asks("severity") == "blocking":
            lines = [each for each in lines if each.findings.blocking]
        if asks("claimed") is not None:
            lines = [each for each in lines if each.claimed_by == who]
        for word in (asks("text") or "").casefold().split():
            lines = [each for each in lines if word in each.subject.casefold()]
        if asks("gravest") is not None:
            lines = [each for each in lines if _gravest(each) == asks("gravest")]
        if asks("due") is not None:
            lines = [each for each in lines if _due(each) == asks("due")]
        return lines

    def _checkpoints(self, query: dict[str, list[str]], who: str) -> httpx.Response:
        def asks(name: str) -> str | None:
            return query.get(name, [None])[0]

        lines = self._chosen(query, who)
        order = asks("sort") or "urgency"
        keys = {
            "urgency": lambda each: each.due_at,
            "amount": lambda each: each.amount,
            "-amount": lambda each: -each.amount,
            "opened": lambda each: each.opened_at,
            "-opened": lambda each: -each.opened_at.timestamp(),
        }
        lines.sort(key=keys[order])
        start, limit = int(asks("after") or 0), int(asks("limit") or 100)
        page = CheckpointPage(
            checkpoints=tuple(lines[start : start + limit]),
            next=str(start + limit) if start + limit < len(lines) else None,
        )
        return _model(page)

    def _overview(self, who: str) -> httpx.Response:
        lines = [self._line(each, who) for each in self.checkpoints.values()]
        open_ = [each for each in lines if each.status.value == "open"]
        return _model(
            Overview(
                cases={CaseStatus.OPEN: Count(count=len(self.cases))},
                open=Count(count=len(open_)),
                mine=Count(count=sum(each.mine for each in open_)),
                claimed=Count(count=0),
                blocking=Count(count=sum(each.findings.blocking > 0 for each in open_)),
                overdue=Count(count=0),
                due_today=Count(count=0),
                processes={"parcels": Count(count=len(self.cases))},
                standing=Count(
                    count=sum(each.standstill is not None for each in self.cases.values())
                ),
            )
        )

    def _entries_of(self, case: str, start: int) -> httpx.Response:
        listed = [
            {"index": at, "entry": each.decode()}
            for at, each in enumerate(self.entries)
            if at >= start and decode_entry(each).case == case
        ]
        return httpx.Response(200, json={"entries": listed[:1024]})

    def _decide(self, name: str, jws: str) -> httpx.Response:
        view = self.checkpoints[name]
        known = next((each for each in view.decisions if each.jws == jws), None)
        if known is not None:
            return self._decided(view, known.jti)
        try:
            claims, facts = self._claims(jws)
            standing = self._standing(view)
            decided = standing.decisions
            check_decision(
                view.requirement,
                view.evidence_digest,
                view.requirement_digest,
                claims,
                facts,
                standing,
                datetime.now(UTC),
            )
        except TokenError as error:
            return httpx.Response(401, json=_problem("invalid_client", str(error)))
        except DecisionRefused as error:
            problem = _problem("access_denied", str(error), [each.value for each in error.reasons])
            return httpx.Response(403, json=problem)
        word = CountedDecision(
            jti=claims.jti,
            operator=facts.principal,
            roles=facts.roles,
            verdict=claims.verdict,
            exceptions=tuple(claims.accepted),
        )
        counted = (*decided, word)
        shown = DecisionView(
            jti=claims.jti,
            operator=facts.principal,
            verdict=claims.verdict.value,
            decided_at=datetime.now(UTC),
            jws=jws,
            stands_in_for=claims.stands_in_for,
        )
        self.checkpoints[name] = view = view.model_copy(
            update={
                "decisions": (*view.decisions, shown),
                "status": outcome_status(view.requirement, counted),
                "missing": missing(view.requirement, counted),
            }
        )
        data = {"verdict": claims.verdict.value, "roles": list(facts.roles)}
        self.note("decision.recorded", facts.principal, view.case, view.subject, data)
        return self._decided(view, claims.jti)

    def _claims(self, jws: str):
        for name, (_, key) in self.people.items():
            try:
                claims = verify_decision(
                    jws, key, operator=name, audience=ISSUER, now=datetime.now(UTC)
                )
            except TokenError:
                continue
            return claims, self._facts(name)
        raise TokenError("nobody's key signed this")

    def _facts(self, who: str) -> OperatorFacts:
        absent = tuple(each.giver for each in self.delegations if each.delegate == who)
        roles = self.people[who][0]
        return OperatorFacts(principal=who, active=True, roles=roles, stands_in_for=absent)

    def _counted(self, view: DecisionView) -> CountedDecision:
        return CountedDecision(
            jti=view.jti,
            operator=view.operator,
            roles=self.people[view.operator][0],
            verdict=view.verdict,
        )

    def _decided(self, view: CheckpointView, jti: str) -> httpx.Response:
        answer = DecisionAnswer(
            jti=jti,
            entry=len(self.entries) - 1,
            outcome=Outcome(
                checkpoint_id=view.id,
                checkpoint=view.name,
                case=view.case,
                status=view.status,
                evidence_digest=view.evidence_digest,
                requirement_digest=view.requirement_digest,
            ),
        )
        return _model(answer)

    def _act(self, body: dict[str, object]) -> httpx.Response:
        for name, (_, key) in self.people.items():
            try:
                claims = verify_act(
                    str(body["act"]), key, operator=name, audience=ISSUER, now=datetime.now(UTC)
                )
            except TokenError:
                continue
            assert claims.body_digest == digest_json(body["body"])
            self.acts.append((name, claims.act, claims.target, body["body"]))
            if claims.act in {"hold.place", "hold.lift"}:
                self.hold(claims.target, on=claims.act == "hold.place")
            entry = len(self.entries)
            return httpx.Response(
                200, json={"act": claims.jti, "target": claims.target, "entry": entry}
            )
        return httpx.Response(401, json=_problem("invalid_client", "nobody's key signed this"))


_LOG = NoteSigner("authority.test/ledger", Ed25519PrivateKey.generate())


class _Events(httpx.AsyncByteStream):
    """Server-sent events: where the ledger has come to, whenever it has; until the line breaks."""

    def __init__(self, simulator: Simulator, after: int | None) -> None:
        self._simulator = simulator
        self._last = after

    async def __aiter__(self):
        if self._last is None:
            self._last = self._simulator.told()
        yield f"retry: 1000\nid: {self._last}\n\n".encode()
        while not self._simulator.broken:
            size = self._simulator.told()
            if size != self._last:
                self._last = size
                yield f"id: {size}\n\n".encode()
            await asyncio.sleep(0.01)  # the server's own turn
        raise httpx.ReadError("the line broke")


def _gravest(line: CheckpointLine) -> str:
    counts = line.findings
    return "blocking" if counts.blocking else "warning" if counts.warning else "none"


def _due(line: CheckpointLine) -> str:
    days = (line.due_at - datetime.now(UTC)) / timedelta(days=1)
    return "overdue" if days < 0 else "day" if days < 1 else "week" if days < 7 else "later"


def _problem(error: str, description: str, reasons: list[str] | None = None) -> dict[str, object]:
    return {"error": error, "error_description": description, "reasons": reasons or []}


def _listed(name: str, models) -> httpx.Response:
    found = [each.model_dump(mode="json", exclude_none=True) for each in models]
    return httpx.Response(200, json={name: found})


def _of(models, member: str, value: str):
    return next((each for each in models if getattr(each, member) == value), None)


def _model(model) -> httpx.Response:
    if model is None:
        return httpx.Response(404, json=_problem("not_found", "there is no such thing"))
    return httpx.Response(200, json=model.model_dump(mode="json", exclude_none=True))
