import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from broker.testing.dev_platform import KEY_FILE, DevKeyRefused, DevPlatform, read_or_create_key
from broker.testing.loopback import NotLoopback

ROOT = Path(__file__).parents[2]
BASE = "http://127.0.0.1:8081"
AUDIENCE = "http://127.0.0.1:8080"


@pytest.fixture
def data(tmp_path: Path, rsa_key: rsa.RSAPrivateKey) -> Path:
    folder = tmp_path / "dev"
    folder.mkdir()
    file = folder / KEY_FILE
    file.touch(mode=0o600)
    file.write_bytes(rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder


def decode(platform: DevPlatform, token: str) -> dict[str, Any]:
    (key,) = platform.github.jwks()["keys"]
    claims: dict[str, Any] = jwt.decode(
        token, jwt.PyJWK(key), algorithms=["RS256"], audience=AUDIENCE
    )
    return claims


def test_a_github_token_lives_for_five_minutes_and_names_its_certificate(data: Path) -> None:
    platform = DevPlatform.open(BASE, data)
    token = platform.token("github", {"environment": "production"}, audience=AUDIENCE)

    claims = decode(platform, token)
    assert claims["iss"] == f"{BASE}/github"
    assert claims["sub"] == "repo:acme/web:environment:production"
    assert claims["exp"] - claims["iat"] == claims["iat"] - claims["nbf"] == 300
    assert jwt.get_unverified_header(token).keys() == {"alg", "kid", "typ", "x5t"}


def test_a_gitlab_token_lives_for_an_hour(data: Path) -> None:
    platform = DevPlatform.open(BASE, data)
    token = platform.token("gitlab", {}, audience=AUDIENCE)

    claims = decode(platform, token)
    assert claims["iss"] == f"{BASE}/gitlab"
    assert claims["exp"] - claims["iat"] == 3600
    assert jwt.get_unverified_header(token).keys() == {"alg", "kid", "typ"}


def test_the_immutable_sub_is_githubs(data: Path) -> None:
    platform = DevPlatform.open(BASE, data)

    token = platform.token("github", {}, audience=AUDIENCE, immutable_sub=True)

    assert decode(platform, token)["sub"] == "repo:acme@1234567/web@456789:ref:refs/heads/main"


async def test_the_app_serves_both_issuers(data: Path) -> None:
    platform = DevPlatform.open(BASE, data)
    transport = httpx.ASGITransport(app=platform.app())
    async with httpx.AsyncClient(transport=transport) as http:
        for issuer in (platform.github, platform.gitlab):
            found = await http.get(f"{issuer.url}/.well-known/openid-configuration")
            assert found.json()["issuer"] == issuer.url
            keys = await http.get(found.json()["jwks_uri"])
            assert keys.json() == issuer.jwks()
        assert (await http.post(platform.github.jwks_uri)).status_code == 405
        assert (await http.get(f"{BASE}/.well-known/openid-configuration")).status_code == 404


def test_the_key_file_is_created_for_its_owner_alone_and_used_again(tmp_path: Path) -> None:
    file = tmp_path / "data" / "dev" / KEY_FILE
    first = read_or_create_key(file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert read_or_create_key(file).private_numbers() == first.private_numbers()
    assert list(file.parent.iterdir()) == [file]


def test_processes_that_begin_together_use_one_key(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from broker.testing.dev_platform import DevPlatform\n"
        f"print(DevPlatform.open({BASE!r}, Path(sys.argv[1])).github.key_id)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "dev")],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]

    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(set(outputs)) == 1


def test_a_key_file_that_others_can_read_is_refused(data: Path) -> None:
    (data / KEY_FILE).chmod(0o640)

    with pytest.raises(DevKeyRefused, match="can be read by others"):
        DevPlatform.open(BASE, data)


def test_a_folder_that_cannot_be_made_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DevKeyRefused, match=r"file/dev.* cannot be used: Not a directory; name"):
        DevPlatform.open(BASE, tmp_path / "file" / "dev")


def test_a_key_file_without_a_key_is_refused(data: Path) -> None:
    (data / KEY_FILE).write_bytes(b"nothing")

    with pytest.raises(DevKeyRefused, match="holds no private key"):
        DevPlatform.open(BASE, data)


def test_a_key_that_is_not_rsa_is_refused(data: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (data / KEY_FILE).write_bytes(pem)

    with pytest.raises(DevKeyRefused, match="not RSA"):
        DevPlatform.open(BASE, data)


def test_a_platform_that_others_could_reach_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotLoopback):
        DevPlatform.open("http://10.0.0.1:8081", tmp_path)

    assert list(tmp_path.iterdir()) == []
