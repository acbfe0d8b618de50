"""What must hold of each overlay. A check yields what is wrong."""
from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator

import kubernetes_validate

from .rendered import Broken, Rendered, fits

VERSIONS = ["1.32", "1.37"]
"""Of Kubernetes: the oldest that the page promises, and the newest that is published."""
CUSTOM = {"ServiceMonitor": "monitoring.coreos.com/v1"}
"""Kinds that clusters know by a definition of their own; no schema of theirs is published with Kubernetes."""
PROBES = ["startupProbe", "livenessProbe", "readinessProbe"]
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def schemas(rendered: Rendered) -> Iterator[str]:
    for one in rendered.objects + rendered.made:
        if CUSTOM.get(one["kind"]) != one["apiVersion"]:
            for version in VERSIONS:
                yield from against(json.dumps(one, sort_keys=True), version)


@functools.cache  # overlays share most objects, and a schema takes its time to load
def against(text: str, version: str) -> list[str]:
    one = json.loads(text)
    try:
        kubernetes_validate.validate(one, version, strict=True)
    except kubernetes_validate.ValidationError as fault:
        path = ".".join(map(str, fault.path))
        return [f"{one['kind']} {one['metadata']['name']}, {version}: {path}: {fault.message}"]
    except kubernetes_validate.SchemaNotFoundError as fault:
        return [fault.message]
    return []


def probes(rendered: Rendered) -> Iterator[str]:
    container = rendered.container
    for name in PROBES:
        probe = container.get(name, {}).get("httpGet")
        if not probe:
            yield f"{name} is missing, or no httpGet"
        elif not any(probe["port"] in (port.get("name"), port["containerPort"]) for port in container.get("ports", [])):
            yield f"{name} asks port {probe['port']}, which the container has not"
    if container.get("livenessProbe", {}).get("httpGet", {}).get("path") == "/readyz":
        yield "livenessProbe asks /readyz: keys that cannot be had do not come back by a restart"


def listeners(rendered: Rendered) -> Iterator[str]:
    """The ports of the container are those that the configuration listens on."""
    server = rendered.config["server"]
    for name, key in (("http", "listen"), ("admin", "adminListen")):
        address, _, port = str(server.get(key, "")).rpartition(":")
        told = [one["containerPort"] for one in rendered.container["ports"] if one.get("name") == name]
        if address not in ("0.0.0.0", "[::]") or told != [int(port or 0)]:
            yield f"server.{key} is {server.get(key)}, the port {name} of the container {told}"


def selectors(rendered: Rendered) -> Iterator[str]:
    labels = rendered.labels
    found = [(rendered.workload, rendered.workload["spec"]["selector"])]
    found += [(one, {"matchLabels": one["spec"].get("selector", {})}) for one in rendered.of("Service")]
    found += [(one, one["spec"].get("selector", {})) for one in rendered.of("PodDisruptionBudget")]
    found += [(one, one["spec"].get("podSelector", {})) for one in rendered.of("NetworkPolicy")]
    for one, selector in found:
        if not fits(selector, labels):
            yield f"{one['kind']} {one['metadata']['name']} selects {selector}, pods have {labels}"
    for spread in rendered.pod.get("topologySpreadConstraints", []):
        if not fits(spread.get("labelSelector", {}), labels):
            yield f"pods spread over {spread['topologyKey']} by {spread.get('labelSelector')}, they have {labels}"
    if {"Ingress", "Egress"} - {kind for one in rendered.of("NetworkPolicy") for kind in one["spec"].get("policyTypes", [])}:
        yield "no NetworkPolicy governs both directions"


def ports(rendered: Rendered) -> Iterator[str]:
    for service in rendered.of("Service"):
        for port in service["spec"]["ports"]:
            to = port.get("targetPort", port["port"])
            if not rendered.has_port(to):
                yield f"Service {service['metadata']['name']} sends port {port['port']} to {to}, which pods have not"
    for policy in rendered.of("NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []):
            if not rule.get("from") or not rule.get("ports"):
                yield f"NetworkPolicy {policy['metadata']['name']} lets everybody in, or to every port"
            for port in rule.get("ports", []):
                if not rendered.has_port(port["port"]):
                    yield f"NetworkPolicy {policy['metadata']['name']} opens {port['port']}, which pods have not"


def references(rendered: Rendered) -> Iterator[str]:
    spec, pod, container = rendered.workload["spec"], rendered.pod, rendered.container
    wanted = [("ServiceAccount", pod.get("serviceAccountName", "default"))]
    if "serviceName" in spec:
        wanted.append(("Service", spec["serviceName"]))
    for volume in pod.get("volumes", []):
        for kind, key, name in (
            ("ConfigMap", "configMap", "name"),
            ("Secret", "secret", "secretName"),
            ("PersistentVolumeClaim", "persistentVolumeClaim", "claimName"),
        ):
            if key in volume:
                wanted.append((kind, volume[key][name]))
    for one in container.get("env", []):
        for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
            reference = one.get("valueFrom", {}).get(key)
            if reference:
                wanted.append((kind, reference["name"]))
                found = rendered.find(kind, reference["name"])
                if found and reference["key"] not in found.get("data", {}):
                    yield f"{kind} {reference['name']} has no {reference['key']}, which the variable {one['name']} needs"
    for kind, name in wanted:
        if not rendered.find(kind, name):
            yield f"{kind} {name} is neither rendered nor made by a command of the page"
    headless = rendered.find("Service", spec.get("serviceName", ""))
    if headless and headless["spec"].get("clusterIP") != "None":
        yield f"Service {spec['serviceName']} names no pods: its clusterIP is not None"
    for scaler in rendered.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if not rendered.find(target["kind"], target["name"]):
            yield f"the autoscaler scales {target['kind']} {target['name']}, which is not there"


def volumes(rendered: Rendered) -> Iterator[str]:
    pod, mounts = rendered.pod, rendered.container["volumeMounts"]
    claims = {claim["metadata"]["name"] for claim in rendered.workload["spec"].get("volumeClaimTemplates", [])}
    claims |= {volume["name"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume}
    known = claims | {volume["name"] for volume in pod["volumes"]}
    for mount in mounts:
        if mount["name"] not in known:
            yield f"{mount['mountPath']}: there is no volume {mount['name']}"
        if "subPath" in mount or "subPathExpr" in mount:
            yield f"{mount['mountPath']}: Kubernetes never updates a subPath"
        if mount["name"] not in claims and not mount.get("readOnly"):
            yield f"{mount['mountPath']} can be written and is no claim"
    log = rendered.config.get("audit", {}).get("file", "")
    kept = [mount["mountPath"] for mount in mounts if mount["name"] in claims and not mount.get("readOnly")]
    if not any(log.startswith(path + "/") for path in kept):
        yield f"audit.file {log or '(none)'} lies on no claim that can be written: {kept}"


def stable(rendered: Rendered) -> Iterator[str]:
    for one in rendered.of("ConfigMap"):
        if re.search(r"-[0-9a-z]{10}$", one["metadata"]["name"]):
            yield f"{one['metadata']['name']} has a hash in its name: a change would reach no pod that runs"
        if one.get("immutable"):
            yield f"{one['metadata']['name']} is immutable"


def seconds(written: str) -> float:
    found = re.fullmatch(r"(\d+)(ms|[smhd])", written)
    if not found:
        raise Broken(f"{written!r} is no duration")
    return int(found[1]) * UNITS[found[2]]


def grace(rendered: Rendered) -> Iterator[str]:
    """Until it is killed a pod has time for what docs/operations.md adds up."""
    config = rendered.config
    delay = seconds(config["server"].get("shutdownDelay", "0s"))
    calls = seconds(config["server"].get("shutdownGrace", "10s"))
    given = rendered.pod.get("terminationGracePeriodSeconds", 30)
    if given < delay + calls + 5:
        yield f"terminationGracePeriodSeconds is {given}, shutdownDelay {delay:g} s, shutdownGrace {calls:g} s and 5 s more"
    longest = max([seconds(tool.get("timeout", "30s")) for tool in config.get("tools", {}).values()], default=0)
    if calls < longest:
        yield f"shutdownGrace is {calls:g} s, and a tool may take {longest:g} s"
    if rendered.container.get("lifecycle", {}).get("preStop") and delay:
        yield "both preStop and shutdownDelay wait"
    if not delay:
        yield "shutdownDelay is 0: calls arrive while the pod's address is taken out of services"


def scaling(rendered: Rendered) -> Iterator[str]:
    """Who decides how many pods there are, and that one of them may go."""
    replicas = rendered.workload["spec"].get("replicas")
    scalers = rendered.of("HorizontalPodAutoscaler")
    least = min([one["spec"]["minReplicas"] for one in scalers], default=replicas or 1)
    if scalers and replicas is not None:
        yield "replicas is set beside an autoscaler: each apply would put it back"
    for budget in rendered.of("PodDisruptionBudget"):
        if not 0 < budget["spec"].get("maxUnavailable", 0) < least:
            yield f"of {least} pods {budget['spec'].get('maxUnavailable', 0)} may go at once"
    store = rendered.config.get("quotas", {}).get("store", "memory")
    variables = {one["name"] for one in rendered.container.get("env", [])}
    named = re.match(r"\$\{(\w+)", store)
    if least > 1 and (store == "memory" or named and named[1] not in variables):
        yield f"{least} pods, and each counts for itself: quotas.store is {store}"


def monitors(rendered: Rendered) -> Iterator[str]:
    """The fields of a ServiceMonitor that we use, as the Prometheus Operator documents them."""
    for monitor in rendered.of("ServiceMonitor"):
        spec = monitor["spec"]
        for key in set(spec) - {"jobLabel", "selector", "endpoints"}:
            yield f"the field {key} is not known here"
        seen = [one for one in rendered.of("Service") if fits(spec["selector"], one["metadata"]["labels"])]
        for endpoint in spec["endpoints"]:
            for key in set(endpoint) - {"port", "path", "interval"}:
                yield f"the field endpoints.{key} is not known here"
            having = [one for one in seen if any(port.get("name") == endpoint["port"] for port in one["spec"]["ports"])]
            if len(having) != 1:
                yield f"{len(having)} Services have the port {endpoint['port']}: each pod must be read once"
            for service in having:
                job = service["metadata"]["labels"].get(spec.get("jobLabel"))
                if job != "tollgate":
                    yield f"job would be {job}, and not the tollgate of the alert rules"


def images(rendered: Rendered) -> Iterator[str]:
    for container in rendered.containers():
        if not re.search(r":[^/:]+$|@sha256:", container["image"]) or container["image"].endswith(":latest"):
            yield f"the image {container['image']} names no version"


def resources(rendered: Rendered) -> Iterator[str]:
    for container in rendered.containers():
        told = container.get("resources", {})
        if not {"cpu", "memory"} <= set(told.get("requests", {})) or "memory" not in told.get("limits", {}):
            yield f"{container['name']} says not what CPU and memory it needs, or not where memory ends"
