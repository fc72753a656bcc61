"""docs/guides/delegated-folders.md: what it shows loads, and is refused as it says."""

from pathlib import Path

import pytest

from broker.core.errors import ConfigurationError
from broker.policy_files import LoadedPolicies, load_texts, run
from broker.settings import load as load_settings
from tests.docs.markdown import Page

PAGE = Page("docs/guides/delegated-folders.md")
CONFIGURATION, PLATFORM, TEAM = (block.text for block in PAGE.blocks("yaml"))
(REFUSAL,) = (block.text.strip() for block in PAGE.blocks("text"))
FILE = "teams/web/deploy.yaml"


def load(tmp_path: Path, team: str) -> LoadedPolicies:
    (tmp_path / "broker.yaml").write_text(CONFIGURATION)
    settings = load_settings(None, {}, working_directory=tmp_path, serving=False)
    return load_texts(
        {"issuers.yaml": "issuers: {github: {preset: github}}", "p.yaml": PLATFORM, FILE: team},
        broker_issuer=settings.issuer,
        token_defaults=(600, 3600),
        signing_algorithms=["RS256"],
        loopback=True,
        folders=settings.folders,
    )


def test_what_both_sides_write_loads_and_its_test_holds(tmp_path: Path) -> None:
    (result,) = run(load(tmp_path, TEAM), 1_795_300_000)

    assert result.holds, result.fault


def test_without_grants_it_is_refused_as_the_page_says(tmp_path: Path) -> None:
    lines = [line for line in TEAM.splitlines() if "grants:" not in line]

    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, "\n".join(lines))

    assert f"policies/{refused.value}" == REFUSAL
