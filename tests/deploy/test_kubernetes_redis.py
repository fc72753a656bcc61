"""The manifests for several replicas fit Kubernetes' schemas, the single one, and Redis."""

from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from broker.core.redis_address import AddressRefused, read_redis_address
from broker.stores.redis_link import ANSWER_SECONDS
from broker.workers.supervisor import STOP_SECONDS
from tests.deploy import test_kubernetes as alone
from tests.deploy.dockerfiles import ROOT
from tests.deploy.given_redis import PASSWORD, GivenRedis, a_home, assert_two_are_one
from tests.docs.markdown import Page

FOLDER = ROOT / "deploy/kubernetes-redis"
TAKEN_OVER = ["policies.yaml", "secret.yaml", "service.yaml"]
"""What is applied of the folder for one broker."""

BROKER, REDIS, STORE = "ci-token-broker", "ci-token-broker-redis", "ci-token-broker-store"


@cache
def manifests() -> dict[tuple[str, str], Any]:
    """Give every object by kind and name."""
    files = [*FOLDER.glob("*.yaml"), *(alone.FOLDER / name for name in TAKEN_OVER)]
    documents = [each for file in sorted(files) for each in yaml.safe_load_all(file.read_text())]
    found = {(each["kind"], each["metadata"]["name"]): each for each in documents}
    assert len(found) == len(documents)
    return found


def one(kind: str, name: str = BROKER) -> Any:
    return manifests()[kind, name]


def pod(kind: str = "Deployment", name: str = BROKER) -> Any:
    return one(kind, name)["spec"]["template"]["spec"]


def container(kind: str = "Deployment", name: str = BROKER) -> Any:
    [only] = pod(kind, name)["containers"]
    return only


def redis_settings() -> dict[str, str]:
    text: str = one("ConfigMap", REDIS)["data"]["redis.conf"]
    return dict(line.split(maxsplit=1) for line in text.splitlines())


@pytest.mark.parametrize("version", alone.VERSIONS)
@pytest.mark.parametrize("kind_and_name", manifests(), ids=" ".join)
def test_every_object_fits_the_schema(kind_and_name: tuple[str, str], version: str) -> None:
    kubernetes_validate.validate(manifests()[kind_and_name], version, strict=True)


def test_the_pod_is_that_of_one_broker_but_for_the_store_and_the_end() -> None:
    ours, theirs = pod(), alone.pod()
    mine, single = container(), alone.container()

    for name in (
        "automountServiceAccountToken",
        "enableServiceLinks",
        "terminationGracePeriodSeconds",
    ):
        assert ours[name] == theirs[name]
    for name in ("image", "args", "ports", "securityContext", "resources", "startupProbe"):
        assert mine[name] == single[name]
    for name in ("livenessProbe", "readinessProbe"):
        assert mine[name]["httpGet"] == single[name]["httpGet"]
    assert ours["securityContext"].items() <= theirs["securityContext"].items()
    assert [each for each in single["volumeMounts"] if each["name"] != "data"] == mine[
        "volumeMounts"
    ]
    assert [each for each in theirs["volumes"] if each["name"] != "data"] == ours["volumes"]


def test_the_settings_are_those_of_one_broker_but_for_the_store() -> None:
    def settings(text: str) -> dict[str, Any]:
        loaded: dict[str, Any] = yaml.safe_load(text)
        return loaded

    ours = settings(one("ConfigMap")["data"]["broker.yaml"])
    theirs = settings(alone.settings_text())

    assert theirs.pop("store").startswith("sqlite:")
    assert ours == theirs


def test_a_rollout_and_a_drain_leave_replicas_that_serve() -> None:
    deployment = one("Deployment")["spec"]

    assert deployment["replicas"] > 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    spread = {each["topologyKey"]: each for each in pod()["topologySpreadConstraints"]}
    assert spread["kubernetes.io/hostname"]["whenUnsatisfiable"] == "DoNotSchedule"
    for each in spread.values():
        assert each["labelSelector"] == deployment["selector"]
        # Else the pods of before would count while new ones are started.
        assert each["matchLabelKeys"] == ["pod-template-hash"]


def test_the_end_of_a_pod_has_the_time_that_the_broker_takes() -> None:
    waits = container()["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert waits > container()["readinessProbe"]["periodSeconds"]
    assert pod()["terminationGracePeriodSeconds"] > waits + STOP_SECONDS


def test_a_replica_that_waits_for_redis_has_the_time_to_say_so() -> None:
    # It waits for an answer, and asks once more.
    assert container()["readinessProbe"]["timeoutSeconds"] > 2 * ANSWER_SECONDS
    assert container()["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_every_selector_chooses_its_pods() -> None:
    for kind, name in (("Deployment", BROKER), ("StatefulSet", REDIS)):
        labels = one(kind, name)["spec"]["template"]["metadata"]["labels"]
        assert one(kind, name)["spec"]["selector"]["matchLabels"] == labels
        assert one("NetworkPolicy", name)["spec"]["podSelector"]["matchLabels"] == labels
        assert one("Service", name)["spec"]["selector"] == labels
    labels = one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels


def test_redis_is_reached_by_the_brokers_alone_and_reaches_nothing() -> None:
    policy = one("NetworkPolicy", REDIS)["spec"]
    brokers = one("Deployment")["spec"]["selector"]
    [rule] = policy["ingress"]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == []
    assert rule["from"] == [{"podSelector": brokers}]
    leads = [
        each
        for each in one("NetworkPolicy")["spec"]["egress"]
        if {"podSelector": one("StatefulSet", REDIS)["spec"]["selector"]} in each["to"]
    ]
    assert [each["ports"] for each in leads] == [[{"protocol": "TCP", "port": 6379}]]


def test_the_rest_of_what_brokers_may_reach_is_that_of_one_broker() -> None:
    ours = [
        rule for rule in one("NetworkPolicy")["spec"]["egress"] if "podSelector" not in str(rule)
    ]

    assert one("NetworkPolicy")["spec"]["ingress"] == alone.one("NetworkPolicy")["spec"]["ingress"]
    assert ours == alone.one("NetworkPolicy")["spec"]["egress"]


def test_redis_is_restricted_and_writes_to_its_volume_alone() -> None:
    inside = container("StatefulSet", REDIS)
    written = {each["name"] for each in inside["volumeMounts"] if not each.get("readOnly")}

    assert pod("StatefulSet", REDIS)["securityContext"]["runAsNonRoot"] is True
    assert inside["securityContext"] == container()["securityContext"]
    assert written == {"data"}
    mounts = {each["name"]: each["mountPath"] for each in inside["volumeMounts"]}
    assert redis_settings()["dir"] == mounts["data"]
    assert redis_settings()["aclfile"] == f"{mounts['users']}/users.acl"
    assert inside["command"] == ["redis-server", f"{mounts['config']}/redis.conf"]
    assert redis_settings()["port"] == str(inside["ports"][0]["containerPort"])


def test_redis_has_more_memory_than_it_may_fill_and_a_disk_for_its_log_and_the_next() -> None:
    limit = container("StatefulSet", REDIS)["resources"]["limits"]["memory"]
    [claim] = one("StatefulSet", REDIS)["spec"]["volumeClaimTemplates"]
    disk = claim["spec"]["resources"]["requests"]["storage"]
    filled = int(redis_settings()["maxmemory"].removesuffix("gb"))

    assert int(limit.removesuffix("Gi")) >= 1.5 * filled
    assert int(disk.removesuffix("Gi")) > 3 * filled


def secret() -> dict[str, str]:
    data: dict[str, str] = one("Secret", STORE)["stringData"]
    return data


def test_the_url_is_that_of_the_service_and_comes_from_the_secret() -> None:
    [variable] = container()["env"]

    read_redis_address(secret()["url"].replace("replace me", PASSWORD))
    assert f"@{one('Service', REDIS)['metadata']['name']}:6379/0" in secret()["url"]
    assert variable["name"] == "BROKER_STORE"
    assert variable["valueFrom"] == {"secretKeyRef": {"name": STORE, "key": "url"}}
    [users] = [each["secret"] for each in pod("StatefulSet", REDIS)["volumes"] if "secret" in each]
    assert users["secretName"] == STORE
    # The URL is none of Redis's business.
    assert [each["key"] for each in users["items"]] == ["users.acl"]


def test_with_the_password_that_is_shipped_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(AddressRefused):
        read_redis_address(secret()["url"])
    with pytest.raises(AssertionError, match="Aborting Redis startup because of ACL errors"):
        redis_as_given(tmp_path, password="replace me").start()


def test_the_rights_are_those_of_the_page_and_nobody_else_has_any() -> None:
    first, user = secret()["users.acl"].splitlines()
    told = Page("docs/reference/redis.md").text

    # NOTE: Redis replays its log as the default user. One that is off and may do nothing either
    # would have it forget, at each start, whatever was written in transactions and scripts.
    assert first == "user default off ~* &* +@all"
    rights = user.replace(">replace me", ">PASSWORD")
    assert f"ACL SETUSER {rights.removeprefix('user ')}\n" in told


def redis_as_given(folder: Path, *, password: str = PASSWORD) -> GivenRedis:
    folder.mkdir(exist_ok=True)
    (folder / "users.acl").write_text(secret()["users.acl"].replace("replace me", password))
    text = one("ConfigMap", REDIS)["data"]["redis.conf"]
    (folder / "redis.conf").write_text(
        text.replace(redis_settings()["aclfile"], str(folder / "users.acl")).replace(
            "dir /data", f"dir {folder}"
        )
    )
    return GivenRedis(folder, ["redis.conf"])


def test_two_brokers_as_given_are_one_on_redis_as_given(tmp_path: Path) -> None:
    server = redis_as_given(tmp_path / "redis")
    settings = one("ConfigMap")["data"]["broker.yaml"]
    policies = one("ConfigMap", "ci-token-broker-policies")["data"]
    url = secret()["url"].replace("replace me", PASSWORD)
    url = url.replace(f"{REDIS}:6379", f"127.0.0.1:{server.port}")
    homes = []
    for name in ("a", "b"):
        home = tmp_path / name
        here = settings.replace("0.0.0.0:8081", "127.0.0.1:0")
        here = here.replace("/etc/broker/policies", str(home / "policies"))
        here = here.replace("/etc/broker/secret/master.key", str(home / "master.key"))
        homes.append(a_home(home, here, policies))
    server.start()
    try:
        assert_two_are_one(homes, {"BROKER_STORE": url}, server)
    finally:
        server.kill()
