"""Whom the evidence names as having had a hand in it: whoever that is does not approve."""

import pytest

from placet.model import (
    ExclusionReason,
    NamedHand,
    NamedIn,
    Need,
    Part,
    Requirement,
    could_name,
    digest_bytes,
)
from placet.rules import CountedDecision, approvals, named_hands, outcome_status

INSPECTED = ExclusionReason.INSPECTED


@pytest.mark.parametrize(
    "person",
    ["ines", "ines-brandt", "brandt.ines", "i.brandt", "inesbrandt", "ibrandt", "brandti"],
)
@pytest.mark.parametrize(
    "text", ["Ines Brandt", "BRANDT, INÉS", "I\u0301nes Brandt, Bay Inspections (lic. 4471)"]
)
def test_an_id_made_of_the_name_is_that_persons(person: str, text: str) -> None:
    """I6: rather one person too many than the very one who had a hand in it."""
    assert could_name(text, f"operator:{person}")


@pytest.mark.parametrize("person", ["omar", "ines-kowalski", "b", "i", "brand", "inesb-x", "4471x"])
def test_another_id_is_not(person: str) -> None:
    assert not could_name("Ines Brandt, Bay Inspections (lic. 4471)", f"operator:{person}")


@pytest.mark.parametrize("text", ["", " ", "-", "\u202e", "検査員", "a" * 300, "x " * 150])
def test_no_text_is_too_strange(text: str) -> None:
    """I12: whatever a document says, it names someone or nobody."""
    assert not could_name(text, "operator:omar")
    assert not could_name("Omar", "operator:")


def _part(name: str, **data: object) -> Part:
    return Part.model_validate({"name": name, "record": "loan/L-1", "salt": "A" * 43, "data": data})


def test_names_are_found_where_the_process_says() -> None:
    """A text, a value with its place, each of a list; and nothing where nothing stands."""
    part = _part(
        "report",
        inspector={"value": "Ines Brandt", "place": {"document": "report.pdf"}},
        visits=[{"by": "Otto"}, {"by": None}, {}, "none", {"by": ["Eve", "Otto"]}],
        number=7,
    )
    named = [
        NamedIn(part="report", path="inspector", hand=INSPECTED),
        NamedIn(part="report", path="visits.by", hand=ExclusionReason.PREPARED),
        *(
            NamedIn(part="report", path=path, hand=INSPECTED)
            for path in ("number", "nothing.there", "inspector.place.document.more")
        ),
        NamedIn(part="another", path="inspector", hand=INSPECTED),
    ]
    found = [(each.name, each.why.value, each.of) for each in named_hands(named, [part])]
    assert found == [
        ("Ines Brandt", "inspected", "report: inspector"),
        ("Otto", "prepared", "report: visits.by"),
        ("Eve", "prepared", "report: visits.by"),
    ]


def test_whoever_is_named_does_not_count_and_hears_why() -> None:
    """I6: not as an approver, and not through someone who stands in for them."""
    asked = Requirement(
        checkpoint="release",
        matrix_digest=digest_bytes(b"matrix"),
        matrix_version=1,
        needs=(Need(roles=("officer",), count=1),),
        named=(NamedHand(name="Ines Brandt", why=INSPECTED, of="report: inspector"),),
    )
    own = _word("ines", None)
    through = _word("omar", "ines")
    assert approvals(asked, [own, through]) == ()
    assert outcome_status(asked, [own, through]) == "open"
    assert outcome_status(asked, [own, _word("omar", None)]) == "approved"
    assert list(asked.barring("operator:ines")) == [INSPECTED]
    assert asked.barred_among(["operator:ines", "operator:omar"]) == {"operator:ines"}


def _word(who: str, absent: str | None) -> CountedDecision:
    return CountedDecision.model_validate(
        {
            "jti": f"{who}{absent}".ljust(16, "0"),
            "operator": f"operator:{who}",
            "roles": ("officer",),
            "verdict": "approve",
            "stands_in_for": None if absent is None else f"operator:{absent}",
        }
    )
