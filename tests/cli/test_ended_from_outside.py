"""A command whose reader leaves, or whose user has enough, ends at once and without a word."""

import os
import pty
import select
import signal
import subprocess
from pathlib import Path

from placet.tokens import SigningKey, write_key_file
from tests.cli.conftest import PASSPHRASE, PROGRAM

POLICIES = Path(__file__).parents[2] / "policies" / "loan-draw"


def test_a_reader_that_leaves_is_no_trouble() -> None:
    """As in `placet … | head`; and it is told from 1, which says that something did not hold."""
    command = ["policy", "check", str(POLICIES)]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [*PROGRAM, *command], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (3, "")


def test_one_ctrl_c_at_the_passphrase_is_enough(tmp_path: Path) -> None:
    write_key_file(tmp_path / "ana.key", SigningKey.generate(), PASSPHRASE)
    own = {name: each for name, each in os.environ.items() if not name.startswith("PLACET_")}
    own |= {"PLACET_OPERATOR": "ana", "PLACET_KEY_FILE": str(tmp_path / "ana.key")}
    here, there = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "checkpoint", "list"],
        stdin=there,
        stdout=there,
        stderr=there,
        env=own,
        start_new_session=True,  # or it would ask on the terminal of whoever runs the tests
    )
    try:
        said = b""
        while b"passphrase of ana.key" not in said:
            assert select.select([here], [], [], 60)[0], said
            said += os.read(here, 1000)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
        process.wait()
        os.close(here)
        os.close(there)
