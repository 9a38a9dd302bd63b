"""The file that a bundle is: a plain tar, in which nothing is left to chance.

`tarfile` takes a damaged header in the middle for the end, and does not look at what is
between the entries. Here every byte counts.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from .errors import VerificationError

_BLOCK = 512
_PIECE = 1 << 20
_NUMBER = rb"[0-7]+[ \0]"
# Six digits as POSIX has it, or seven.
_CHECKSUM = re.compile(rb"[0-7]{6}\0 |[0-7]{7}\0")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the tar."""

    name: str
    offset: int
    """Where its content begins, in bytes from the start of the tar."""
    size: int
    """Of its content, in bytes."""


def entries(file: BinaryIO) -> Iterator[Entry]:
    """The files in the tar, in order, with every byte looked at but their content.

    Raises `VerificationError` (`unreadable_bundle`).
    """
    end = file.seek(0, 2)
    offset = 0
    while True:
        file.seek(offset)
        block = file.read(_BLOCK)
        if len(block) < _BLOCK:
            raise unreadable(f"byte {offset}", "it is cut off")
        if not any(block):
            break
        entry = _entry(block, offset)
        offset = entry.offset + entry.size
        padding = -entry.size % _BLOCK
        if offset + padding > end:
            raise unreadable(entry.name, "it is cut off")
        file.seek(offset)
        if any(file.read(padding)):
            raise unreadable(entry.name, "there is something after its end")
        yield entry
        offset += padding
    # Two blocks of zeros at least, and nothing but zeros.
    if end - offset < 2 * _BLOCK or end % _BLOCK:
        raise unreadable(f"byte {end}", "it is cut off")
    file.seek(offset)
    while piece := file.read(_PIECE):
        if any(piece):
            raise unreadable(f"byte {offset}", "there is something after its end")


def unreadable(at: str, detail: str) -> VerificationError:
    """The file is no bundle, or not all of one."""
    return VerificationError("unreadable_bundle", at, detail)


def _entry(block: bytes, offset: int) -> Entry:
    at = f"byte {offset}"
    try:
        header = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise unreadable(at, f"it is no header of tar: {error}") from error
    # The checksum covers every byte but its own, so that no single one may change.
    plain = (
        _CHECKSUM.fullmatch(block[148:156])
        and block[257:265] == b"ustar\x0000"
        and re.fullmatch(_NUMBER, block[124:136])
        and header.type == tarfile.REGTYPE
    )
    if not plain or header.size < 0:
        raise unreadable(at, "it is no header of a plain file in ustar")
    return Entry(header.name, offset + _BLOCK, header.size)
