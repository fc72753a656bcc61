"""Ansible looks a token up while it runs, as the reference says, and shows it to nobody."""

from pathlib import Path

from tests.consumers.conftest import Job
from tests.consumers.programs_found import PYTHON
from tests.docs.markdown import Page, blocks

PAGE = Page("docs/reference/formats.md")


def test_ansible_gets_a_token_without_a_line_feed(job: Job, tmp_path: Path) -> None:
    (play,) = blocks(PAGE.section("`ansible`"), "yaml")
    (tmp_path / "play.yml").write_text(play.text)
    done = job.run(
        *(str(PYTHON.with_name("ansible-playbook")), "-v", "-c", "local", "play.yml"),
        ANSIBLE_PYTHON_INTERPRETER=str(PYTHON),
        LC_ALL="C.UTF-8",
    )

    assert done.returncode == 0, done.stdout + done.stderr
    token = (tmp_path / "service.token").read_text()
    assert job.claims(token)["client_id"] == "deploy-web"
    assert token not in done.stdout + done.stderr
    assert '"censored":' in done.stdout
