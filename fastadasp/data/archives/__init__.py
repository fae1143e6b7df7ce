"""Recordings inside archives and tables: found by name, and read where they lie."""

from fastadasp.data.archives.member import KINDS, ArchiveError, Member, is_archive
from fastadasp.data.archives.reading import at_hand, names_in, problem_of, read_member

__all__ = ["KINDS", "ArchiveError", "Member", "at_hand", "is_archive", "names_in", "problem_of", "read_member"]
