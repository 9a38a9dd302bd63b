"""What happens for each call of the host, in a component and in a test."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any, TypeVar

from . import settings, shape
from .challenge import Challenge
from .context import Context
from .errors import ChallengeError, Internal
from .types import Description

T = TypeVar("T")


def describe(cls: type[Challenge]) -> Description:
    """What the challenge tells of itself."""
    return Description(cls.name, cls.version, cls.summary, settings.schema(cls))


def call(
    cls: type[Challenge],
    text: str,
    context: Context,
    what: Callable[[Any, Context], T],
) -> T:
    """Makes the challenge from its settings, a JSON text, and calls it.

    Raises what the call does; `Internal` if the settings are invalid.
    """
    try:
        read = settings.read(cls, text)
    except shape.ShapeError as error:
        raise Internal(f"settings: {error}") from None
    # For code that does not ask the context.
    random.seed(context.seed)
    return what(cls(read), context)


def as_challenge_error(error: BaseException) -> ChallengeError:
    """The contract's error for an exception of the author's code."""
    if isinstance(error, ChallengeError):
        return error
    return Internal(in_short(error))


def in_short(error: BaseException) -> str:
    """An exception in one line: what it says, then where it came from."""
    text = " ".join(_what(error).split())
    if len(text) > 500:
        text = f"{text[:497]}..."
    frames = _frames(error)
    own = [f"{_file(f)}:{line} in {name}" for f, line, name in frames if _is_author(f)]
    where = ", called from ".join(reversed(own[-3:]))
    return f"{text} (at {where})" if where else text


def in_full(error: BaseException) -> str:
    """An exception with the author's frames and of those that it came from, for a log."""
    # Not the module `traceback`, which looks for the source on a disk that is not there.
    lines = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        lines += [in_full(cause), "which led to"]
    own = [frame for frame in _frames(error) if _is_author(frame[0])]
    lines += [f"  {_mounted(f)}:{line} in {name}" for f, line, name in own[-40:]]
    return "\n".join([*lines, _what(error)])


def _what(error: BaseException) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        text = "(it cannot be written as a text)"
    return f"{name}: {text}" if text else name


def _frames(error: BaseException) -> list[tuple[str, int, str]]:
    frames, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append((code.co_filename.replace("\\", "/"), trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    return frames


def _file(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _mounted(name: str) -> str:
    # A component has each directory of the build as `/0/`, `/1/` and so on.
    return re.sub(r"^/\d+/", "", name)


def _is_author(name: str) -> bool:
    # `/python/` is what a component has of the standard library.
    others = name.startswith(("<", "/python/")) or "/proctor_sdk/" in name
    return not others and not name.endswith("/proctor_entry.py")
