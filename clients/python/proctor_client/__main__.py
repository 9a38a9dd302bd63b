"""`python -m proctor_client`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from . import Client, ClientError, __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints JSON and returns 0, or prints an error and returns 1."""
    parser = argparse.ArgumentParser("python -m proctor_client")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("scoring-result", help="what is known of commits")
    command.add_argument("--url", required=True, help="such as https://scoring.example")
    command.add_argument("--challenge", required=True)
    command.add_argument("--timeout", type=float, default=60.0, help="in seconds (60)")
    command.add_argument(
        "commits", nargs="+", metavar="ENC", help="a ciphertext; - reads one a line"
    )
    given = parser.parse_args(arguments)
    try:
        client = Client(given.url, timeout=given.timeout)
    except ValueError as error:
        parser.error(str(error))
    commits: list[str] = []
    for commit in given.commits:
        if commit == "-":
            commits.extend(line.strip() for line in sys.stdin if line.strip())
        else:
            commits.append(commit)
    try:
        result = client.scoring_result(given.challenge, commits)
    except ClientError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(asdict(result), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
