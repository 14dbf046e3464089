"""What a model states is held to the documents' own words: pure, and tried with tricks."""

from typing import Any

import pytest

from activities.reading import Heard, hold, numbers_of
from lender.model import Confidence, Reading
from placet.model import (
    CallResult,
    CallStatus,
    Conversation,
    Ending,
    Spent,
    Told,
    Turn,
    digest_bytes,
)
from placet.process import Reasoned

PAGE = "INSPECTION REPORT\nThe slab was poured on 3 May; 40% of the framing,\nworth 12,500.00, is done."
WORDS = {
    "inspection.pdf": {"page 1": PAGE, "page 2": "Signed, J. Doe"},
    "letter.pdf": {"page 1": "Change order 7 adds 900,000.00 for a pool."},
    "floors.pdf": {"page 1": "Phase II: the third floor is begun. A third of the roof is done."},
    "waivers.csv": {"row 1, column 1": "No", "row 1, column 2": "paid\u200b in full"},
}
FLOORS = ("floors.pdf", "page 1")
THIRD_FLOOR = ("the third floor is begun", *FLOORS)
PACKET = {
    "retainage": "0.10",
    "amount": "5500.00",
    "digest": "sha-256:77abc88",
    "place": {"spot": "page 6"},
}
DIGEST = digest_bytes(b"x")


def _said(*statements: dict[str, Any], model: str = "m:1", read: bool = True) -> Conversation:
    done = CallResult(key="c1", status=CallStatus.DONE if read else CallStatus.DENIED)
    turns = (
        Turn(model=model, request_digest=DIGEST),
        Turn(
            told=(Told(result=done),),
            model=model,
            request_digest=DIGEST,
            conclusion={"statements": list(statements)},
        ),
    )
    return Conversation(
        reasoning="reader",
        instructions="",
        opening="",
        instructions_digest=DIGEST,
        tools_digest=DIGEST,
        turns=turns,
    )


def _heard(reader: str, said: Conversation, ending: Ending = Ending.CONCLUDED) -> Heard:
    return Heard(Reasoned(reasoning=reader, ending=ending, spent=Spent()), said)


def _state(says: str, words: str, document: str = "inspection.pdf", spot: str = "page 1") -> Any:
    place = {"document": document, "spot": spot}
    return {
        "topic": "inspection",
        "concern": "none",
        "says": says,
        "quotes": [{"place": place, "words": words}],
    }


def _held(*statements: Any) -> Reading:
    return hold([_heard("reader", _said(*statements))], WORDS, numbers_of(PACKET))


SUPPORTED = {
    "letter-by-letter": _state("The slab is there", "The slab was poured on 3 May"),
    "other-white-space": _state("Framing goes on", "40%  of\tthe framing, worth\n12,500.00"),
    "a-number-of-the-quote": _state("Framing is worth 12500", "framing, worth 12,500.00"),
    "a-number-of-the-packet": _state("5,500.00 is asked for", "INSPECTION REPORT"),
    "all-of-a-cell": _state("It says no", "No ".strip() + " ", "waivers.csv", "row 1, column 1"),
}
SUPPORTED |= {
    f"no-number-{number}": _state(says, "The slab was poured")
    for number, says in enumerate(
        (
            "The first page shows the slab",
            "One of the waivers is missing, as the second reader says",
            "A third party, no third-party inspector of the lender's, was at headquarters",
            "I saw a mix of scaffolds beside the canteen; the CV of J. Doe is vivid, and MIXED",
        )
    )
}
SUPPORTED["a-part-that-is-quoted"] = _state("One third of it is done", "A third of the", *FLOORS)
SUPPORTED["a-roman-number-that-is-quoted"] = _state(
    "Phase II began", "Phase II: the third", *FLOORS
)
_POOL = _state("", "Change order 7 adds 900,000.00", "letter.pdf")["quotes"]
BOTH = {
    **_state("A pool for 900,000.00 comes on top", "The slab was poured"),
    "quotes": [*_state("", "The slab was poured")["quotes"], *_POOL],
}
SUPPORTED["two-quotes-of-two-documents"] = BOTH
UNSUPPORTED = {
    "the-second-quote-is-not-there": {
        **BOTH,
        "quotes": [*BOTH["quotes"], *_state("", "The roof was finished")["quotes"]],
    },
    "white-space-alone": _state("All is well", "   "),
    "wide-white-space-alone": _state("All is well", "\u2003\u2003\u2003"),
    "homoglyph": _state("The slab is there", "The sl\u0430b was poured"),
    "zero-width": _state("Paid", "paid in full", "waivers.csv", "row 1, column 2"),
    "other-letters": _state("The slab is there", "the SLAB was poured"),
    "a-scrap": _state("The inspector is content", "The"),
    "a-scrap-of-a-word": _state("The inspector is content", "NSPECTION REPOR"),
    "another-document": _state("A pool is added", "Change order 7 adds"),
    "another-page": _state("The slab is there", "The slab was poured", spot="page 2"),
    "no-such-page": _state("The slab is there", "The slab was poured", spot="page 1 "),
    "no-such-document": _state("All is well", "The slab was poured", "../inspection.pdf"),
    "two-places-in-one": _state("All is well", "is done. Signed, J. Doe"),
    "another-number": _state("Framing is worth 12,600.00", "framing, worth 12,500.00"),
    "a-number-of-another-document": _state("900,000.00 is at risk", "The slab was poured on 3 May"),
    "a-number-of-a-digest": _state("77 walls stand", "The slab was poured on 3 May"),
    "a-number-of-a-place": _state("6 walls stand", "The slab was poured on 3 May"),
    "a-number-with-a-letter": _state("Framing is worth 12,500.00k", "framing, worth 12,500.00"),
    "a-number-with-an-exponent": _state("Framing is worth 9e5", "framing, worth 12,500.00"),
    "a-number-in-words": _state("Nine hundred thousand is at risk", "framing, worth 12,500.00"),
    "twice-as-much": _state("Framing is worth twice 12,500.00", "framing, worth 12,500.00"),
    "a-fraction": _state("\u00bd of the framing is done", "40% of the framing"),
    "other-digits": _state("\u0664\u0660 of the framing is done", "40% of the framing"),
    "one-of-three-parts": _state("Only one third of the slab is there", "The slab was poured"),
    "one-of-four-parts": _state("A quarter of the work is missing", "The slab was poured"),
    "parts-of-eight": _state("It is five eighths done", "The slab was poured"),
    "a-part-for-a-rank": _state("A third of the floor is done", *THIRD_FLOOR),
    "a-great-number": _state("It costs a trillion dollars", "The slab was poured"),
    "four-times-as-much": _state("Quadruple the budget", "The slab was poured"),
    "ten-times-as-much": _state("It costs tenfold", "The slab was poured"),
    "how-many-before": _state("At the ninth inspection", "The slab was poured"),
    "how-many-in-roman-numbers": _state("It has VII defects", "The slab was poured"),
    "how-many-in-small-roman-numbers": _state("It has vii defects", "The slab was poured"),
    "a-sum": _state("40 and 3 make 43", "poured on 3 May; 40% of the framing"),
}


@pytest.mark.parametrize("statement", SUPPORTED.values(), ids=SUPPORTED)
def test_what_stands_there_stands(statement: Any) -> None:
    """I13: white space and a number's spelling are all that may differ."""
    found = _held(statement)
    assert [each.why for each in found.unsupported] == []
    assert found.confidence is Confidence.HIGH


@pytest.mark.parametrize("statement", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_does_not_stand_there_is_dropped_and_recorded(statement: Any) -> None:
    """I13: with why, and the confidence is low when more is dropped than stands."""
    found = _held(statement)
    assert found.statements == ()
    assert [each.says for each in found.unsupported] == [statement["says"]]
    assert found.unsupported[0].why
    assert found.confidence is Confidence.LOW


GOOD = _state("The slab is there", "The slab was poured on 3 May")
BAD = UNSUPPORTED["another-number"]


def test_confidence_is_a_rule() -> None:
    """I3: high, medium or low by what stands and by how the readers ended; never the model's word."""
    numbers = numbers_of(PACKET)

    def of(*heard: Heard) -> Confidence:
        return hold(heard, WORDS, numbers).confidence

    one, other = _said(GOOD), _said(GOOD, model="m:2")
    assert of(_heard("a", one), _heard("b", other)) is Confidence.HIGH
    assert of(_heard("a", _said(GOOD, BAD)), _heard("b", other)) is Confidence.MEDIUM
    assert of(_heard("a", _said(BAD, BAD)), _heard("b", other)) is Confidence.LOW
    assert of(_heard("a", one), _heard("b", one)) is Confidence.LOW  # one model, asked twice
    assert of(_heard("a", one), _heard("b", other, Ending.REFUSED)) is Confidence.LOW
    assert of(_heard("a", _said()), _heard("b", _said(model="m:2"))) is Confidence.LOW
    unread = _said(GOOD, model="m:2", read=False)
    assert of(_heard("a", one), _heard("b", unread)) is Confidence.LOW
    serious = _said({**GOOD, "concern": "serious"}, model="m:2")
    assert of(_heard("a", one), _heard("b", serious)) is Confidence.LOW
