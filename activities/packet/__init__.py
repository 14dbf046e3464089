"""Reading a packet: spreadsheets and PDFs into typed values, each with its place (I12).

Unreadable, contradictory or hostile input is an answer: a named place, never a crash or a guess.
"""

from activities.packet._files import MAX_FILES, read_files, read_folder
from activities.packet._keyed import apply_keyed

__all__ = ["MAX_FILES", "apply_keyed", "read_files", "read_folder"]
