"""Whatever stands in the file or the environment: settings, or problems with their place."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.errors import ConfigurationError, Problem
from broker.settings import KEYS, Settings, load
from tests.settings.home import Home

VARIABLES = [key.variable for key in KEYS]
FRAGMENTS = [
    "issuer", "listen", "tokens", "ttl", "rate_limits", "off", "folders", "{", "}", "[", "]",
    ": ", "\n", "  ", "- ", "1h", "600", "true", "null", "127.0.0.1:0", "http://[::1]", "&a", "'",
    "\x85", "é", ",", "#", "sqlite:", "/",
]  # fmt: skip

anything = st.text() | st.sampled_from([*FRAGMENTS, "[a, b]", "10.0.0.0/8", "2h", "\udcff", "\0"])
variables = st.dictionaries(
    st.sampled_from(VARIABLES) | st.text().map("BROKER_".__add__), anything, max_size=6
)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "policies").mkdir()
        yield Home(Path(folder))


def settings_or_problems(home: Home, environment: dict[str, str]) -> Settings | str:
    problems: tuple[Problem, ...]
    try:
        return load(None, environment, working_directory=home.path)
    except ConfigurationError as error:
        problems = error.problems
    assert problems
    assert all(each.message and each.line >= 0 for each in problems)
    assert all(str(each).isprintable() for each in problems)
    return "\n".join(map(str, problems))


@given(variables)
def test_any_environment_gives_settings_or_problems(
    home: Home, environment: dict[str, str]
) -> None:
    (home.path / "broker.yaml").unlink(missing_ok=True)

    settings_or_problems(home, environment)


@given(st.binary(max_size=200) | st.lists(st.sampled_from(FRAGMENTS)).map("".join).map(str.encode))
def test_any_file_gives_settings_or_problems(home: Home, content: bytes) -> None:
    (home.path / "broker.yaml").write_bytes(content)

    settings_or_problems(home, {})


scalars = st.none() | st.booleans() | st.integers() | anything
names = st.sampled_from(sorted({name for key in KEYS for name in key.path})) | st.text()
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
)


@given(st.dictionaries(names, trees, max_size=6))
def test_any_tree_gives_settings_or_problems(home: Home, tree: object) -> None:
    (home.path / "broker.yaml").write_text(json.dumps(tree))

    settings_or_problems(home, {})


@given(st.sampled_from(VARIABLES), anything)
def test_settings_that_load_are_within_their_bounds(home: Home, variable: str, value: str) -> None:
    (home.path / "broker.yaml").unlink(missing_ok=True)

    settings = settings_or_problems(home, {variable: value})

    if isinstance(settings, Settings):
        assert 0 < settings.tokens.ttl <= settings.tokens.max_ttl <= 86_400
        assert 0 < settings.signing.publish_before_use < settings.signing.rotate_every
        assert 0 <= settings.leeway <= 300
        assert settings.loopback or settings.issuer.startswith("https://")
        assert settings.policies.is_absolute()


@given(st.text(min_size=8), st.sampled_from(VARIABLES))
def test_no_problem_shows_the_master_key(home: Home, value: str, other: str) -> None:
    secret = f"s3cr3t-{value}"
    environment = {other: "", "BROKER_MASTER_KEY": secret, "BROKER_STORE": f"redis://:{secret}@db"}

    assert "s3cr3t" not in str(settings_or_problems(home, environment))
