"""The page about Vault: what it shows for Terraform is what its commands do.

The commands themselves are run by `make interop`, with Vault and with OpenBao.
"""

import json
import re
from typing import Any, Final

import pytest

from tests.docs.markdown import Page

PAGE: Final = Page("docs/guides/vault.md")
METHOD, ROLE, _ = (block.text for block in PAGE.blocks("sh"))
(TERRAFORM,) = (block.text for block in PAGE.blocks("hcl"))


def shown_role() -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(ROLE.partition("<<'JSON'\n")[2].partition("\nJSON")[0])
    return shown


def resource(kind: str) -> str:
    found = re.search(
        rf'^resource "{kind}" "\w+" {{\n(.*?)^}}', TERRAFORM, re.MULTILINE | re.DOTALL
    )
    assert found
    return re.sub(r" +", " ", found[1])


def written(value: Any) -> str:
    """Write a value of JSON as HCL does."""
    if isinstance(value, str) and re.fullmatch(r"\d+m", value):
        return str(int(value[:-1]) * 60)
    return json.dumps(value)


@pytest.mark.parametrize("name", sorted(set(shown_role()) - {"token_policies"}))
def test_the_role_is_the_same(name: str) -> None:
    value = shown_role()[name]
    if not isinstance(value, dict):
        assert f" {name} = {written(value)}\n" in resource("vault_jwt_auth_backend_role")
        return
    members = re.search(rf" {name} = {{(.*?)}}", resource("vault_jwt_auth_backend_role"), re.DOTALL)
    assert members
    pairs = re.findall(r'"?([\w/]+)"? = "([^"]*)"', members[1])
    assert dict(pairs) == value


def test_the_role_is_for_the_policy_that_is_written() -> None:
    (policy,) = shown_role()["token_policies"]

    assert f"vault policy write {policy} " in ROLE
    assert f"vault write auth/jwt/role/{policy} " in ROLE
    assert f'name = "{policy}"' in resource("vault_policy")
    assert "token_policies = [vault_policy.deploy_web.name]" in resource(
        "vault_jwt_auth_backend_role"
    )


def test_the_method_is_the_same() -> None:
    for name, value in re.findall(r"(\w+)=(\S+)", METHOD):
        shown = f'["{value}"]' if name == "jwt_supported_algs" else f'"{value}"'
        assert f" {name} = {shown}\n" in resource("vault_jwt_auth_backend")


def test_the_policy_is_the_same() -> None:
    rule = ROLE.partition("<<'HCL'\n")[2].partition("\nHCL")[0]

    assert json.dumps(rule) in resource("vault_policy")
