"""What an author raises, and what the host's answers raise."""

from __future__ import annotations


class ChallengeError(Exception):
    """Why a challenge has no answer. Raise one of the three classes below it.

    Any other exception that leaves an author's code is an `Internal`.
    """

    code = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidSubmission(ChallengeError):
    """Final. What was passed in cannot be worked with, and that is the fault of the
    submission. It scores 0; the text says why."""

    code = "invalid_submission"


class Unavailable(ChallengeError):
    """Try again. Something that the challenge needs is not there now. Nothing is
    scored; the host calls again later, with growing pauses."""

    code = "unavailable"


class Internal(ChallengeError):
    """The challenge itself is at fault. Nothing is scored until another version of the
    plugin is loaded."""

    code = "internal"


class InvalidSolution(Exception):
    """Raised by `Challenge.score`: why a solution is worth nothing. It becomes the
    `error` of a scoring log with score 0 before the baseline."""


class SolveFailed(InvalidSubmission):
    """Raised by `Context.solve`: the submission failed a task, by its own fault.

    `failure` is one of the host's outcome codes: `guest_error`, `trap`, `out_of_fuel`,
    `timeout`, `out_of_memory`, `stack_overflow`, `denied`, `invalid_output`,
    `link_error`.
    """

    def __init__(self, failure: str, message: str) -> None:
        super().__init__(f"{failure}: {message}" if message else failure)
        self.failure = failure


class DatabaseError(Exception):
    """Why a statement had no effect.

    `kind` is `denied` (not allowed in a sandbox), `invalid` (the SQL or its parameters
    are wrong), `constraint`, `full` (the file has reached its size limit), `timeout`
    or `too_large` (more than a call may read).
    """

    def __init__(self, kind: str, message: str = "") -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind


class DatabaseUnavailable(DatabaseError, Unavailable):
    """Try again: the file is not there or is locked. The `kind` is `unavailable`.

    An author who does not catch it has the host call again later.
    """

    def __init__(self, message: str = "") -> None:
        DatabaseError.__init__(self, "unavailable", message)
        self.message = message or "the database is not available"


class CannotSolve(Exception):
    """Raised by a solver: why there is no solution, for people. The task scores 0."""
