"""The four forms of Civil Code 8132 to 8138 in the statute's words: what each waives and reserves."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.packet import read_files
from lender.model import Keyed, Packet, WaiverKind
from lender.samples import flat_pdf, form_pdf
from placet.model import AT_SPOT

TITLES = {
    WaiverKind.CONDITIONAL_PROGRESS: "CONDITIONAL WAIVER AND RELEASE ON PROGRESS PAYMENT",
    WaiverKind.UNCONDITIONAL_PROGRESS: "UNCONDITIONAL WAIVER AND RELEASE ON PROGRESS PAYMENT",
    WaiverKind.CONDITIONAL_FINAL: "CONDITIONAL WAIVER AND RELEASE ON FINAL PAYMENT",
    WaiverKind.UNCONDITIONAL_FINAL: "UNCONDITIONAL WAIVER AND RELEASE ON FINAL PAYMENT",
}
CURRENT, PREVIOUS, LAST, CLOSED = TITLES
WHO = ("Name of Claimant", "Name of Customer", "Job Location", "Owner")
CHECK = ("Maker of Check", "Amount of Check: $", "Check Payable to")
DATES, UNPAID = "Date(s) of waiver and release", "Amount(s) of unpaid progress payment(s): $"
DISPUTED = "Disputed claims for extras in the amount of: $"
PAID = "The claimant has received the following progress payment: $"
RELEASES = (
    "This document waives and releases lien, stop payment notice, and payment bond rights the "
    "claimant has for labor and service provided on this job. Rights based upon labor or service "
    "provided pursuant to a written change order are waived and released by this document, unless "
    "listed as an Exception below."
)
RIGHTS = (
    "Contract rights, including (A) a right based on rescission, abandonment, or breach of "
    "contract, and (B) the right to recover compensation for work not compensated by the payment."
)
EARLIER = (
    "(3) The following progress payments for which the claimant has previously given a conditional "
    "waiver and release but has not received payment:"
)
OPEN = (
    "This document does not affect any of the following:",
    "(1) Retentions.",
    "(2) Extras for which the claimant has not received payment.",
)
EXCEPTIONS = {
    CURRENT: (*OPEN, EARLIER, DATES, UNPAID, f"(4) {RIGHTS}"),
    PREVIOUS: (*OPEN, f"(3) {RIGHTS}"),
    LAST: ("This document does not affect any of the following:", DISPUTED),
    CLOSED: ("This document does not affect the following:", DISPUTED),
}
IN_ORDER = {
    "Name of Claimant": "Volt Electric Co",
    "Through Date": "10/31/2026",
    "Amount of Check: $": "16,411.19",
    PAID: "16,411.19",
    "Date of Signature": "11/04/2026",
}


@dataclass(frozen=True)
class Form:
    """One of the four, with what was filled into it."""

    kind: WaiverKind
    filled: Mapping[str, str] = field(default_factory=dict)
    run_in: bool = False
    width: int = 95
    fillable: bool = False

    def blanks(self) -> tuple[str, ...]:
        """The labels that have a blank to be filled in."""
        return (*WHO, "Through Date", *CHECK, PAID, DATES, UNPAID, DISPUTED, "Date of Signature")

    def paragraphs(self) -> list[str]:
        progress = self.kind in {CURRENT, PREVIOUS}
        conditional = self.kind in {CURRENT, LAST}
        paid = [PAID] if self.kind is PREVIOUS else ["The claimant has been paid in full."]
        said = [f"{RELEASES} {paid[0]}"] if self.run_in and not conditional else [RELEASES]
        said += [*CHECK] if conditional else [] if self.run_in else paid
        heading, exceptions = ["Exceptions"], list(EXCEPTIONS[self.kind])
        if self.run_in:
            heading, exceptions = [], ["Exceptions: " + " ".join(map(self.written, exceptions))]
        through = ["Through Date"] if progress else []
        return [
            *(
                "NOTICE: THIS DOCUMENT WAIVES THE CLAIMANT'S LIEN RIGHTS.",
                "Identifying Information",
            ),
            *(*WHO, *through, TITLES[self.kind].split(" ON ")[0].title(), *said),
            *(*heading, *exceptions, "Signature", "Claimant's Signature", "Date of Signature"),
        ]

    def written(self, text: str) -> str:
        """A paragraph with what stands in its blank."""
        label = next((each for each in self.blanks() if text.endswith(each)), None)
        if label is None:
            return text
        said = "" if self.fillable else {**IN_ORDER, **self.filled}.get(label, "________")
        return f"{text} {said}" if ":" in text else f"{text}: {said}"

    def pdf(self) -> bytes:
        lines = [
            line
            for each in self.paragraphs()
            for line in textwrap.wrap(self.written(each), self.width, break_on_hyphens=False)
        ]
        if not self.fillable:
            return flat_pdf(TITLES[self.kind], lines)
        values = {**IN_ORDER, **self.filled}
        fields = [(label.rstrip(": $"), values.get(label, "")) for label in self.blanks()]
        return form_pdf(TITLES[self.kind], fields, lines)

    def read(self) -> Packet:
        return read_files({"w.pdf": self.pdf()})


def reserved(form: Form) -> str | None:
    packet = form.read()
    assert packet.unreadable == ()
    (waiver,) = packet.waivers
    assert waiver.kind.value is form.kind
    return None if waiver.exceptions is None else waiver.exceptions.value


SHAPES = [(False, False), (True, False), (False, True)]
NOTHING = ["", "________", "$0.00", "0.00", "none", "None.", "-"]
RESERVING = {
    CURRENT: [{DATES: "08/31/2026", UNPAID: "40,000.00"}, {DATES: "08/31/2026"}, {UNPAID: "1.00"}],
    LAST: [{DISPUTED: "84,000.00"}, {DISPUTED: "to be determined"}, {DISPUTED: "0.01"}],
    CLOSED: [{DISPUTED: "84,000.00"}],
}


@pytest.mark.parametrize(("run_in", "fillable"), SHAPES)
@pytest.mark.parametrize(
    ("kind", "filled"), [(kind, filled) for kind, each in RESERVING.items() for filled in each]
)
def test_what_was_filled_in_is_reserved(
    kind: WaiverKind, filled: dict[str, str], run_in: bool, fillable: bool
) -> None:
    said = reserved(Form(kind, filled, run_in=run_in, fillable=fillable))
    assert said is not None
    assert all(each in said for each in filled.values())
    assert "Retentions" not in said


@pytest.mark.parametrize(("run_in", "fillable"), SHAPES)
@pytest.mark.parametrize("kind", TITLES)
@pytest.mark.parametrize("word", NOTHING)
def test_the_words_of_the_statute_and_blanks_reserve_nothing(
    kind: WaiverKind, word: str, run_in: bool, fillable: bool
) -> None:
    filled = dict.fromkeys((DATES, UNPAID, DISPUTED), word)
    assert reserved(Form(kind, filled, run_in=run_in, fillable=fillable)) is None


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(list(RESERVING)),
    cents=st.integers(0, 10**9),
    width=st.integers(40, 110),
    run_in=st.booleans(),
)
def test_wherever_the_lines_break_an_amount_is_reserved_or_nothing_is(
    kind: WaiverKind, cents: int, width: int, run_in: bool
) -> None:
    amount = f"{cents / 100:,.2f}"
    said = reserved(Form(kind, {UNPAID: amount, DISPUTED: amount}, run_in=run_in, width=width))
    assert said is None if cents == 0 else said is not None and amount in said


@pytest.mark.parametrize("kind", [LAST, CLOSED])
@pytest.mark.parametrize("more", ["Retentions.", "(2) Owner owes us for the delay, $ 9,000.00"])
def test_a_final_form_reserves_what_only_a_progress_form_leaves_open(
    kind: WaiverKind, more: str
) -> None:
    said = reserved(Form(kind, {DISPUTED: f"0.00 {more}"}))
    assert said is not None
    assert more in said


def test_what_stands_behind_the_statutes_exceptions_is_reserved() -> None:
    lines = ["Name of Claimant: Volt Electric Co", "Exceptions", *OPEN[:2], "(5) Delay, $ 9,000.00"]
    packet = read_files({"w.pdf": flat_pdf(TITLES[CURRENT], [*lines, "Date of Signature: x"])})
    assert [each.exceptions.value for each in packet.waivers if each.exceptions] == [
        "(5) Delay, $ 9,000.00"
    ]


@settings(max_examples=30, deadline=None)
@given(width=st.integers(24, 110), run_in=st.booleans(), fillable=st.booleans())
def test_the_amount_that_was_received_is_found_wherever_its_sentence_breaks(
    width: int, run_in: bool, fillable: bool
) -> None:
    packet = Form(PREVIOUS, run_in=run_in, width=width, fillable=fillable).read()
    (waiver,) = packet.waivers
    assert packet.unreadable == ()
    assert waiver.amount is not None
    assert str(waiver.amount.value) == "16411.19"


@pytest.mark.parametrize("kind", [CURRENT, LAST])
def test_a_printed_sign_beside_a_filled_field_is_no_second_amount(kind: WaiverKind) -> None:
    packet = Form(kind, fillable=True).read()
    assert packet.unreadable == ()
    assert [str(each.amount.value) for each in packet.waivers if each.amount] == ["16411.19"]


def test_an_amount_that_was_received_and_can_not_be_read_is_keyed() -> None:
    """I12: what stands there is named with its place, and never half of it taken."""
    form = Form(PREVIOUS, {PAID: "16,4l1.19"})
    (named,) = form.read().unreadable
    assert "16,4l1.19" in named.what
    key = Keyed(
        document="w.pdf",
        spot=named.place.spot,
        field=AT_SPOT,
        value="16,411.19",
        by="operator:dana",
        act="a" * 16,
    )
    packet = read_files({"w.pdf": form.pdf()}, [key])
    assert packet.unreadable == ()
    assert [str(each.amount.value) for each in packet.waivers if each.amount] == ["16411.19"]
