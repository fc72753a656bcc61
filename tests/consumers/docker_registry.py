"""Debian's docker-registry on loopback, and an image that is pushed and pulled by its API."""

import hashlib
import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.consumers.programs_found import program
from tests.ending import end

IMAGE = "team/app"
CONFIG = b"{}"
DIGEST = f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {
        "mediaType": "application/vnd.docker.container.image.v1+json",
        "size": len(CONFIG),
        "digest": DIGEST,
    },
    "layers": [
        {
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "size": len(CONFIG),
            "digest": DIGEST,
        }
    ],
}


@contextmanager
def docker_registry(folder: Path, configuration: Mapping[str, Any]) -> Iterator[str]:
    """Run a registry until the block ends; give the host and port where it listens."""
    whole = {
        "version": "0.1",
        "log": {"level": "info"},
        "storage": {"inmemory": {}},
        "http": {"addr": "127.0.0.1:0"},
        **configuration,
    }
    (folder / "registry.yml").write_text(json.dumps(whole))
    log = folder / "registry.log"
    with (
        log.open("wb") as written,
        subprocess.Popen(
            [program("docker-registry"), "serve", str(folder / "registry.yml")],
            stdout=written,
            stderr=written,
        ) as process,
    ):
        try:
            yield _listening(log)
        finally:
            end(process)


def _listening(log: Path) -> str:
    """Wait until the registry has said where it listens."""
    for _ in range(600):
        if found := re.search(r"listening on (127\.0\.0\.1:[0-9]+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    pytest.fail(f"docker-registry does not listen:\n{log.read_text()}")


def push(registry: str, authorization: str) -> int:
    """Push the image; give the status of the first request that is refused, or of the last."""
    base = f"{registry}/v2/{IMAGE}"
    headers = {"Authorization": authorization}
    with httpx.Client(trust_env=False, timeout=60, headers=headers) as http:
        upload = http.post(f"{base}/blobs/uploads/")
        if upload.status_code != 202:
            return upload.status_code
        place = httpx.URL(upload.headers["location"]).copy_add_param("digest", DIGEST)
        stored = http.put(place, content=CONFIG)
        if stored.status_code != 201:
            return stored.status_code
        return http.put(
            f"{base}/manifests/1",
            content=json.dumps(MANIFEST),
            headers={"Content-Type": str(MANIFEST["mediaType"])},
        ).status_code


def pull(registry: str, authorization: str) -> int:
    """Pull the image, which has to be the one that was pushed; or give the status of a refusal."""
    base = f"{registry}/v2/{IMAGE}"
    headers = {"Authorization": authorization, "Accept": str(MANIFEST["mediaType"])}
    with httpx.Client(trust_env=False, timeout=60, headers=headers) as http:
        manifest = http.get(f"{base}/manifests/1")
        if manifest.status_code == 200:
            assert manifest.json() == MANIFEST
            assert http.get(f"{base}/blobs/{DIGEST}").content == CONFIG
        return manifest.status_code
