"""docs/guides/emergency.md, followed to the letter against a running broker."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.markdown import Page
from tests.http.test_introspection import policies
from tests.registry_api import RegistryClient, calling
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

PAGE = Page("docs/guides/emergency.md")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with special_broker(tmp_path, policies()) as running:
        yield running


@pytest.fixture
def key(broker: RunningBroker) -> str:
    """The API key that the page has made, of which no CI token is the origin."""
    granted = re.search(r"--grant broker=(\S+)", PAGE.blocks("sh")[0].text)
    assert granted is not None
    scopes = granted[1].split(",")
    secret: str = calling(broker, "admin").create(grants={"broker": scopes})["client_secret"]
    return secret


def test_the_commands_block_look_and_lift(broker: RunningBroker, key: str) -> None:
    block, look, lift = (each.text for each in PAGE.blocks("sh")[1:])
    helper = block.partition("\n")[0]
    environment = {"PATH": "/usr/bin:/bin", "KEY": key, "BROKER_URL": broker.url}

    def run(text: str, **more: str) -> str:
        done = subprocess.run(
            ["sh", "-euc", f"{helper}\n{text}"],
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    broker.exchange(broker.github_token(), audience="deploy-api")
    made = json.loads(run(block))
    assert broker.exchange(broker.github_token()).json()["reason"] == "blocked"
    assert [each["type"] for each in json.loads(run(look))["items"]][:1] == ["token.exchanged"]
    still = broker.request("GET", "/api/v1/blocks", headers={"Authorization": f"Bearer {key}"})
    assert [each["id"] for each in still.json()["items"]] == [made["id"]]
    run(lift, BLOCK_ID=made["id"])
    assert broker.exchange(broker.github_token()).status_code == 200


def test_every_where_of_the_table_is_taken(broker: RunningBroker, key: str) -> None:
    caller = RegistryClient(broker, {"Authorization": f"Bearer {key}"})
    made = calling(broker, "admin").create(client_id="deploy-bot", name="x")
    texts = re.findall(r"`(\{.*?\})`", PAGE.section("Stop it").split("| To stop |")[1])
    assert len(texts) == 9

    for text in texts:
        # The names of this broker's own accounts and policies, in place of those of the page.
        ours = text.replace('"deploy-web"', f'"{made["id"]}"').replace("web-production", "repo-ci")
        body = {"where": json.loads(ours), "reason": "INC-7"}
        answer = broker.request("POST", "/api/v1/blocks", json=body, headers=caller.headers)
        assert answer.status_code == 201, answer.text
