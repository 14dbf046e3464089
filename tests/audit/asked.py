"""A log of the real parts up to a checkpoint at which one clerk is asked, to go on from."""

import json
from typing import Any

from placet.audit import Kept
from placet.model import CheckpointView, Part
from tests.audit.pen import Found, Pen
from tests.audit.recording import Entry, Recorded, find

SALT = "A" * 43


class Asked(Pen):
    """A log up to an open checkpoint, and its entry."""

    def __init__(self, recorded: Recorded) -> None:
        files, self.case = recorded.files, recorded.rejected
        at = find(files, "checkpoint.opened", self.case)
        super().__init__(files, recorded.keys, at + 1)
        self.other = recorded.skipping
        self.opened: Entry = json.loads(self.entries[-1])
        self.subject: str = self.opened["record"]
        self.checkpoint: str = self.opened["data"]["checkpoint"]
        self.checkpoints[self.checkpoint] = self.view(self.checkpoint).model_copy(
            update={"decisions": ()}
        )
        self.roles = {"cleo": ["clerk"], "cid": ["clerk"], "hal": ["chief"], "una": ["auditor"]}

    def view(self, checkpoint: str) -> CheckpointView:
        return self.checkpoints[checkpoint]

    def here(self, by: str, verb: str, done: str, body: Any = None, /, **more: Any) -> str:
        """What someone does at the checkpoint."""
        where = {"case": self.case, "record": self.subject, "checkpoint": self.checkpoint}
        said = {**where, **more}
        target = str(said["checkpoint"])
        return self.act(by, f"checkpoint.{verb}", f"checkpoint.{done}", target, body, **said)

    def keep(self, name: str, data: dict[str, Any], **more: Any) -> dict[str, str]:
        """A part that is kept; what an entry says of it."""
        part = Part(
            name=name, record=more.pop("record", self.subject), salt=SALT, data=data, **more
        )
        content = part.content().decode()
        self.parts[part.digest] = Kept(salt=SALT, content=content)
        return {"name": name, "digest": part.digest}

    def of_case(self, type_: str, **data: Any) -> int:
        return self.write(type_, case=self.case, record=self.subject, **data)

    def void(self, told: tuple[str, ...] = (), checkpoint: str = "") -> int:
        said = {"checkpoint": checkpoint or self.checkpoint, "reasons": ["a test"]}
        return self.of_case("checkpoint.voided", told=list(told), **said)

    def decided(self, by: str, verdict: str, checkpoint: str = "", **said: Any) -> str:
        amount = self.view(self.checkpoint).requirement.amount
        told = {"amount": amount} if verdict == "approve" else {"reason_code": "no"}
        return self.decide(by, checkpoint or self.checkpoint, verdict, **told, **said)


def last(pen: Pen, *names: str) -> Found:
    """These troubles, at the entry that was written last."""
    return {(each, len(pen.entries) - 1) for each in names}
