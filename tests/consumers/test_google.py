"""google-auth gets Google's token for the broker's, from the helper and from a file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from broker.client.formats import CONFIGURATIONS, FormatOptions
from tests.consumers.conftest import Job
from tests.consumers.guide import in_guide
from tests.consumers.loopback_server import Answer, LoopbackServer, Request
from tests.consumers.programs_found import library_program

PROVIDER = "projects/123456789/locations/global/workloadIdentityPools/ci/providers/broker"


@pytest.fixture
def sts(job: Job) -> Iterator[LoopbackServer]:
    """Google's token endpoint (RFC 8693), for the broker's tokens."""

    def answer(request: Request) -> Answer:
        form = request.form
        try:
            job.claims(form["subject_token"])
        except jwt.PyJWTError:
            return Answer(b'{"error": "invalid_grant"}', status=400)
        assert form["subject_token_type"] == "urn:ietf:params:oauth:token-type:jwt"
        assert form["audience"] == f"//iam.googleapis.com/{PROVIDER}"
        granted = {
            "access_token": "ya29.example",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 3600,
        }
        return Answer(json.dumps(granted).encode(), headers={"Content-Type": "application/json"})

    with LoopbackServer(answer).serving() as server:
        yield server


def of_the_guide(service: str = "deploy-api") -> str:
    return in_guide("Google", "json", replaced={"--service google": f"--service {service}"})


def of_the_format(**environment: str) -> str:
    options = FormatOptions({"GCP_WORKLOAD_IDENTITY_PROVIDER": PROVIDER, **environment})
    return CONFIGURATIONS["gcp-external-account"](options).text


def google_token(
    job: Job, sts: LoopbackServer, configuration: str, **executable: str
) -> dict[str, Any]:
    """Run the library as the guide says, but for the endpoint."""
    document = json.loads(configuration)
    document["token_url"] = f"{sts.url}/v1/token"
    if executable:
        document["credential_source"]["executable"] |= executable
    (job.folder / "google.json").write_text(json.dumps(document))
    command = " ".join(library_program("google_token.py"))
    done = job.run(
        "sh",
        "-eu",
        stdin=f"{in_guide('Google', 'sh')}exec {command}\n",
        GOOGLE_CLOUD_PROJECT="acme",
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_guide_shows_what_the_format_writes() -> None:
    assert of_the_format(BROKER_SERVICE="google") == of_the_guide("google")


def test_google_auth_runs_the_helper(job: Job, sts: LoopbackServer) -> None:
    assert google_token(job, sts, of_the_guide()) == {"token": "ya29.example"}

    (asked,) = sts.requests
    assert job.claims(asked.form["subject_token"])["client_id"] == "deploy-web"


def test_google_auth_keeps_the_answer_where_it_looks_first(
    job: Job, sts: LoopbackServer, tmp_path: Path
) -> None:
    kept = tmp_path / "answer.json"
    before = job.exchanges()
    for _ in range(2):
        google_token(job, sts, of_the_guide(), output_file=str(kept))

    assert job.exchanges() == before + 1
    assert len({each.form["subject_token"] for each in sts.requests}) == 1
    assert kept.stat().st_mode & 0o777 == 0o600


def test_google_auth_reads_the_token_from_a_file(
    job: Job, sts: LoopbackServer, tmp_path: Path
) -> None:
    writing = ("--format", "json", "--output", str(tmp_path / "token"))
    job.quiet("broker", "token", "deploy-api", *writing)

    found = google_token(job, sts, of_the_format(GCP_ID_TOKEN_FILE=str(tmp_path / "token")))

    assert found == {"token": "ya29.example"}
    sent = sts.requests[0].form["subject_token"]
    assert job.claims(sent)["client_id"] == "deploy-web"


def test_google_auth_is_told_why_there_is_no_token(job: Job, sts: LoopbackServer) -> None:
    found = google_token(job, sts, of_the_guide("no-such-service"))

    assert "code: 4, message: " in found["refused"]
    assert "target_unknown" in found["refused"]
    assert sts.requests == []
