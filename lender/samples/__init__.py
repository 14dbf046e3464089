"""Sample loans and packets: described projects, made into files on disk, with defects at will."""

from lender.samples._catalog import PERIOD_ENDS, Sample, catalog, plan_for
from lender.samples._defects import LOAN_DEFECTS, PACKET_DEFECTS
from lender.samples._foreign import write_foreign
from lender.samples._hostile import ORDER, write_hostile
from lender.samples._loans import make_loan, sample_loans
from lender.samples._plan import DrawPlan, plan_draw
from lender.samples._write import flat_pdf, form_pdf, table_pdf, write_packet

__all__ = [
    "LOAN_DEFECTS",
    "ORDER",
    "PACKET_DEFECTS",
    "PERIOD_ENDS",
    "DrawPlan",
    "Sample",
    "catalog",
    "flat_pdf",
    "form_pdf",
    "make_loan",
    "plan_draw",
    "plan_for",
    "sample_loans",
    "table_pdf",
    "write_foreign",
    "write_hostile",
    "write_packet",
]
