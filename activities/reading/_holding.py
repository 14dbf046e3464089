"""Holding a model's statements to their places. Pure; a model's word alone is worth nothing here.

1. A statement stands only if each of its quotes is at the place that it names, letter by letter but
   for white space.
2. A number in a statement stands in its quotes, or in what the packet's readers read; the model
   counts and adds nothing.
3. Confidence is a rule, not the model's opinion of itself.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from lender.model import (
    Concern,
    Confidence,
    DrawAnswer,
    ReaderCall,
    ReaderRun,
    Reading,
    ReadStatement,
    Statement,
    Unsupported,
)
from placet.model import Conversation, Ending
from placet.process import Reasoned

Words = Mapping[str, Mapping[str, str]]
"""The words of each document, by its spots."""

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_KEPT_CALLS = 200


@dataclass(frozen=True)
class Heard:
    """One reader: how its work ended, and its conversation, if it ever said anything."""

    reasoned: Reasoned
    said: Conversation | None

    @property
    def ending(self) -> Ending:
        """How it ended; without an answer on the record nobody has concluded."""
        ending = self.reasoned.ending
        return Ending.FAILED if ending is Ending.CONCLUDED and self.answer is None else ending

    @property
    def answer(self) -> DrawAnswer | None:
        """What it answered."""
        found = self.said.turns[-1].conclusion if self.said and self.said.turns else None
        return None if found is None else DrawAnswer.model_validate(found)


def hold(heard: Sequence[Heard], words: Words, numbers: frozenset[Decimal]) -> Reading:
    """What of the readers' statements stands, and how far it is to be relied on."""
    statements: list[ReadStatement] = []
    dropped: list[Unsupported] = []
    for each in heard:
        reader = each.reasoned.reasoning
        for said in each.answer.statements if each.answer else ():
            why = _lacks(said, words, numbers)
            if why is not None:
                dropped.append(Unsupported(reader=reader, says=said.says, why=why))
                continue
            statements.append(
                ReadStatement(
                    reader=reader,
                    topic=said.topic,
                    concern=said.concern,
                    says=said.says,
                    quotes=said.quotes,
                    first=said.quotes[0].place,
                )
            )
    apart = _disagreements(heard, statements)
    runs = tuple(_run(each) for each in heard)
    return Reading(
        runs=runs,
        confidence=_confidence(runs, len(statements), len(dropped), apart),
        statements=tuple(statements),
        unsupported=tuple(dropped),
        disagreements=apart,
        calls=tuple(call for each in heard for call in _calls(each))[:_KEPT_CALLS],
    )


def cited(heard: Sequence[Heard]) -> frozenset[str]:
    """The documents that the readers' statements name."""
    return frozenset(
        quote.place.document
        for each in heard
        if each.answer is not None
        for said in each.answer.statements
        for quote in said.quotes
    )


def numbers_in(text: str) -> frozenset[Decimal]:
    """The numbers that stand in a text, however their thousands are written."""
    found = set()
    for match in _NUMBER.findall(text):
        try:
            found.add(Decimal(match.replace(",", "")).normalize())
        except InvalidOperation:  # pragma: no cover - digits of no known script
            continue
    return frozenset(found)


def _lacks(said: Statement, words: Words, numbers: frozenset[Decimal]) -> str | None:
    """Why a statement does not stand."""
    for quote in said.quotes:
        document, spot = quote.place.document, quote.place.spot
        pages = words.get(document)
        if pages is None:
            return f"there is no document {document[:100]!r} that can be read"
        if spot not in pages:
            return f"{document[:100]!r} has no {spot[:60]!r}"
        if _plain(quote.words) not in _plain(pages[spot]):
            return f"{spot[:60]} of {document[:100]!r} does not say so"
    known = numbers | numbers_in(" ".join(each.words for each in said.quotes))
    for number in sorted(numbers_in(said.says) - known):
        return f"the number {number:f} stands neither in its quotes nor in the packet"
    return None


def _plain(text: str) -> str:
    return " ".join(text.split())


def _disagreements(heard: Sequence[Heard], statements: Sequence[ReadStatement]) -> tuple[str, ...]:
    """Where one reader is seriously concerned and another is not, or both are one model."""
    if len(heard) < 2:
        return ()
    names = [each.reasoned.reasoning for each in heard]
    serious = {
        name: {
            (each.topic.value, quote.place.document)
            for each in statements
            if each.reader == name and each.concern is Concern.SERIOUS
            for quote in each.quotes
        }
        for name in names
    }
    found = [
        f"{name} is seriously concerned about {topic} in {document[:100]}, and not all are"
        for name in names
        for topic, document in sorted(serious[name])
        if any((topic, document) not in serious[other] for other in names)
    ]
    models = [each.said.turns[-1].model for each in heard if each.said and each.said.turns]
    if len(models) != len(set(models)):
        found.append("two readers asked the same model, so they are no two")
    return tuple(found)


def _confidence(
    runs: Sequence[ReaderRun], stand: int, dropped: int, apart: tuple[str, ...]
) -> Confidence:
    if apart or dropped > stand or any(each.ending is not Ending.CONCLUDED for each in runs):
        return Confidence.LOW
    return Confidence.MEDIUM if dropped else Confidence.HIGH


def _run(each: Heard) -> ReaderRun:
    spent, turns = each.reasoned.spent, each.said.turns if each.said else ()
    last = turns[-1] if turns else None
    known = bool(turns) and all(turn.cost is not None for turn in turns)
    why = last.why if last and last.why else ", ".join(each.reasoned.reasons)
    return ReaderRun(
        reader=each.reasoned.reasoning,
        ending=each.ending,
        model=last.model if last else None,
        answered_by=last.answered_by if last else None,
        why=why[:500] or None,
        turns=len(turns),
        tokens=spent.tokens,
        cost=f"{spent.cost:.2f}" if known else "unknown",
    )


def _calls(each: Heard) -> list[ReaderCall]:
    found: list[ReaderCall] = []
    turns = each.said.turns if each.said else ()
    for number, turn in enumerate(turns):
        last = number + 1 == len(turns)
        came_of = (
            each.reasoned.results if last else [told.result for told in turns[number + 1].told]
        )
        results = {result.key: result for result in came_of}
        for use in turn.uses:
            result = results.get(use.called.key)
            came = [use.problem or ""]
            if result is not None:
                came = [result.status.value, *result.reasons, *came]
            elif use.called.refused is not None:
                came = [use.called.refused.value, *came]
            found.append(
                ReaderCall(
                    reader=each.reasoned.reasoning,
                    turn=number + 1,
                    tool=use.name or "unnamed",
                    record=use.called.record or "",
                    came_of_it=", ".join(part for part in came if part)[:500] or "taken",
                )
            )
    return found
