"""Inventories of others' identities: every row is taken in or named, and no secret is."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.cli._inventories import COLUMNS, BadInventory, Inventory, read_inventory
from placet.model import CredentialKind
from tests.cli.conftest import Placet, Served
from tests.harness.inventories import inventory

PEOPLE = frozenset({"operator:ada"})
TOLD = {
    "purpose": "imported",
    "environment": "production",
    "review_by": "2097-01-01",
    "ends_at": "2098-01-01",
}
AWS_COLUMNS = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,"
    "password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,"
    "access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,"
    "access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
    "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,"
    "cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
)
ARN = "arn:aws:iam::123456789012"
AWS = f"""{AWS_COLUMNS}
<root_account>,{ARN}:root,2019-03-20T09:11:00+00:00,not_supported,no_information,not_supported,\
not_supported,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A
ci,{ARN}:user/build/ci,2020-05-01T10:00:00+00:00,false,N/A,N/A,N/A,false,true,\
2021-02-03T04:05:06+00:00,2026-11-01T00:00:00+00:00,us-east-1,s3,false,N/A,N/A,N/A,N/A,true,\
2022-01-01T00:00:00+00:00,false,N/A
maria,{ARN}:user/maria,2020-05-01T10:00:00+00:00,true,2026-11-02T00:00:00+00:00,\
2026-01-01T00:00:00+00:00,N/A,true,false,N/A,N/A,N/A,N/A,true,2024-01-01T00:00:00+00:00,N/A,N/A,\
N/A,false,N/A,false,N/A
"""


def _read(text: str, **told: str) -> Inventory:
    return read_inventory(text, {**TOLD, **told}, PEOPLE)


def test_csv_and_json_say_the_same() -> None:
    """Each documented column comes in; what a row leaves out is told with the import."""
    row = {
        "kind": "api-key",
        "name": "payments/stripe",
        "owner": "ada",
        "purpose": "pays",
        "process": "loan-draw",
        "environment": "test",
        "credential": "api-key",
        "credential_since": "2024-05-01",
        "last_used": "2026-11-01T10:00:00Z",
        "vendor": "stripe",
        "runs_on": "host-1;host-2",
        "review_by": "2097-02-01",
        "ends_at": "2097-03-01",
    }
    table = "\r\n".join([",".join(row), ",".join(row.values())])
    (each,) = _read(table).rows.values()
    listed = {**row, "runs_on": ["host-1", "host-2"]}
    assert _read(json.dumps([listed])).rows == {each.identity: each}
    assert each.identity == "api-key:payments/stripe"
    assert (each.said.owner, each.said.environment) == ("operator:ada", "test")
    assert each.said.runs_on == ("host-1", "host-2")
    assert set(row) | {"deputy"} == set(COLUMNS)
    (bare,) = _read("kind,name,owner\nbot,nightly,nobody\n").rows.values()
    assert (bare.said.owner, bare.said.purpose) == (None, "imported")


def test_aws_s_credential_report_is_read_as_it_comes() -> None:
    """Users without a password, active keys and certificates; a person is no identity of these."""
    found = _read(AWS)
    assert found.bad == []
    assert set(found.rows) == {
        f"service-account:{ARN}:root",
        f"service-account:{ARN}:user/build/ci",
        f"api-key:{ARN}:user/build/ci/access-key-1",
        f"certificate:{ARN}:user/build/ci/cert-1",
        f"api-key:{ARN}:user/maria/access-key-2",
    }
    key = found.rows[f"api-key:{ARN}:user/build/ci/access-key-1"]
    assert key.said.credential is CredentialKind.API_KEY
    assert str(key.said.credential_since) == "2021-02-03 04:05:06+00:00"
    assert str(key.last_used) == "2026-11-01 00:00:00+00:00"
    assert found.rows[f"api-key:{ARN}:user/maria/access-key-2"].last_used is None


def test_a_user_without_a_password_has_none() -> None:
    """It is as old as the oldest key that it proves itself with; the root account has a password."""
    user = f"service-account:{ARN}:user/build/ci"
    said = _read(AWS).rows[user].said
    oldest = (CredentialKind.API_KEY, "2021-02-03 04:05:06+00:00")
    assert (said.credential, str(said.credential_since)) == oldest
    off = AWS.replace("N/A,false,true,", "N/A,false,false,").replace(
        "N/A,N/A,true,", "N/A,N/A,false,"
    )
    bare = _read(off).rows[user].said
    assert (bare.credential, bare.credential_since) == (CredentialKind.API_KEY, None)
    root = _read(AWS).rows[f"service-account:{ARN}:root"].said
    assert (root.credential, root.credential_since is None) == (CredentialKind.PASSWORD, False)


def test_each_bad_row_is_named_and_takes_no_other_with_it() -> None:
    """I12: by its number as a spreadsheet shows it, with the column and the reason."""
    table = """kind,name,environment,ends_at,review_by
bot,good-1,production,,
robot,x,production,,
bot,,production,,
bot,good-1,production,,
agent,scale,production,,
bot,late,production,2020-01-01,2021-01-01
bot,when,production,soon,
bot,where,Not A Name,,
bot,good-2,production,,
"""
    found = _read(table)
    assert list(found.rows) == ["bot:good-1", "bot:good-2"]
    assert [number for number, _ in found.bad] == [3, 4, 5, 6, 7, 8, 9]
    said = dict(found.bad)
    assert said[5] == "bot:good-1 stands in row 2, too"
    assert "enrolled, and never imported" in said[6]
    assert "review_by" in said[7]
    assert said[8].startswith("ends_at")
    assert said[9].startswith("environment")


def test_what_each_row_must_say_is_named_with_the_option_that_says_it_of_all() -> None:
    """I12: nobody can know which options an inventory of theirs asks for."""
    text = "kind,name\nbot,\nbot,a\n"
    needed = {"environment": "environment", "review_by": "review-by", "ends_at": "ends"}
    told: dict[str, str] = {}
    for column, option in needed.items():
        found = read_inventory(text, told, PEOPLE)
        hint = f"--{option} says it for rows that leave it out"
        assert found.bad == [(2, "name: it is missing"), (3, f"{column}: it is missing; {hint}")]
        told |= {column: TOLD.get(column, "production")}


BROKEN = {
    "a-cell-too-many": "kind,name\nbot,a\nbot,b,more\nbot,c\n",
    "a-stray-quote": 'kind,name\nbot,a\nbot,"b"x\nbot,c\n',
    "a-quote-that-is-never-closed": 'kind,name\nbot,a\nbot,"b\nbot,c\n',
    "a-quote-that-the-next-row-closes": 'kind,name\nbot,a\nbot,"b\n"bot",c\n',
    "a-row-that-is-no-object": '[{"kind":"bot","name":"a"},7,{"kind":"bot","name":"c"}]',
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_row_takes_no_other_with_it(name: str) -> None:
    """I12: it is named, and the good ones around it are in."""
    found = _read(BROKEN[name])
    assert list(found.rows) == ["bot:a", "bot:c"]
    ((number, _),) = found.bad
    assert number == (2 if name == "a-row-that-is-no-object" else 3)


def test_a_cell_of_several_lines_is_one_cell_in_one_row() -> None:
    """And rows are counted as a spreadsheet shows them."""
    found = _read('kind,name,purpose\nbot,a,"one\ntwo"\nrobot,b,x\n')
    assert [each.said.purpose for each in found.rows.values()] == ["one\ntwo"]
    assert [number for number, _ in found.bad] == [3]


def test_stray_quotes_everywhere_cost_no_more_than_their_rows() -> None:
    """I12: each row opens one that the next would go on with, to the end of the file."""
    found = _read("kind,name\n" + 'x","\n' * 20_000)
    assert (len(found.rows), len(found.bad)) == (0, 20_000)


SECRETS = {
    "aws": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "pem": "-----BEGIN EC PRIVATE KEY-----",
    "jwt": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
    "github": "ghp_" + "a1B2" * 9,
    "gitlab": "glpat-abcdefghij0123456789",
    "url": "postgresql://app:hunter2@db.example/app",
    "url-without-a-user": "redis://:S3cr3tPass@cache:6379/0",
    "url-with-a-colon": "amqp://app:hunter:2@queue.example",
    "hexadecimal-digits": "0123456789abcdef0123456789abcdef",
    "more-hexadecimal-digits": "key " + "0123456789ABCDEF" * 4,
    "after-its-name": "password=Tr0ub4dor",
    "after-its-name-in-words": "ask ops; the password: Tr0ub4dor",
    "a-short-one-after-its-name": "PWD=letmein",
}
NO_SECRETS = {
    "arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:Payments-a1b2c3",
    "uuid": "6f1c2b9e-8a52-4f0d-9d5a-3b8f0c1d2e4f",
    "digest": "sha-256:" + "0123456789abcdef" * 4,
    "fingerprint": "SHA256:" + "0123456789abcdef" * 4,
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "instance": "i-0abc1234def567890",
    "image": "registry.example/app@sha256:" + "0123456789abcdef" * 4,
    "address": "https://wiki.example:8443/pages/123@4",
    "account": "account 123456789012, invoice 00000000000000000000000000000042",
    "stands-for-one": "starts with password=${DB_PASSWORD}",
    "words": "the password: rotated by ops each quarter; token and secret are in the vault",
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_file_with_a_secret_is_refused_whole(name: str) -> None:
    """I7: with row and column, and without the secret; wherever it stands."""
    secret = SECRETS[name]
    rows = ["kind,name,purpose", "bot,a,fine", f"bot,b,{secret}"]
    with pytest.raises(BadInventory, match=r"row 3, 'purpose'") as refused:
        _read("\n".join(rows))
    assert secret not in str(refused.value)
    with pytest.raises(BadInventory, match=r"row 1, 'more'"):
        _read(json.dumps([{"kind": "bot", "name": "a", "more": {"deep": [secret]}}]))


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_refused_wherever_it_stands(name: str) -> None:
    """I7: in a CSV's header, a member's name, and in rows that are none; it is not repeated."""
    secret = SECRETS[name]
    member = {"kind": "bot", "name": "a"}
    for text in (
        f"kind,name,{secret}\nbot,a,x\n",
        f"bot,nightly,{secret}\n",
        f"kind,name\nbot,a,{secret}\n",
        f'kind,name,purpose\nbot,"b"x,{secret}\n',
        json.dumps([member | {secret: "1"}]),
        json.dumps([member | {"more": {secret: "1"}}]),
        json.dumps([member, [secret]]),
        json.dumps([member, f"it is {secret}"]),
    ):
        with pytest.raises(BadInventory, match="secret") as refused:
            _read(text)
        assert secret not in str(refused.value)


@pytest.mark.parametrize("name", NO_SECRETS)
def test_what_only_looks_like_a_secret_is_taken_in(name: str) -> None:
    """A false alarm refuses the whole file."""
    row = {"kind": "bot", "name": "a", "purpose": NO_SECRETS[name]}
    (found,) = _read(json.dumps([row])).rows.values()
    assert found.said.purpose == NO_SECRETS[name]


def test_an_id_may_be_of_hexadecimal_digits() -> None:
    """Where a name is asked for, it is one."""
    row = {"kind": "api-key", "name": "a/0123456789abcdef0123456789abcdef"}
    bare = {"kind": "bot", "name": "0123456789abcdef0123456789abcdef", "runs_on": "f00d" * 8}
    assert len(_read(json.dumps([row, bare])).rows) == 2


def test_a_column_for_secrets_is_refused_whatever_it_says() -> None:
    """I7: a password that looks like none is one all the same; an empty column is none."""
    for column in ("password", "client_secret", "Private Key", "SecretAccessKey"):
        with pytest.raises(BadInventory, match="row 2"):
            _read(f"kind,name,{column}\nbot,a,letmein\n")
    assert _read("kind,name,password\nbot,a,\n").bad == [(2, "password: there is no such column")]


@pytest.mark.parametrize(
    "text",
    [
        *("", "kind,kind\n", 'kind,"na\n', '{"kind": "bot"}', "[" * 100_000),
        *("null", "%PDF-1.7\n", "name\na\n", "\0\0"),
    ],
)
def test_what_is_no_inventory_is_refused(text: str) -> None:
    """I12: with where and why."""
    with pytest.raises(BadInventory):
        _read(text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["bot", "api-key", "x", ""]), st.text(max_size=8))))
def test_no_row_is_lost(rows: list[tuple[str, str]]) -> None:
    """I12: each row of a file is in, or named."""
    text = json.dumps([{"kind": kind, "name": name} for kind, name in rows])
    found = _read(text)
    assert len(found.rows) + len(found.bad) == len(rows)
    assert [number for number, _ in found.bad] == sorted({number for number, _ in found.bad})


def test_of_a_hundred_thousand_rows_each_bad_one_is_named() -> None:
    """I12: each by its row, none lost, and all good ones are there."""
    read = read_inventory(inventory(100_000), {}, PEOPLE)
    assert [number for number, _ in read.bad] == list(range(9, 100_000, 1000))
    assert len(read.rows) == 100_000 - 100
    assert {why.partition(":")[0] for _, why in read.bad} == {"kind"}


def test_an_import_keeps_in_step_and_twice_changes_nothing(
    placet: Placet, served: Served, tmp_path: Path
) -> None:
    """I11, I12: good rows are in beside bad ones; an owner given here stays; what is gone is said."""
    own = served.variables
    file = tmp_path / "iam.csv"
    file.write_text("kind,name\nbot,one\nbot,two\nrobot,x\n")
    days = ("--review-by", "2097-01-01", "--ends", "2098-01-01")
    command = ("identity", "import", str(file), "--source", "iam", "--json")
    asked = (*command, "--environment", "production", *days)
    first = placet(*asked, **own)
    assert (first.code, "were left out" in first.err) == (1, True), first
    said = json.loads(first.out)
    assert (said["new"], said["changed"], said["unowned"]) == (2, 0, 2)
    kinds = "service-account, api-key, ai-agent, certificate, bot"
    assert said["bad"] == [f"row 4: kind: it is none of {kinds}"]
    register = ("--purpose", "imported from iam", "--environment", "production", "--owner", "ada")
    assert placet("identity", "register", "bot:one", *register, *days, **own).code == 0
    file.write_text("kind,name\nbot,one\nbot,two\n")
    again = placet(*asked, **own)
    assert again.code == 0, again
    assert json.loads(again.out)["new"] == 0
    third = json.loads(placet(*asked, **own).out)
    assert (third["new"], third["changed"], third["bad"]) == (0, 0, [])
    shown = json.loads(placet("identity", "show", "bot:one", "--json", **own).out)
    assert shown["owner"] == "operator:ada"
    file.write_text("kind,name,last_used\nbot,two,2026-11-01\n")
    moved = json.loads(placet(*asked, **own).out)
    assert (moved["new"], moved["changed"], moved["gone"]) == (0, 1, ["bot:one"])
    file.write_text(f"kind,name,purpose\nbot,two,{SECRETS['aws']}\n")
    refused = placet(*asked, **own)
    assert (refused.code, "row 2, 'purpose'" in refused.err) == (1, True), refused
    assert SECRETS["aws"] not in refused.err + refused.out
    wrong = placet(*command, **own)
    assert wrong.code == 1, wrong
