"""The lender's rules about people, as they are inside one transaction."""

from functools import lru_cache

from sqlalchemy import select

from placet.authority._store import GovernanceRow, Reader, table_of
from placet.model import Governance

_RULES = table_of(GovernanceRow)
_IN_FORCE = select(_RULES.c.body_json).order_by(_RULES.c.version.desc()).limit(1)


def governance(reader: Reader) -> Governance:
    """The rules in force."""
    row = reader.one(_IN_FORCE)
    assert row is not None  # written with the log's first entry
    return _read(row.body_json)


@lru_cache(maxsize=4)
def _read(body: str) -> Governance:
    """Rules as they were published: each grant looks at them, and they change once a month."""
    return Governance.model_validate_json(body)
