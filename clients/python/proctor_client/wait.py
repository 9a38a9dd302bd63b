"""Waiting for a challenge's scoring, by polling."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from .client import Client
from .errors import ClientError, ProctorError, WaitTimeout
from .models import ScoringResult

_log = logging.getLogger("proctor_client")


def wait_for_result(
    client: Client,
    challenge: str,
    encrypted_commits: Iterable[str],
    *,
    poll_interval: float = 600.0,
    deadline: float | None = None,
    legacy: bool = False,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> ScoringResult:
    """Polls until the scoring of these commits is done, and returns the result.

    As validators do: asks at once, then every `poll_interval` seconds. Without
    commits there is nothing to wait for, and the server is not asked. When a poll
    fails (no answer, a broken one, 5xx, 429, a challenge that is not loaded yet), it
    is logged and polled again; what will not pass, such as 401 or 422, is raised.

    Done means that the server says so (`is_done`). With `legacy` it is the rule of
    RedTeam's validators: also done when no commit in the answer is null, *scored
    or not*, and no error ends the wait. A server knows a commit long before it
    scores it, so that rule may close a day without scores.

    `deadline`, in seconds since the Unix epoch: the last poll is at that time, and
    if that is not done either, `WaitTimeout` is raised with the last answer. A poll
    may end later: it takes as long as the client's timeout and retries let it.
    """
    if isinstance(encrypted_commits, str):
        raise TypeError("encrypted_commits is a text, not a list of texts")
    asked = list(encrypted_commits)
    if not asked:
        return ScoringResult(commits={}, is_done=True)
    last: ScoringResult | None = None
    while True:
        pause = poll_interval
        error: ClientError | None = None
        try:
            last = client.scoring_result(challenge, asked)
            if last.is_done or (legacy and None not in last.commits.values()):
                return last
        except ClientError as failed:
            error = failed
            if isinstance(failed, ProctorError):
                if not legacy and not failed.may_pass:
                    raise
                pause = max(pause, failed.retry_after or 0.0)
            _log.warning("%s: the poll failed, and is repeated: %s", challenge, failed)
        if deadline is not None:
            left = deadline - clock()
            if left <= 0:
                raise WaitTimeout(last, error) from error
            pause = min(pause, left)
        sleep(pause)
