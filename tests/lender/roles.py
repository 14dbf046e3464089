"""The lender's two roles in a throw-away PostgreSQL: the tables' owner, and who requests come as."""

from pathlib import Path

from psycopg import sql

from lender.serve import LenderSettings
from tests.authority.throwaway_postgresql import PostgresqlCluster

OWNER, REQUESTS = "lender_owner", "lender_requests"
_MAKE = """DO $$ BEGIN CREATE ROLE {} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"""


def urls(cluster: PostgresqlCluster, database: str) -> dict[str, str]:
    """Both URLs, as the settings name them; neither role is a superuser."""
    cluster.administer(
        *(sql.SQL(_MAKE).format(sql.Identifier(role)) for role in (OWNER, REQUESTS)),
        sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(
            sql.Identifier(database), sql.Identifier(OWNER)
        ),
    )
    asked = {"database_url": OWNER, "requests_url": REQUESTS}
    return {
        setting: cluster.url(database).replace("placet@", f"{role}@")
        for setting, role in asked.items()
    }


def settings_on(cluster: PostgresqlCluster, database: str, folder: Path) -> LenderSettings:
    """The lender's settings on this database."""
    return LenderSettings.model_validate({"folder": folder, **urls(cluster, database)})
