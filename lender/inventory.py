"""The demo's inventory of identities that others own, as a cloud account's owner hands it in."""

from datetime import UTC, datetime, timedelta

from placet.client import OperatorClient
from placet.model import (
    CredentialKind,
    IdentityReport,
    ImportedIdentity,
    RegisterIdentity,
    ReportLine,
)

SOURCE = "bank-cloud"
WRONG = {
    (IdentityReport.LONG_LIVED, "api-key:bank-cloud/statements"),
    (IdentityReport.UNOWNED, "bot:bank-cloud/night-export"),
}
"""What the reports find in it."""


def rows(now: datetime) -> tuple[ImportedIdentity, ...]:
    """An old key, a job that nobody owns, and a service account as it should be."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    def row(identity: str, purpose: str, days: int, owner: str | None = None) -> ImportedIdentity:
        return ImportedIdentity(
            identity=identity,
            said=RegisterIdentity(
                owner=owner,
                purpose=purpose,
                environment="production",
                credential=CredentialKind.API_KEY,
                credential_since=today - timedelta(days=days),
                vendor=SOURCE,
                review_by=today + timedelta(days=60),
                ends_at=today + timedelta(days=365),
            ),
            last_used=today - timedelta(days=1),
        )

    return (
        row("api-key:bank-cloud/statements", "fetches statements", 500, "operator:omar"),
        row("bot:bank-cloud/night-export", "exports by night", 20),
        row("service-account:bank-cloud/backup", "keeps backups", 20, "operator:sofia"),
    )


async def take_in(administrator: OperatorClient, now: datetime) -> list[ReportLine]:
    """Take it in, and what the two reports say of it."""
    await administrator.import_identities(SOURCE, rows(now))
    found = []
    for report in (IdentityReport.LONG_LIVED, IdentityReport.UNOWNED):
        found += await administrator.identity_report(report)
    return found
