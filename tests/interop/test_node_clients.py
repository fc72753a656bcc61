"""Real OAuth clients from npm discover the broker, exchange a CI token and validate the answer."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from broker.core.vocabulary import GRANT_JWT_BEARER, GRANT_TOKEN_EXCHANGE
from tests.running_broker import RunningBroker

HERE = Path(__file__).parent
SERVICE = "deploy-api"
AUDIENCE = "https://deploy.example.com"
ACCOUNT = "deploy-web"


def run_node(script: str, *arguments: str, token: str) -> dict[str, object]:
    """Run a script with the token on its standard input; never on its command line."""
    node = shutil.which("node", path=f"{HERE.parents[1] / '.venv/bin'}:{_path()}")
    assert node, "node is missing: `make test` sets it up"
    assert (HERE / "node_modules").is_dir(), "the Node packages are missing: `make test`"
    done = subprocess.run(
        [node, str(HERE / script), *arguments],
        input=token,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def _path() -> str:
    import os

    return os.environ["PATH"]


@pytest.mark.parametrize("grant", [GRANT_TOKEN_EXCHANGE, GRANT_JWT_BEARER])
def test_openid_client_exchanges_and_verifies(live_broker: RunningBroker, grant: str) -> None:
    token = live_broker.github_token()

    told = run_node("openid_client.mjs", live_broker.url, SERVICE, ACCOUNT, grant, token=token)

    assert told["payload"]["aud"] == AUDIENCE
    assert told["payload"]["client_id"] == ACCOUNT
    assert told["answer"]["service_account"] == ACCOUNT
