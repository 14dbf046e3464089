"""The signing key for grants is changed by a command, while the authority runs."""

import json
from datetime import UTC, datetime, timedelta

from tests.cli.conftest import Placet, Served


def test_a_new_key_is_published_before_it_signs(placet: Placet, served: Served) -> None:
    """I8: the change is on the ledger, and the log still verifies."""
    ended = placet("authority", "rotate-key", "--json", **served.own)
    assert (ended.code, ended.err) == (0, "")
    said = json.loads(ended.out)
    signs_from = datetime.fromisoformat(said["signs_from"])
    assert timedelta(minutes=5) < signs_from - datetime.now(UTC) <= timedelta(minutes=10)
    verified = placet("audit", "verify", **served.variables)
    assert verified.code == 3, verified  # it holds, under no key that was got elsewhere
    assert "everything that was checked holds" in verified.out
