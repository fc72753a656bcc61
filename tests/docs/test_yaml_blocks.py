"""Every block of YAML in the pages is what it looks like, and does what its page says."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from broker.settings import load as load_settings
from tests.docs.checkers import check_schema, check_weaknesses, write_workflow
from tests.docs.markdown import Block, Page, pages
from tests.docs.policies_in_pages import holds_policies, load_text, read_yaml
from tests.issuer_keys.certificates import make_authority


def kind_of(block: Block) -> str:
    """Tell what a block of YAML is, by what stands in it."""
    if holds_policies(block):
        return "policies"
    content = read_yaml(block.text)
    if isinstance(content, list):
        return "playbook"
    if "users" in content:
        return "kubeconfig"
    if "apiVersion" in content:
        return "manifest"
    if "scrape_configs" in content:
        return "monitoring"
    if "jobs" in content:
        return "workflow"
    if "include" in content or any(
        "script" in job for job in content.values() if isinstance(job, dict)
    ):
        return "pipeline"
    return "settings"


def blocks(kind: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{page.path}-{number}")
        for page in pages()
        # The examples there stand beside others: test_lint_pages.py.
        if not page.path.startswith("docs/lints/")
        for number, block in enumerate(page.blocks("yaml"), start=1)
        if kind_of(block) == kind
    ]


@pytest.fixture(scope="module")
def attachments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files that policy files of the pages name."""
    authority = make_authority(tmp_path_factory.mktemp("files") / "authority")
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048).public_key()
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True)
    return {
        "corp-ca.pem": authority.ca_file.read_bytes(),
        "gitlab-corp.jwks.json": json.dumps({"keys": [{**jwk, "kid": "1"}]}).encode(),
    }


@pytest.mark.parametrize("block", blocks("policies"))
def test_policies_load(block: Block, attachments: dict[str, bytes]) -> None:
    load_text(block.text, attachments)


@pytest.mark.parametrize("block", blocks("workflow"))
def test_workflows_fit_githubs_schema_and_have_no_known_weakness(
    block: Block, tmp_path: Path
) -> None:
    workflow = write_workflow(tmp_path, block.text)

    check_schema("vendor.github-workflows", workflow)
    check_weaknesses(tmp_path)


@pytest.mark.parametrize("block", blocks("pipeline"))
def test_pipelines_fit_gitlabs_schema(block: Block, tmp_path: Path) -> None:
    pipeline = tmp_path / ".gitlab-ci.yml"
    pipeline.write_text(block.text)

    check_schema("vendor.gitlab-ci", pipeline)


@pytest.mark.parametrize("block", blocks("settings"))
def test_settings_load(block: Block, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/master.key").write_text("")
    (tmp_path / "broker.yaml").write_text(block.text)

    load_settings(None, {}, working_directory=tmp_path)


def test_there_are_blocks_of_every_kind() -> None:
    assert all(blocks(kind) for kind in ("policies", "workflow", "pipeline", "settings"))


def test_the_readme_shows_policies() -> None:
    assert any(holds_policies(block) for block in Page("README.md").blocks("yaml"))
