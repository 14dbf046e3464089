"""What people left in a draw's case: amounts taken off rows, values keyed from a page.

The authority adds who did it and by which signed act.
"""

from lender.model._draws import Text
from placet.model import Jti, KeyedValue, Model, Principal, RowCut


class Cut(RowCut):
    """What a person took off one row, in dollars that are not paid."""

    by: Principal
    act: Jti


class Cuts(Model):
    """The part ``adjustments`` of a case."""

    rows: tuple[Cut, ...] = ()


class Keyed(KeyedValue):
    """A value that a person read on the page of a document."""

    by: Principal
    act: Jti


class KeyedValues(Model):
    """The part ``keyed`` of a case."""

    values: tuple[Keyed, ...] = ()


class KeyedNote(Model):
    """A keyed value that was taken, as the packet keeps it beside the documents' own."""

    document: Text
    field: Text
    value: Text
    by: Principal
