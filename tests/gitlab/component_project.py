"""The component project as GitLab has it, whose pipelines gitlab-ci-local runs on this machine."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPONENTS = ROOT / "actions/gitlab"
RUNNER = Path(__file__).parent / "node_modules/.bin/gitlab-ci-local"

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Done:
    """A pipeline that has ended, and all that was printed."""

    passed: bool
    log: str

    def printed(self) -> list[str]:
        """List the lines that the job itself has printed, in order."""
        # What a failed job printed last is repeated below it, without its name before it.
        return re.findall(r"^[\w-]+ +> (.*)$", self.log, re.MULTILINE)

    def said(self) -> list[str]:
        """List what the templates have said among them, without their prefix."""
        return [
            line.removeprefix("broker: ") for line in self.printed() if line.startswith("broker: ")
        ]


@dataclass(frozen=True)
class ComponentProject:
    """A clone of the component project in `folder`, with a pipeline to try it."""

    folder: Path

    @classmethod
    def cloned(cls, folder: Path) -> "ComponentProject":
        """Copy the project, and commit it as a repository of its own."""
        shutil.copytree(COMPONENTS, folder)
        project = cls(folder)
        project._git("init", "--quiet", "--initial-branch=main")
        # gitlab-ci-local learns from the remote which project this is.
        project._git("remote", "add", "origin", "git@gitlab.example.com:acme/broker.git")
        project._git("add", "--all")
        project._git("commit", "--quiet", "--message=The templates")
        return project

    def run(
        self, *jobs: str, variables: Mapping[str, str], pipeline: str, schema: bool = False
    ) -> Done:
        """Run jobs of a pipeline, all of them if none is named, in shells of this machine.

        gitlab-ci-local makes no ID tokens: `BROKER_ID_TOKEN` among the variables is what GitLab
        would put there. `schema` holds the pipeline against GitLab's own, which takes as long as
        the rest.
        """
        (self.folder / ".gitlab-ci.yml").write_text(pipeline)
        done = subprocess.run(
            [
                _program("node"), str(RUNNER), "--force-shell-executor", *jobs,
                f"--json-schema-validation={str(schema).lower()}",
                # There is no earlier commit to compare with.
                "--evaluate-rule-changes=false",
                # As on GitLab.
                "--variable=GITLAB_CI=true",
                "--ignore-predefined-vars=GITLAB_CI,CI_PIPELINE_SOURCE",
                *(f"--variable={name}={value}" for name, value in variables.items()),
            ],
            cwd=self.folder,
            env={
                "HOME": str(self.folder.parent),
                "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
                **_WHO,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )  # fmt: skip
        return Done(done.returncode == 0, _COLOUR.sub("", done.stdout + done.stderr))

    def _git(self, *arguments: str) -> None:
        subprocess.run(
            ["git", *arguments], cwd=self.folder, env=os.environ | _WHO, check=True, timeout=60
        )


def in_this_project(pipeline: str) -> str:
    """Let a pipeline include the templates of this commit."""
    return re.sub(
        r"\$CI_SERVER_FQDN/[a-z]+/broker/([\w-]+)@[0-9a-f]{40}",
        r"$CI_SERVER_FQDN/$CI_PROJECT_PATH/\1@$CI_COMMIT_SHA",
        pipeline,
    )


def require_programs() -> None:
    """Fail, saying what to do, when something is missing that pipelines need here."""
    assert RUNNER.exists(), "the Node packages are missing: `make test` sets them up"
    for name in ("node", "rsync", "curl"):
        _program(name)


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{ROOT / '.venv/bin'}:{os.environ['PATH']}")
    assert found, f"{name} is missing: `make test` installs it as root; else install it yourself"
    return found


_WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Test"), ("EMAIL", "test@example.com"))
}
