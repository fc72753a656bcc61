"""Formats that are one document: their exact members, and their values after a strict reader."""

import json
import shlex
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.client.formats import FormatOptions, FormatRefused, gcp, render
from broker.client.formats.aws import AwsCredentials, credential_process
from broker.client.formats.gcp import executable_failure
from broker.core.json_text import loads_object
from tests.client.formats.tokens import END_TIME, ENDS, HOSTILE, TOKEN, holding

PROVIDER = "projects/123456789/locations/global/workloadIdentityPools/ci/providers/broker"
V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"


def document(name: str, *, text: str = TOKEN.access_token, **options: Any) -> dict[str, Any]:
    return loads_object(render(name, holding(text), FormatOptions(**options)).text.encode())


def test_raw_is_the_token_on_a_line() -> None:
    assert render("raw", TOKEN, FormatOptions()).text == f"{TOKEN.access_token}\n"
    assert render("ansible", TOKEN, FormatOptions()).text == f"{TOKEN.access_token}\n"


def test_header_is_a_line_for_curl() -> None:
    assert render("header", TOKEN, FormatOptions()).text == (
        f"Authorization: Bearer {TOKEN.access_token}\n"
    )


def test_curl_config_is_an_option_of_curl() -> None:
    assert render("curl-config", TOKEN, FormatOptions()).text == (
        f'header = "Authorization: Bearer {TOKEN.access_token}"\n'
    )


def test_json_is_the_answer_of_the_broker_and_the_end() -> None:
    assert document("json") == {
        "access_token": TOKEN.access_token,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 600,
        "expires_at": END_TIME,
        "scope": "deploy:read deploy:write",
        "service_account": "deploy-web",
        "token_id": "0b5f6a9e-1c1f-4a7e-9d0e-6c5a3f2b1d00",
    }


@given(text=HOSTILE)
def test_every_token_survives_json(text: str) -> None:
    assert document("json", text=text)["access_token"] == text
    assert document("docker", text=text)["Secret"] == text
    assert document("gcp-executable", text=text)["id_token"] == text
    assert document("exec-credential", text=text)["status"]["token"] == text
    assert document("terraform-helper", text=text)["token"] == text
    assert document("terraform-external", text=text)["token"] == text


# --- Kubernetes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V1, V1BETA1])
def test_exec_credential_has_the_version_asked_for(version: str) -> None:
    asked = json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": {}})

    assert document("exec-credential", environment={"KUBERNETES_EXEC_INFO": asked}) == {
        "apiVersion": version,
        "kind": "ExecCredential",
        "status": {"token": TOKEN.access_token, "expirationTimestamp": END_TIME},
    }


def test_exec_credential_is_of_version_1_when_nobody_asks() -> None:
    assert document("exec-credential")["apiVersion"] == V1


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ('{"apiVersion": "client.authentication.k8s.io/v2"}', "apiVersion other than"),
        ('{"apiVersion": ["client.authentication.k8s.io/v1"]}', "apiVersion other than"),
        ("{}", "apiVersion other than"),
        ("v1", "KUBERNETES_EXEC_INFO is not JSON"),
        ("[]", "KUBERNETES_EXEC_INFO is not a JSON object"),
        ("\udcff", "KUBERNETES_EXEC_INFO is not JSON"),
    ],
)
def test_another_version_is_refused(asked: str, why: str) -> None:
    with pytest.raises(FormatRefused, match=why):
        document("exec-credential", environment={"KUBERNETES_EXEC_INFO": asked})


# --- AWS ------------------------------------------------------------------------------------------


def test_credential_process_has_the_members_of_aws() -> None:
    keys = AwsCredentials("ASIAEXAMPLE", "secret", "session", "2026-11-26T09:00:00Z")

    assert json.loads(credential_process(keys)) == {
        "Version": 1,
        "AccessKeyId": "ASIAEXAMPLE",
        "SecretAccessKey": "secret",
        "SessionToken": "session",
        "Expiration": "2026-11-26T09:00:00Z",
    }
    assert "secret" not in repr(keys)
    assert "session" not in repr(keys).replace("session_token", "")


def test_the_web_identity_file_holds_the_token_and_nothing_else() -> None:
    options = FormatOptions(
        {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/deploy"}, file="/run/it's here"
    )
    rendering = render("aws-web-identity-file", TOKEN, options)

    (written,) = rendering.written
    assert (written.path, written.text) == ("/run/it's here", TOKEN.access_token)
    assert rendering.text == (
        "export AWS_WEB_IDENTITY_TOKEN_FILE='/run/it'\\''s here'\n"
        "export AWS_ROLE_ARN='arn:aws:iam::123456789012:role/deploy'\n"
    )


def test_the_web_identity_file_needs_a_name_but_no_role() -> None:
    with pytest.raises(FormatRefused, match="--output FILE"):
        render("aws-web-identity-file", TOKEN, FormatOptions())

    text = render("aws-web-identity-file", TOKEN, FormatOptions(file="/run/token")).text
    assert text == "export AWS_WEB_IDENTITY_TOKEN_FILE='/run/token'\n"


# --- Google ---------------------------------------------------------------------------------------


def test_gcp_executable_answers_on_stdout_and_where_its_reader_looks_first() -> None:
    options = FormatOptions({"GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE": "/run/answer.json"})
    rendering = render("gcp-executable", TOKEN, options)

    assert json.loads(rendering.text) == {
        "version": 1,
        "success": True,
        "token_type": "urn:ietf:params:oauth:token-type:jwt",
        "id_token": TOKEN.access_token,
        "expiration_time": ENDS,
    }
    (written,) = rendering.written
    assert (written.path, written.text) == ("/run/answer.json", rendering.text)
    assert render("gcp-executable", TOKEN, FormatOptions()).written == ()


@given(message=st.text())
def test_gcp_failures_are_one_line_of_json_whatever_they_say(message: str) -> None:
    written = executable_failure("4", message)

    assert json.loads(written) == {
        "version": 1,
        "success": False,
        "code": "4",
        "message": message,
    }
    assert written.count("\n") == 1
    assert written.isascii()


def external_account(**environment: str) -> dict[str, Any]:
    variables = {"GCP_WORKLOAD_IDENTITY_PROVIDER": PROVIDER, "BROKER_SERVICE": "google"}
    return loads_object(gcp.external_account(FormatOptions(variables | environment)).text.encode())


def test_gcp_external_account_runs_the_helper() -> None:
    assert external_account() == {
        "type": "external_account",
        "audience": f"//iam.googleapis.com/{PROVIDER}",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {
            "executable": {
                "command": "broker credential-helper gcp --service google",
                "timeout_millis": 30000,
            }
        },
    }


def test_gcp_external_account_reads_a_file_where_there_is_one() -> None:
    assert external_account(GCP_ID_TOKEN_FILE="/run/token")["credential_source"] == {
        "file": "/run/token",
        "format": {"type": "json", "subject_token_field_name": "access_token"},
    }


def test_gcp_external_account_acts_as_a_service_account() -> None:
    found = external_account(GCP_SERVICE_ACCOUNT="deploy@acme.iam.gserviceaccount.com")

    assert found["service_account_impersonation_url"] == (
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
        "deploy@acme.iam.gserviceaccount.com:generateAccessToken"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GCP_WORKLOAD_IDENTITY_PROVIDER", ""),
        ("GCP_WORKLOAD_IDENTITY_PROVIDER", f"//iam.googleapis.com/{PROVIDER}"),
        ("GCP_WORKLOAD_IDENTITY_PROVIDER", f"{PROVIDER}/../other"),
        ("GCP_SERVICE_ACCOUNT", "deploy"),
        ("GCP_SERVICE_ACCOUNT", "deploy@acme.example/../../other"),
        ("BROKER_SERVICE", ""),
        ("BROKER_SERVICE", "google --service other"),
    ],
)
def test_what_would_lead_elsewhere_is_refused(name: str, value: str) -> None:
    with pytest.raises(FormatRefused, match=name):
        external_account(**{name: value})


@given(service=st.text(st.characters(codec="ascii"), min_size=1))
@example(service="https://www.googleapis.example/pool")
@example(service="a b")
@example(service="a'b")
def test_the_command_is_split_alike_by_every_version_of_the_libraries(service: str) -> None:
    try:
        found = external_account(BROKER_SERVICE=service)
    except FormatRefused:
        return

    command = found["credential_source"]["executable"]["command"]
    assert command.split() == shlex.split(command)
    assert command.split()[-1] == service


# --- Docker, git, Terraform -----------------------------------------------------------------------


def test_docker_gets_the_server_back_as_it_wrote_it() -> None:
    assert document("docker", server="127.0.0.1:5000") == {
        "ServerURL": "127.0.0.1:5000",
        "Username": "oauth2",
        "Secret": TOKEN.access_token,
    }


def test_git_gets_a_name_a_password_and_its_end() -> None:
    assert render("git", TOKEN, FormatOptions()).text == (
        f"username=oauth2\npassword={TOKEN.access_token}\npassword_expiry_utc={ENDS}\n"
    )


def test_terraform_gets_texts_alone() -> None:
    assert document("terraform-helper") == {"token": TOKEN.access_token}
    assert document("terraform-external") == {
        "token": TOKEN.access_token,
        "expires_at": END_TIME,
        "service_account": "deploy-web",
    }
