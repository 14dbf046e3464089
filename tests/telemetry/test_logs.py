"""The log: one event a line, with the ids of case and grant, and without any token."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from placet.telemetry import TelemetrySettings, about, telling
from placet.telemetry._logs import set_up_logs
from placet.telemetry._settings import LogForm, LogLevel
from placet.tokens import SigningKey, make_client_assertion
from tests.harness.secrets import tokens_in

_log = logging.getLogger("placet.authority.anything")


@pytest.fixture
def kept() -> Iterator[None]:
    """What logging was before comes back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("placet", "lender", "worker", "activities", "workflows"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def written(form: LogForm = LogForm.JSON, level: LogLevel = LogLevel.INFO) -> io.StringIO:
    out = io.StringIO()
    set_up_logs(TelemetrySettings(log_form=form, log_level=level), out)
    return out


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(each) for each in out.getvalue().splitlines()]


def a_token() -> str:
    from datetime import UTC, datetime

    key = SigningKey.generate()
    return make_client_assertion(
        key, "agent:scale", issuer="http://x", now=datetime.now(UTC), jti="abcdefghij0123456789"
    )


@pytest.mark.usefixtures("kept")
def test_a_line_names_its_case_and_grant() -> None:
    """By the block that it stands in, or by itself; ids of another block are not left over."""
    out = written()
    with about(case="case_1", activity="weigh"), about(grant="grant_1"):
        _log.warning("it %s", "waits")
    _log.info("apart", extra={"case": "case_2", "task_token": "no id of ours"})
    first, second = lines(out)
    assert first["event"] == "it waits"
    assert (first["case"], first["grant"], first["activity"]) == ("case_1", "grant_1", "weigh")
    assert (first["level"], first["logger"]) == ("warning", "placet.authority.anything")
    assert second["case"] == "case_2"
    assert not {"grant", "activity", "task_token"} & set(second)


@pytest.mark.usefixtures("kept")
def test_ours_are_heard_from_the_level_set_and_others_from_warning() -> None:
    out = written(level=LogLevel.DEBUG)
    _log.debug("ours")
    logging.getLogger("aiohttp.client").info("not ours")
    logging.getLogger("aiohttp.client").warning("not ours, but heard")
    assert [each["event"] for each in lines(out)] == ["ours", "not ours, but heard"]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("form", LogForm)
def test_no_token_is_written(form: LogForm) -> None:
    """I7: not in an event, an id, a list, nor a traceback, which shows no local variables."""
    out, token = written(form), a_token()
    with about(case=token):
        _log.warning("refused: %s", token, extra={"reasons": ["I1", token]})
        try:
            secret = f"nothing of this is shown: {token}"
            raise ValueError(f"of {len(secret)} letters: {token}")
        except ValueError:
            _log.exception("failed at %s", token.rpartition(".")[2])
    said = out.getvalue()
    assert "ValueError" in said
    assert said.count("[token]") >= 4
    assert "nothing of this is shown: eyJ" not in said
    assert token.rpartition(".")[2] not in said
    assert tokens_in({"log": said.encode()}) == []


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("form", LogForm)
def test_what_someone_sends_begins_no_line_of_its_own(form: LogForm) -> None:
    """I12: no line that looks like ours, and nothing that moves a terminal's cursor."""
    out = written(form)
    _log.warning("at %s", "x\n2026-01-01 granted\x1b[2J\u2028\x85", extra={"case": "a\nb"})
    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b[2J" not in out.getvalue()
    assert "2026-01-01 granted" in out.getvalue()


@pytest.mark.usefixtures("kept")
def test_what_a_process_tells_ends_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The stream may be closed after that, and whoever logs then would be told so at length."""
    before = logging.getLogger().handlers[:]
    with telling("placet-anything", TelemetrySettings()):
        _log.warning("it waits")
    assert logging.getLogger().handlers == before
    assert "it waits" in capsys.readouterr().err


@pytest.mark.usefixtures("kept")
def test_plain_lines_are_for_people() -> None:
    out = written(LogForm.PLAIN)
    _log.warning("it waits", extra={"case": "case_1"})
    assert "it waits" in out.getvalue()
    assert "case=case_1" in out.getvalue()
    assert "\x1b" not in out.getvalue()  # colours are for a terminal
