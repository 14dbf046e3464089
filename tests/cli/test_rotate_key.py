"""The authority's keys and their passphrase are changed by commands, while it runs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.cli.conftest import Placet, Served, serving


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


def test_another_passphrase_while_it_runs(placet: Placet, tmp_path: Path) -> None:
    """I7, I8: the log verifies after it; no passphrase is said, neither here nor in the log file."""
    with serving(tmp_path) as served:
        old, new = served.own["PLACET_AUTHORITY_KEY_PASSPHRASE"], "what it is from now on"
        now = {**served.own, "PLACET_AUTHORITY_KEY_PASSPHRASE": new}
        both = {**now, "PLACET_AUTHORITY_KEY_PASSPHRASE_BEFORE": old}
        wrong = {**both, "PLACET_AUTHORITY_KEY_PASSPHRASE_BEFORE": "a wrong passphrase"}
        said = [placet("authority", "rotate-payload-keys", **served.own)]
        said.append(placet("authority", "rotate-passphrase", **wrong))
        assert said[-1].code == 3
        assert "PLACET_AUTHORITY_KEY_PASSPHRASE_BEFORE" in said[-1].err
        said.append(placet("authority", "rotate-passphrase", "--json", **both))
        assert json.loads(said[-1].out) == {"keys": 4}
        said.append(placet("authority", "rotate-payload-keys", **now))
        assert said[-1].code == 0
        said.append(placet("authority", "rotate-key", **served.own))
        assert said[-1].code == 3, "the old one opens nothing any more"
        verified = placet("audit", "verify", **served.variables)
        assert verified.code == 3, verified  # it holds, under no key that was got elsewhere
        assert "everything that was checked holds" in verified.out
    told = "".join(each.out + each.err for each in said) + (tmp_path / "log").read_text()
    assert not [each for each in (old, new, "a wrong passphrase") if each in told]
