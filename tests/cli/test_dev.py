import json
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

Broker = Callable[..., subprocess.CompletedProcess[str]]


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@contextmanager
def dev_issuer(
    folder: Path, environment: dict[str, str], *arguments: str
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "broker", "dev", "issuer", "--listen", "127.0.0.1:0", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


# --- dev token ------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ["github", "gitlab"])
def test_a_token_is_printed_alone(broker: Broker, platform: str) -> None:
    answer = broker("dev", "token", "--platform", platform)

    assert (answer.returncode, answer.stderr) == (0, "")
    (token,) = answer.stdout.splitlines()
    claims = claims_of(token)
    assert claims["iss"] == f"http://127.0.0.1:8081/{platform}"
    assert claims["aud"] == "http://127.0.0.1:8080"


def test_claims_are_set_and_what_follows_from_them_follows(broker: Broker) -> None:
    answer = broker(
        "dev", "token", "--platform", "github", "--audience", "https://broker.example.com",
        "--claim", "repository=evil/web=1", "--claim", "head_ref=", "--claim", "extra:=[1, true]",
        "--claim", "jti:=null", "--claim", "sha:=null", "--immutable-sub",
        "--issuer-base", "http://localhost:9/ci/",
    )  # fmt: skip

    claims = claims_of(answer.stdout.strip())
    assert claims["repository"] == "evil/web=1"
    assert claims["repository_owner"] == "evil"
    assert claims["sub"] == "repo:evil@1234567/web=1@456789:ref:refs/heads/main"
    assert claims["head_ref"] == ""
    assert claims["extra"] == [1, True]
    assert claims["aud"] == "https://broker.example.com"
    assert claims["iss"] == "http://localhost:9/ci/github"
    assert claims.keys().isdisjoint({"jti", "sha"})


def test_json_shows_the_token_with_its_claims(broker: Broker) -> None:
    answer = broker("dev", "token", "--platform", "gitlab", "--json")

    shown = json.loads(answer.stdout)
    assert shown.keys() == {"token", "claims"}
    assert shown["claims"] == claims_of(shown["token"])


def test_the_key_is_kept_for_its_owner_alone(broker: Broker, tmp_path: Path) -> None:
    tokens = [broker("dev", "token", "--platform", "github").stdout.strip() for _ in range(2)]

    assert len({jwt.get_unverified_header(token)["kid"] for token in tokens}) == 1
    (file,) = (tmp_path / "data" / "dev").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--claim", "repository"), "'repository' is not K=V"),
        (("--claim", "=x"), "'=x' is not K=V"),
        (("--claim", ":=1"), "':=1' is not K=V"),
        (("--claim", "ref:=main"), "'ref:=main' is not JSON"),
        (("--claim", "ref=a", "--claim", "ref:=null"), "'ref' is set twice"),
        (("--issuer-base", "https://ci.example.com"), "--issuer-base"),
        (("--issuer-base", "http://10.0.0.1:8081"), "not on loopback"),
        (("--platform", "jenkins"), "'--platform'"),
        (("--platform", "gitlab", "--immutable-sub"), "--immutable-sub"),
        (("--claim", "immutable_sub=yes"), "the option is --immutable-sub"),
    ],
)
def test_a_wrong_option_is_a_usage_error_and_nothing_is_printed(
    broker: Broker, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    answer = broker("dev", "token", "--platform", "github", *arguments)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert message in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_platform_must_be_named(broker: Broker) -> None:
    assert broker("dev", "token").returncode == 2


def test_a_key_that_others_can_read_is_not_used(broker: Broker, tmp_path: Path) -> None:
    broker("dev", "token", "--platform", "github")
    (tmp_path / "data" / "dev" / "platform-key.pem").chmod(0o644)

    answer = broker("dev", "token", "--platform", "github")

    assert (answer.returncode, answer.stdout) == (1, "")
    assert "can be read by others" in answer.stderr


# --- dev issuer -----------------------------------------------------------------------------------


def test_the_dev_issuer_serves_the_keys_of_the_tokens(
    broker: Broker, tmp_path: Path, environment: dict[str, str]
) -> None:
    with dev_issuer(tmp_path, environment, "--json") as process:
        assert process.stdout is not None
        issuers = json.loads(process.stdout.readline())["issuers"]
        base = issuers["github"].removesuffix("/github")
        assert issuers == {"github": f"{base}/github", "gitlab": f"{base}/gitlab"}

        token = broker("dev", "token", "--platform", "gitlab", "--issuer-base", base).stdout.strip()
        with httpx.Client(trust_env=False, timeout=60) as http:
            found = http.get(f"{issuers['gitlab']}/.well-known/openid-configuration").json()
            (key,) = http.get(found["jwks_uri"]).json()["keys"]
    assert found["issuer"] == issuers["gitlab"]
    assert jwt.decode(
        token,
        jwt.PyJWK(key),
        algorithms=["RS256"],
        audience="http://127.0.0.1:8080",
        issuer=issuers["gitlab"],
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, -15), (signal.SIGINT, 130)])
def test_the_dev_issuer_stops_when_told_to(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals, status: int
) -> None:
    with dev_issuer(tmp_path, environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("github: http://127.0.0.1:")
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == status
    assert "Traceback" not in errors


@pytest.mark.parametrize("listen", ["0.0.0.0:8081", "[::]:8081", "10.1.2.3:8081", "8081"])
def test_the_dev_issuer_refuses_other_addresses_than_loopback(
    broker: Broker, tmp_path: Path, listen: str
) -> None:
    answer = broker("dev", "issuer", "--listen", listen)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert listen in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_said(broker: Broker, tmp_path: Path, environment: dict[str, str]) -> None:
    with dev_issuer(tmp_path, environment) as process:
        assert process.stdout is not None
        port = process.stdout.readline().removesuffix("/github\n").rpartition(":")[2]
        answer = broker("dev", "issuer", "--listen", f"127.0.0.1:{port}")

    assert (answer.returncode, answer.stdout) == (1, "")
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; choose" in answer.stderr
