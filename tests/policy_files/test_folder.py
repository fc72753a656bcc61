"""Reading the folder: which files count, and that nothing outside of it does (attacks row 85)."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.core.errors import ConfigurationError
from broker.policy_files import LoadedPolicies, load, load_paths
from broker.yaml_document import MAX_BYTES
from tests.policy_files.loading import BASE, BROKER, policy

DEV_ISSUERS = {
    "dev-github": "http://127.0.0.1:8081/github",
    "dev-gitlab": "http://127.0.0.1:8081/gitlab",
}
CORP = "issuers: {corp: {preset: gitlab, issuer: 'https://g.example', "


def load_folder(folder: Path, **settings: Any) -> LoadedPolicies:
    usual: dict[str, Any] = {
        "broker_issuer": BROKER,
        "token_defaults": (600, 3600),
        "signing_algorithms": ["RS256"],
        "loopback": False,
    }
    return load(folder, **usual | settings)


def messages(folder: Path, **settings: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_folder(folder, **settings)
    return [str(problem).replace(folder.as_posix() + "/", "") for problem in caught.value.problems]


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml").replace("_yml", ".yml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_every_yaml_file_below_the_folder_is_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        base_yaml=BASE,
        teams__web__p_yml=policy("{repository: acme/web}"),
        README="not: [a policy",
        notes_txt="no",
    )

    loaded = load_folder(tmp_path)

    assert loaded.policy_set.policies["p"].place == f"{tmp_path}/teams/web/p.yml:2"
    assert sorted(loaded.sources) == [f"{tmp_path}/base.yaml", f"{tmp_path}/teams/web/p.yml"]


def test_an_empty_folder_is_an_empty_set(tmp_path: Path) -> None:
    assert load_folder(tmp_path).policy_set.policies == {}


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert messages(tmp_path / "none") == [f"{tmp_path}/none: there is no such folder"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, base_yaml=BASE)

    assert "there is no such folder" in messages(tmp_path / "base.yaml")[0]


def test_the_dev_folder_is_read_with_dev_issuers_alone(tmp_path: Path) -> None:
    write(tmp_path, base_yaml=BASE, dev__p_yaml=policy("{repository: acme/web}", "dev-github"))

    usual = load_folder(tmp_path)
    dev = load_folder(
        tmp_path, loopback=True, broker_issuer="http://127.0.0.1:8080", dev_issuers=DEV_ISSUERS
    )

    assert not usual.policy_set.policies
    assert "dev-github" not in usual.policy_set.issuers
    assert set(dev.policy_set.policies) == {"p"}
    assert dev.policy_set.issuers["dev-github"].url == DEV_ISSUERS["dev-github"]
    assert dev.policy_set.issuers["dev-gitlab"].url == DEV_ISSUERS["dev-gitlab"]
    assert usual.policy_set.version != dev.policy_set.version


def test_a_dev_folder_further_down_is_a_folder_like_others(tmp_path: Path) -> None:
    write(tmp_path, base_yaml=BASE, teams__dev__p_yaml=policy("{repository: acme/web}"))

    assert "p" in load_folder(tmp_path).policy_set.policies


def test_dev_issuers_need_a_broker_on_loopback(tmp_path: Path) -> None:
    assert [text.partition(": ")[2] for text in messages(tmp_path, dev_issuers=DEV_ISSUERS)] == [
        "`issuer` must begin with `https://`; http is only for a broker that listens on loopback"
    ] * 2


def test_a_dev_issuer_of_an_unknown_platform_is_refused(tmp_path: Path) -> None:
    found = messages(tmp_path, dev_issuers={"dev-gitea": "http://127.0.0.1:1"}, loopback=True)

    assert found == ["serve --dev:1:38: `preset` must be github or gitlab"]


def test_files_may_not_define_an_issuer_of_the_dev_platform_again(tmp_path: Path) -> None:
    write(tmp_path, i_yaml="issuers: {dev-github: {preset: github}}")

    found = messages(tmp_path, dev_issuers=DEV_ISSUERS, loopback=True)

    assert "`dev-github` is already defined in serve --dev" in found[0]


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, outside_yaml=BASE, policies__base_yaml=BASE)
    (tmp_path / "policies/out.yaml").symlink_to(tmp_path / "outside.yaml")

    assert messages(tmp_path / "policies") == [
        "out.yaml: a link that leads out of the policy folder; put the file itself here"
    ]


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nothing.yaml")

    assert messages(tmp_path) == ["gone.yaml: cannot be read: No such file or directory"]


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, outside__p_yaml="", policies__base_yaml=BASE)
    (tmp_path / "policies/teams").symlink_to(tmp_path / "outside")

    assert messages(tmp_path / "policies") == [
        "teams: a link to a folder; put the folder itself here"
    ]


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, **{"..2026_11_24__base_yaml": BASE})
    (tmp_path / "..data").symlink_to("..2026_11_24")
    (tmp_path / "base.yaml").symlink_to("..data/base.yaml")
    assert (tmp_path / "..2026_11_24/base.yaml").exists()

    assert "github" in load_folder(tmp_path).policy_set.issuers


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path, checkout__base_yaml=BASE)
    (tmp_path / "policies").symlink_to(tmp_path / "checkout")

    assert "github" in load_folder(tmp_path / "policies").policy_set.issuers


def test_a_suffix_in_capitals_is_refused_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "deny.YAML").write_text("policies: {}", encoding="utf-8")

    assert messages(tmp_path) == [
        "deny.YAML: not read with this spelling; rename it to end in `.yaml`"
    ]


def test_a_pipe_in_place_of_a_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.yaml")

    assert messages(tmp_path) == ["p.yaml: cannot be read: not a regular file"]


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    write(tmp_path, p_yaml="#" * (MAX_BYTES + 1))

    assert "split it into several" in messages(tmp_path)[0]


def test_unreadable_files_are_reported_beside_all_other_problems(tmp_path: Path) -> None:
    write(tmp_path, b_yaml="polices: {a: b}")
    (tmp_path / "a.yaml").symlink_to(tmp_path / "nothing")

    found = messages(tmp_path)

    assert [text.partition(":")[0] for text in found] == ["a.yaml", "b.yaml"]


def test_a_key_set_is_read_from_beside_the_file_that_names_it(tmp_path: Path, jwks: bytes) -> None:
    write(tmp_path, corp__i_yaml=CORP + "jwks_file: keys.json}}")
    (tmp_path / "corp/keys.json").write_bytes(jwks)

    assert load_folder(tmp_path).policy_set.issuers["corp"].keys.document == jwks


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "unreadable"),
        (b"<html>", "unreadable"),
        (b'{"keys": []}', "no usable key"),
        (b'{"keys": [{"kty": "oct", "k": "AAAA", "kid": "k1"}]}', "no usable key"),
        (b" " * (MAX_BYTES + 2), "larger than"),
    ],
)
def test_a_broken_key_set_is_refused_at_its_line(
    tmp_path: Path, content: bytes | None, word: str
) -> None:
    write(tmp_path, i_yaml=CORP + "\n  jwks_file: keys.json}}")
    if content is not None:
        (tmp_path / "keys.json").write_bytes(content)

    (found,) = messages(tmp_path)

    assert found.startswith("i.yaml:2:14: `keys.json`")
    assert word in found


def test_keys_for_other_algorithms_alone_are_refused(tmp_path: Path, jwks: bytes) -> None:
    write(tmp_path, i_yaml=CORP + "jwks_file: keys.json, algorithms: [RS256]}}")
    (tmp_path / "keys.json").write_bytes(jwks)

    assert "no usable key" in messages(tmp_path)[0]


def test_the_certificates_of_a_file_are_kept(tmp_path: Path) -> None:
    write(tmp_path, i_yaml=CORP + "ca_file: ca.pem}}")
    pem = _certificate() + b"# a comment\n" + _certificate()
    (tmp_path / "ca.pem").write_bytes(pem)

    kept = load_folder(tmp_path).policy_set.issuers["corp"].keys.ca_certificates

    certificates = x509.load_pem_x509_certificates(pem)
    assert kept == b"".join(each.public_bytes(serialization.Encoding.DER) for each in certificates)


def test_another_certificate_is_another_version(tmp_path: Path) -> None:
    write(tmp_path, i_yaml=CORP + "ca_file: ca.pem}}")
    versions = set()
    for _ in range(2):
        (tmp_path / "ca.pem").write_bytes(_certificate())
        versions.add(load_folder(tmp_path).policy_set.version)

    assert len(versions) == 2


def test_a_certificate_file_without_certificates_is_refused(tmp_path: Path) -> None:
    write(tmp_path, i_yaml=CORP + "ca_file: ca.pem}}", ca_pem="")
    (tmp_path / "ca.pem").write_text("nothing", encoding="utf-8")

    assert "holds no certificates in PEM form" in messages(tmp_path)[0]


def test_a_link_in_a_circle_is_a_problem_like_others(tmp_path: Path) -> None:
    write(tmp_path, base_yaml=BASE)
    (tmp_path / "circle.yaml").symlink_to("circle.yaml")

    assert messages(tmp_path) == ["circle.yaml: cannot be read: Too many levels of symbolic links"]


def test_a_missing_certificate_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, i_yaml=CORP + "ca_file: ca.pem}}")

    assert "`ca.pem` cannot be read" in messages(tmp_path)[0]


# --- single paths ---------------------------------------------------------------------------------


def load_named(*paths: Path, **settings: Any) -> LoadedPolicies:
    usual: dict[str, Any] = {
        "broker_issuer": BROKER,
        "token_defaults": (600, 3600),
        "signing_algorithms": ["RS256"],
        "loopback": False,
    }
    return load_paths(paths, **usual | settings)


def test_files_and_folders_make_one_set(tmp_path: Path) -> None:
    write(tmp_path, base_yaml=BASE, teams__p_yaml=policy("{repository: acme/web}"))

    loaded = load_named(tmp_path / "base.yaml", tmp_path / "teams")

    assert list(loaded.policy_set.policies) == ["p"]


def test_a_file_that_is_named_is_read_whatever_its_ending(tmp_path: Path) -> None:
    (tmp_path / "draft.txt").write_text(BASE, encoding="utf-8")

    assert "github" in load_named(tmp_path / "draft.txt").policy_set.issuers


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, base_yaml=BASE)
    (tmp_path / "link.yaml").symlink_to("base.yaml")
    file = tmp_path / "base.yaml"

    loaded = load_named(file, tmp_path / "." / "base.yaml", tmp_path / "link.yaml")

    assert sorted(loaded.sources) == [str(file)]


def test_a_path_where_nothing_is_is_refused_with_all_others(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_named(tmp_path / "a", tmp_path / "b.yaml", tmp_path)

    assert [str(problem) for problem in caught.value.problems] == [
        f"{tmp_path}/{name}: there is no such file or folder; name policy files that are there, or"
        " the configuration that does with --config"
        for name in ("a", "b.yaml")
    ]


def test_a_path_that_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")

    with pytest.raises(ConfigurationError, match=r"pipe\.yaml: cannot be read: not a regular file"):
        load_named(tmp_path / "pipe.yaml")


def test_dev_below_a_folder_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    write(tmp_path, base_yaml=BASE, dev__p_yaml=policy("{repository: acme/web}"))

    assert load_named(tmp_path).policy_set.policies == {}
    loaded = load_named(tmp_path, dev_issuers=DEV_ISSUERS, loopback=True)
    assert list(loaded.policy_set.policies) == ["p"]


def _certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "corp.example")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)
