"""The steps of the Dockerfile, taken without a container engine."""

import fnmatch
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.deploy.dockerfiles import ROOT, read
from tests.deploy.image_serving import serve_as_the_image_would
from tests.unprivileged import run_unprivileged

ARGUMENTS, (BUILD, IMAGE) = read()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy and run as the first stage does, with a folder in the place of the root."""
    root = tmp_path_factory.mktemp("image")
    source = root / "src"
    source.mkdir()
    # A cache saves the downloads of a second run; what is installed is the same.
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for instruction, rest in BUILD.instructions:
        if instruction == "COPY":
            *names, target = rest.split()
            for name in names:
                copy(ROOT / name, source / target, whole=name.endswith("/"))
        elif instruction == "RUN":
            command = re.sub(r"(?<![\w.])/(opt|dist)\b", rf"{root}/\1", rest)
            done = subprocess.run(
                ["sh", "-e", "-c", command],
                cwd=source,
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    return root


def copy(source: Path, target: Path, *, whole: bool) -> None:
    if whole:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def test_both_stages_begin_with_one_base_whose_tag_names_its_version() -> None:
    assert {BUILD.base, IMAGE.base} == {"${PYTHON_IMAGE}"}
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", ARGUMENTS["PYTHON_IMAGE"])


def test_what_is_copied_exists_and_is_let_through_and_nothing_else_is() -> None:
    copied = {name.rstrip("/") for names, _ in BUILD.copies() for name in names}
    ignored, *kept = (ROOT / ".dockerignore").read_text().split("\n", 1)[1].split()

    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert ignored == "*"
    assert {each[1:].rstrip("/") for each in kept if each.startswith("!")} == copied
    assert [each for each in kept if fnmatch.fnmatch(each, "*__pycache__*")]


def test_only_the_finished_environment_reaches_the_image() -> None:
    assert IMAGE.copies() == []
    assert IMAGE.only("COPY") == "--from=build /opt/broker /opt/broker"


def test_the_labels_say_what_the_project_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = IMAGE.variables("LABEL")
    prefix = "org.opencontainers.image."

    assert labels == {
        f"{prefix}title": project["name"],
        f"{prefix}description": project["description"],
        f"{prefix}version": project["version"],
        f"{prefix}licenses": project["license"],
    }


def test_the_user_is_a_number_and_owns_nothing_but_the_data() -> None:
    user, _, group = IMAGE.only("USER").partition(":")
    [making] = [each for each in IMAGE.all("RUN") if "useradd" in each]

    assert user == group == "10001"
    assert f"--gid {group} broker" in making
    assert f"--uid {user} --gid broker" in making
    assert re.findall(r"-o broker .* (\S+)$", making) == [IMAGE.only("VOLUME")]


def test_no_tool_that_installs_is_left(built: Path) -> None:
    programs = {each.name for each in (built / "opt/broker/bin").iterdir()}

    assert "broker" in programs
    assert [each for each in programs if re.fullmatch(r"pip[\d.]*|uv|hatch\w*", each)] == []
    assert (
        "RUN python -m pip uninstall --yes pip setuptools wheel"
        in (ROOT / "Dockerfile").read_text()
    )


def test_the_packages_are_those_of_the_lock(built: Path) -> None:
    locked = set(
        re.findall(r"^([\w.-]+)==", (ROOT / "requirements/image.txt").read_text(), re.MULTILINE)
    )
    [packages] = (built / "opt/broker/lib").glob("python*/site-packages")
    found = {
        each.name.removesuffix(".dist-info").rpartition("-")[0].lower().replace("_", "-")
        for each in packages.glob("*.dist-info")
    }

    # The lock also names what other systems and versions of Python need.
    assert found - {"ci-token-broker", "setuptools"} <= locked
    assert "ci-token-broker" in found


def test_it_serves_as_an_unprivileged_user_that_may_write_only_its_data(built: Path) -> None:
    shutil.copytree(ROOT / "policies", built / "home/policies", dirs_exist_ok=True)
    (built / "data").mkdir(mode=0o700)
    for each in (built / "opt", built / "home"):
        subprocess.run(["chmod", "-R", "a-w", each], check=True, timeout=60)
    try:
        said = run_unprivileged(serve_as_the_image_would, built)
    finally:
        for each in (built / "opt", built / "home"):
            subprocess.run(["chmod", "-R", "u+w", each], check=True, timeout=60)

    assert said == {
        "writable": False,
        "readyz": [200, {"status": "ready"}],
        "healthy": 0,
        "healthy_after_the_end": 1,
        "status": 0,
    }
    assert sorted(each.name for each in (built / "data").iterdir()) == [
        "broker.db",
        "broker.db-limits",
    ]
