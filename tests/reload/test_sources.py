"""What is kept of a policy set: packed without loss, and sealed."""

from dataclasses import replace

import pytest

from broker.core.delegation import Delegation
from broker.reload.seal import Seal
from broker.reload.sources import DeploymentParameters, PolicySources

PARAMETERS = DeploymentParameters(
    broker_issuer="https://broker.example",
    ttl=600,
    max_ttl=3600,
    signing_algorithms=("RS256", "ES256"),
    loopback=False,
)
SOURCES = PolicySources(
    "policies",
    {"policies/a.yaml": "# Über\n".encode(), "policies/b.yml": b""},
    {("policies/a.yaml", "keys/ghes.json"): bytes(range(256))},
    PARAMETERS,
)


def test_delegated_folders_are_unpacked_with_their_places() -> None:
    folder = Delegation("teams/web", ("policies",), ("allow",), ("web-*",), (), ("b.yaml", 3, 5))
    sources = replace(SOURCES, parameters=replace(PARAMETERS, folders=(folder,)))

    unpacked = PolicySources.unpack(sources.pack())
    assert unpacked == sources
    assert unpacked.parameters.folders[0].place == ("b.yaml", 3, 5)


@pytest.mark.parametrize("dev_issuers", [None, {}, {"dev-github": "http://127.0.0.1:1/github"}])
def test_sources_are_unpacked_as_they_were_packed(dev_issuers: dict[str, str] | None) -> None:
    parameters = replace(PARAMETERS, loopback=True, dev_issuers=dev_issuers)
    sources = replace(SOURCES, parameters=parameters)

    assert PolicySources.unpack(sources.pack()) == sources


def test_the_order_of_files_leaves_no_trace() -> None:
    backwards = replace(SOURCES, texts=dict(reversed(list(SOURCES.texts.items()))))

    assert backwards.pack() == SOURCES.pack()


def test_a_seal_comes_off_what_it_was_put_on() -> None:
    seal = Seal(b"k" * 32)

    assert seal.take_off("version", seal.put_on("version", b"packed")) == b"packed"


def test_a_seal_holds_for_one_version_and_one_key() -> None:
    sealed = Seal(b"k" * 32).put_on("version", b"packed")

    assert Seal(b"k" * 32).take_off("another", sealed) is None
    assert Seal(b"K" * 32).take_off("version", sealed) is None


@pytest.mark.parametrize("content", [b"", b"short", b"\0" * 32, b"\0" * 40])
def test_what_was_never_sealed_is_refused(content: bytes) -> None:
    assert Seal(b"k" * 32).take_off("version", content) is None


def test_a_seal_breaks_with_any_change() -> None:
    seal = Seal(b"k" * 32)
    sealed = seal.put_on("version", b"packed")

    for index in range(len(sealed)):
        changed = bytearray(sealed)
        changed[index] ^= 1
        assert seal.take_off("version", bytes(changed)) is None
    assert seal.take_off("version", sealed + b"\0") is None
    assert seal.take_off("version", sealed[:-1]) is None
