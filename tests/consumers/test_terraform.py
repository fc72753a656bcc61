"""Terraform or OpenTofu: a private module registry, and state by the `http` backend."""

import json
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from broker.client.formats import FormatOptions, render
from broker.client.service_token import ServiceToken
from tests.consumers.conftest import Job
from tests.consumers.guide import in_guide
from tests.consumers.loopback_server import Answer, LoopbackServer, Request
from tests.consumers.programs_found import rare_program
from tests.issuer_keys.certificates import Authority, make_authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture
def registry(job: Job, authority: Authority, tmp_path: Path) -> Iterator[LoopbackServer]:
    """Serve one module to holders of a token, by the protocol of module registries."""
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "main.tf").write_text('output "answer" {\n  value = 42\n}\n')

    def answer(request: Request) -> Answer:
        if request.path == "/.well-known/terraform.json":
            return _json({"modules.v1": "/v1/modules/"})
        try:
            job.claims(request.headers.get("authorization", "").removeprefix("Bearer "))
        except jwt.PyJWTError:
            return Answer(status=401)
        if request.path.endswith("/versions"):
            return _json({"modules": [{"versions": [{"version": "1.0.0"}]}]})
        return Answer(status=204, headers={"X-Terraform-Get": f"file://{tmp_path / 'module'}"})

    with LoopbackServer(answer, tls=authority.server).serving() as server:
        yield server


def _json(document: object) -> Answer:
    return Answer(json.dumps(document).encode(), headers={"Content-Type": "application/json"})


@pytest.fixture
def work(job: Job, registry: LoopbackServer, authority: Authority, tmp_path: Path) -> Path:
    """A folder whose module is in the registry, and the helper where the tool looks for it."""
    (tmp_path / "home" / ".terraformrc").write_text(in_guide("Terraform", "hcl"))
    job.quiet("sh", "-eu", stdin=in_guide("Terraform", "sh"))
    job.variables |= {
        "SSL_CERT_FILE": str(authority.ca_file),
        "CHECKPOINT_DISABLE": "1",
    }
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "main.tf").write_text(
        f'module "web" {{\n  source  = "{registry.host}/team/web/none"\n  version = "1.0.0"\n}}\n'
    )
    return folder


def test_terraform_fetches_a_private_module_with_a_token(
    job: Job, registry: LoopbackServer, work: Path
) -> None:
    terraform = rare_program("terraform", "tofu")
    done = job.run(
        terraform, "init", "-no-color", cwd=work, BROKER_HOSTS=f"{registry.host}=deploy-api"
    )

    assert (done.returncode, done.stderr) == (0, ""), done
    assert (work / ".terraform" / "modules" / "web" / "main.tf").exists()
    sent = {each.headers["authorization"] for each in registry.requests}
    assert [job.claims(each.removeprefix("Bearer "))["client_id"] for each in sent] == [
        "deploy-web" for _ in sent
    ]


def test_terraform_goes_on_without_a_token_for_a_host_that_is_not_listed(
    job: Job, registry: LoopbackServer, work: Path
) -> None:
    terraform = rare_program("terraform", "tofu")
    before = job.exchanges()
    done = job.run(
        terraform, "init", "-no-color", cwd=work, BROKER_HOSTS="registry.example.com=deploy-api"
    )

    assert done.returncode == 1
    assert job.exchanges() == before
    assert all("authorization" not in each.headers for each in registry.requests)


def test_terraform_cannot_store_or_forget(job: Job) -> None:
    for verb in ("store", "forget"):
        done = job.run(
            *("broker", "credential-helper", "terraform"),
            verb,
            "registry.example.com",
            stdin='{"token": "abc"}',
            BROKER_HOSTS="registry.example.com=deploy-api",
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert "not stored or forgotten" in done.stderr


def test_the_http_backend_reads_its_name_and_password(job: Job, tmp_path: Path) -> None:
    terraform = rare_program("terraform", "tofu")
    secret = ServiceToken("token'of the\"job".replace(" ", "$"), "Bearer", 600, 1_800_000_000)
    exports = render("terraform-http-backend", secret, FormatOptions()).text
    state = {"version": 4, "terraform_version": "1.0.0", "serial": 1, "lineage": "x"}

    with LoopbackServer(lambda _: _json(state)).serving() as server:
        (tmp_path / "main.tf").write_text(
            f'terraform {{\n  backend "http" {{\n    address = "{server.url}/state"\n  }}\n}}\n'
        )
        script = f"{exports}{terraform} init -no-color >&2\n{terraform} state pull\n"
        done = job.run("sh", "-e", stdin=script, CHECKPOINT_DISABLE="1")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["lineage"] == "x"
    sent = {each.headers["authorization"] for each in server.requests}
    assert sent == {"Basic b2F1dGgyOnRva2VuJ29mJHRoZSJqb2I="}
