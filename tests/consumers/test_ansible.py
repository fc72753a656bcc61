"""Ansible looks a token up while it runs, and shows it to nobody."""

from pathlib import Path

from tests.consumers.conftest import Job
from tests.consumers.programs_found import PYTHON

PLAYBOOK = """\
- hosts: localhost
  gather_facts: false
  vars:
    broker_token: "{{ lookup('ansible.builtin.pipe', './broker-token') }}"
  tasks:
    - name: call the service
      ansible.builtin.copy:
        content: "{{ broker_token }}"
        dest: "./seen"
        mode: "0600"
      no_log: true
"""


def test_ansible_gets_a_token_without_a_line_feed(job: Job, tmp_path: Path) -> None:
    token = job.token()
    # Stands for `broker token SERVICE --format ansible`.
    (tmp_path / "broker-token").write_text(f"#!/bin/sh\necho {token.access_token}\n")
    (tmp_path / "broker-token").chmod(0o755)
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    done = job.run(
        *(str(PYTHON.with_name("ansible-playbook")), "-v", "-c", "local", "play.yml"),
        ANSIBLE_PYTHON_INTERPRETER=str(PYTHON),
        LC_ALL="C.UTF-8",
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "seen").read_text() == token.access_token
    assert token.access_token not in done.stdout + done.stderr
    assert '"censored":' in done.stdout
