"""deploy/compose/compose.yaml fits its schema, the image, and the broker."""

from pathlib import Path
from typing import Any

import yaml

from broker.settings import load as load_settings
from broker.workers.supervisor import STOP_SECONDS
from tests.deploy.dockerfiles import ROOT, read
from tests.docs.checkers import check_schema

FILE = ROOT / "deploy/compose/compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
BROKER: dict[str, Any] = COMPOSE["services"]["broker"]
IMAGE = read()[1][-1]


def test_it_fits_the_schema() -> None:
    check_schema("vendor.compose-spec", FILE)


def test_it_builds_from_the_dockerfile() -> None:
    assert (FILE.parent / BROKER["build"] / "Dockerfile").resolve() == ROOT / "Dockerfile"
    version = IMAGE.variables("LABEL")["org.opencontainers.image.version"]
    assert BROKER["image"] == f"ci-token-broker:{version}"


def test_the_root_is_read_only_and_no_right_is_left() -> None:
    assert BROKER["read_only"] is True
    assert BROKER["cap_drop"] == ["ALL"]
    assert BROKER["security_opt"] == ["no-new-privileges:true"]
    assert BROKER["user"] == IMAGE.only("USER")


def test_the_port_is_for_the_machine_alone() -> None:
    port = IMAGE.only("EXPOSE")

    assert BROKER["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert BROKER["command"][-2:] == ["--listen", f"0.0.0.0:{port}"]


def test_the_settings_name_what_is_mounted(tmp_path: Path) -> None:
    environment = BROKER["environment"] | {"BROKER_ISSUER": "https://broker.example.com"}
    settings = load_settings(
        None,
        environment,
        listen=BROKER["command"][-1],
        working_directory=tmp_path,
        serving=False,
    )
    mounts = {each["target"]: each for each in BROKER["volumes"]}

    assert mounts.keys() == {
        "/srv/broker/broker.yaml",
        str(settings.policies),
        str(settings.master_key_file),
        str(Path(settings.store.shown).parent),
    }
    assert BROKER["command"][:3] == ["serve", "--config", "/srv/broker/broker.yaml"]
    writable = [target for target, each in mounts.items() if not each.get("read_only")]
    assert writable == [IMAGE.only("VOLUME")]
    assert mounts[writable[0]]["source"] in COMPOSE["volumes"]


def test_it_is_given_the_time_that_it_takes_itself() -> None:
    assert int(BROKER["stop_grace_period"].removesuffix("s")) > STOP_SECONDS
