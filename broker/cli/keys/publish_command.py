"""`broker keys publish`."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from broker.cli.common_options import AsJson, Config, Data
from broker.cli.endings import fail
from broker.cli.keys.opening import OpenedKeys, run
from broker.cli.keys.rotate_command import CACHED_SECONDS

if TYPE_CHECKING:
    from broker.core.errors import ConfigurationError
    from broker.core.policy import PolicySet

JWKS: Final = ".well-known/jwks.json"
METADATA: Final = (
    ".well-known/openid-configuration",
    ".well-known/oauth-authorization-server",
)


def publish(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder that stands for the issuer's URL.")
    ],
    config: Config = None,
    data: Data = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Write the discovery documents and the JWKS as files, for who cannot reach the broker.

    They are, byte for byte, what the broker serves below its issuer now. Run it again often enough:
    the output says until when.
    """
    texts, again_before = run("publish", config, data, _published)
    files = [folder / name for name in texts]
    try:
        for file, text in zip(files, texts.values(), strict=True):
            _write_whole(file, text)
    except OSError as error:
        fail(f"{error.filename or folder}: cannot be written: {error.strerror}")
    if as_json:
        members = {"files": [str(file) for file in files], "again_before": again_before}
        typer.echo(json.dumps(members))
    else:
        for file in files:
            typer.echo(str(file))
    typer.echo(
        f"broker: publish again before {again_before}, and at once after `keys retire`,"
        " `keys rotate --now` and a change of the configuration or the policies",
        err=True,
    )


async def _published(opened: OpenedKeys) -> tuple[dict[str, bytes], str]:
    """Give the documents by the names of their files, and until when they will do."""
    from broker.core.audit import rfc3339
    from broker.core.indexed_policies import IndexedPolicies
    from broker.http.discovery import Discovery
    from broker.reload.held import HeldPolicies
    from broker.system import SystemClock

    clock = SystemClock()
    policy_set = await _in_force(opened)
    if policy_set is None or not opened.keyring.can_sign(clock.now()):
        raise _refused(opened, "no broker has served from this store yet")
    policies = HeldPolicies(IndexedPolicies.of(policy_set))
    discovery = Discovery(opened.settings.issuer, policies, opened.keyring, clock)
    # The keys first: no document may name an algorithm whose key is not there yet.
    texts = {JWKS: discovery.jwks_text()[0]}
    texts |= dict.fromkeys(METADATA, discovery.metadata_text()[0])
    # A key that is made after this is published for so long before it signs.
    lasts = opened.settings.signing.publish_before_use - CACHED_SECONDS
    return texts, rfc3339(clock.now() + max(0, lasts))


async def _in_force(opened: OpenedKeys) -> "PolicySet | None":
    """Make the policy set again that ran last on the store, as it ran.

    None when none did. Raises `ConfigurationError` and `Unavailable`.
    """
    from broker.bootstrap import policy_parameters
    from broker.reload.kept_sets import KeptSetsReading
    from broker.reload.reading import PolicyReader
    from broker.reload.seal import KEY_PURPOSE, Seal
    from broker.system import SystemClock

    settings = opened.settings
    reader = PolicyReader(settings.policies, policy_parameters(settings), SystemClock())
    kept = KeptSetsReading(opened.store, Seal(opened.master_key.derive(KEY_PURPOSE)), reader)
    version = await kept.last_version()
    if version is None:
        return None
    policy_set = await kept.find(version, at_start=True)
    if policy_set is None:
        raise _refused(
            opened,
            f"the policy set {version}, which ran last, cannot be made again, as told above; it is"
            " replaced when a broker is started again",
        )
    return policy_set


def _refused(opened: OpenedKeys, why: str) -> "ConfigurationError":
    from broker.core.errors import ConfigurationError, Problem

    what = f"{why}, so there is nothing to publish"
    return ConfigurationError([Problem(opened.settings.store.shown, 0, 0, what)])


def _write_whole(file: Path, text: bytes) -> None:
    """Put a file in place that is never seen in part, and outlives a loss of power."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.urandom(8).hex()}")
    try:
        # What is public may be read by whatever serves the files.
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
