"""What the lender's model, the readers and the checks offer: changed on purpose only."""

import activities.checks
import activities.packet
import lender.model
from activities.checks import CHECKS
from tests.domain import building
from tests.domain.test_checks_clean import analysed

IDS = """
packet.readable sov.arithmetic sov.totals sov.continuity sov.overbilled retainage.rate
budget.reallocation change_orders.approved progress.inspected inspection.current stored.documented
application.certified waivers.current waivers.previous title.date_down insurance.current loan.open
balance.in_balance invoice.duplicate payee.screened payee.bank_changed people.lowered people.keyed
""".split()


def test_the_checks_are_those_that_people_know() -> None:
    """A check's id is in policies, findings and exceptions: it never changes silently."""
    analysis = analysed(building.packet(), building.loan())
    assert [result.check for result in analysis.results] == IDS
    assert len(CHECKS) == len(IDS)


def test_public_names_are_sorted_and_there() -> None:
    for module in (lender.model, activities.checks, activities.packet):
        names = module.__all__
        assert all(hasattr(module, name) for name in names)
        constants = [name for name in names if name.isupper()]
        classes = [name for name in names if name[0].isupper() and not name.isupper()]
        functions = [name for name in names if name[0].islower()]
        assert names == [*sorted(constants), *sorted(classes), *sorted(functions)]
