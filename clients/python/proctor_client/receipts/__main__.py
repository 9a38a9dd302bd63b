"""`python -m proctor_client.receipts`."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from .. import Client, ClientError, __version__
from . import VerificationError, read_bundle, verify_day, verify_score
from .bundle import Bundle
from .keys import can_verify, public_key

VERIFIED, DIFFERS, UNREADABLE, NOT_CHECKABLE = 0, 1, 2, 3

# The rest is that something differs.
_STATUS = {
    "unreadable_bundle": UNREADABLE,
    "link_missing": NOT_CHECKABLE,
    "blob_missing": NOT_CHECKABLE,
}

_ROUTE = re.compile("(.*)/v1/(receipts|days)/([0-9a-f-]+)(/bundle)?/?")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what was found, and returns 0 if everything is as it says, 1 if something
    is not, 2 if it cannot be read, 3 if nothing is wrong but not all could be checked."""
    parser = argparse.ArgumentParser("python -m proctor_client.receipts")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "verify",
        help="check receipts, without running anything",
        description="Checks signatures, digests and Merkle trees. Exit status: 0 everything "
        "is as it says, 1 something is not, 2 it cannot be read, 3 nothing is wrong, but not "
        "all could be checked.",
    )
    command.add_argument(
        "target",
        metavar="FILE|URL",
        help="a bundle, or the URL of a day, of a receipt, or of the bundle of either, such as "
        "https://scoring.example/v1/days/2026-08-22",
    )
    command.add_argument(
        "--signer",
        action="append",
        type=_address,
        metavar="ADDRESS",
        help="the host's hotkey; may be given more than once (default: whoever signed)",
    )
    command.add_argument("--timeout", type=float, default=60.0, help="in seconds (60)")
    given = parser.parse_args(arguments)
    try:
        unchecked = _verify(given.target, given.signer, given.timeout)
    except ValueError as error:
        parser.error(str(error))
    except VerificationError as error:
        print(error, file=sys.stderr)
        return _STATUS.get(error.code, DIFFERS)
    except (ClientError, OSError) as error:
        print(error, file=sys.stderr)
        return UNREADABLE
    if unchecked:
        print(
            f"not checked: {', '.join(unchecked)}; pip install 'proctor-client[verify]'",
            file=sys.stderr,
        )
        return NOT_CHECKABLE
    if not given.signer:
        print("whose key that is was not checked: --signer ADDRESS does")
    return VERIFIED


def _address(text: str) -> str:
    """A mistyped address is wrong use, and says nothing about who signed."""
    if public_key(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no SS58 address with prefix 42")
    return text


def _verify(target: str, signers: list[str] | None, timeout: float) -> tuple[str, ...]:
    """Prints what is verified; what could not be checked comes back."""
    if not target.startswith(("http://", "https://")):
        return _verify_bundle(read_bundle(target), signers)
    parts = urlsplit(target)
    route = _ROUTE.fullmatch(f"{parts.scheme}://{parts.netloc}{parts.path}")
    if route is None:
        raise ValueError(f"{target} is not the URL of a day or of a receipt")
    base, kind, name, is_bundle = route.groups()
    client = Client(base, timeout=timeout)
    if is_bundle:
        with tempfile.TemporaryDirectory() as directory:
            to = Path(directory, "bundle.tar")
            if kind == "receipts":
                bundle = client.receipt_bundle(name, to)
            else:
                chosen = dict(parse_qsl(parts.query))
                flags = {key: chosen[key] == "true" for key in _CHOICES if key in chosen}
                bundle = client.day_bundle(name, to, **flags)
            return _verify_bundle(bundle, signers)
    signatures = can_verify()
    if kind == "receipts":
        found = verify_score(client, name, signers, signatures=signatures)
        signed = found.signed
        of = f"leaf {signed.leaf} of {found.day}, " if found.head else ""
        print(f"receipt {name}: {signed.receipt['kind']}, {of}{_signed_by([signed.signer])}")
    else:
        report = verify_day(client, name, expected_signer=signers, signatures=signatures)
        head = report.head
        print(
            f"{name}: {report.receipts} receipts, root {head.head['root']}, "
            f"{_signed_by([head.signer])}"
        )
    return () if signatures else ("signatures",)


_CHOICES = ("artifacts", "components")


def _verify_bundle(bundle: Bundle, signers: list[str] | None) -> tuple[str, ...]:
    report = bundle.verify(signers, signatures=can_verify())
    root = "" if report.head is None else f"root {report.head.head['root']}, "
    print(
        f"{report.day or 'bundle'}: {report.receipts} receipts and {report.linked} linked ones, "
        f"{root}{report.blobs} blobs, {report.withheld} withheld, {_signed_by(report.signers)}"
    )
    return report.unchecked


def _signed_by(signers: Sequence[str | None]) -> str:
    names = " and ".join(signer for signer in signers if signer is not None)
    return f"signed by {names}" if names else "not signed itself"


if __name__ == "__main__":
    sys.exit(main())
