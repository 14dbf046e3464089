"""The systems' settings: what they say is what is used."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import inspect, text

from lender._service import Failure
from lender.serve import LenderSettings
from lender.servicing import import_loan, read_loan
from tests.authority.throwaway_postgresql import PostgresqlCluster
from tests.lender.lending import LOAN, loan_file
from tests.lender.roles import settings_on, urls


def test_without_a_url_each_system_has_a_file_of_its_own(tmp_path: Path) -> None:
    settings = LenderSettings(folder=tmp_path / "lender")
    with settings.database("loan-servicing") as servicing:
        import_loan(servicing, loan_file())
        assert read_loan(servicing, LOAN) == loan_file()
    assert (tmp_path / "lender" / "loan-servicing.db").exists()
    with settings.database("compliance") as compliance, pytest.raises(Failure):
        read_loan(compliance, LOAN)


def test_the_url_comes_from_the_environment(
    postgresql: PostgresqlCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One URL for all three: in PostgreSQL each system keeps to a schema of its own."""
    name = postgresql.create_database()
    for setting, url in urls(postgresql, name).items():
        monkeypatch.setenv(f"PLACET_LENDER_{setting.upper()}", url)
    settings = LenderSettings(folder=tmp_path / "lender")
    servicing, compliance = (settings.database(each) for each in ("loan-servicing", "compliance"))
    import_loan(servicing, loan_file())
    assert not (tmp_path / "lender").exists()
    with pytest.raises(Failure):
        read_loan(compliance, LOAN)
    with servicing.engine.connect() as connection:
        assert "loan_servicing" in inspect(connection).get_schema_names()
        count = connection.execute(text("SELECT count(*) FROM loan_servicing.loan")).scalar()
        assert count == 1
        assert connection.execute(text("SELECT count(*) FROM compliance.loan")).scalar() == 0
    # Made once: a second start finds its tables and what is in them.
    again = settings.database("loan-servicing")
    assert read_loan(again, LOAN) == loan_file()
    for each in (servicing, compliance, again):
        each.close()
    postgresql.drop_database(name)


@pytest.mark.parametrize("url", ["sqlite:///x.db", "mysql://u:secret@h/x", "", "postgresql:"])
def test_a_url_of_another_database_stops_the_start(url: str) -> None:
    """The setting is named, and what it holds, maybe a password, is not repeated."""
    with pytest.raises(ValidationError) as refused:
        LenderSettings(database_url=url)
    assert "database_url" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_url_is_not_shown() -> None:
    """A password in it stays out of what is printed (I7)."""
    url = "postgresql://u:secret@h/x"
    assert "secret" not in repr(LenderSettings(database_url=url, requests_url=url))


@pytest.mark.parametrize("alone", ["database_url", "requests_url"])
def test_one_role_alone_stops_the_start(alone: str) -> None:
    """I1: in PostgreSQL no request comes in as the tables' owner."""
    with pytest.raises(ValidationError, match="database_url and requests_url go together"):
        LenderSettings.model_validate({alone: "postgresql://u@h/x"})


def test_a_database_that_is_away_says_so(postgresql: PostgresqlCluster, tmp_path: Path) -> None:
    """I12: busy or away is an answer, not a crash; it works again when the database does."""
    name = postgresql.create_database()
    settings = settings_on(postgresql, name, tmp_path)
    database = settings.database("loan-servicing")
    import_loan(database, loan_file())
    with postgresql.outage(name):
        with pytest.raises(Failure) as away:
            read_loan(database, LOAN)
        assert (away.value.status, away.value.problem.error) == (503, "temporarily_unavailable")
        assert str(away.value) == "the database is busy or away"  # callers are told no more
        with pytest.raises(Failure, match="away: connection failed: ."):
            settings.database("loan-servicing")
    assert read_loan(database, LOAN) == loan_file()
    database.close()
    postgresql.drop_database(name)


def test_the_systems_say_that_their_database_is_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """I12: one line with what the database said, no trace, no password."""
    from typer.testing import CliRunner

    from lender.commands import loan

    for name, value in {
        "PLACET_LENDER_FOLDER": str(tmp_path),
        "PLACET_LENDER_DATABASE_URL": f"postgresql://u:secret@/x?host={tmp_path}",
        "PLACET_LENDER_REQUESTS_URL": f"postgresql://r:secret@/x?host={tmp_path}",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "loan.json").write_text(loan_file().model_dump_json())
    said = CliRunner().invoke(loan, ["import", str(tmp_path / "loan.json")])
    assert said.exit_code != 0
    assert "the database is busy or away: connection is bad: " in " ".join(said.output.split())
    assert "secret" not in said.output
    assert "Traceback" not in said.output
