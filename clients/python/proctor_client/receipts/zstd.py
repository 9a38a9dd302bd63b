"""Zstandard, where it can be had: Python has it from 3.14 on, and a package before."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from types import ModuleType

_PIECE = 1 << 20

# Frames are made with a checksum, without a dictionary, and with one segment or a window
# of 2 MiB (RFC 8878, 3.1.1.1): what says so must not be changed either.
_HEADER = re.compile(rb"\x28\xb5\x2f\xfd(?:[\x24\x64\xa4\xe4]|[\x04\x44\x84\xc4]\x58)")


def module() -> ModuleType | None:
    """What decompresses; none if there is nothing."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def decompress(zstd: ModuleType, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The content of one frame, as the host makes them, a MiB at a time. Raises
    `ValueError` if it is not one."""
    decompressor = zstd.ZstdDecompressor()
    begun = False
    try:
        for piece in pieces:
            if not begun and not _HEADER.match(piece):
                raise ValueError("it has not the header that it should")
            begun = True
            if decompressor.eof:
                raise ValueError("there is something after its end")
            data = decompressor.decompress(piece, _PIECE)
            yield data
            while not decompressor.needs_input and not decompressor.eof:
                yield decompressor.decompress(b"", _PIECE)
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from error
    if not decompressor.eof:
        raise ValueError("it is cut off")
    if decompressor.unused_data:
        raise ValueError("there is something after its end")
