"""Cases: opened for a published process, run after run, and closed with what their record shows.

1. (I1) A case's workflow is the process's own; it is in one run, and in another only where it
   continues or a person admitted that.
2. (I9) Who admitted a case signed for what was wrong with it then, and for nothing else; its
   history is the one that was sealed.
"""

from placet.audit._acts import with_act
from placet.audit._attending import handed_in_again
from placet.audit._campaigns import Campaigns
from placet.audit._checkpoints import Checkpoints
from placet.audit._grants import Grants
from placet.audit._orders import Orders
from placet.audit._people import People
from placet.audit._scene import Case, Grant, Scene
from placet.audit._sealed import unsealed
from placet.ledger import Entry, EntryType
from placet.model import CheckpointStatus, Step, trouble_digest
from placet.rules import UnsupportedResult, require_supported


class Cases:
    """Cases as the log opens, runs, stops and closes them."""

    def __init__(
        self,
        scene: Scene,
        people: People,
        checkpoints: Checkpoints,
        grants: Grants,
        orders: Orders,
        campaigns: Campaigns,
    ) -> None:
        self._scene = scene
        self._people = people
        self._checkpoints = checkpoints
        self._grants = grants
        self._orders = orders
        self._campaigns = campaigns
        self._closed_with: dict[str, str] = {}
        """The part that each case's result rests on, of those with such a result."""

    def entry(self, entry: Entry) -> None:
        """What an entry tells of its case."""
        if entry.type is EntryType.CASE_OPENED and entry.case is not None:
            self._opened(entry, entry.case)
        case = self._scene.cases.get(entry.case or "")
        if case is None or entry.case is None:
            return
        match entry.type:
            case EntryType.PART_TOLD:
                self._scene.told[entry.case, str(entry.data.get("name"))] = entry.data.get("digest")
                self._grants.exists(entry)
            case EntryType.CASE_RESUBMITTED:
                case.resubmitters.add(entry.actor)
                self._checkpoints.returned(entry)
                handed_in_again(self._scene, self._people, entry, case)
            case EntryType.CASE_STARTED:
                self._started(entry, case)
            case EntryType.CASE_CONTINUED:
                if entry.data.get("continues") != case.run or case.status != "opened":
                    told = f"the case was in the run {case.run or 'none'}"
                    self._scene.trouble("run-unadmitted", told)
                case.run = str(entry.data.get("run_id"))
            case EntryType.CASE_STOPPED:
                case.stopped_for = str(entry.data.get("reason"))
            case EntryType.CASE_ALARM:
                reasons = entry.data.get("reasons")
                case.alarm = "; ".join(map(str, reasons)) if isinstance(reasons, list) else ""
            case EntryType.CASE_ADMITTED:
                self._admitted(entry, case)
            case EntryType.CASE_CLOSED:
                self._closed(entry, case)
            case EntryType.CASE_ARCHIVED:
                self._archived(entry, entry.case, case)
            case EntryType.CASE_ERASED:
                case.alarm = None
            case _:
                pass

    def _opened(self, entry: Entry, name: str) -> None:
        scene, data = self._scene, entry.data
        if name in scene.cases:
            scene.trouble("case-twice", f"{name} was opened before")
        scene.cases[name] = Case(
            str(data.get("process_digest")), entry.actor, entry.record or "", index=scene.index
        )
        scene.known("process", scene.processes, data.get("process_digest"))
        scene.known("matrix", scene.matrices, data.get("matrix_digest"))
        scene.in_force("process", str(data.get("process")), data.get("process_digest"))
        scene.in_force("matrix", str(data.get("process")), data.get("matrix_digest"))
        definition = scene.process(name)
        if definition is not None and definition.version != data.get("version"):
            scene.trouble("process-version", f"{name} runs version {definition.version}")

    def _started(self, entry: Entry, case: Case) -> None:
        """Its workflow is the process's own, on its queue, under the case's id; once."""
        definition = self._scene.processes.get(case.process_digest)
        names = ("workflow_id", "workflow_type", "task_queue")
        if definition is not None and [entry.data.get(each) for each in names] != [
            entry.case,
            definition.workflow_type,
            definition.orchestrator,
        ]:
            self._scene.trouble("case-started", f"{entry.case} is started as another workflow")
        if case.started:
            self._scene.trouble("case-started", f"{entry.case} was started before")
        case.started, case.run = True, str(entry.data.get("run_id"))

    def _admitted(self, entry: Entry, case: Case) -> None:
        """A person let it go on for what was wrong with it, in a run that they may have named."""
        if trouble_digest(case.stopped_for, case.alarm) != entry.data.get("trouble_digest"):
            told = "something else was wrong with it than was signed for"
            self._scene.trouble("admitted-other", told)
        if case.status == "opened" or case.archived:
            case.alarm = None
        case.stopped_for = None
        case.run = str(entry.data.get("run_id", case.run))

    def _closed(self, entry: Entry, case: Case) -> None:
        if case.status == "closed":
            self._scene.trouble("case-twice", f"{entry.case} was closed before")
        case.status, case.closed_at, case.stopped_for = "closed", entry.time, None
        self._orders.closed(entry)
        if with_act(entry):
            return  # who ends it signs that
        self._campaigns.closed(entry)
        self._grants.own(entry)
        definition = self._scene.processes.get(case.process_digest)
        if definition is None:
            return
        result = str(entry.data.get("result"))
        found = definition.result(result)
        if found is not None and found.part is not None:
            self._closed_with[entry.case or ""] = found.part
        stand = self._checkpoints.ends(entry.case or "")
        if any(each.status is CheckpointStatus.OPEN for each in stand):
            self._scene.trouble("result-unsupported", "people had not answered a checkpoint")
        try:
            require_supported(definition, result, case.settled, stand, case.denied)
        except UnsupportedResult as error:
            self._scene.trouble("result-unsupported", str(error))

    def held(self) -> None:
        """What a guarded step has left, and its case has closed with, its system did not refuse.

        (I13) Judged when the whole log was read, as a system may tell after the close.
        """
        may_be_done = {_step_of(each) for each in self._scene.grants.values() if each.may_be_done}
        for name, part in self._closed_with.items():
            definition = self._scene.process(name)
            steps = () if definition is None else definition.steps
            leave = [step for step in steps if part in step.produces]
            if any(not _tells(step) or (name, step.activity_type) in may_be_done for step in leave):
                continue
            self._scene.place = name
            self._scene.trouble("result-undone", f"closed with a {part}, and no system has done it")

    def _archived(self, entry: Entry, name: str, case: Case) -> None:
        if case.archived or case.status != "closed":
            self._scene.trouble("case-twice", f"{name} was sealed before, or is not closed")
        case.archived = True
        self._scene.collector.count("archives")
        if entry.data.get("process_digest") != case.process_digest:
            self._scene.trouble("archive-process", f"{name} ran another process")
        archive = self._scene.files.archives.get(name)
        if archive is None:
            self._scene.trouble("archive-missing", f"the history of {name} is not there")
            return
        if (archive.case, archive.workflow_id) != (name, name):
            self._scene.trouble("workflow", f"the history of {name} is of another workflow")
        for each in unsealed(archive, [entry]):
            place = f" event {each.event}" if each.event else ""
            self._scene.trouble(each.name, f"{name}{place}: {each.found}")


def _tells(step: Step) -> bool:
    """Whether its system of record tells what it does in it."""
    return step.approval is not None and step.system != "authority"


def _step_of(grant: Grant) -> tuple[str | None, str]:
    activity = grant.issued.data.get("activity")
    told = activity if isinstance(activity, dict) else {}
    return grant.issued.case, str(told.get("activity_type"))
