"""One miner behind several hotkeys is paid once."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ._float import add


@dataclass(frozen=True)
class Contender:
    """A hotkey's share, and what tells who is behind the hotkey."""

    score: float
    """The share or score. What is not finite and positive is nothing."""
    axon_ip: str | None = None
    """IP address of the axon."""
    coldkey: str | None = None
    """The coldkey that owns the hotkey."""
    repository_owner: str | None = None
    """Owner of the artifact's repository, see `repository_owner`."""

    def _identities(self) -> Iterator[tuple[str, object]]:
        address = _address(self.axon_ip or "")
        if address is not None:
            yield "ip", address
        if self.coldkey:
            yield "coldkey", self.coldkey
        if self.repository_owner:
            yield "owner", self.repository_owner


def exclude_same_miner(contenders: Sequence[Contender]) -> list[float]:
    """Leaves each miner its best score only, the first on a tie, and normalizes to a sum
    of 1; all 0 if nobody has a score. In the order of `contenders`.

    Contenders are the same miner if they share an axon IP, a coldkey or a repository
    owner, directly or through others. Only contenders with a score count: an axon IP is
    the hotkey's own claim, and claiming somebody's without earning anything must not bind
    that somebody to a third.

    An axon that is not served (`0.0.0.0`, `::`), an address that does not parse and an
    empty name identify nobody.
    """
    scored = [
        index
        for index, contender in enumerate(contenders)
        if math.isfinite(contender.score) and contender.score > 0.0
    ]
    parents = list(range(len(contenders)))

    def root(index: int) -> int:
        while parents[index] != index:
            # Halving the path keeps long chains cheap.
            parents[index] = index = parents[parents[index]]
        return index

    holders: dict[tuple[str, object], int] = {}
    for index in scored:
        for identity in contenders[index]._identities():
            a, b = root(holders.setdefault(identity, index)), root(index)
            parents[max(a, b)] = min(a, b)

    best: dict[int, int] = {}
    for index in scored:
        keeper = best.setdefault(root(index), index)
        if contenders[index].score > contenders[keeper].score:
            best[root(index)] = index

    keepers = [best[group] for group in sorted(best)]
    total = add(contenders[keeper].score for keeper in keepers)
    shares = [0.0] * len(contenders)
    for keeper in keepers:
        shares[keeper] = contenders[keeper].score / total
    return shares


def repository_owner(artifact: str) -> str | None:
    """The owner of the repository that an artifact reference names, with the registry if
    it is not Docker's: `bob` for `bob/solver@sha256:…`, `ghcr.io/bob` for
    `ghcr.io/bob/solver@sha256:…`.

    None if the reference has no owner, as `sha256:…` and `solver@sha256:…`.
    """
    repository = artifact.split("@", 1)[0]
    for registry in ("docker.io/", "index.docker.io/"):
        if repository.startswith(registry):
            repository = repository[len(registry) :]
            break
    first, slash, path = repository.partition("/")
    if not slash:
        return None
    # As Docker reads a reference: a host has a dot or a port, an owner does not.
    if "." in first or ":" in first or first == "localhost":
        name, slash, _ = path.partition("/")
        return f"{first}/{name}" if slash else None
    return first or None


def _address(text: str) -> object | None:
    """An address to compare by; none for one that identifies nobody."""
    if "%" in text:
        # The zone of an IPv6 address means something on one machine only.
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return None if address.is_unspecified else address
