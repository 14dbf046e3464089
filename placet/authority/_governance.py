"""The lender's rules about people, as they are inside one transaction."""

from placet.authority._store import GovernanceRow, Reader
from placet.model import Governance


def governance(reader: Reader) -> Governance:
    """The rules in force."""
    row = reader.first(GovernanceRow, order_by=[GovernanceRow.version.desc()])  # type: ignore[attr-defined]  # a column on the class
    assert row is not None  # written with the log's first entry
    return Governance.model_validate_json(row.body_json)
