"""The authority's store: tables, the ledger's rows, and the one writer (I4, I8, I11)."""

from placet.authority._store._access import Access, Reader, table_of
from placet.authority._store._attention import Delegation, EvidenceOpened, Remark
from placet.authority._store._base import REGISTRY
from placet.authority._store._campaign_tables import Campaign, CampaignItemRow, ToldPart
from placet.authority._store._case_tables import (
    Archive,
    Case,
    CaseCode,
    CaseKey,
    CaseRun,
    HistoryPrefix,
    OutboxRow,
    StandstillRow,
)
from placet.authority._store._checkpoint_tables import Checkpoint, DecisionRow, HoldRow, PartRow
from placet.authority._store._engines import Waits, read_url
from placet.authority._store._errors import (
    StoreDamaged,
    StoreError,
    StoreMismatch,
    StoreUnavailable,
)
from placet.authority._store._grant_tables import (
    ContextBlob,
    Grant,
    GrantInput,
    GrantRevocation,
    GrantUseRow,
)
from placet.authority._store._identity_tables import Identity, IdentityKey, SignedActRow, UsedJti
from placet.authority._store._key_tables import LogKeyRow, SigningKey, TenantKey
from placet.authority._store._ledger_tables import LedgerEntry, LedgerNode, SignedHead, TreeState
from placet.authority._store._list_tables import (
    NO_AMOUNT,
    ListedBarred,
    ListedCheckpoint,
    ListedRole,
    ListedWord,
)
from placet.authority._store._migrating import Migrated, migrate
from placet.authority._store._nodes import hash_reader, read_bundle, read_tile
from placet.authority._store._order_tables import OrderRow
from placet.authority._store._people_tables import (
    DeliveryRow,
    GovernanceRow,
    InvitationRow,
    ProposalRow,
    ReviewRow,
    SessionRow,
    SignedInRow,
    SubjectRow,
)
from placet.authority._store._published_tables import Matrix, PolicySet, ProcessVersion
from placet.authority._store._registry_tables import (
    Denial,
    JoinToken,
    LimitState,
    Ownership,
    Registered,
    StoppedModel,
)
from placet.authority._store._store import Store
from placet.authority._store._tx import Tx

REGISTRY.configure()  # now, not when the first row is made: one that is read is not made that way

__all__ = [
    "NO_AMOUNT",
    "Access",
    "Archive",
    "Campaign",
    "CampaignItemRow",
    "Case",
    "CaseCode",
    "CaseKey",
    "CaseRun",
    "Checkpoint",
    "ContextBlob",
    "DecisionRow",
    "Delegation",
    "DeliveryRow",
    "Denial",
    "EvidenceOpened",
    "GovernanceRow",
    "Grant",
    "GrantInput",
    "GrantRevocation",
    "GrantUseRow",
    "HistoryPrefix",
    "HoldRow",
    "Identity",
    "IdentityKey",
    "InvitationRow",
    "JoinToken",
    "LedgerEntry",
    "LedgerNode",
    "LimitState",
    "ListedBarred",
    "ListedCheckpoint",
    "ListedRole",
    "ListedWord",
    "LogKeyRow",
    "Matrix",
    "Migrated",
    "OrderRow",
    "OutboxRow",
    "Ownership",
    "PartRow",
    "PolicySet",
    "ProcessVersion",
    "ProposalRow",
    "Reader",
    "Registered",
    "Remark",
    "ReviewRow",
    "SessionRow",
    "SignedActRow",
    "SignedHead",
    "SignedInRow",
    "SigningKey",
    "StandstillRow",
    "StoppedModel",
    "Store",
    "StoreDamaged",
    "StoreError",
    "StoreMismatch",
    "StoreUnavailable",
    "SubjectRow",
    "TenantKey",
    "ToldPart",
    "TreeState",
    "Tx",
    "UsedJti",
    "Waits",
    "hash_reader",
    "migrate",
    "read_bundle",
    "read_tile",
    "read_url",
    "table_of",
]
