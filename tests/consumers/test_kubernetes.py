"""Kubernetes' Python client, and kubectl where there is one, with the helper as exec plugin."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
import yaml

from tests.consumers.conftest import Job
from tests.consumers.guide import in_guide
from tests.consumers.loopback_server import Answer, LoopbackServer, Request
from tests.consumers.programs_found import library_program, rare_program
from tests.issuer_keys.certificates import Authority, make_authority

PODS = {
    "kind": "PodList",
    "apiVersion": "v1",
    "metadata": {},
    "items": [{"metadata": {"name": "web-0"}, "spec": {"containers": []}}],
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls") / "ca")


@pytest.fixture
def cluster(job: Job, authority: Authority) -> Iterator[LoopbackServer]:
    """Serve one pod to holders of a token; it is told whom the broker's tokens are from."""

    def answer(request: Request) -> Answer:
        try:
            job.claims(request.headers.get("authorization", "").removeprefix("Bearer "))
        except jwt.PyJWTError:
            return Answer(status=401)
        headers = {"Content-Type": "application/json"}
        return Answer(json.dumps(PODS).encode(), headers=headers)

    with LoopbackServer(answer, tls=authority.server).serving() as server:
        yield server


def kubeconfig(
    job: Job, cluster: LoopbackServer, authority: Authority, version: str = "v1", **plugin: object
) -> Path:
    replaced = {"cluster-prod": "deploy-api", "k8s.io/v1": f"k8s.io/{version}"}
    (user,) = yaml.safe_load(in_guide("kubectl", "yaml", replaced=replaced))["users"]
    user["user"]["exec"] |= plugin
    server = {"server": cluster.url, "certificate-authority": str(authority.ca_file)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "ci",
        "clusters": [{"name": "prod", "cluster": server}],
        "users": [user],
        "contexts": [{"name": "ci", "context": {"cluster": "prod", "user": user["name"]}}],
    }
    path = job.folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return path


def pods(job: Job, path: Path) -> subprocess.CompletedProcess[str]:
    return job.run(*library_program("kubernetes_pods.py"), KUBECONFIG=str(path))


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_python_client_lists_pods_with_a_token(
    job: Job, cluster: LoopbackServer, authority: Authority, version: str
) -> None:
    done = pods(job, kubeconfig(job, cluster, authority, version))

    assert (done.returncode, json.loads(done.stdout)) == (0, ["web-0"]), done.stderr
    sent = {each.headers["authorization"] for each in cluster.requests}
    assert {job.claims(each.removeprefix("Bearer "))["sub"] for each in sent} == {"deploy-web"}


def test_the_python_client_is_told_why_there_is_no_token(
    job: Job, cluster: LoopbackServer, authority: Authority
) -> None:
    arguments = ["credential-helper", "kubectl", "--service", "no-such-service"]
    done = pods(job, kubeconfig(job, cluster, authority, args=arguments))

    assert "exec: process returned 4" in done.stderr
    assert "target_unknown" in done.stderr
    assert all("authorization" not in each.headers for each in cluster.requests)


def test_kubectl_lists_pods_with_a_token(
    job: Job, cluster: LoopbackServer, authority: Authority
) -> None:
    kubectl = rare_program("kubectl")
    path = kubeconfig(job, cluster, authority)
    address = "/api/v1/namespaces/default/pods"
    done = job.run(kubectl, "--kubeconfig", str(path), "get", "--raw", address)

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["items"][0]["metadata"]["name"] == "web-0"
