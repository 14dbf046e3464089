"""The table of orders: what owners' tools are to do, and what they proved."""

from datetime import datetime

from sqlmodel import Field

from placet.authority._store._base import Row, number_field, time_field


class OrderRow(Row, table=True):
    """An order to rotate or offboard an identity that others own.

    ``running`` is the try of a step that called the tool last, from ``begun`` on, an entry of the
    ledger; ``proof_json`` what the tool proved.
    """

    id: str = Field(primary_key=True)
    identity: str = Field(index=True)
    goal: str
    source: str
    ordered_by: str
    ordered_at: datetime = time_field()
    entry: int = number_field()
    confirm: bool
    case_id: str | None = None
    tries: int = 0
    running: str | None = None
    begun: int = number_field(default=0)
    proof_json: str | None = None
