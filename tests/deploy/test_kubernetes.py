"""The manifests fit Kubernetes' schemas, the image, and the broker."""

import re
import stat
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from broker.core.errors import ConfigurationError
from broker.http.openapi.operations import OPERATIONS
from broker.policy_files import load as load_policies
from broker.settings import load as load_settings
from broker.signing.master_key import MasterKey
from broker.workers.supervisor import STOP_SECONDS
from tests.deploy.dockerfiles import ROOT, read

FOLDER = ROOT / "deploy/kubernetes"
IMAGE = read()[1][-1]
VERSIONS = ["1.30", "1.37"]


@cache
def manifests() -> dict[tuple[str, str], Any]:
    """Give every object by kind and name."""
    documents = [
        document
        for file in sorted(FOLDER.glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
    ]
    found = {(each["kind"], each["metadata"]["name"]): each for each in documents}
    assert len(found) == len(documents)
    return found


def one(kind: str, name: str = "ci-token-broker") -> Any:
    return manifests()[kind, name]


def pod() -> Any:
    return one("Deployment")["spec"]["template"]["spec"]


def container() -> Any:
    [only] = pod()["containers"]
    return only


def settings_text() -> str:
    text: str = one("ConfigMap")["data"]["broker.yaml"]
    return text


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind_and_name", manifests(), ids=" ".join)
def test_every_object_fits_the_schema(kind_and_name: tuple[str, str], version: str) -> None:
    kubernetes_validate.validate(manifests()[kind_and_name], version, strict=True)


def test_the_schema_would_notice_a_slip() -> None:
    slip = {**one("Deployment"), "spec": {**one("Deployment")["spec"], "replica": 1}}

    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(slip, VERSIONS[-1], strict=True)


def test_the_pod_is_restricted() -> None:
    """Pod Security Standards, `restricted`."""
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod()["automountServiceAccountToken"] is False
    kinds = {next(iter(set(volume) - {"name"})) for volume in pod()["volumes"]}
    assert kinds <= {"configMap", "secret", "persistentVolumeClaim", "emptyDir"}


def test_the_user_is_that_of_the_image() -> None:
    context = pod()["securityContext"]

    assert IMAGE.only("USER") == f"{context['runAsUser']}:{context['runAsGroup']}"
    assert context["fsGroup"] == context["runAsGroup"]


def test_what_a_service_puts_into_the_environment_is_kept_out() -> None:
    assert pod()["enableServiceLinks"] is False


def test_the_settings_and_the_policies_load(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    for name, text in one("ConfigMap", "ci-token-broker-policies")["data"].items():
        (tmp_path / "policies" / name).write_text(text)
    (tmp_path / "broker.yaml").write_text(settings_text())
    settings = load_settings(None, {}, working_directory=tmp_path, serving=False)
    loaded = load_policies(
        tmp_path / "policies",
        broker_issuer=settings.issuer,
        token_defaults=(settings.tokens.ttl, settings.tokens.max_ttl),
        signing_algorithms=settings.signing.algorithms,
        loopback=settings.loopback,
        folders=settings.folders,
    )

    assert loaded.policy_set.policies
    assert not settings.loopback


def test_the_settings_name_the_ports_of_the_pod_and_what_is_mounted(tmp_path: Path) -> None:
    (tmp_path / "broker.yaml").write_text(settings_text())
    settings = load_settings(None, {}, working_directory=tmp_path, serving=False)
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    mounts = {mount["name"]: Path(mount["mountPath"]) for mount in container()["volumeMounts"]}
    written = {each["name"] for each in container()["volumeMounts"] if not each.get("readOnly")}

    assert settings.admin_listen is not None
    assert ports == {"http": settings.listen[1], "admin": settings.admin_listen[1]}
    assert str(ports["http"]) == IMAGE.only("EXPOSE")
    assert mounts["policies"] == settings.policies
    assert mounts["data"] == Path(settings.store.shown).parent == Path(IMAGE.only("VOLUME"))
    assert mounts["master-key"] == settings.master_key_file.parent
    assert (
        settings.master_key_file.name in one("Secret", "ci-token-broker-master-key")["stringData"]
    )
    assert container()["args"] == ["serve", "--config", str(mounts["config"] / "broker.yaml")]
    assert written == {"data", "tmp"}


def test_every_volume_is_there_and_is_mounted() -> None:
    volumes = {each["name"]: each for each in pod()["volumes"]}

    assert sorted(volumes) == sorted(each["name"] for each in container()["volumeMounts"])
    for name in ("config", "policies"):
        assert ("ConfigMap", volumes[name]["configMap"]["name"]) in manifests()
    assert ("Secret", volumes["master-key"]["secret"]["secretName"]) in manifests()
    claim = volumes["data"]["persistentVolumeClaim"]["claimName"]
    assert one("PersistentVolumeClaim", claim)["spec"]["accessModes"] == ["ReadWriteOncePod"]


def test_the_master_key_is_for_its_owner_alone_and_none_is_shipped() -> None:
    [secret] = [each["secret"] for each in pod()["volumes"] if "secret" in each]
    [text] = one("Secret", secret["secretName"])["stringData"].values()

    assert secret["defaultMode"] == stat.S_IRUSR
    # Whoever forgets to replace it has a broker that does not start.
    with pytest.raises(ConfigurationError):
        MasterKey.from_text(text, "master.key")


def test_the_probes_ask_what_the_broker_answers() -> None:
    probes = {name: container()[name]["httpGet"] for name in container() if "Probe" in name}

    assert set(probes) == {"startupProbe", "livenessProbe", "readinessProbe"}
    assert all(("GET", each["path"]) in OPERATIONS for each in probes.values())
    assert {each["port"] for each in probes.values()} == {"http"}
    # A broker that cannot reach its store must not be killed for it.
    assert probes["livenessProbe"]["path"] == "/healthz"
    assert probes["readinessProbe"]["path"] == "/readyz"


def test_there_is_one_replica_and_never_two_at_once() -> None:
    assert one("Deployment")["spec"]["replicas"] == 1
    assert one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_it_is_given_the_time_that_it_takes_itself() -> None:
    assert pod()["terminationGracePeriodSeconds"] > STOP_SECONDS


def test_services_policies_and_budgets_choose_the_pod() -> None:
    labels = one("Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        one("Deployment")["spec"]["selector"]["matchLabels"],
        one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        *(each["spec"]["selector"] for (kind, _), each in manifests().items() if kind == "Service"),
    ]

    assert len(selectors) == 5
    assert all(selector == labels for selector in selectors)


def test_every_named_port_is_one_of_the_pod_and_the_api_is_for_operators() -> None:
    ports = {port["name"] for port in container()["ports"]}
    targets = {
        name: [each["targetPort"] for each in service["spec"]["ports"]]
        for (kind, name), service in manifests().items()
        if kind == "Service"
    }
    rules = one("NetworkPolicy")["spec"]["ingress"]
    by_port = {rule["ports"][0]["port"]: rule["from"] for rule in rules}

    assert targets == {"ci-token-broker": ["http"], "ci-token-broker-admin": ["admin"]}
    assert set(by_port) == ports
    assert "podSelector" in by_port["admin"][0]


def test_the_cloud_s_metadata_are_out_of_reach() -> None:
    blocks = [
        target["ipBlock"]
        for rule in one("NetworkPolicy")["spec"]["egress"]
        for target in rule["to"]
        if "ipBlock" in target
    ]

    assert blocks
    assert all("169.254.0.0/16" in block["except"] for block in blocks)


def test_the_image_has_the_version_of_the_project() -> None:
    version = IMAGE.variables("LABEL")["org.opencontainers.image.version"]

    assert re.fullmatch(rf".*/ci-token-broker:{re.escape(version)}", container()["image"])
