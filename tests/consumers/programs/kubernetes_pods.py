"""Lists pods as the kubeconfig says, with the Kubernetes client of Python."""

import json

from kubernetes import client, config

config.load_kube_config()
api = client.CoreV1Api()
pods = [api.list_namespaced_pod("default") for _ in range(2)][-1]
print(json.dumps([pod.metadata.name for pod in pods.items]))
