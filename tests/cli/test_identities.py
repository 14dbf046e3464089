"""Identities that are not people's, from the command line."""

import json
import stat
from pathlib import Path

from tests.cli.conftest import Placet, Served

SAID = ("--purpose", "weighs", "--environment", "production", "--owner", "ada")
DAYS = ("--review-by", "2097-01-01", "--ends", "2098-01-01")
WHERE = ("--environment", "production", "--queue", "scale")


def test_an_agent_is_registered_and_a_worker_joins_as_it(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    """I6, I12: the key is made on the worker's machine; each wrong use says what to do."""
    own = served.variables
    assert placet("identity", "register", "agent:scale", *SAID, *DAYS, **own).code == 0
    wrong = placet("identity", "register", "robot:scale", *SAID, *DAYS, **own)
    assert (wrong.code, "non-human identity" in wrong.err) == (1, True), wrong
    invited = placet("agent", "invite", "scale", *WHERE, "--json", **own)
    token = json.loads(invited.out)["token"]
    worker = {"PLACET_ISSUER": own["PLACET_ISSUER"]}
    file = tmp_path / "scale.key"
    joining = ("agent", "join", "scale", *WHERE, "--key-file", str(file))
    nothing = placet(*joining, **worker)
    assert (nothing.code, "join token" in nothing.err) == (2, True), nothing
    guessed = placet(*joining, **worker, PLACET_JOIN_TOKEN="A" * 43)
    assert (guessed.code, "not good" in guessed.err) == (1, True), guessed
    for _ in range(2):  # run again, it goes on
        joined = placet(*joining, "--json", **worker, PLACET_JOIN_TOKEN=token)
        assert joined.code == 0, joined
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    shown = json.loads(placet("identity", "show", "agent:scale", "--json", **own).out)
    assert [each["thumbprint"] for each in shown["keys"]] == [json.loads(joined.out)["thumbprint"]]
    listed = placet("identity", "list", "--kind", "ai-agent", **own)
    assert "agent:scale" in listed.out
    away = placet(*joining, PLACET_ISSUER="http://127.0.0.1:9", PLACET_JOIN_TOKEN=token)
    assert (away.code, "run this again" in away.err) == (3, True), away


def test_a_campaign_is_prepared_and_not_by_the_owner(placet: Placet, served: Served) -> None:
    """I6, I12: one reviews nothing of one's own; each refusal says what would have been needed."""
    own = served.variables
    ending = ("--review-by", "2026-01-01", "--ends", "2098-01-01")
    registered = placet("identity", "register", "bot:nightly", *SAID, *ending, **own)
    assert registered.code == 0, registered
    due = placet("identity", "review", "due", "--days", "30", "--json", **own)
    assert "bot:nightly" in [each["identity"] for each in json.loads(due.out)]
    mine = placet("identity", "review", "start", "spring", **own)
    assert (mine.code, "no identity of another's" in mine.err) == (2, True), mine
    named = ("identity", "review", "start", "spring", "--identity", "bot:nightly")
    refused = placet(*named, **own)
    assert (refused.code, "another administrator must" in refused.err) == (1, True), refused
    for words in (("show", "autumn"), ("acknowledge", "autumn")):
        unknown = placet("identity", "review", *words, **own)
        assert (unknown.code, "autumn" in unknown.err) == (1, True), unknown
