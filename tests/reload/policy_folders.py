"""Policy folders, and the ways in which people and machines change the files in them."""

from itertools import count
from pathlib import Path

BASE = """\
issuers:
  github: {preset: github}
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {deploy:read: See deployments, deploy:write: Start a deployment}
service_accounts:
  deploy-web: {grants: {deploy-api: [deploy:read, deploy:write]}}
"""
MAIN = """\
policies:
  main:
    service_account: deploy-web
    issuer: github
    match: {repository: acme/web, repository_id: 456789, ref: refs/heads/main}
"""
DENY = """\
policies:
  no-forks: {effect: deny, issuer: github, match: {event_name: {glob: "pull_request*"}}}
"""
BROKEN = """\
policies:
  main: {service_account: deploy-web, issuer: nobody, match: {repository: acme/web}}
"""
FAILING_TEST = """\
tests:
  - name: strangers deploy
    issuer: github
    claims: {repository: evil/web, event_name: push}
    request: {audience: deploy-api}
    expect: permit
"""
_numbers = count(1)


def policy(name: str, repository: str = "acme/web", **fields: str) -> str:
    """Write one allow policy."""
    more = "".join(f", {key}: {value}" for key, value in fields.items())
    return (
        f"policies: {{{name}: {{service_account: deploy-web, issuer: github,"
        f" match: {{repository: {repository}}}{more}}}}}\n"
    )


def write(folder: Path, **texts: str) -> Path:
    """Write files into a folder: `main_yaml` is main.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name.replace("_yaml", ".yaml")).write_text(text)
    return folder


def replace(file: Path, text: str) -> None:
    """Replace a file as editors and careful programs do: all at once, by a rename."""
    draft = file.with_name(f".{file.name}.{next(_numbers)}")
    draft.write_text(text)
    draft.rename(file)


class ConfigMap:
    """A folder as Kubernetes mounts a ConfigMap, and changes it.

    The names are links into `..data`, which is itself a link, to a folder of the moment; the
    change of that one link changes all files at once.
    """

    def __init__(self, folder: Path, **texts: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.update(**texts)
        for name in sorted(texts):
            file = name.replace("_yaml", ".yaml")
            (folder / file).symlink_to(Path("..data") / file)

    def update(self, **texts: str) -> None:
        """Change the files to these."""
        moment = write(self.folder / f"..moment_{next(_numbers)}", **texts)
        self.point_to(moment)

    def point_to(self, moment: Path) -> None:
        """Let the files be those of a folder."""
        draft = self.folder / "..data_tmp"
        draft.symlink_to(moment.name)
        draft.replace(self.folder / "..data")

    @property
    def moment(self) -> Path:
        """The folder that the files are in now."""
        return (self.folder / "..data").resolve()
