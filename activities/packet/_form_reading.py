"""Reading the labelled values of one PDF, and naming what could not be read."""

from collections.abc import Callable
from typing import TypeVar

from activities.packet._grids import keyed_place, unreadable
from activities.packet._pdf import Field, PdfDocument
from activities.packet._values import is_blank, show
from lender.model import DocumentKind, Read, Unreadable
from placet.model import Place

T = TypeVar("T")


class FormReading:
    """Reads one document's fields and names what could not be read."""

    def __init__(self, kind: DocumentKind, document: PdfDocument) -> None:
        self.kind = kind
        self.document = document
        self.unreadable: list[Unreadable] = []

    def value(self, pattern: str, what: str, parse: Callable[[object], T]) -> Read[T] | None:
        """The value under a label; ``None`` if it is not there, named if it can't be read.

        Two different values under one label are as good as none: nobody guesses which holds. A
        blank that is printed beside a filled field is no value.
        """
        printed = self.document.all(pattern)
        found = [each for each in printed if not is_blank(each.value)] or printed
        if not found:
            return None
        reads = [self.field(field, what, parse) for field in found]
        first = reads[0]
        if any(read is None or first is None or read.value != first.value for read in reads):
            if len(found) > 1:
                shown = show(found[0].value, 60)
                self.name(found[0].place, f"{what}: two values, {shown!r} and another")
            return None
        return first

    def required(self, pattern: str, what: str, parse: Callable[[object], T]) -> Read[T] | None:
        """The value under a label that must be there."""
        if not self.document.all(pattern):
            self.name(Place(document=self.document.name), f"{what} is not there")
            return None
        return self.value(pattern, what, parse)

    def field(self, field: Field, what: str, parse: Callable[[object], T]) -> Read[T] | None:
        """Read a field, or else what was keyed there."""
        try:
            return Read(value=parse(field.value), place=field.place)
        except (ValueError, ArithmeticError) as error:
            trouble = str(error)
        if field.keyed is not None:
            try:
                return Read(value=parse(field.keyed), place=keyed_place(field.place))
            except (ValueError, ArithmeticError) as error:
                trouble = f"keyed, {error}"
        self.name(field.place, f"{what}: {trouble}")
        return None

    def name(self, place: Place, what: str) -> None:
        """Name what could not be read."""
        self.unreadable.append(unreadable(self.kind, place, what))
