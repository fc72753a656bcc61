"""Where a job's identity comes from: the first platform that claims the surroundings, no other."""

from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client import NoIdentity
from broker.client.ambient import detection
from broker.client.ambient.detection import detect
from broker.client.ambient.given_token import TokenInFile, TokenInVariable
from broker.client.ambient.google import is_google
from broker.client.token_files import fingerprint_of_job
from tests.client.stand_in import an_id_token

REQUEST = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://runner.example/id?api-version=2.0",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
}
TOKEN = an_id_token(job_id="1")
FILE = {"BROKER_ID_TOKEN_FILE": "/given/token"}
VARIABLE = {"BROKER_ID_TOKEN": TOKEN}
GITHUB = {"GITHUB_ACTIONS": "true", **REQUEST}
GITLAB = {"GITLAB_CI": "true", "HTTPS___BROKER_EXAMPLE_ID_TOKEN": TOKEN}
CIRCLECI = {"CIRCLECI": "true", "CIRCLE_WORKFLOW_JOB_ID": "1"}
BUILDKITE = {"BUILDKITE": "true", "BUILDKITE_JOB_ID": "1"}
GOOGLE = {"GCE_METADATA_HOST": "127.0.0.1:9"}

IN_ORDER = [
    ("a given ID token", FILE),
    ("a given ID token", VARIABLE),
    ("GitHub Actions", GITHUB),
    ("GitLab CI", GITLAB),
    ("CircleCI", CIRCLECI),
    ("Buildkite", BUILDKITE),
    ("Google Cloud", GOOGLE),
]


@pytest.fixture(autouse=True)
def machine_of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no test depend on where it runs."""
    monkeypatch.setattr(is_google, "__defaults__", (tmp_path / "product_name",))


def no_network() -> httpx.Client:
    raise AssertionError("nothing is asked before a token is needed")


def found(environment: Mapping[str, str], kubernetes_token: Path = Path("/nowhere")) -> str:
    return detect(
        environment,
        no_network,
        audience="https://broker.example",
        kubernetes_token=kubernetes_token,
    ).name


@pytest.mark.parametrize("place", range(len(IN_ORDER)))
def test_the_first_that_claims_the_surroundings_is_it(place: int, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    after: dict[str, str] = {}
    for _, variables in IN_ORDER[place:]:
        after |= variables
    name, alone = IN_ORDER[place]

    # On GitLab the variable is known to come of the job's file.
    assert found(after, tmp_path / "token") == ("GitLab CI" if alone is VARIABLE else name)
    assert found(alone, tmp_path / "token") == name


def test_last_comes_the_token_of_a_pod(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)

    assert found({}, tmp_path / "token") == "Kubernetes"


def test_a_file_and_a_variable_that_are_named_come_first() -> None:
    everything = {**FILE, **VARIABLE, **GITHUB, "MINE": "mine"}
    by_file = detect(everything, no_network, id_token_file=Path("/named"))
    by_variable = detect(everything, no_network, id_token_variable="MINE")

    assert isinstance(by_file, TokenInFile)
    assert isinstance(by_variable, TokenInVariable)
    assert (str(by_file.path), by_variable.variable) == ("/named", "MINE")


@pytest.mark.parametrize(
    ("claimed", "said"),
    [
        ({"GITHUB_ACTIONS": "true"}, "id-token: write"),
        ({"GITHUB_ACTIONS": "true", **REQUEST, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": ""}, "fork"),
        (
            {"GITHUB_ACTIONS": "true", **REQUEST, "ACTIONS_ID_TOKEN_REQUEST_URL": "http://[::1"},
            "is no URL",
        ),
        ({"GITLAB_CI": "true"}, "aud: https://broker.example"),
    ],
)
def test_what_goes_wrong_there_is_no_reason_to_try_the_next(
    claimed: dict[str, str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with pytest.raises(NoIdentity, match=said) as nobody:
        found({**CIRCLECI, **BUILDKITE, **GOOGLE, **claimed}, tmp_path / "token")

    assert nobody.value.exit_code == 3


def test_a_named_variable_that_is_empty_is_an_error() -> None:
    with pytest.raises(NoIdentity, match="MINE is empty"):
        detect(GITHUB, no_network, id_token_variable="MINE")


def test_nobody_is_told_what_there_could_be() -> None:
    with pytest.raises(NoIdentity) as nobody:
        found({})

    for word in (
        "BROKER_ID_TOKEN",
        "GitHub",
        "GitLab",
        "CircleCI",
        "Buildkite",
        "Google",
        "secret",
    ):
        assert word in str(nobody.value)
    assert str(detection.KUBERNETES_TOKEN) in str(nobody.value)


@pytest.mark.parametrize("variable", ["GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE"])
@pytest.mark.parametrize("value", ["false", "", "1", "TRUE"])
def test_a_platform_says_true(variable: str, value: str) -> None:
    with pytest.raises(NoIdentity, match="nothing here says"):
        found({variable: value})


def test_the_variable_of_another_tool_is_named_after_the_audience() -> None:
    identity = detect(GITLAB, no_network, audience="https://broker.example")

    assert identity.fetch("") == TOKEN
    assert isinstance(identity, TokenInVariable)
    assert identity.variable == "HTTPS___BROKER_EXAMPLE_ID_TOKEN"
    both = detect(
        {**GITLAB, "BROKER_ID_TOKEN": "own"}, no_network, audience="https://broker.example"
    )
    assert isinstance(both, TokenInVariable)
    assert both.token == "own"


def test_the_audience_of_a_token_is_no_business_of_who_sends_it() -> None:
    of_two = an_id_token(aud=["https://broker.example", "https://other.example"])
    identity = detect({"GITLAB_CI": "true", "BROKER_ID_TOKEN": f" {of_two}\n"}, no_network)

    assert identity.fetch("https://broker.example") == of_two
    assert not identity.wants_audience()


def test_google_is_known_without_asking_the_network(tmp_path: Path) -> None:
    product = tmp_path / "product"
    assert not is_google({}, product)
    product.write_text("Standard PC\n")
    assert not is_google({}, product)
    product.write_text("Google Compute Engine\n")
    assert is_google({}, product)
    assert is_google({"K_SERVICE": "x"}, tmp_path / "none")


VALUES = st.sampled_from(
    ["", "true", "false", " ", "a.b.c", f"{TOKEN}\n", "https://r.example/x?y=z"]
)
NAMES = st.sampled_from(
    [
        "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BROKER_ID_TOKEN", "BROKER_ID_TOKEN_FILE",
        "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "HTTPS___BROKER_EXAMPLE_ID_TOKEN", "GCE_METADATA_HOST",
    ]
)  # fmt: skip


@given(environment=st.dictionaries(NAMES, VALUES))
def test_variables_alone_tell_the_same_job_as_its_identity_does(
    environment: dict[str, str],
) -> None:
    told = fingerprint_of_job(environment)
    try:
        identity = detect(
            environment,
            no_network,
            audience="https://broker.example",
            kubernetes_token=Path("/nowhere"),
        )
    except NoIdentity:
        assert told is None
    else:
        assert told in (None, identity.fingerprint())


def test_no_two_jobs_have_one_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    jobs = [
        *(variables for _, variables in IN_ORDER if variables is not FILE),
        {"BROKER_ID_TOKEN_FILE": str(tmp_path / "token")},
        {**GITHUB, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-another-job"},
        {**CIRCLECI, "CIRCLE_WORKFLOW_JOB_ID": "2"},
        {**BUILDKITE, "BUILDKITE_JOB_ID": "2"},
        {"BROKER_ID_TOKEN": an_id_token(job_id="2")},
    ]
    prints = {
        detect(each, no_network, audience="https://broker.example").fingerprint() for each in jobs
    }

    # The variable that GitLab's job has holds the same token as the one given by hand.
    assert len(prints) == len(jobs) - 1
    assert not any(TOKEN in each or "request-token" in each for each in prints)
