"""The authority's keys and their passphrase are changed by commands, while it runs."""

import json
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.cli.conftest import Placet, Served, serving, started


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


def test_after_a_break_in_new_keys_are_made_while_no_replica_runs(
    placet: Placet, tmp_path: Path
) -> None:
    """I10: docs/how-to/respond-to-an-incident.md, as written; the log holds under the older trust."""
    file = tmp_path / "next.json"
    with serving(tmp_path) as served:
        trust = tmp_path / "trust.json"
        trust.write_text(placet("authority", "trust", **served.own).out)
    settings = {**served.own, "PLACET_AUTHORITY_KEY_PASSPHRASE": "of a clean host"}
    old = served.own["PLACET_AUTHORITY_KEY_PASSPHRASE"]
    both = {**settings, "PLACET_AUTHORITY_KEY_PASSPHRASE_BEFORE": old}
    said = [
        placet("authority", "rotate-passphrase", **both),
        placet("authority", "rotate-key", "--at-once", "--json", **both),
        placet("authority", "rotate-payload-keys", **both),
        placet("authority", "make-log-key", str(file), **both),
    ]
    assert [(each.code, each.err) for each in said] == [(0, "")] * 4
    with started(Served(tmp_path, served.variables, settings)):
        signed = placet(
            "ledger", "rotate-key", str(file), "--overlap-hours", "0", **served.variables
        )
        assert (signed.code, signed.err) == (0, "")
        issuer = served.variables["PLACET_ISSUER"]
        with urllib.request.urlopen(f"{issuer}/.well-known/jwks.json") as answer:
            jwks = json.load(answer)
        assert [each["kid"] for each in jwks["keys"]] == [json.loads(said[1].out)["kid"]]
        verified = placet("audit", "verify", "--trust", str(trust), **served.variables)
        assert verified.code == 0, verified


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


def test_another_key_for_the_log_while_it_runs(placet: Placet, tmp_path: Path) -> None:
    """I8: made by the authority, signed by an administrator; who knows the old one is led to it."""
    with serving(tmp_path) as served:
        file, trust = tmp_path / "next.json", tmp_path / "trust.json"
        made = placet("authority", "make-log-key", str(file), **served.own)
        assert (made.code, made.err) == (0, "")
        body = json.loads(file.read_text())
        assert made.out.strip() == body["key"]
        assert placet("authority", "make-log-key", str(file), **served.own).code == 2
        file.with_name("none.json").write_text('{"key": "none"}')
        wrong = placet("ledger", "rotate-key", str(tmp_path / "none.json"), **served.variables)
        assert (wrong.code, "key" in wrong.err) == (2, True)
        signed = placet(
            "ledger", "rotate-key", str(file), "--overlap-hours", "0", "--json", **served.variables
        )
        assert (signed.code, json.loads(signed.out)["act"]) == (0, "log.rekey")
        trust.write_text(json.dumps({"log_key": body["replaces"]}))
        give_up = time.monotonic() + 30
        while b"key.retired" not in _entries(served):
            assert time.monotonic() < give_up
            time.sleep(0.05)
        for key in ("replaces", "key"):
            trust.write_text(json.dumps({"log_key": body[key]}))
            verified = placet("audit", "verify", "--trust", str(trust), **served.variables)
            assert verified.code == 0, verified
        again = placet("ledger", "rotate-key", str(file), **served.variables)
        assert (again.code, "another" in again.err) == (1, True)


def _entries(served: Served) -> bytes:
    address = f"{served.variables['PLACET_ISSUER']}/v1/ledger/entries?limit=1024"
    with urllib.request.urlopen(address) as answer:
        said: bytes = answer.read()
    return said
