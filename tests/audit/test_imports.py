"""An auditor's laptop has no server, no database driver and no console."""

import json
import subprocess
import sys

FOREIGN = (
    "aiohttp",
    "asyncpg",
    "fastapi",
    "httpx",
    "psycopg",
    "sqlalchemy",
    "sqlmodel",
    "starlette",
    "textual",
    "uvicorn",
)
OURS = ("activities", "lender", "placet.agent", "placet.authority", "tui", "worker", "workflows")


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run(  # noqa: S603  # this interpreter, on our own words
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    return set(json.loads(ran.stdout))


def test_the_audit_loads_no_server_and_no_database() -> None:
    """I9: verifying and replaying need neither a service nor its libraries."""
    loaded = loaded_by("import placet.audit")
    assert "placet.audit" in loaded
    found = {each.partition(".")[0] for each in loaded} & set(FOREIGN)
    assert found == set()
    assert [each for each in OURS if each in loaded] == []
