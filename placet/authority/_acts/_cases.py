"""Acts on cases: opening, admitting, ending, and answering a return."""

from collections.abc import Mapping

from placet.authority._acts._act import (
    About,
    Act,
    Asked,
    Handler,
    No,
    body_of,
    kept_apart,
    require_role,
    write_entry,
)
from placet.authority._alarms import add_run, forget_standstill
from placet.authority._archiving import ARCHIVING
from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._endings import END, ENDED, end_case
from placet.authority._erasing import ERASE, erase_case
from placet.authority._errors import Conflict, Invalid
from placet.authority._left_by_people import drop_left
from placet.authority._lines import index_case
from placet.authority._outbox import ADMITTED, put_signal, put_termination
from placet.authority._resubmissions import RESUBMIT, source_of, take_back
from placet.authority._store import Case, Reader, Tx
from placet.model import (
    ADMINISTRATOR,
    ActAnswer,
    AdmitCase,
    AuthorityMatrix,
    CaseStatus,
    OpenCase,
    Reason,
    Resubmit,
    digest_bytes,
    digest_json,
    trouble_digest,
)
from placet.rules import OutOfScope, subject_variables

OPEN = "case.open"
OPENING = "opening"
"""The topic that wakes whoever starts the workflows of cases that were opened."""


class CaseActs:
    """Opens cases, and changes how they stand."""

    def __init__(self, core: Core, definitions: Definitions) -> None:
        self._core = core
        self._definitions = definitions

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        return {
            OPEN: self._open_case,
            "case.admit": self._admit_case,
            END: self._end_case,
            RESUBMIT: self._resubmit,
            ERASE: self._erase,
        }

    def abouts(self) -> Mapping[str, About]:
        """Which acts are judged by what systems of record say, and what to ask them."""
        return {OPEN: self._about_opening, RESUBMIT: self._about_resubmission}

    def _about_opening(self, reader: Reader, act: Act) -> Asked | None:
        body = body_of(act, OpenCase)
        definition = self._definitions.newest_process(reader, body.process)
        if definition is None or not self._opens(reader, act, body.process):
            return None
        try:
            subject_variables(definition, body.subject)
        except OutOfScope:
            return None
        names = [
            each.name
            for each in definition.facts
            if definition.relation(each.relation).template == definition.subject
        ]
        return definition, body.subject, tuple(names)

    def _about_resubmission(self, reader: Reader, act: Act) -> Asked | None:
        body = body_of(act, Resubmit)
        case = reader.get(Case, act.claims.target)
        if case is None or not self._opens(reader, act, case.process):
            return None
        definition = self._definitions.process(reader, case.process, case.version)
        source = source_of(definition, case.subject, body.record)
        return None if source is None else (definition, case.subject, (source.name,))

    def _opens(self, reader: Reader, act: Act, process: str) -> bool:
        found = self._definitions.matrix(reader, process)
        return found is not None and bool(set(found[1].openers) & set(act.roles))

    def _open_case(self, tx: Tx, act: Act) -> ActAnswer:
        body = body_of(act, OpenCase)
        if body.subject != act.claims.target:
            raise Invalid("invalid_request", "target: must be the case's subject")
        definition = self._definitions.newest_process(tx, body.process)
        found = self._definitions.matrix(tx, body.process)
        if definition is None or found is None:
            raise Conflict(f"process {body.process} or its matrix is not published")
        _require_opener(act, body.process, found[1])
        try:
            subject_variables(definition, body.subject)
        except OutOfScope as error:
            raise Invalid("invalid_request", f"subject: {error}") from None
        if tx.first(
            Case,
            Case.subject == body.subject,
            Case.closed_at.is_(None),  # type: ignore[union-attr]  # a column on the class
        ):
            raise Conflict(f"{body.subject} has an open case already")
        case_id = self._core.new_id("case")
        digest = digest_json(definition)
        entry = write_entry(
            tx,
            "case.opened",
            act,
            {
                "process": definition.name,
                "version": definition.version,
                "process_digest": digest,
                "matrix_digest": found[0],
            },
            case=case_id,
            record=body.subject,
        )
        case = Case(
            id=case_id,
            process=definition.name,
            version=definition.version,
            process_digest=digest,
            subject=body.subject,
            status=CaseStatus.OPENING.value,
            opened_by=act.actor,
            opened_at=tx.now,
            workflow_id=case_id,
            workflow_type=definition.workflow_type,
            task_queue=definition.orchestrator,
            request_id=digest_bytes(f"start {case_id}".encode()),
            matrix_digest=found[0],
            entry=entry,
        )
        tx.add(case)
        index_case(tx, case)
        self._core.keys.payloads.make(tx, case_id)
        tx.notify(OPENING)
        return ActAnswer(act=act.claims.act, target=body.subject, entry=entry, case=case_id)

    def _admit_case(self, tx: Tx, act: Act) -> ActAnswer:
        require_role(act, ADMINISTRATOR)
        body = body_of(act, AdmitCase)
        case = tx.get(Case, act.claims.target)
        if case is not None and body.trouble_digest != trouble_digest(case.stopped_for, case.alarm):
            raise Conflict("something else is wrong with the case than was looked at; look again")
        if case is not None and body.run_id is not None:
            add_run(tx, case, body.run_id, admitted=True)
        if case is not None and case.status == CaseStatus.STOPPED:
            run_id = body.run_id or case.run_id
            tx.change(
                Case,
                case.id,
                status=CaseStatus.OPEN.value,
                stopped_for=None,
                alarm=None,
                run_id=run_id,
                # Its workflow is told of each; one that begins anew has heard of none.
                admissions=(case.admissions if run_id == case.run_id else 0) + 1,
            )
            forget_standstill(tx, case.id)
            admitted = tx.get(Case, case.id)
            put_signal(tx, admitted or case, ADMITTED, f"admitted/{act.claims.jti}")
        elif case is not None and case.alarm is not None:
            _admit_closed(tx, case, body.run_id, act.claims.jti)
        else:
            raise Conflict("there is no such stopped case, nor a closed one with an alarm")
        entry = write_entry(
            tx,
            "case.admitted",
            act,
            {
                "reason_digest": kept_apart(self._core, tx, body.reason),
                "trouble_digest": body.trouble_digest,
                **({} if body.run_id is None else {"run_id": body.run_id}),
            },
            case=case.id,
            record=case.subject,
        )
        return ActAnswer(act=act.claims.act, target=case.id, entry=entry)

    def _end_case(self, tx: Tx, act: Act) -> ActAnswer:
        require_role(act, ADMINISTRATOR)
        body = body_of(act, Reason)
        case = tx.get(Case, act.claims.target)
        if case is None:
            raise Conflict("there is no such case")
        end_case(tx, case, act.claims.jti)
        entry = write_entry(
            tx,
            "case.closed",
            act,
            {"result": ENDED, "reason_digest": kept_apart(self._core, tx, body.reason)},
            case=case.id,
            record=case.subject,
        )
        tx.notify(ARCHIVING)
        return ActAnswer(act=act.claims.act, target=case.id, entry=entry, case=case.id)

    def _erase(self, tx: Tx, act: Act) -> ActAnswer:
        require_role(act, ADMINISTRATOR)
        body = body_of(act, Reason)
        case = tx.get(Case, act.claims.target)
        if case is None:
            raise Conflict("there is no such case")
        found = self._definitions.matrix(tx, case.process)
        erased = erase_case(tx, self._core, case, None if found is None else found[1])
        entry = write_entry(
            tx,
            "case.erased",
            act,
            {"reason_digest": kept_apart(self._core, tx, body.reason), "erased": {**erased}},
            case=case.id,
            record=case.subject,
        )
        return ActAnswer(act=act.claims.act, target=case.id, entry=entry, case=case.id)

    def _resubmit(self, tx: Tx, act: Act) -> ActAnswer:
        body = body_of(act, Resubmit)
        case = tx.get(Case, act.claims.target)
        if case is None:
            raise Conflict("there is no such case")
        found = self._definitions.matrix(tx, case.process)
        _require_opener(act, case.process, None if found is None else found[1])
        definition = self._definitions.process(tx, case.process, case.version)
        checkpoint, replaced = take_back(tx, definition, case, act.actor, body, act.seen)
        dropped = drop_left(tx, self._core, definition, case, act.actor, act.claims.jti)
        entry = write_entry(
            tx,
            "case.resubmitted",
            act,
            {
                "checkpoint": checkpoint,
                "version": body.version,
                "replaces": replaced,
                "parts": dropped,
            },
            case=case.id,
            record=body.record,
        )
        return ActAnswer(act=act.claims.act, target=case.id, entry=entry, case=case.id)


def _require_opener(act: Act, process: str, matrix: AuthorityMatrix | None) -> None:
    """Refuse whom the matrix lets open no case; where that is everybody, no role would help."""
    if matrix is None:
        raise No(f"no authority matrix is published for {process}", "role")
    if not matrix.openers:
        raise No(f"{act.claims.act} is nobody's: the matrix of {process} names no openers", "role")
    require_role(act, *matrix.openers)


def _admit_closed(tx: Tx, case: Case, run_id: str | None, act: str) -> None:
    """Let a closed case with an alarm be archived as it is; a run that was met is ended."""
    if case.archived_at is None:
        tx.change(Case, case.id, alarm_admitted=True, archive_next=None, archive_tries=0)
        tx.notify(ARCHIVING)
    else:
        tx.change(Case, case.id, alarm=None)
    if run_id is not None:
        put_termination(tx, case, act)
