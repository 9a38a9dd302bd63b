"""How alike two sources are, whatever their authors called things.

`difflib` finds what two sequences of tokens have in common. What can be changed without
changing what a source does is taken out before: comments, blank lines, spaces, the names
that an author chose, how a number is written, and, in a second look, the order of the
lines. The higher of both looks counts.
"""

from __future__ import annotations

import difflib
import tokenize

import rules
import sessions

MAX_TOKENS = 400
"""Most tokens that are compared in order. The time grows with their third power at worst."""

_OWN_NAME = "name"
_KEPT = {*sessions.FEATURES, "and", "or", "not", "if", "else", "min", "max", "abs"}


def joined(files: dict[str, str]) -> str:
    """The files as one source, in the order of their names: to split a source is no way
    around a comparison."""
    return "\n".join(source for _, source in sorted(files.items()))


def compare(ours: str, theirs: str) -> tuple[float, str]:
    """Similarity of two sources, 0 to 1, and what it was taken from."""
    try:
        a, b = normalized(ours), normalized(theirs)
    except rules.RuleError:
        return 0.0, "one of them cannot be read"
    if not a or not b:
        return 0.0, "one of them is empty"
    as_written = _ratio(_flat(a), _flat(b))
    sorted_lines = _ratio(_flat(sorted(a)), _flat(sorted(b)))
    if as_written >= sorted_lines:
        return as_written, f"{as_written:.0%} of the tokens, as they are written"
    return sorted_lines, f"{sorted_lines:.0%} of the tokens, lines in another order"


def length(source: str) -> int:
    """How many tokens are compared. Raises `RuleError`."""
    return len(_flat(normalized(source)))


def normalized(source: str) -> list[list[str]]:
    """The lines of a source as tokens, without what changes nothing."""
    lines: list[list[str]] = [[]]
    for token in rules.tokens(source):
        if token.type == tokenize.NEWLINE:
            lines.append([])
        elif token.type == tokenize.NAME:
            known = token.string in _KEPT
            lines[-1].append(token.string if known else _OWN_NAME)
        elif token.type == tokenize.NUMBER:
            lines[-1].append(_number(token.string))
        elif token.string.strip() and token.string not in "()":
            lines[-1].append(token.string)
    return [line for line in lines if line]


def _number(text: str) -> str:
    """`.20` is `0.2`."""
    try:
        return repr(float(text))
    except ValueError:
        return text


def _flat(lines: list[list[str]]) -> list[str]:
    return [token for line in lines for token in [*line, "\n"]]


def _ratio(a: list[str], b: list[str]) -> float:
    # Without `autojunk`, which leaves out what is frequent in long sources: all of it.
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    if max(len(a), len(b)) > MAX_TOKENS:
        # By the tokens alone, in any order.
        return matcher.quick_ratio()
    return matcher.ratio()
