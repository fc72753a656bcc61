"""templates/token-curl.yml in whole pipelines: a real broker, a real shell, a real service."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gitlab.component_project import ComponentProject, Done
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified_token

Pipeline = Callable[..., Done]

JOB = """\
deploy:
  extends: ".broker-token:deploy-api"
  script:
    - printf '%s' "$BROKER_TOKEN" >"$SEEN"
"""


def included(url: str, **inputs: str | None) -> str:
    """Include the component as a pipeline does, for deploy-api unless the inputs say otherwise."""
    usual = {"broker-url": url, "service": "deploy-api", "audience": AUDIENCE}
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    component = {
        "component": "$CI_SERVER_FQDN/$CI_PROJECT_PATH/token-curl@$CI_COMMIT_SHA",
        "inputs": {name: value for name, value in (usual | given).items() if value is not None},
    }
    # JSON is YAML.
    return f"  - {json.dumps(component)}\n"


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    """The file in which a job notes the token that it got."""
    return tmp_path / "seen"


@pytest.fixture
def pipeline(project: ComponentProject, today_broker: RunningBroker, seen: Path) -> Pipeline:
    """Run the job `deploy`; unless said otherwise its ID token is that of a push to main.

    No secret may show in what is printed.
    """

    def run(includes: str, jobs: str = JOB, *, token: str | None = None, **variables: str) -> Done:
        token = today_broker.gitlab_token() if token is None else token
        done = project.run(
            "deploy",
            pipeline=f"include:\n{includes}\n{jobs}",
            variables=variables | {"BROKER_ID_TOKEN": token, "SEEN": str(seen)},
        )
        for secret in (token, *(seen.read_text().split() if seen.exists() else [])):
            assert not secret or secret not in done.log
        return done

    return run


def test_a_job_deploys_and_its_token_is_revoked_when_it_ends(
    today_broker: RunningBroker, deploy_api: str, pipeline: Pipeline, seen: Path
) -> None:
    job = (
        JOB
        + """\
    - |
      printf 'header = "Authorization: Bearer %s"\\n' "$BROKER_TOKEN" |
        curl --silent --show-error --fail --config - --request POST $DEPLOY_API/deployments
"""
    )

    done = pipeline(included(today_broker.url), job, DEPLOY_API=deploy_api)

    assert done.passed, done.log
    assert '{"deployment": "started", "by": "deploy-web"}' in done.log
    claims = verified_token(today_broker, seen.read_text())
    (said,) = done.said()
    assert said.startswith("a token for deploy-api as deploy-web; scope: deploy:read deploy:write;")
    assert said.endswith(f"; expires in 600 s; token_id: {claims['jti']}")
    of_token = [each for each in today_broker.events() if each["token_id"] == claims["jti"]]
    assert [each["type"] for each in of_token] == ["token.exchanged", "token.revoked"]
    assert of_token[0]["request_id"].startswith("gitlab-")


def test_the_token_is_kept_beside_the_project_for_its_owner_until_the_job_ends(
    today_broker: RunningBroker, pipeline: Pipeline, project: ComponentProject
) -> None:
    job = JOB + "    - stat --format 'kept %a %n' $CI_PROJECT_DIR.tmp/*\n"

    done = pipeline(included(today_broker.url), job)

    (kept,) = [line for line in done.log.splitlines() if "> kept " in line]
    mode, path = kept.partition("> kept ")[2].split()
    assert mode == "600"
    assert not Path(path).is_relative_to(project.folder)
    assert not Path(path).exists()


def test_a_job_that_is_traced_shows_no_token(
    today_broker: RunningBroker, pipeline: Pipeline
) -> None:
    # As under CI_DEBUG_TRACE: the shell prints every command before it runs it.
    job = """\
deploy:
  extends: ".broker-token:deploy-api"
  before_script:
    - set -x
    - !reference [".broker-token:deploy-api", before_script]
  script:
    - echo traced
    - set +x
    - printf '%s' "$BROKER_TOKEN" >"$SEEN"
"""

    done = pipeline(included(today_broker.url), job)

    assert done.passed, done.log
    assert "+ echo traced" in done.log


def test_a_job_without_an_id_token_fails_and_says_what_to_write(
    today_broker: RunningBroker, pipeline: Pipeline, seen: Path
) -> None:
    done = pipeline(included(today_broker.url), token="")

    assert not done.passed
    assert done.said() == [
        "this job has no ID token: BROKER_ID_TOKEN is empty.",
        "'extends' brings it; a job with 'id_tokens:' of its own needs this in it, too:",
        "  id_tokens:",
        "    BROKER_ID_TOKEN:",
        f"      aud: {AUDIENCE}",
    ]
    assert not seen.exists()


def test_a_refusal_fails_the_job_and_says_why(
    today_broker: RunningBroker, pipeline: Pipeline, seen: Path
) -> None:
    token = today_broker.gitlab_token(ref="feature", ref_protected="false")

    done = pipeline(included(today_broker.url), token=token)

    event = today_broker.events()[-1]
    assert not done.passed
    status, reason, decision, answer = done.said()
    assert status == "no token for deploy-api: HTTP 400"
    assert reason == "reason:      no_policy_matched"
    assert decision == f"decision_id: {event['id']}"
    assert '"claim":"ref_protected","operator":"equals","expected":"true","got":"false"' in answer
    assert not seen.exists()


def test_the_tokens_of_two_services_in_one_job_are_both_revoked(
    today_broker: RunningBroker, pipeline: Pipeline, seen: Path
) -> None:
    includes = included(today_broker.url) + included(today_broker.url, service="artifacts")
    job = """\
deploy:
  extends: ".broker-token:deploy-api"
  before_script:
    - !reference [".broker-token:deploy-api", before_script]
    - printf '%s ' "$BROKER_TOKEN" >"$SEEN"
    - !reference [".broker-token:artifacts", before_script]
    - printf '%s' "$BROKER_TOKEN" >>"$SEEN"
  script:
    - "true"
"""

    done = pipeline(includes, job)

    assert done.passed, done.log
    first, second = seen.read_text().split()
    ids = {
        verified_token(today_broker, first)["jti"],
        verified_token(today_broker, second, audience="https://artifacts.example.com")["jti"],
    }
    revoked = [each for each in today_broker.events() if each["type"] == "token.revoked"]
    assert {each["token_id"] for each in revoked[-2:]} == ids


@pytest.mark.parametrize("missing", ["broker-url", "service", "audience"])
def test_a_pipeline_without_a_required_input_is_refused(
    today_broker: RunningBroker, pipeline: Pipeline, missing: str
) -> None:
    done = pipeline(included(today_broker.url, **{missing: None}))

    assert not done.passed
    assert f"`{missing}` input: required value has not been provided" in done.log


def test_a_pipeline_whose_input_does_not_fit_is_refused(pipeline: Pipeline, seen: Path) -> None:
    done = pipeline(included("http://broker.example.com"))

    assert not done.passed
    assert "`broker-url` input" in done.log
    assert not seen.exists()
