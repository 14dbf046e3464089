"""Two scripted readers, for the demo: they open a document, quote it, and one asks for too much."""

import contextlib
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from lender.embedded import Embedded
from lender.serve import SYSTEMS
from placet.agent import AgentConfig, PlacetPlugin
from placet.agent.reasoning import Answered, Question, RawCall
from placet.audit import workflow_runner
from placet.tokens import read_key_file
from worker.registry import READING_AGENTS, reading

_OPENS = "inspection.pdf"
_ELSE = "loan/L-1003"
"""Another loan, which the first reader asks for and is denied."""


class ScriptedReader:
    """A mind that does the same each time: no model is asked, and nothing needs to be installed."""

    def __init__(self, reader: str) -> None:
        self._reader = reader

    @property
    def name(self) -> str:
        """What the kill switch calls it."""
        return f"scripted:{self._reader}"

    async def take_turn(self, question: Question) -> Answered:
        """Open the inspector's report, then quote its first line."""
        if not question.conversation.turns:
            calls: list[tuple[str, dict[str, object]]] = [
                (f"{self._reader}_opens_document", {"document": _OPENS})
            ]
            if self._reader == "reader":
                calls.append((f"{self._reader}_opens_loan", {"record": _ELSE}))
            return self._asks(*calls)
        page, _, text = question.told[0].text.partition("\n")
        place = {"document": _OPENS, "spot": page.strip("[]")}
        statement: dict[str, object] = {
            "topic": "inspection",
            "concern": "none",
            "says": "There is an inspector's report",
            "quotes": [{"place": place, "words": text.partition("\n")[0]}],
        }
        return self._asks(("conclude", {"statements": [statement]}))

    def _asks(self, *calls: tuple[str, dict[str, object]]) -> Answered:
        raw = tuple(RawCall(name, json.dumps(given)) for name, given in calls)
        return Answered(answered_by=self.name, calls=raw)


@contextlib.asynccontextmanager
async def scripted_readers(made: Embedded) -> AsyncIterator[None]:
    """Run both readers' workers in this process."""
    log = logging.getLogger("temporalio.activity")
    before = log.level
    log.setLevel(logging.ERROR)  # a denial is a failed activity, and told with its traceback
    systems = {each: made.lender.url(each) for each in SYSTEMS}
    async with contextlib.AsyncExitStack() as stack:
        for agent, reader in READING_AGENTS.items():
            key = read_key_file(made.folder / "agents" / f"{agent}.key")
            plugin = PlacetPlugin(AgentConfig(agent, key, made.issuer, systems))
            worker = Worker(
                await Client.connect(made.temporal, plugins=[plugin]),
                task_queue=agent,
                activities=reading(agent, ScriptedReader(reader)),
                workflow_runner=workflow_runner(),
                graceful_shutdown_timeout=timedelta(seconds=2),
            )
            await stack.enter_async_context(worker)
        yield
    log.setLevel(before)
