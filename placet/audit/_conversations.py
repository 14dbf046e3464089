"""What models said and were told, held to itself and to the log (I13).

1. Each conversation that a step leaves is one that was left before, to the letter, and one turn
   more; its digests are those of what it says.
2. The turn was of the model that the step's grant names.
3. What the model was told was done was settled in this case, by a tool of this reasoning; what
   became of each of its calls was told.
4. Each grant of a tool answers a call that a conversation has: its tool, record and amount. A call
   that was dropped from the record leaves a grant without one. (What a thief of the agent's key
   asks for and is denied is no sign of that.)
"""

from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

from placet.audit._scene import Scene, read_json
from placet.ledger import Entry
from placet.model import (
    CallStatus,
    Conversation,
    ProcessDefinition,
    Reasoning,
    Turn,
    answered_digest,
    asked_digest,
    digest_bytes,
    digest_json,
)

_Call = tuple[str | None, str | None, str | None]
"""A tool, its record, and the amount as an entry spells it."""


class Conversations:
    """The conversations of each case and reasoning, as its steps left them."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._left: dict[tuple[str, str], set[str]] = {}
        """Digests of the conversations, by case and reasoning: each has all turns before it."""
        self._calls: dict[tuple[str, str], set[_Call]] = {}
        self._unread: set[tuple[str, str]] = set()
        """Where a conversation is gone, or is none: what followed it can't be held to it."""

    def settled(self, entry: Entry, issued: Entry, definition: ProcessDefinition | None) -> None:
        """A step has ended; what it left of a conversation is looked at."""
        for reasoning in (definition.reasonings or ()) if definition else ():
            if _step(issued) == reasoning.think:
                for digest in _digests(entry, reasoning.conversation):
                    self._said(entry.case or "", reasoning, digest, issued)

    def asked(self, entry: Entry, definition: ProcessDefinition | None) -> None:
        """A grant was given: if it is a tool's, a model has called it so."""
        step, amount = _step(entry), entry.data.get("amount")
        reasonings = (definition.reasonings or ()) if definition else ()
        keys = [(entry.case or "", each.name) for each in reasonings if each.tool(step)]
        if not keys or any(each in self._unread for each in keys):
            return
        call = (step, entry.record, None if amount is None else str(amount))
        if not any(call in self._calls.get(each, ()) for each in keys):
            self._scene.trouble("tool-uncalled", f"no model has called {step} on {entry.record} so")

    def _said(self, case: str, reasoning: Reasoning, digest: str, issued: Entry) -> None:
        key = (case, reasoning.name)
        kept = self._scene.files.parts.get(digest)
        if kept is None or not kept.fits(digest):
            self._unread.add(key)  # told by who looks at parts
            return
        try:
            found = Conversation.model_validate(read_json(kept.content)["data"])
        except (ValidationError, ValueError, TypeError, KeyError):
            self._unread.add(key)
            self._scene.trouble("conversation", "what a model said is in no form")
            return
        self._scene.collector.count("models' turns")
        before = self._left.setdefault(key, set())
        wrong = _wrong(found, before, reasoning, issued) or self._untold(found, case, reasoning)
        if wrong is not None:
            self._scene.trouble("conversation", wrong)
        before.add(_digest(found))
        uses = (use.called for turn in found.turns[-1:] for use in turn.uses)
        self._calls.setdefault(key, set()).update(
            (each.tool, each.record, _money(each.amount)) for each in uses if each.refused is None
        )

    def _untold(self, found: Conversation, case: str, reasoning: Reasoning) -> str | None:
        """What the last turn was told that is not so, or was not told."""
        told = found.turns[-1].told
        asked = found.turns[-2].uses if len(found.turns) > 1 else ()
        if [each.result.key for each in told] != [each.called.key for each in asked]:
            return "the model was not told of each of its calls"
        results = {each.step: each.result for each in reasoning.tools}
        for use, each in zip(asked, told, strict=True):
            result = each.result
            if use.called.refused is not None and result.status is not use.called.refused:
                return f"{result.key} was refused, and told as {result.status}"
            if result.status is not CallStatus.DONE:
                continue
            part = self._scene.parts.get(result.digest or "")
            here = self._scene.part_cases.get(result.digest or "") == case
            if part is None or not here or part.name != results.get(use.called.tool or ""):
                return f"{result.key} was told as done, and nothing was settled for it"
        return None


def _wrong(
    found: Conversation, before: set[str], reasoning: Reasoning, issued: Entry
) -> str | None:
    """What of a conversation does not fit itself, those before it, or its step's grant."""
    if not found.turns or found.reasoning != reasoning.name:
        return f"it is no conversation of {reasoning.name}"
    last, earlier = found.turns[-1], found.model_copy(update={"turns": found.turns[:-1]})
    if found.instructions_digest != digest_bytes(found.instructions.encode()):
        return "the instructions are not those of their digest"
    if last.request_digest != asked_digest(earlier, last.told):
        return "what the model was asked is not that of its digest"
    if last.response_digest is not None and last.response_digest != answered_digest(last):
        return "what the model answered is not that of its digest"
    if last.response_digest is None and _answered(last):
        return "what the model answered has no digest"
    if last.model != issued.data.get("model"):
        return f"{last.model} was asked, and the grant was for {issued.data.get('model')}"
    if earlier.turns and _digest(earlier) not in before:
        return "the turns before are not those that were left before"
    return None


def _digest(conversation: Conversation) -> str:
    said: JsonValue = conversation.model_dump(mode="json")
    return digest_json(said)


def _answered(turn: Turn) -> bool:
    return bool(turn.said or turn.thought or turn.uses or turn.conclusion is not None)


def _step(issued: Entry) -> str:
    activity = issued.data.get("activity")
    return str(activity.get("activity_type")) if isinstance(activity, dict) else ""


def _digests(entry: Entry, name: str) -> list[str]:
    parts = entry.data.get("parts")
    told: list[Mapping[str, JsonValue]] = [
        each for each in (parts if isinstance(parts, list) else ()) if isinstance(each, dict)
    ]
    return [str(each.get("digest")) for each in told if each.get("name") == name]


def _money(amount: object) -> str | None:
    return None if amount is None else f"{amount:.2f}"
