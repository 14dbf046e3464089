"""What the process that others are forked from has loaded: no thread, no socket, no settings."""

import importlib
import os
import threading

import placet.cli
import worker.__main__
from placet.cli._app import whole
from placet.model import build_models
from tests.authority.store import appender

PROGRAMS = {
    "placet.cli": placet.cli.main,
    "tests.authority.store.appender": appender.main,
    "worker": worker.__main__.main,
}

for each in ("placet.gateway._proofs", "uvicorn.lifespan.off"):
    importlib.import_module(each)
whole()
build_models()
assert threading.active_count() == len(os.listdir("/proc/self/task")) == 1
