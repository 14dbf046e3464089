"""Whoever owns the log rewrites what a model said, with all digests that they can: it is found.

The log is made anew, with a head of the forger's that is trusted: the tree finds nothing here.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage

from placet.audit import Kept, LogFiles, verify
from placet.cli import fetch_log
from placet.model import (
    Conversation,
    answered_digest,
    asked_digest,
    canonical_json,
    digest_bytes,
    salted_digest,
)
from tests.audit.recording import resigned, trusting
from tests.harness.world import until
from tests.reasoning.room import Room, Said

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180)]

Change = Callable[[dict[str, Any]], object]


def _asks(turn: int, _: Sequence[ModelMessage]) -> Said:
    match turn:
        case 0:
            return [("read_slip", {}), ("read_slip", {"record": "depot/D2/parcel/1"})]
        case 1:
            return [("charge", {"amount": "5.00"})]
        case _:
            return [("conclude", {"says": "it is heavy"})]


def _digests_anew(said: dict[str, Any]) -> None:
    """Every digest inside a conversation as its words now want it."""
    said["instructions_digest"] = digest_bytes(said["instructions"].encode())
    turns, said["turns"] = said["turns"], []
    for turn in turns:
        found = Conversation.model_validate({**said, "turns": [*said["turns"], turn]})
        last, before = found.turns[-1], found.model_copy(update={"turns": found.turns[:-1]})
        turn["request_digest"] = asked_digest(before, last.told)
        turn["response_digest"] = answered_digest(last)
        said["turns"].append(turn)


def forged(files: LogFiles, case: str, change: Change, turns: Sequence[int]) -> LogFiles:
    """The log made anew, with the conversations of so many turns changed."""
    parts, entries = dict(files.parts), list(files.entries)
    for index, data in enumerate(entries):
        entry = json.loads(data)
        if entry["type"] != "grant.settled" or entry.get("case") != case:
            continue
        for part in entry["data"]["parts"]:
            kept = parts[part["digest"]]
            content = json.loads(kept.content)
            if part["name"] != "conversation" or len(content["data"]["turns"]) not in turns:
                continue
            change(content["data"])
            text = canonical_json(content)
            part["digest"] = salted_digest(kept.salt, text)
            parts[part["digest"]] = Kept(salt=kept.salt, content=text.decode())
        entries[index] = canonical_json(entry)
    return resigned(dataclasses.replace(files, parts=parts), entries)


def _says_otherwise(said: dict[str, Any]) -> None:
    said["turns"][0]["said"] = "I saw nothing"


def _says_otherwise_with_digests(said: dict[str, Any]) -> None:
    _says_otherwise(said)
    _digests_anew(said)


def _drops_a_call(said: dict[str, Any]) -> None:
    del said["turns"][0]["uses"][1]
    if len(said["turns"]) > 1:
        del said["turns"][1]["told"][1]
    _digests_anew(said)


def _drops_the_charge(said: dict[str, Any]) -> None:
    said["turns"][1]["uses"] = []
    if len(said["turns"]) > 2:
        said["turns"][2]["told"] = []
    _digests_anew(said)


def _charges_less(said: dict[str, Any]) -> None:
    said["turns"][1]["uses"][0]["called"]["amount"] = "1.00"
    said["turns"][1]["uses"][0]["arguments"] = '{"amount": "1.00"}'
    _digests_anew(said)


def _was_never_denied(said: dict[str, Any]) -> None:
    if len(said["turns"]) > 1:
        said["turns"][1]["told"][1]["result"] = {
            **said["turns"][1]["told"][0]["result"],
            "key": "c2",
            "digest": "sha-256:" + "A" * 43,
        }
    _digests_anew(said)


def _hides_a_denial(said: dict[str, Any]) -> None:
    if len(said["turns"]) > 1:
        del said["turns"][1]["told"][1]
    _digests_anew(said)


def _names_another_model(said: dict[str, Any]) -> None:
    for turn in said["turns"]:
        turn["model"] = "openai:gpt-5"
    _digests_anew(said)


def _was_told_otherwise(said: dict[str, Any]) -> None:
    said["instructions"] = "Do as you like."


FORGERIES: dict[str, tuple[Change, Sequence[int], set[str]]] = {
    "words-changed": (_says_otherwise, (1,), {"conversation"}),
    "words-changed-with-digests": (_says_otherwise_with_digests, (1,), {"conversation"}),
    "words-changed-later": (_says_otherwise_with_digests, (3,), {"conversation"}),
    "call-dropped": (_drops_a_call, (1,), {"conversation"}),
    "call-dropped-throughout": (_drops_the_charge, (2, 3), {"tool-uncalled"}),
    "amount-changed-throughout": (_charges_less, (2, 3), {"tool-uncalled"}),
    "denial-told-as-done": (_was_never_denied, (1, 2, 3), {"conversation"}),
    "denial-hidden": (_hides_a_denial, (1, 2, 3), {"conversation"}),
    "another-model": (_names_another_model, (1, 2, 3), {"conversation"}),
    "other-instructions": (_was_told_otherwise, (1, 2, 3), {"conversation"}),
}


async def _log(reading: Room, case: str) -> LogFiles:
    """The log, once its signed head covers the whole case."""

    async def look() -> LogFiles | None:
        files = await fetch_log(reading.world.people["una"])
        signed = files.entries[: int(files.head.split("\n")[1])]
        ends = (each for each in signed if b'"type":"case.closed"' in each)
        return files if any(case.encode() in each for each in ends) else None

    return await until(look)  # type: ignore[no-any-return]  # it gives what was looked for


async def test_what_a_model_said_and_did_cannot_be_rewritten(reading: Room) -> None:
    """I8, I13: turns, calls, what became of them, amounts and models are held to the log."""
    case, result = await reading.play(_asks)
    assert result == "concluded"
    files = trusting(await _log(reading, case))
    assert verify(files).troubles == ()
    assert verify(files).checked["models' turns"] >= 3
    for name, (change, turns, expected) in FORGERIES.items():
        report = verify(forged(files, case, change, turns))
        found = {each.name for each in report.troubles}
        assert expected <= found, (name, found)


async def test_a_kept_conversation_that_was_changed_is_named(reading: Room) -> None:
    """I13: the ledger's digest is of the words, and not of their own digests."""
    case, _ = await reading.play(lambda turn, _: [("conclude", {"says": "nothing"})])
    files = await _log(reading, case)
    said = next(
        digest for digest, kept in files.parts.items() if '"says":"nothing"' in kept.content
    )
    kept = files.parts[said]
    other = kept.content.replace('"says":"nothing"', '"says":"all is well"')
    changed = {**files.parts, said: Kept(salt=kept.salt, content=other)}
    report = verify(dataclasses.replace(files, parts=changed))
    assert {each.name for each in report.troubles} == {"part-digest"}
