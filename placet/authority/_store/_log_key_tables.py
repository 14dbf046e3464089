"""The table of the log's keys: which took whose place, and by which entries."""

from datetime import datetime

from sqlmodel import Field

from placet.authority._store._base import REGISTRY, BigInt, Row, number_field, time_field


class LogKeyRow(Row, table=True):
    """A key of heads that took another's place; the log's first one has no row.

    ``named`` is the ledger's entry that names it, ``retired`` the one that retires the key before.
    ``kid`` and ``before`` are the two in :class:`SigningKey`, ``key`` and ``replaces`` the same as
    C2SP spells them. Both sign until ``overlaps_until``, at least.
    """

    named: int = number_field(primary_key=True)
    kid: str
    before: str
    key: str
    replaces: str
    overlaps_until: datetime = time_field()
    retired: int | None = Field(default=None, nullable=True, sa_type=BigInt)


REGISTRY.configure()
