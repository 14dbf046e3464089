"""The lender's rules about people, as they are inside one transaction."""

from functools import lru_cache

from placet.authority._store import GovernanceRow, Reader
from placet.model import Governance


def governance(reader: Reader) -> Governance:
    """The rules in force."""
    row = reader.first(GovernanceRow, order_by=[GovernanceRow.version.desc()])  # type: ignore[attr-defined]  # a column on the class
    assert row is not None  # written with the log's first entry
    return _read(row.body_json)


@lru_cache(maxsize=4)
def _read(body: str) -> Governance:
    """Rules as they were published: each grant looks at them, and they change once a month."""
    return Governance.model_validate_json(body)
