"""Handing out payload keys to workers, and the authority's own way to a case's keys.

1. An orchestrator gets the secrets of the cases of its own processes: it runs their workflow code.
2. An agent gets the keys of its own scope in a case, and only while Temporal says that a step of
   this agent's is running in it. What it gets opens the payloads of its own steps there and no
   others. Case and activity are looked at again, in full, before it gets a grant (I1).
3. Nobody else gets anything, and nobody learns from a refusal whether there is such a case.
"""

import logging
from functools import partial

from placet.authority._core import Core
from placet.authority._definitions import Definitions, Kind
from placet.authority._errors import Forbidden, Unavailable
from placet.authority._identities import require_active
from placet.authority._requests import Sender, use_sender
from placet.authority._store import Case, CaseCode, Reader, Tx
from placet.authority._temporal import ExecutionNotFound
from placet.model import AskKeys, CaseKeys, CaseStatus
from placet.payloads import Keyring, agent_scope

_log = logging.getLogger("placet.authority.payloads")


class PayloadService:
    """Gives keys to those whose they are."""

    def __init__(self, core: Core, definitions: Definitions) -> None:
        self._core = core
        self._definitions = definitions

    async def ring(self, case: str, key: str | None = None) -> Keyring:  # noqa: ARG002  # a KeySource
        """The whole ring of a case, for the authority itself."""
        return await self._core.store.read(lambda r: self._core.keys.payloads.ring(r, case))

    async def hand_out(self, sender: Sender, case_id: str, asked: AskKeys) -> CaseKeys:
        """Give a worker the keys that it needs for a case.

        Raises:
            Forbidden: it needs none: no step of this agent runs in such a case, or it is not
                active. Where it names the step that can't begin, that is on the ledger.
            Unavailable: the case is just being opened, or Temporal is away.
        """
        try:
            return await self._hand_out(sender, case_id, asked)
        except Forbidden as error:
            if asked.activity is not None:
                await self._core.store.write(
                    partial(self._record, sender=sender, asked=asked, reasons=error.problem.reasons)
                )
            raise

    def _record(self, tx: Tx, sender: Sender, asked: AskKeys, reasons: tuple[str, ...]) -> None:
        """Write that a step could not begin: its worker was denied what it needs to read it."""
        use_sender(tx, sender)
        named = asked.activity
        assert named is not None
        case = tx.get(Case, named.workflow_id)
        kind = self._definitions.kind(tx, named.workflow_id)
        step = None if kind is None else kind.definition.step(named.activity_type)
        tx.append(
            "grant.denied",
            sender.principal,
            {
                "key": sender.thumbprint,
                "action": step.action if step else "payload:read",
                "system": step.system if step else "authority",
                "asked_case": named.workflow_id,
                "activity": named.model_dump(mode="json"),
                "reasons": list(reasons),
            },
            case=case.id if case else None,
            record=case.subject if case else None,
        )

    async def _hand_out(self, sender: Sender, case_id: str, asked: AskKeys) -> CaseKeys:
        now = self._core.clock()

        def read(reader: Reader) -> tuple[Case, Kind, Keyring, bool, frozenset[str]] | None:
            require_active(reader, sender.principal, sender.thumbprint, now)
            case = reader.get(Case, case_id)
            kind = self._definitions.kind(reader, case_id)
            if case is None or kind is None:
                return None
            code = asked.code.get(case.process)
            known = code is None or reader.get(CaseCode, (case_id, code)) is not None
            pinned = (
                frozenset() if known else self._definitions.published_code(reader, case.process)
            )
            return case, kind, self._core.keys.payloads.ring(reader, case_id), known, pinned

        found = await self._core.store.read(read)
        if found is None:
            raise _nothing()
        case, kind, ring, known, pinned = found
        if sender.principal == f"agent:{kind.definition.orchestrator}":
            if not known:
                code = asked.code[case.process]
                await self._core.store.write(lambda tx: _keep_code(tx, case_id, code))
                if pinned and code not in pinned:
                    _log.warning(
                        "the orchestrator runs workflow code of %s that is not published: its "
                        "cases will not be archived; raise the version and publish it",
                        case.process,
                        extra={"case": case_id},
                    )
            return ring.for_orchestrator()
        await self._require_running(sender, case, kind)
        return ring.for_scope(agent_scope(_name(sender)))

    async def _require_running(self, sender: Sender, case: Case, kind: Kind) -> None:
        agent = _name(sender)
        mine = {each.activity_type for each in kind.definition.steps if each.agent == agent}
        if not mine:
            raise _nothing()
        if case.status == CaseStatus.OPENING:
            raise Unavailable("the case is just being opened; ask again")
        try:
            execution = await self._core.temporal.describe(case.workflow_id)
        except ExecutionNotFound:
            raise _nothing() from None
        running = {each.activity_type for each in execution.activities if each.task_queue == agent}
        if not mine & running:
            raise _nothing()


def _name(sender: Sender) -> str:
    return sender.principal.removeprefix("agent:")


def _nothing() -> Forbidden:
    return Forbidden("no step of this agent runs in such a case", ("I1", "not_running"))


def _keep_code(tx: Tx, case: str, code: str) -> None:
    if tx.get(CaseCode, (case, code)) is None:
        tx.add(CaseCode(case_id=case, code=code, at=tx.now))
