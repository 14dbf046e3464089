"""Holding a model's statements to their places. Pure; a model's word alone is worth nothing here.

1. A statement stands only if each of its quotes is at the place that it names, letter by letter but
   for white space, and is more than a scrap: whole words, and enough of them to say something.
2. A number in a statement, in digits or in words, stands in its quotes, or in digits in what the
   packet's readers read; the model counts and adds nothing.
3. Confidence is a rule, not the model's opinion of itself. Who has opened nothing has read nothing.

That a statement follows from its quotes is not checked: no rule can. People see both together.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pydantic import JsonValue

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
from placet.model import CallStatus, Conversation, Ending
from placet.process import Reasoned

Words = Mapping[str, Mapping[str, str]]
"""The words of each document, by its spots."""

_NUMBER = re.compile(r"[0-9][0-9,]*(?:\.[0-9]+)?")
_WORD = re.compile(r"[^\s()$%;:\"']+")
_UNITS = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_TENS = "twen|thir|for|fif|six|seven|eigh|nine"
_SCALES = "hundred|thousand|(?:m|b|tr|quadr|quint)illion"
_NUMBER_WORDS = re.compile(
    rf"\b(?:zero|{_UNITS}|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:{_TENS})ty"
    rf"|(?:{_SCALES}|lakh|crore|dozen)s?|half|halves|halv(?:ed?|ing)|quarters|quartered"
    r"|quarter of|(?:one|an?)[ -]quarter(?: of)?"
    # A share is not the rank that is spelled like it: "third floor" backs no "third of the floor".
    r"|(?:third(?![ -]part(?:y|ies)\b)|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh"
    rf"|twelfth|(?:thir|four|fif|six|seven|eigh|nine)teenth|(?:{_TENS})tieth|(?:{_SCALES})th)s?"
    r"(?: of\b)?"
    rf"|(?:{_UNITS}|hundred|thousand|many)fold"
    r"|twice|thrice|(?:doubl|tripl|trebl|quadrupl|quintupl|sextupl)(?:e[ds]?|ing))\b"
)
"""Says how many, or which of how many; *one*, *first* and *second* are ordinary words besides."""
_ROMAN = re.compile(
    r"(?=[MDCL]*[IVX])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})(?<=..)"
    r"|(?i:x{0,3}(?:ix|iv|v?i{0,3}))(?<=..)"
)
_NO_ROMAN = {"CI", "CV", "DI", "DIV", "LI", "LIV", "LIX", "MI", "MIX", "XL"}
"""Words and abbreviations that are spelled like one."""
_SCRAP = 8
"""Letters and digits that a quote has at least, unless it is all that stands at its place."""

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
                    quoted=said.quotes[0].words,
                )
            )
    apart = _disagreements(heard, statements)
    runs = tuple(_run(each) for each in heard)
    return Reading(
        runs=runs,
        confidence=_confidence(heard, runs, len(statements), len(dropped), apart),
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
    """The numbers that stand in a text by themselves, however their thousands are written."""
    words = (_bare(each) for each in _WORD.findall(text))
    return frozenset(_number(each) for each in words if _NUMBER.fullmatch(each))


def numbers_of(read: JsonValue) -> frozenset[Decimal]:
    """The numbers in what was read of a packet; digests and places have none."""
    match read:
        case str():
            return frozenset() if read.startswith("sha-256:") else numbers_in(read)
        case dict():
            parts = [each for name, each in read.items() if name not in {"place", "places"}]
            return frozenset(number for each in parts for number in numbers_of(each))
        case list():
            return frozenset(number for each in read for number in numbers_of(each))
        case _:
            return frozenset() if read is None else numbers_in(str(read))


def _lacks(said: Statement, words: Words, numbers: frozenset[Decimal]) -> str | None:
    """Why a statement does not stand."""
    for quote in said.quotes:
        document, spot = quote.place.document, quote.place.spot
        pages = words.get(document)
        if pages is None:
            return f"there is no document {document[:100]!r} that can be read"
        if spot not in pages:
            return f"{document[:100]!r} has no {spot[:60]!r}"
        cited, page = _plain(quote.words), _plain(pages[spot])
        if not _stands(cited, page):
            return f"{spot[:60]} of {document[:100]!r} does not say so"
        if cited != page and sum(each.isalnum() for each in cited) < _SCRAP:
            return f"{cited!r} is too little to rest on"
    quoted = _plain(" ".join(each.words for each in said.quotes))
    known = numbers | numbers_in(quoted)
    for word in _unquoted(said.says, quoted):
        if not _NUMBER.fullmatch(word) or _number(word) not in known:
            return f"the number {word[:100]} stands neither in its quotes nor in the packet"
    return None


def _plain(text: str) -> str:
    return " ".join(text.split())


def _stands(words: str, page: str) -> bool:
    """Whether words stand in a page, from the beginning of a word to the end of one."""
    begins = r"\b" if words[:1].isalnum() else ""
    ends = r"\b" if words[-1:].isalnum() else ""
    return bool(words) and re.search(f"{begins}{re.escape(words)}{ends}", page) is not None


def _unquoted(says: str, quoted: str) -> list[str]:
    """The words of a statement that say a number, and do not stand in its quotes as they are."""
    words = [_bare(each) for each in _WORD.findall(says)]
    numbers = [each for each in words if any(c.isnumeric() for c in each) or _is_roman(each)]
    numbers += _in_words(says)
    there = {_bare(each).casefold() for each in _WORD.findall(quoted)} | set(_in_words(quoted))
    return [each for each in numbers if each.casefold() not in there]


def _in_words(text: str) -> list[str]:
    """The numbers in words of a text; one third and a third are the same."""
    found = _NUMBER_WORDS.findall(_plain(text.casefold()))
    return [re.sub(r"^(?:one|an?)[ -]", "", each) for each in found]


def _is_roman(word: str) -> bool:
    return word.upper() not in _NO_ROMAN and _ROMAN.fullmatch(word) is not None


def _bare(word: str) -> str:
    """A word without what ends a sentence."""
    return word.strip(".,!?-–—")


def _number(digits: str) -> Decimal:
    return Decimal(digits.replace(",", "")).normalize()


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
    heard: Sequence[Heard],
    runs: Sequence[ReaderRun],
    stand: int,
    dropped: int,
    apart: tuple[str, ...],
) -> Confidence:
    if apart or not stand or dropped > stand or not all(_has_read(each) for each in heard):
        return Confidence.LOW
    if any(each.ending is not Ending.CONCLUDED for each in runs):
        return Confidence.LOW
    return Confidence.MEDIUM if dropped else Confidence.HIGH


def _has_read(each: Heard) -> bool:
    """Whether a reader was given anything by a tool; what it is told first are files' names."""
    told = (told for turn in (each.said.turns if each.said else ()) for told in turn.told)
    return any(each.result.status is CallStatus.DONE for each in told)


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
