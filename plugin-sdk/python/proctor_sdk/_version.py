"""The version of the SDK, and of the contracts that it speaks."""

__version__ = "0.1.0"

CHALLENGE_CONTRACT = "proctor:challenge@0.1.1"
SOLVER_CONTRACT = "proctor:solver@0.1.0"
