"""templates/token.yml and token-curl.yml in whole pipelines, with a real broker and service."""

import json
import re
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


def included(component: str, url: str, **inputs: str | None) -> str:
    """Include a component as a pipeline does, for deploy-api unless the inputs say otherwise."""
    usual = {"broker-url": url, "service": "deploy-api", "audience": AUDIENCE}
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    include = {
        "component": f"$CI_SERVER_FQDN/$CI_PROJECT_PATH/{component}@$CI_COMMIT_SHA",
        "inputs": {name: value for name, value in (usual | given).items() if value is not None},
    }
    # JSON is YAML.
    return f"  - {json.dumps(include)}\n"


@pytest.fixture(params=["token", "token-curl"])
def component(request: pytest.FixtureRequest) -> str:
    """The component that a pipeline includes: with the `broker` command, or with curl."""
    return str(request.param)


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
    today_broker: RunningBroker, component: str, deploy_api: str, pipeline: Pipeline, seen: Path
) -> None:
    job = (
        JOB
        + """\
    - |
      printf 'header = "Authorization: Bearer %s"\\n' "$BROKER_TOKEN" |
        curl --silent --show-error --fail --config - --request POST $DEPLOY_API/deployments
"""
    )

    done = pipeline(included(component, today_broker.url), job, DEPLOY_API=deploy_api)

    assert done.passed, done.log
    assert '{"deployment": "started", "by": "deploy-web"}' in done.log
    claims = verified_token(today_broker, seen.read_text())
    (said,) = done.said()
    assert said.startswith("a token for deploy-api")
    of_token = [each for each in today_broker.events() if each["token_id"] == claims["jti"]]
    assert [each["type"] for each in of_token] == ["token.exchanged", "token.revoked"]


def test_the_token_is_kept_beside_the_project_for_its_owner_until_the_job_ends(
    today_broker: RunningBroker, component: str, pipeline: Pipeline, project: ComponentProject
) -> None:
    show = "find $CI_PROJECT_DIR.tmp -type f -exec stat --format 'kept %a %s %n' {} +"

    done = pipeline(included(component, today_broker.url), f"{JOB}    - {show}\n")

    kept = [line.split()[1:] for line in done.printed() if line.startswith("kept ")]
    assert {mode for mode, _, _ in kept} == {"600"}
    (file,) = [Path(path) for _, size, path in kept if size != "0"]
    assert not file.is_relative_to(project.folder)
    assert not file.exists()


def test_a_job_that_is_traced_shows_no_token(
    today_broker: RunningBroker, component: str, pipeline: Pipeline
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

    done = pipeline(included(component, today_broker.url), job)

    assert done.passed, done.log
    assert "+ echo traced" in done.log


def test_a_job_without_an_id_token_fails_and_says_what_to_write(
    today_broker: RunningBroker, component: str, pipeline: Pipeline, seen: Path
) -> None:
    done = pipeline(included(component, today_broker.url), token="")

    assert not done.passed
    assert "no ID token" in done.said()[0]
    shown = [line.removeprefix("broker: ").strip() for line in done.printed()]
    assert shown[-3:] == ["id_tokens:", "BROKER_ID_TOKEN:", f"aud: {AUDIENCE}"]
    assert not seen.exists()


def test_a_refusal_fails_the_job_and_says_why(
    today_broker: RunningBroker, component: str, pipeline: Pipeline, seen: Path
) -> None:
    token = today_broker.gitlab_token(ref="feature", ref_protected="false")

    done = pipeline(included(component, today_broker.url), token=token)

    assert not done.passed
    printed = "\n".join(done.printed())
    assert re.search("reason: +no_policy_matched", printed)
    (decision_id,) = re.findall(r"decision_id: ([\w-]+)", printed)
    assert decision_id in [event["id"] for event in today_broker.events()]
    assert re.search("ref_protected.*equals.*true.*got.*false", printed)
    assert not seen.exists()


def test_the_tokens_of_two_services_in_one_job_are_both_revoked(
    today_broker: RunningBroker, component: str, pipeline: Pipeline, seen: Path
) -> None:
    includes = included(component, today_broker.url)
    includes += included(component, today_broker.url, service="artifacts")
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
    assert ids <= {each["token_id"] for each in revoked}


@pytest.mark.parametrize("explaining", ["explain", "explain-curl"])
def test_a_job_is_told_why_it_would_be_refused_and_fails(
    today_broker: RunningBroker, pipeline: Pipeline, explaining: str
) -> None:
    token = today_broker.gitlab_token(ref="feature", ref_protected="false")
    job = 'deploy: {extends: ".broker-explain:deploy-api"}\n'

    done = pipeline(included(explaining, today_broker.url), job, token=token)

    assert not done.passed
    printed = "\n".join(done.printed())
    assert "no_policy_matched" in printed
    assert "fix: " in printed
    assert "protect the branch feature" in printed


@pytest.mark.parametrize("missing", ["broker-url", "service", "audience"])
def test_a_pipeline_without_a_required_input_is_refused(
    today_broker: RunningBroker, pipeline: Pipeline, missing: str
) -> None:
    done = pipeline(included("token", today_broker.url, **{missing: None}))

    assert not done.passed
    assert f"`{missing}` input: required value has not been provided" in done.log


def test_a_pipeline_whose_input_does_not_fit_is_refused(pipeline: Pipeline, seen: Path) -> None:
    done = pipeline(included("token", "http://broker.example.com"))

    assert not done.passed
    assert "`broker-url` input" in done.log
    assert not seen.exists()
