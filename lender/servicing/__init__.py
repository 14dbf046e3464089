"""The loan servicing system: loans, budgets, draws, payments.

1. (I2) Every route asks for a grant for its action on its record; a budget changes by the
   moves of an approved reallocation alone.
2. (I5) A disbursement is what people fixed: amount, list of payments, version of the draw. The
   draw's version names its analysis, so that what is paid on is what people saw (I13).
3. (I11) Payments are idempotent by id, in one transaction; twice asked, once paid.
4. Never more than the commitment: the database itself refuses it.
5. Whoever changes a loan locks its row first: a payment, an import, a note and a hold never mix.
6. (I5) Just before it pays, in the transaction that pays, status, holds, title, insurance, balance,
   accounts and invoices are looked at again: what is worse than people knew stops the payment.
7. (I5, I11) A reallocation is done once, with the moves that people approved, on the same loan.
8. (I5, I11) A payment that was noted as come back is sent again once, under a new id: the very same
   amount to the very same payee, at the account that people saw. What was disbursed stays.
"""

from lender.servicing._app import make_app
from lender.servicing._reallocating import change_request, request_reallocation
from lender.servicing._staff import import_loan, note, payments_made, place_hold, read_loan
from lender.servicing._tables import PaymentRow

__all__ = [
    "PaymentRow",
    "change_request",
    "import_loan",
    "make_app",
    "note",
    "payments_made",
    "place_hold",
    "read_loan",
    "request_reallocation",
]
