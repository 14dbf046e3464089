"""The public face of the package, and what a system of record need not install for it."""

import subprocess
import sys

from placet import resource
from placet.resource import shared, testing


def test_the_public_names() -> None:
    assert resource.__all__ == [
        "FEED_MAX_AGE",
        "GRANTS_KEPT",
        "AuthorityAway",
        "BadToken",
        "CannotJudge",
        "Guard",
        "NoToken",
        "Refused",
        "ReplayCache",
        "SystemLink",
        "UseOutbox",
        "VerifiedGrant",
        "WrongAction",
        "tell_uses",
    ]
    assert all(hasattr(resource, name) for name in resource.__all__)
    assert shared.__all__ == ["SharedReplayCache", "UsedProofs"]
    assert testing.__all__ == ["CASE", "RehearsedAuthority", "Shown", "Wrong"]


def test_a_system_of_record_loads_no_database_policy_or_temporal() -> None:
    code = (
        "import sys, placet.resource\n"
        "found = {'sqlalchemy', 'sqlmodel', 'cedarpy', 'temporalio', 'fastapi'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(found)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
