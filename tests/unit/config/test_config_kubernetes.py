"""The manifests' configuration, as a pod would find it; and what a pod is told about its API server."""

from pathlib import Path
from typing import Any

import yaml

from pgctl.config import load, local

MANIFEST = Path("kubernetes/cluster.yaml")


def parts() -> tuple[str, dict[str, str]]:
    """The agent's file, and the environment of the pod prod-0."""
    found: dict[str, Any] = {each["kind"]: each for each in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))}
    (container,) = found["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    fields = {"status.podIP": "10.1.2.3", "metadata.name": "prod-0", "metadata.namespace": "db"}
    environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    for each in container["env"]:
        source = each.get("valueFrom", {})
        field = source.get("fieldRef", {}).get("fieldPath")
        value = each.get("value") or fields.get(field) or found["Secret"]["stringData"][source["secretKeyRef"]["key"]]
        environment[each["name"]] = value.replace("$(POD_IP)", environment.get("POD_IP", ""))
    return found["ConfigMap"]["data"]["pgctl.yaml"], environment


def test_a_pod_of_the_manifest_has_all_it_needs(tmp_path: Path) -> None:
    text, environment = parts()
    (tmp_path / "pgctl.yaml").write_text(text, encoding="utf-8")
    found = local.read(str(tmp_path / "pgctl.yaml"), environment)
    assert (found.agent.scope, found.agent.name) == ("prod", "prod-0")
    assert found.store.kind == "kubernetes" and found.store.options == {
        "labels": {"application": "pgctl"}, "namespace": "db", "pod_ip": "10.1.2.3", "service_host": "10.0.0.1",
        "service_port": "443"}


def test_what_a_platform_tells_makes_no_store(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text("scope: prod\netcd3: {host: 'h:2379'}\n", encoding="utf-8")
    environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBECONFIG": "/x"}
    store = load.load_ctl(str(file), environment=environment).store
    assert store is not None and store.kind == "etcd3" and store.options == {"host": "h:2379"}


def test_a_command_goes_in_by_the_front_door(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text("scope: prod\nkubernetes: {labels: {a: b}, bypass_api_service: true}\n", encoding="utf-8")
    store = load.load_ctl(str(file), environment={"KUBECONFIG": "/x"}).store
    assert store is not None and store.options == {"labels": {"a": "b"}, "kubeconfig": "/x"}
    named = load.load_ctl(None, "kubernetes://ns?labels=a=b", environment={"KUBECONFIG": "/x", "PGCTL_SCOPE": "prod"}).store
    assert named is not None and named.options == {"labels": {"a": "b"}, "namespace": "ns", "kubeconfig": "/x"}
