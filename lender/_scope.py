"""What a grant reaches, held by PostgreSQL itself: row-level security under each request (I1).

1. Requests come in as a role that owns nothing. By itself it sees no row of any table.
2. A transaction sees one record's rows once a grant was activated in it. A security-definer
   function looks the grant up among those that the guard let in; nothing that the transaction may
   set or write counts, and an activation ends with it: a connection's next user sees nothing.
3. A grant that ends or is revoked in the middle of a transaction reaches nothing from then on.
4. An activation is a row of its own, so that a revocation never waits for a transaction.

Each table says in its ``info`` what is reached of it; of a table that says nothing, nothing is.
"""

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, MetaData, Table, text

from placet.model import GrantId

ANY = ("*",)
"""Whatever the granted action is."""


@dataclass(frozen=True)
class Reach:
    """What a grant reaches of a table.

    Attributes:
        rows: SQL that holds for the rows reached; ``granted('loan')`` is what follows ``loan`` in
            the granted record, ``granted(':action')`` the action, ``granted(':grant')`` the grant.
        reads: whether they may be read.
        locks: whether they may be locked, also by an action that may not change them.
        adds: the actions that may add rows.
        changes: the actions that may change rows.
        answers: a function that tells of other records what may be told, and no more: its name
            with its arguments' types, and its SQL.
    """

    rows: str
    reads: bool = True
    locks: bool = False
    adds: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    answers: tuple[str, str] | None = None

    @property
    def info(self) -> dict[str, "dict[str, Reach]"]:
        """The last of a table's ``__table_args__``."""
        return {"info": {"reach": self}}


@dataclass(frozen=True)
class Scope:
    """What one transaction is for: a grant's action on a record, until the grant ends."""

    grant: str
    action: str
    record: str
    ends: datetime

    def parts(self) -> dict[str, str]:
        """What :attr:`Reach.rows` may ask for."""
        path = self.record.split("/")
        named = dict(zip(path[::2], path[1::2], strict=False))
        return {**named, ":action": self.action, ":grant": self.grant}


def admit(connection: Connection, scope: Scope) -> str:
    """Let a verified grant in, and give the ticket that activates it."""
    ticket = secrets.token_urlsafe(32)
    _forget(connection, "live_grant", "ticket")
    _forget(connection, "activation", "transaction")
    connection.execute(
        text(
            'INSERT INTO live_grant (ticket, "grant", parts, ends) '
            "SELECT sha256(convert_to(:ticket, 'UTF8')), :grant, "
            "jsonb_object(CAST(:names AS text[]), CAST(:values AS text[])), :ends"
        ),
        {
            "ticket": ticket,
            "grant": scope.grant,
            "names": list(scope.parts()),
            "values": list(scope.parts().values()),
            "ends": scope.ends,
        },
    )
    return ticket


def activate(connection: Connection, ticket: str) -> None:
    """Activate a grant in the transaction under way.

    Raises:
        ProgrammingError: it has ended or was revoked (SQLSTATE 42501).
    """
    connection.execute(text("SELECT activate(:ticket)"), {"ticket": ticket})


def end(connection: Connection, grants: Sequence[GrantId], until: datetime) -> None:
    """End these grants: what was activated of them reaches nothing from now on."""
    _forget(connection, "ended_grant", '"grant"')
    connection.execute(
        text(
            'INSERT INTO ended_grant ("grant", ends) '
            "SELECT unnest(CAST(:grants AS text[])), :until ON CONFLICT DO NOTHING"
        ),
        {"grants": list(grants), "until": until},
    )


def _forget(connection: Connection, table: str, key: str) -> None:
    """Delete what is over; what another transaction is deleting is left to it."""
    # Nothing is owed to the disk here: what a crash loses is asked for again.
    connection.execute(text("SET LOCAL synchronous_commit = off"))
    over = "WHERE ends < clock_timestamp() FOR UPDATE SKIP LOCKED"
    connection.execute(
        text(f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} {over})")  # noqa: S608 - names of this module
    )


def bypasses(connection: Connection, owner: str) -> bool:
    """Whether the role of this connection passes row-level security, or is the owner's."""
    said = text(
        "SELECT rolsuper OR rolbypassrls OR pg_has_role(oid, :owner, 'MEMBER') "
        "FROM pg_roles WHERE rolname = current_user"
    )
    return bool(connection.execute(said, {"owner": owner}).scalar_one())


def lay(connection: Connection, metadata: MetaData, schema: str, role: str) -> None:
    """Lay the scope over a schema's tables, unless it lies there already, for the role."""
    quote = connection.dialect.identifier_preparer.quote
    schema = quote(schema)
    statements = tuple(_statements(metadata, schema, quote(role)))
    digest = hashlib.sha256("\n".join(statements).encode()).hexdigest()
    lies = text("SELECT obj_description(CAST(:schema AS regnamespace), 'pg_namespace')")
    if connection.execute(lies, {"schema": schema}).scalar() == digest:
        return
    for each in statements:
        connection.exec_driver_sql(each)
    connection.exec_driver_sql(f"COMMENT ON SCHEMA {schema} IS '{digest}'")


def lift(connection: Connection, schema: str) -> None:
    """Lift the scope off a schema's tables, so that they can be changed; until it is laid again.

    Without it the requests' role reaches no row, and their owner all of them.
    """
    quote = connection.dialect.identifier_preparer.quote
    policies = text("SELECT tablename, policyname FROM pg_policies WHERE schemaname = :schema")
    for table, policy in connection.execute(policies, {"schema": schema}).all():
        connection.exec_driver_sql(f"DROP POLICY {quote(policy)} ON {quote(table)}")
    forced = text(
        "SELECT relname FROM pg_class WHERE relnamespace = CAST(:schema AS regnamespace) "
        "AND relforcerowsecurity"
    )
    for (table,) in connection.execute(forced, {"schema": schema}).all():
        connection.exec_driver_sql(f"ALTER TABLE {quote(table)} NO FORCE ROW LEVEL SECURITY")
    connection.exec_driver_sql(f"COMMENT ON SCHEMA {quote(schema)} IS NULL")


_OWN = (
    """CREATE TABLE IF NOT EXISTS live_grant (
        ticket bytea PRIMARY KEY, "grant" text NOT NULL, parts jsonb NOT NULL,
        ends timestamptz NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS live_grant_ends ON live_grant (ends)",
    """CREATE TABLE IF NOT EXISTS ended_grant (
        "grant" text PRIMARY KEY, ends timestamptz NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS ended_grant_ends ON ended_grant (ends)",
    """CREATE TABLE IF NOT EXISTS activation (
        transaction xid8 PRIMARY KEY, "grant" text NOT NULL, parts jsonb NOT NULL,
        ends timestamptz NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS activation_ends ON activation (ends)",
    """CREATE OR REPLACE FUNCTION activate(ticket text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
    BEGIN
        INSERT INTO activation (transaction, "grant", parts, ends)
        SELECT pg_current_xact_id(), l."grant", l.parts, l.ends FROM live_grant l
        WHERE l.ticket = sha256(convert_to(activate.ticket, 'UTF8'))
        AND l.ends > clock_timestamp()
        AND NOT EXISTS (SELECT FROM ended_grant e WHERE e."grant" = l."grant");
        IF NOT FOUND THEN
            RAISE insufficient_privilege USING MESSAGE = 'no live grant';
        END IF;
    END $$""",
    """CREATE OR REPLACE FUNCTION granted(what text) RETURNS text
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
        SELECT a.parts ->> what FROM activation a
        WHERE a.transaction = pg_current_xact_id_if_assigned() AND a.ends > clock_timestamp()
        AND NOT EXISTS (SELECT FROM ended_grant e WHERE e."grant" = a."grant")
    $$""",
)
_FUNCTIONS = ("activate(text)", "granted(text)")


def _statements(metadata: MetaData, schema: str, role: str) -> Iterator[str]:
    yield f"SET LOCAL search_path = {schema}, pg_temp"
    for own in _OWN:
        yield own.format(schema=schema)
    yield f"GRANT USAGE ON SCHEMA {schema} TO {role}"
    for function in _FUNCTIONS:
        yield from _callable(function, role)
    for table in metadata.sorted_tables:
        yield from _on_table(table, schema, role)


def _callable(function: str, role: str) -> Iterator[str]:
    yield f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC"
    yield f"GRANT EXECUTE ON FUNCTION {function} TO {role}"


def _on_table(table: Table, schema: str, role: str) -> Iterator[str]:
    name = table.name
    yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"
    yield f"REVOKE ALL ON {name} FROM {role}"
    for policy in ("staff", "reading", "adding", "changing"):
        yield f"DROP POLICY IF EXISTS {policy} ON {name}"
    yield f"CREATE POLICY staff ON {name} TO CURRENT_USER USING (true) WITH CHECK (true)"
    reach: Reach | None = table.info.get("reach")
    if reach is None:
        return
    if reach.reads:
        yield f"GRANT SELECT ON {name} TO {role}"
        yield f"CREATE POLICY reading ON {name} FOR SELECT TO {role} USING ({reach.rows})"
    if reach.adds:
        yield f"GRANT INSERT ON {name} TO {role}"
        if table.autoincrement_column is not None:
            yield f"GRANT USAGE ON SEQUENCE {name}_{table.autoincrement_column.name}_seq TO {role}"
        allowed = f"({reach.rows}) AND {_one_of(reach.adds)}"
        yield f"CREATE POLICY adding ON {name} FOR INSERT TO {role} WITH CHECK ({allowed})"
    if reach.changes or reach.locks:
        yield f"GRANT UPDATE ON {name} TO {role}"
        allowed = f"({reach.rows}) AND {_one_of(reach.changes)}"
        yield (
            f"CREATE POLICY changing ON {name} FOR UPDATE TO {role} "
            f"USING ({reach.rows}) WITH CHECK ({allowed})"
        )
    if reach.answers is not None:
        function, body = reach.answers
        yield body.format(schema=schema)
        yield from _callable(function, role)


def _one_of(actions: tuple[str, ...]) -> str:
    """SQL: the granted action is one of these; an init-plan, which is looked up once."""
    if actions == ANY:
        return "(SELECT granted(':action')) IS NOT NULL"
    return "(SELECT granted(':action')) = ANY (ARRAY[{}]::text[])".format(
        ", ".join(f"'{each}'" for each in actions)
    )
