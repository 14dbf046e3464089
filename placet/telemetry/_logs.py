"""Logs, as structlog writes them: one event a line, with the ids of the case and the grant.

1. (I7) What looks like a token is taken out of every value and every traceback, and a traceback
   shows no local variables.
2. (I12) A line is a line: what somebody sends can't begin another one.
3. Modules log through ``logging``, so that another program that uses the engine keeps its own ways;
   an id is said as ``extra={"case": …}``, or once for all that follows with :func:`about` or
   :func:`now_about`.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, merge_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

from placet.telemetry._settings import LogForm, TelemetrySettings
from placet.telemetry._traces import mark

OURS = ("placet", "lender", "worker", "activities", "workflows")
IDS = ("case", "grant", "checkpoint", "activity", "attempt", "agent", "system", "action", "reasons")
"""What a line of ours may say beside its event; anything else in ``extra`` is left out."""

_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){2,4}")
_LONG = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{80,}(?![A-Za-z0-9_-])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@contextmanager
def about(**ids: str | int) -> Iterator[None]:
    """Say these ids in every line until the block ends, in this task and those it starts.

    They are said of the span that is open here as well.
    """
    mark(ids)
    with bound_contextvars(**ids):
        yield


def now_about(**ids: str | int) -> None:
    """Say these ids in every line from here on, until this task ends."""
    mark(ids)
    bind_contextvars(**ids)


def set_up_logs(settings: TelemetrySettings, out: TextIO | None = None) -> None:
    """Write this process's log to ``out`` (standard error), in the form that is set."""
    stream = out or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_what_a_line_says(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_tokens,
                _one_line,
                *_rendering(settings.log_form, stream),
            ],
        )
    )
    root = logging.getLogger()
    for each in tuple(root.handlers):
        root.removeHandler(each)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(settings.log_level.value.upper())


def _what_a_line_says() -> list[Processor]:
    return [
        merge_contextvars,
        structlog.stdlib.ExtraAdder(allow=IDS),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


def _rendering(form: LogForm, stream: TextIO) -> list[Processor]:
    if form is LogForm.JSON:
        return [structlog.processors.JSONRenderer(ensure_ascii=False)]
    return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0)]


def _without_tokens(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: _hidden(value) for name, value in event.items()}


def without_tokens(text: str) -> str:
    """A text in which whatever looks like a token is replaced (I7)."""
    return _LONG.sub("[hidden]", _TOKEN.sub("[token]", text))


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return without_tokens(value)
    if isinstance(value, list | tuple):
        return [_hidden(each) for each in value]
    if isinstance(value, Mapping):
        return {name: _hidden(each) for name, each in value.items()}
    return value


def _one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Spell out what would end a line or move the cursor; a traceback keeps its own lines."""
    return {
        name: _CONTROL.sub(lambda found: ascii(found.group())[1:-1], value)
        if isinstance(value, str) and name != "exception"
        else value
        for name, value in event.items()
    }
