"""The draw review with readers as the command line knows it: with what its cases take along."""

from dataclasses import replace

from lender.commands import PROCESS as WITHOUT
from workflows import loan_draw_read

PROCESS = replace(
    loan_draw_read.PROCESS,
    attach=WITHOUT.attach,
    document=WITHOUT.document,
    papers=WITHOUT.papers,
)
"""The process with its ``--packet``, documents and papers."""
