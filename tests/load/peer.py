"""The route of the replaced scoring API, to be measured beside Proctor's.

Written anew after what is known of it: FastAPI, pydantic models, commits in a
dictionary in memory, a public view made of each commit for each request. Started
by `host/benches/load.rs` as

    python -m uvicorn --app-dir tests/load peer:app

with the commits, a JSON list, in the file that PEER_COMMITS names.
"""

import hashlib
import json
import os
from typing import Annotated, Any, Optional

from fastapi import Body, FastAPI
from pydantic import BaseModel


def input_hash(value: Optional[dict]) -> Optional[str]:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest() if value else None


class ScoringLog(BaseModel):
    score: Optional[float] = None
    miner_input: Optional[dict] = None
    miner_output: Optional[dict] = None
    error: Optional[str] = None
    baseline_score: Optional[float] = None
    input_hash: Optional[str] = None

    def model_post_init(self, _context: Any) -> None:
        self.input_hash = input_hash(self.miner_input)

    def public_view(self) -> "ScoringLog":
        return ScoringLog(
            score=self.score, error=self.error, baseline_score=self.baseline_score
        )


class ComparisonLog(BaseModel):
    similarity_score: Optional[float] = None
    miner_input: Optional[dict] = None
    miner_output: Optional[dict] = None
    reference_output: Optional[dict] = None
    error: Optional[str] = None
    input_hash: Optional[str] = None
    reference_hotkey: Optional[str] = None
    reference_similarity_score: Optional[float] = None

    def model_post_init(self, _context: Any) -> None:
        self.input_hash = input_hash(self.miner_input)

    def public_view(self) -> "ComparisonLog":
        return ComparisonLog(
            similarity_score=self.similarity_score,
            error=self.error,
            reference_hotkey=self.reference_hotkey,
            reference_similarity_score=self.reference_similarity_score,
        )


class Commit(BaseModel):
    miner_uid: Optional[int] = None
    miner_hotkey: Optional[str] = None
    challenge_name: Optional[str] = None
    docker_hub_id: Optional[str] = None
    commit_timestamp: Optional[float] = None
    encrypted_commit: Optional[str] = None
    key: Optional[str] = None
    commit: Optional[str] = None
    scoring_logs: list[ScoringLog] = []
    comparison_logs: dict[str, list[ComparisonLog]] = {}
    scored_timestamp: Optional[float] = None
    score: Optional[float] = None
    penalty: Optional[float] = None
    accepted: Optional[bool] = None

    def public_view(self) -> "Commit":
        view = self.model_dump(exclude={"scoring_logs", "comparison_logs"})
        view["scoring_logs"] = [log.public_view() for log in self.scoring_logs]
        view["comparison_logs"] = {
            reference: [log.public_view() for log in logs]
            for reference, logs in self.comparison_logs.items()
        }
        return Commit(**view)


app = FastAPI()
commits: dict[str, Commit] = {}

with open(os.environ["PEER_COMMITS"], encoding="utf-8") as file:
    for entry in json.load(file):
        commit = Commit.model_validate(entry)
        commits[f"{commit.challenge_name}---{commit.encrypted_commit}"] = commit


@app.post("/get_scoring_result")
async def get_scoring_result(
    challenge_name: Annotated[str, Body(..., embed=True)],
    encrypted_commits: Annotated[list[str], Body(..., embed=True)],
):
    found = {}
    for encrypted in encrypted_commits:
        commit = commits.get(f"{challenge_name}---{encrypted}")
        found[encrypted] = commit.public_view() if commit else None
    return {
        "status": "success",
        "message": "Scoring results retrieved successfully",
        "data": {"commits": found, "is_done": True},
    }
