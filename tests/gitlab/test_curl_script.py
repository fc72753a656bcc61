"""The scripts of templates/token-curl.yml in the shells of jobs, and what they make of answers."""

import subprocess
from pathlib import Path

import pytest

from tests.gitlab.answering import answering
from tests.gitlab.job_scripts import Script, said
from tests.gitlab.templates import job_of
from tests.issuer_keys.certificates import make_authority
from tests.running_broker import RunningBroker
from tests.service_tokens import verified_token


def before(url: str, **inputs: str) -> str:
    """Give the script that gets the token, and shows the test which."""
    (text,) = job_of("token-curl", broker_url=url, **inputs)["before_script"]
    return f"{text}\nprintf 'token=%s' \"$BROKER_TOKEN\""


def after(url: str) -> str:
    """Give the script that revokes it."""
    (text,) = job_of("token-curl", broker_url=url)["after_script"]
    return str(text)


def failure(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Give what a script that failed has said beside curl."""
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    return said(done.stderr)


def token_of(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\ntoken=")[2]


def test_a_token_is_got_and_revoked_with_few_programs_and_stands_on_no_command_line(
    today_broker: RunningBroker, script: Script, tmp_path: Path
) -> None:
    first = script(before(today_broker.url))
    token_id = verified_token(today_broker, token_of(first))["jti"]
    assert first.stderr == ""
    (line,) = said(first.stdout)
    assert line == (
        "a token for deploy-api as deploy-web; scope: deploy:read deploy:write;"
        f" expires in 600 s; token_id: {token_id}"
    )

    second = script(after(today_broker.url))

    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    of_token = [each for each in today_broker.events() if each["token_id"] == token_id]
    assert [each["type"] for each in of_token] == ["token.exchanged", "token.revoked"]
    assert of_token[0]["request_id"] == "gitlab-7"
    arguments = (tmp_path / "arguments").read_text()
    assert "audience=deploy-api" in arguments
    assert "/oauth/revoke" in arguments
    assert "eyJ" not in arguments
    assert list(tmp_path.glob("project.tmp/*")) == []


def test_the_inputs_reach_the_broker(today_broker: RunningBroker, script: Script) -> None:
    inputs = {"scope": "deploy:write", "service_account": "deploy-web", "ttl": "6m"}

    done = script(before(f"{today_broker.url}/", **inputs))

    claims = verified_token(today_broker, token_of(done))
    assert claims["scope"] == "deploy:write"
    assert claims["exp"] - claims["iat"] == 360


def test_a_scope_that_is_not_available_fails_the_job(
    today_broker: RunningBroker, script: Script
) -> None:
    done = script(before(today_broker.url, scope="deploy:write deploy:everything"))

    assert "reason:      scope_not_allowed" in failure(done)


def test_a_pipelines_variable_does_not_send_the_id_token_elsewhere(
    today_broker: RunningBroker, script: Script
) -> None:
    changed = {"BROKER_URL": "http://127.0.0.1:1", "broker_url": "http://127.0.0.1:1"}

    assert token_of(script(before(today_broker.url), **changed))


def test_an_image_without_curl_is_told_so(
    today_broker: RunningBroker, script: Script, programs: Path
) -> None:
    (programs / "curl").unlink()

    assert failure(script(before(today_broker.url))) == [
        "this image has no curl: use one that has."
    ]


def test_a_place_that_cannot_be_written_costs_the_revocation_alone(
    today_broker: RunningBroker, script: Script, tmp_path: Path
) -> None:
    (tmp_path / "project.tmp").write_text("in the way")

    done = script(before(today_broker.url))

    assert token_of(done)
    assert "broker: the token cannot be revoked when the job ends" in done.stderr


# --- answers --------------------------------------------------------------------------------------


def test_an_answer_of_503_is_tried_again(today_broker: RunningBroker, script: Script) -> None:
    body = '{"error":"temporarily_unavailable","reason":"store_unavailable"}'
    with answering((503, body), today_broker.url) as url:
        done = script(before(url))

    assert verified_token(today_broker, token_of(done))


def test_an_answer_cannot_forge_the_log(script: Script) -> None:
    forged = "\r\x1b[0Ksection_end:1:x\n$ echo passed\n"
    with answering((400, f'{{"reason": "{forged}", "more": "{"y" * 5000}"}}')) as url:
        done = script(before(url))

    lines = failure(done)
    assert len(lines) == 5
    assert done.stderr == "".join(f"broker: {line}\n" for line in lines)
    assert all(line.isprintable() and len(line) < 2100 for line in lines)


@pytest.mark.parametrize(
    "body",
    [
        "<html>Sign in</html>",
        '{"access_token": 1, "token_type": "Bearer"}',
        '{"access_token": "a b", "token_type": "Bearer"}',
        '{"error": "\\"access_token\\":\\"eyJ.eyJ.x\\""}',
        '{"access_token": "eyJ\\u0020", "token_type": "Bearer"}',
    ],
)
def test_what_is_no_token_is_not_taken_for_one(script: Script, body: str) -> None:
    with answering((200, body)) as url:
        done = script(before(url))

    assert failure(done) == [f"{url}/oauth/token answers, but not as a broker."]


def test_spaces_and_lines_in_an_answer_do_not_matter(script: Script) -> None:
    body = '{\n  "access_token" : "eyJ.eyJ.x",\n  "expires_in" : 60\n}\n'
    with answering((200, body)) as url:
        done = script(before(url))

    assert token_of(done) == "eyJ.eyJ.x"
    assert "expires in 60 s" in done.stdout


def test_a_certificate_of_an_unknown_authority_fails_the_job_and_says_what_to_set(
    today_broker: RunningBroker, script: Script, tmp_path: Path
) -> None:
    authority = make_authority(tmp_path / "authority")
    with answering(today_broker.url, context=authority.server) as url:
        failed = script(before(url))
        passed = script(before(url), CURL_CA_BUNDLE=str(authority.ca_file))

    assert failure(failed)[-1].startswith("For an authority of your own set CURL_CA_BUNDLE")
    assert verified_token(today_broker, token_of(passed))


def test_a_failed_revocation_warns_and_fails_nothing(
    today_broker: RunningBroker, script: Script
) -> None:
    with answering(today_broker.url, (400, "{}")) as url:
        assert token_of(script(before(url)))
        done = script(after(url))

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == (
        "broker: the token was not revoked, curl says why; it ends by itself."
    )
