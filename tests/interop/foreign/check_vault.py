"""docs/guides/vault.md, done as it is written: a job logs in at Vault and reads a secret."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.docs.markdown import Page
from tests.interop.foreign.parties import role
from tests.interop.foreign.programs import BUILT
from tests.interop.foreign.served_broker import ServedBroker, served_broker
from tests.interop.foreign.vault import Vault, running_vault

PAGE: Final = Page("docs/guides/vault.md")
METHOD, ROLE, JOB = (block.text for block in PAGE.blocks("sh"))
SECRET: Final = "the password of a test"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBroker]:
    """Run one with the policies of the page, and another account and service beside them."""
    (block,) = PAGE.blocks("yaml")
    policies: dict[str, Any] = yaml.safe_load(block.text)
    policies["policies"]["web-main"]["issuer"] = "dev-github"
    policies["services"]["other"] = {**policies["services"]["vault"], "audience": "https://other"}
    policies["service_accounts"]["deploy-web"]["grants"]["other"] = []
    policies["service_accounts"]["else"] = {"grants": {"vault": []}}
    match = policies["policies"]["web-main"]["match"]
    policies["policies"]["else"] = {
        "service_account": "else",
        "issuer": "dev-github",
        "match": match | {"ref": "refs/heads/else"},
    }
    folder = tmp_path_factory.mktemp("broker") / "vault"
    with served_broker(folder, policies=yaml.safe_dump(policies)) as served:
        yield served


@pytest.fixture(scope="module", params=["vault", "bao"])
def vault(request: pytest.FixtureRequest, broker: ServedBroker) -> Iterator[Vault]:
    with running_vault(request.param) as running:
        for script in (METHOD, ROLE):
            run(running, script.replace("https://broker.example.com", broker.issuer))
        running.write("secret/data/web/database", {"data": {"password": SECRET}})
        running.write("secret/data/else/database", {"data": {"password": SECRET}})
        yield running


def run(vault: Vault, script: str, **job: str) -> str:
    """Run what the page shows, with the command of the program: as its root, or as a job."""
    script = re.sub(
        r"^(|.* )vault (?=auth|write|policy|kv)", rf"\1{vault.program} ", script, flags=re.MULTILINE
    )
    commands = f"{BUILT}:{Path(sys.executable).parent}"
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run(
        [bash, "-e", "-c", script],
        env=(job or vault.environment()) | {"PATH": f"{commands}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_job_reads_its_secret(broker: ServedBroker, vault: Vault, tmp_path: Path) -> None:
    printed = run(
        vault,
        JOB,
        VAULT_ADDR=vault.url,
        BROKER_URL=broker.url,
        BROKER_ID_TOKEN=broker.platform.token("github", {}, audience=broker.issuer),
        HOME=str(tmp_path),
    )

    assert printed.strip() == SECRET


def test_a_job_reads_nothing_else(broker: ServedBroker, vault: Vault) -> None:
    token = vault.login("deploy-web", broker.token("vault"))

    assert token
    assert vault.read("secret/data/web/database", token)
    assert vault.read("secret/data/else/database", token) is None


def test_vault_knows_which_job_it_was(broker: ServedBroker, vault: Vault) -> None:
    token = vault.login("deploy-web", broker.token("vault", run_id="4711"))

    assert token
    known = vault.read("auth/token/lookup-self", token)
    assert known
    assert known["meta"]["run"] == "4711"
    assert known["meta"]["repository"] == "acme/web"
    assert known["display_name"] == "jwt-deploy-web"
    assert known["ttl"] <= 600


def test_a_token_for_another_service_is_refused(broker: ServedBroker, vault: Vault) -> None:
    assert vault.login("deploy-web", broker.token("other")) is None


def test_a_token_of_another_account_is_refused(broker: ServedBroker, vault: Vault) -> None:
    assert vault.login("deploy-web", broker.token("vault", ref="refs/heads/else")) is None


def test_the_ci_token_itself_is_refused(broker: ServedBroker, vault: Vault) -> None:
    token = broker.platform.token("github", {}, audience="https://vault.example.com")

    assert vault.login("deploy-web", token) is None


@pytest.mark.parametrize(
    ("bound", "let_in"),
    [
        ({"/metadata/team": "web"}, True),
        ({"/metadata/team": "we"}, False),
        ({"/metadata/team": "other"}, False),
        ({"/metadata/none": "web"}, False),
        ({"/workload/repository_id": "456789"}, True),
        ({"/workload/repository_id": "45678"}, False),
        ({"client_id": "deploy-we*"}, False),
    ],
)
def test_a_role_binds_what_the_page_names(
    bound: dict[str, str], let_in: bool, broker: ServedBroker, vault: Vault
) -> None:
    vault.write("auth/jwt/role/bound", {**role("https://vault.example.com"), "bound_claims": bound})

    assert (vault.login("bound", broker.token("vault")) is not None) is let_in


def test_a_role_without_audiences_refuses_every_token(broker: ServedBroker, vault: Vault) -> None:
    vault.write(
        "auth/jwt/role/open",
        {"role_type": "jwt", "user_claim": "sub", "bound_claims": {"token_type": "service"}},
    )

    assert vault.login("open", broker.token("vault")) is None
