"""Identities that are not people's, from the command line."""

import asyncio
import json
import stat
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from placet.authority import AuthoritySettings, Store
from placet.authority._store import OrderRow
from placet.cli import unheard
from placet.model import AuthorityMatrix, CheckpointRule, Need, Tier, ToolProof
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
    assert placet("identity", "review", "list", **own).out == "none\n"
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


def test_a_campaign_warns_of_owners_who_could_not_answer() -> None:
    """I10: silence suspends, and theirs is no choice. An identity that nobody owns is no news."""
    need = Need(roles=("identity-owner", "steward"), count=1)
    rule = CheckpointRule(checkpoint="recertification", tiers=(Tier(needs=(need,)),))
    matrix = AuthorityMatrix(
        process="identity-review",
        version=1,
        mode="assist",
        automatic_limit=Decimal(0),
        rules=(rule,),
    )
    owners = ("operator:ada", "operator:bob", None, "operator:ada", "operator:cy", "operator:gone")
    roles = {
        "operator:ada": {"administrator"},
        "operator:bob": {"steward"},
        "operator:cy": {"identity-owner", "auditor"},
    }
    assert unheard(owners, roles, matrix) == {
        f"operator:{name}": f"{name} can't answer without the role identity-owner or steward, "
        "and silence suspends what they own"
        for name in ("ada", "gone")
    }
    assert unheard(owners, roles, None) == {}


def test_a_vendor_goes_off_after_a_look_and_an_owner_is_followed(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    """I10: as an administrator does it, each step said before it is done, and what is left."""
    own = served.variables
    made = placet("operator", "key", str(tmp_path / "bob.key"), **own)
    (tmp_path / "bob.jwk").write_text(made.out)
    named = ("--public-key", str(tmp_path / "bob.jwk"), "--role", "identity-owner")
    assert placet("operator", "enrol", "bob", *named, **own).code == 0
    of_bob = ("--purpose", "x", "--environment", "production", "--owner", "bob", *DAYS)
    for each in ("bot:acme-1", "bot:acme-2"):
        of_acme = ("--vendor", "acme-cli", "--deputy", "ada")
        assert placet("identity", "register", each, *of_bob, *of_acme, **own).code == 0
    unjoined = ("agent:unjoined", *of_bob, "--vendor", "acme-cli")  # no worker has a key of it
    assert placet("identity", "register", *unjoined, **own).code == 0
    assert placet("identity", "register", "bot:lonely", *of_bob, **own).code == 0

    unread = placet("vendor", "off", "acme-cli", "--reason", "broken into", **own)
    assert (unread.code, "--yes" in unread.err) == (2, True), unread
    assert "bot:acme-1" in unread.out
    left = placet("identity", "left", "bot:acme-1", "--json", **own)
    assert (left.code, json.loads(left.out)["works"]) == (1, True), left

    gone = placet("operator", "offboard", "bob", "--reason", "left", **own)
    assert gone.code == 0, gone
    owners = {
        each: json.loads(placet("identity", "show", each, "--json", **own).out)
        for each in ("bot:acme-1", "bot:lonely")
    }
    assert owners["bot:acme-1"]["owner"] == "operator:ada"
    assert owners["bot:lonely"]["owner"] == "operator:bob"  # in its grace, of which ada is told

    inventory = tmp_path / "many.csv"
    inventory.write_text(
        "kind,name,vendor\n" + "".join(f"bot,crowd/{n:03},acme-cli\n" for n in range(400))
    )
    told = ("--source", "crowd", "--environment", "production", "--owner", "ada", *DAYS)
    assert placet("identity", "import", str(inventory), *told, **own).code == 0
    seen = json.loads(placet("vendor", "show", "acme-cli", "--json", **own).out)
    assert (len(seen["identities"]), seen["further"]) == (400, 3)  # one act names 400
    off = ("vendor", "off", "acme-cli", "--reason", "broken into", "--yes")
    assert placet(*off, **own).code == 0
    again = placet(*off, **own)
    assert (again.code, "no identity of acme-cli works" in again.err) == (1, True), again
    left = placet("identity", "left", "bot:acme-1", "--json", **own)
    assert (left.code, json.loads(left.out)["complete"]) == (0, True), left


def test_an_order_says_what_it_lacks_and_goes_on_when_it_is_there(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    """I11, I12: of what no tool is known, and of what is Placet's own; ordered once."""
    own = served.variables
    file = tmp_path / "inventory.csv"
    file.write_text("kind,name,credential_since\napi-key,cli/one,2024-05-01\n")
    told = ("--source", "cli", "--environment", "production", "--owner", "ada")
    assert placet("identity", "import", str(file), *told, *DAYS, **own).code == 0
    for name, why in (("agent:none", "no such identity"), ("bot:none", "no such identity")):
        refused = placet("identity", "rotate", name, "--reason", "old", **own)
        assert (refused.code, why in refused.err) == (1, True), refused
    for _ in range(2):
        lacking = placet("identity", "rotate", "api-key:cli/one", "--reason", "old", **own)
        assert (lacking.code, "identity-rotation" in lacking.err) == (1, True), lacking
    listed = json.loads(placet("identity", "orders", "api-key:cli/one", "--json", **own).out)
    assert [(each["goal"], each["tries"]) for each in listed] == [("rotate", 0)]
    other = placet("identity", "offboard", "api-key:cli/one", "--reason", "old", **own)
    assert (other.code, "goes on, to rotate it" in other.err) == (1, True), other
    report = placet("identity", "report", "long-lived", **own)
    assert "placet identity rotate api-key:cli/one" in report.out
    asyncio.run(_prove(served, listed[0]["order"]))
    proven = placet("identity", "orders", "api-key:cli/one", **own)
    assert "AKIAEXAMPLE2" in proven.out


async def _prove(served: Served, order: str) -> None:
    """Its owner's tool has done it."""
    proof = ToolProof(credential="AKIAEXAMPLE2", at=datetime.now(UTC), earlier="disabled")
    settings = AuthoritySettings(
        issuer=served.own["PLACET_AUTHORITY_ISSUER"],
        database_url=served.own["PLACET_AUTHORITY_DATABASE_URL"],
        key_passphrase=served.own["PLACET_AUTHORITY_KEY_PASSPHRASE"],
    )
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        kept = {"proof_json": proof.model_dump_json()}
        await store.write(lambda tx: tx.change(OrderRow, order, **kept))


@pytest.mark.parametrize("width", ["80", "300"])
def test_a_list_has_the_keys_that_can_be_revoked(
    placet: Placet, served: Served, width: str
) -> None:
    """I10: whoever lost one needs its thumbprint, whole."""
    listed = json.loads(placet("operator", "list", "--json", **served.variables).out)
    said = placet("operator", "list", COLUMNS=width, **served.variables).out
    keys = [key for each in listed for key in each["keys"]]
    assert keys
    assert all(key in said for key in keys)
