"""Acts around a checkpoint: claim, comment, attach, lower, key, recall; and standing in.

1. (I6) Nobody decides for another: none of these acts is a word. Who lowers an amount or keys a
   value changes what is shown, and that voids what was approved on it (I5).
2. A lower amount adds up to the cent, row by row; only who may decide here may propose it.
3. Keying is for the roles that the matrix names, and who keyed never approves that case.
4. Whoever stands in for someone has all of that person's roles already: a delegation gives none.
"""

import base64
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from pydantic import JsonValue

from placet.authority._acts._act import (
    Act,
    Handler,
    No,
    body_of,
    kept_apart,
    require_role,
    write_entry,
)
from placet.authority._core import Core
from placet.authority._counted import asked_of
from placet.authority._definitions import Definitions
from placet.authority._errors import Conflict, Invalid
from placet.authority._evidence import keep_part
from placet.authority._identities import ACTIVE, roles_of
from placet.authority._left_by_people import left_rows
from placet.authority._lines import relist
from placet.authority._outbox import ring
from placet.authority._outcomes import void
from placet.authority._store import Case, Checkpoint, Delegation, Identity, Remark, Tx
from placet.model import (
    ADMINISTRATOR,
    ActAnswer,
    Adjust,
    Attach,
    CaseStatus,
    CheckpointDefinition,
    CheckpointStatus,
    Comment,
    Delegate,
    Evidence,
    KeyIn,
    Part,
    Reason,
    salted_digest,
)
from placet.rules import entitled, without_a_hand

MAX_REMARKS = 200
"""Comments and files at one checkpoint: who needs more writes a document."""

MAX_AWAY_DAYS = 366


class CheckpointActs:
    """What people do at an open checkpoint besides deciding."""

    def __init__(self, core: Core, definitions: Definitions) -> None:
        self._core = core
        self._definitions = definitions

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        return {
            "checkpoint.claim": self._claim,
            "checkpoint.unclaim": self._unclaim,
            "checkpoint.comment": self._comment,
            "checkpoint.attach": self._attach,
            "checkpoint.recall": self._recall,
            "checkpoint.adjust": self._adjust,
            "checkpoint.key": self._key,
            "delegation.give": self._hand_over,
            "delegation.end": self._take_back,
        }

    # --- claiming -----------------------------------------------------------------------------

    def _claim(self, tx: Tx, act: Act) -> ActAnswer:
        row, case, _ = self._open(tx, act)
        _require_entitled(row, act)
        if row.claimed_by == act.actor:
            raise Conflict("you have claimed it already")
        if row.claimed_by is not None:
            raise Conflict(f"{row.claimed_by} has claimed it; it is theirs to unclaim")
        tx.change(Checkpoint, row.id, claimed_by=act.actor, claimed_at=tx.now)
        return self._done(tx, act, "checkpoint.claimed", row, case, {})

    def _unclaim(self, tx: Tx, act: Act) -> ActAnswer:
        row, case, _ = self._open(tx, act)
        if row.claimed_by is None:
            raise Conflict("nobody has claimed it")
        if row.claimed_by != act.actor:
            require_role(act, ADMINISTRATOR)
        tx.change(Checkpoint, row.id, claimed_by=None, claimed_at=None)
        return self._done(tx, act, "checkpoint.unclaimed", row, case, {"of": row.claimed_by})

    # --- remarks ------------------------------------------------------------------------------

    def _comment(self, tx: Tx, act: Act) -> ActAnswer:
        body = body_of(act, Comment)
        row, case, _ = self._open(tx, act)
        salt, content = self._core.new_salt(), body.text.encode()
        digest = salted_digest(salt, content)
        answer = self._done(tx, act, "checkpoint.commented", row, case, {"comment_digest": digest})
        self._remark(tx, act, row, answer.entry, "comment", digest, salt, content)
        return answer

    def _attach(self, tx: Tx, act: Act) -> ActAnswer:
        body = body_of(act, Attach)
        row, case, _ = self._open(tx, act)
        content = _decoded(act.content)
        if len(content) != body.size or salted_digest(body.salt, content) != body.digest:
            raise Invalid("invalid_request", "content: it is not the file that was signed")
        answer = self._done(
            tx,
            act,
            "checkpoint.attached",
            row,
            case,
            {"attachment_digest": body.digest, "size": body.size},
        )
        self._remark(
            tx,
            act,
            row,
            answer.entry,
            "attachment",
            body.digest,
            body.salt,
            content,
            name=body.name,
            media_type=body.media_type,
        )
        return answer

    def _remark(
        self,
        tx: Tx,
        act: Act,
        row: Checkpoint,
        entry: int,
        kind: str,
        digest: str,
        salt: str,
        content: bytes,
        *,
        name: str | None = None,
        media_type: str | None = None,
    ) -> None:
        if len(tx.all(Remark, Remark.checkpoint_id == row.id, limit=MAX_REMARKS)) == MAX_REMARKS:
            raise Conflict(
                f"the checkpoint has {MAX_REMARKS} comments and files, which is the most"
            )
        tx.add(
            Remark(
                id=act.claims.jti,
                checkpoint_id=row.id,
                operator=act.actor,
                kind=kind,
                digest=digest,
                salt=salt,
                name=name,
                media_type=media_type,
                content=content,
                at=tx.now,
                entry=entry,
            )
        )

    # --- changing what is shown ---------------------------------------------------------------

    def _recall(self, tx: Tx, act: Act) -> ActAnswer:
        """Take a checkpoint back, so that the case looks afresh and people are asked anew."""
        require_role(act, ADMINISTRATOR)
        body = body_of(act, Reason)
        row, case, _ = self._open(tx, act)
        answer = self._done(
            tx,
            act,
            "checkpoint.recalled",
            row,
            case,
            {"reason_digest": kept_apart(self._core, tx, body.reason)},
        )
        self._void(tx, case, row, "recalled")
        return answer

    def _adjust(self, tx: Tx, act: Act) -> ActAnswer:
        """Lower the amount, row by row: the checks run again with it, and people are asked anew."""
        body = body_of(act, Adjust)
        row, case, definition = self._open(tx, act)
        _require_entitled(row, act)
        if definition.adjustments is None:
            raise Conflict(f"the process lets nobody lower the amount at {row.name}")
        proposal = _shown(row, body.evidence_digest).proposal
        if proposal.amount is None:
            raise Conflict("there is no amount that could be lowered")
        items = [each.item for each in body.rows]
        if len(set(items)) != len(items):
            raise Invalid("invalid_request", "rows: a row stands twice")
        left = proposal.amount - sum((each.amount for each in body.rows), Decimal(0))
        if body.amount != left:
            raise Invalid(
                "invalid_request",
                f"amount: the rows leave {left:.2f} of {proposal.amount:.2f}, "
                f"not {body.amount:.2f}",
            )
        if left <= 0:
            raise Conflict("nothing would be left: reject it, or return it with questions")
        cuts: list[JsonValue] = [
            {**each.model_dump(mode="json"), "by": act.actor, "act": act.claims.jti}
            for each in body.rows
        ]
        rows: list[JsonValue] = [*left_rows(tx, case, definition.adjustments, "rows"), *cuts]
        return self._leave(tx, act, row, case, "adjusted", definition.adjustments, {"rows": rows})

    def _key(self, tx: Tx, act: Act) -> ActAnswer:
        """Key values that could not be read: the checks run again, and people are asked anew."""
        body = body_of(act, KeyIn)
        row, case, definition = self._open(tx, act)
        found = self._definitions.matrix(tx, case.process)
        require_role(act, *(() if found is None else found[1].keyers))
        if definition.keyed is None:
            raise Conflict(f"the process lets nobody key values at {row.name}")
        _shown(row, body.evidence_digest)
        named = [(each.document, each.spot, each.field) for each in body.values]
        if len(set(named)) != len(named):
            raise Invalid("invalid_request", "values: a value is keyed twice")
        before = [
            each
            for each in left_rows(tx, case, definition.keyed, "values")
            if (each.get("document"), each.get("spot"), each.get("field")) not in named
        ]
        keyed: list[JsonValue] = [
            {**each.model_dump(mode="json"), "by": act.actor, "act": act.claims.jti}
            for each in body.values
        ]
        return self._leave(
            tx, act, row, case, "keyed", definition.keyed, {"values": [*before, *keyed]}
        )

    def _leave(
        self,
        tx: Tx,
        act: Act,
        row: Checkpoint,
        case: Case,
        done: str,
        name: str,
        data: dict[str, JsonValue],
    ) -> ActAnswer:
        """Keep a person's part beside those of the agents, and void what was shown without it."""
        part = Part(name=name, record=case.subject, salt=self._core.new_salt(), data=data)
        digest = keep_part(tx, part, case=case.id, author=act.actor, act=act.claims.jti)
        answer = self._done(
            tx,
            act,
            f"checkpoint.{done}",
            row,
            case,
            {
                "evidence_digest": row.evidence_digest,
                "parts": [{"name": name, "digest": digest}],
            },
        )
        self._void(tx, case, row, done)
        return answer

    def _void(self, tx: Tx, case: Case, row: Checkpoint, reason: str) -> None:
        void(tx, case, row, reason)
        ring(tx, case, row.id)

    # --- standing in --------------------------------------------------------------------------

    def _hand_over(self, tx: Tx, act: Act) -> ActAnswer:
        body, delegate = body_of(act, Delegate), act.claims.target
        identity = tx.get(Identity, delegate)
        if identity is None or identity.kind != "operator" or identity.status != ACTIVE:
            raise Conflict(f"there is no active operator {delegate}")
        if delegate == act.actor:
            raise No("nobody stands in for themselves", "segregation")
        lacking = set(act.roles) - set(roles_of(identity))
        if lacking:
            raise No(
                f"{delegate} has not the same authority: needed as well is the role "
                f"{' and '.join(sorted(lacking))}",
                "role",
            )
        if body.ends_at <= tx.now:
            raise Conflict("it would have ended already")
        if body.ends_at - body.starts_at > timedelta(days=MAX_AWAY_DAYS):
            raise Conflict(f"nobody is away for more than {MAX_AWAY_DAYS} days")
        entry = write_entry(
            tx,
            "delegation.given",
            act,
            {
                "process": body.process,
                "starts_at": int(body.starts_at.timestamp()),
                "ends_at": int(body.ends_at.timestamp()),
                "reason_digest": kept_apart(self._core, tx, body.reason),
            },
        )
        tx.add(
            Delegation(
                id=act.claims.jti,
                giver=act.actor,
                delegate=delegate,
                process=body.process,
                starts_at=body.starts_at.replace(microsecond=0),
                ends_at=body.ends_at.replace(microsecond=0),
                entry=entry,
            )
        )
        return ActAnswer(act=act.claims.act, target=delegate, entry=entry)

    def _take_back(self, tx: Tx, act: Act) -> ActAnswer:
        row = tx.get(Delegation, act.claims.target)
        if row is None or row.ended_at is not None or row.ends_at <= tx.now:
            raise Conflict("there is no such delegation that holds")
        if row.giver != act.actor:
            raise No("only who gave a delegation ends it", "segregation")
        tx.change(Delegation, row.id, ended_at=tx.now)
        entry = write_entry(tx, "delegation.ended", act, {"delegation": row.id})
        return ActAnswer(act=act.claims.act, target=row.id, entry=entry)

    # --- what all of them look at -------------------------------------------------------------

    def _open(self, tx: Tx, act: Act) -> tuple[Checkpoint, Case, CheckpointDefinition]:
        row = tx.get(Checkpoint, act.claims.target)
        if row is None:
            raise Conflict("there is no such checkpoint")
        case = tx.get(Case, row.case_id)
        assert case is not None  # each is a case's
        if row.status != CheckpointStatus.OPEN:
            raise Conflict(f"the checkpoint is {row.status}, not open")
        if tx.now >= row.deadline:
            raise Conflict("the checkpoint's deadline is past")
        if case.status != CaseStatus.OPEN:
            raise Conflict(f"the case is {case.status}, not open")
        process = self._definitions.process(tx, case.process, case.version)
        definition = process.checkpoint(row.name)
        if definition is None:
            raise Conflict(f"the process has no checkpoint {row.name}")
        return row, case, definition

    def _done(
        self,
        tx: Tx,
        act: Act,
        type_: str,
        row: Checkpoint,
        case: Case,
        data: Mapping[str, JsonValue],
    ) -> ActAnswer:
        entry = write_entry(
            tx, type_, act, {"checkpoint": row.id, **data}, case=case.id, record=case.subject
        )
        relist(tx, row.id)
        return ActAnswer(act=act.claims.act, target=row.id, entry=entry, case=case.id)


def _require_entitled(row: Checkpoint, act: Act) -> None:
    """Go on if the signer may decide at the checkpoint.

    Raises:
        No: in no role that is asked for, or excluded.
    """
    asked = asked_of(row)
    if asked.bars(act.actor):
        needed = without_a_hand(asked, act.actor)
        raise No(f"you may not decide here: you had a hand in it; needed: {needed}", "segregation")
    if not entitled(asked, (act.actor,), act.roles):
        roles = sorted({role for need in asked.needs for role in need.roles})
        raise No(f"{act.claims.act} needs the role {' or '.join(roles) or '(nobody)'}", "role")


def _shown(row: Checkpoint, evidence_digest: str) -> Evidence:
    if evidence_digest != row.evidence_digest:
        raise Conflict("the evidence is not what was signed; look at the checkpoint again")
    return Evidence.model_validate_json(row.evidence_json)


def _decoded(content: str | None) -> bytes:
    try:
        return base64.b64decode(content or "", validate=True)
    except ValueError:
        raise Invalid("invalid_request", "content: it is no base64") from None
