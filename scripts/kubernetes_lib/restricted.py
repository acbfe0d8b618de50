"""The Pod Security Standard "restricted", and what we ask for beyond it."""
from __future__ import annotations

from collections.abc import Iterator

from .rendered import Rendered

VOLUMES = {"name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
}
LINUX = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
CONFINED = {"RuntimeDefault", "Localhost"}
USER = 65532
"""Of the image; it owns nothing there."""


def faults(rendered: Rendered) -> Iterator[str]:
    pod = rendered.pod
    of_pod = pod.get("securityContext", {})
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield f"{key} is set"
    for volume in pod.get("volumes", []):
        for kind in set(volume) - VOLUMES:
            yield f"the volume {volume['name']} is of the kind {kind}"
    for sysctl in of_pod.get("sysctls", []):
        if sysctl["name"] not in SYSCTLS:
            yield f"the sysctl {sysctl['name']} is set"
    for one in rendered.containers():
        for fault in of_container(one, of_pod):
            yield f"{one['name']}: {fault}"
    if pod.get("automountServiceAccountToken") is not False:
        yield "a token for the Kubernetes API is mounted"
    for account in rendered.of("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"the account {account['metadata']['name']} mounts its token"


def of_container(one: dict, of_pod: dict) -> Iterator[str]:
    own = one.get("securityContext", {})
    # What a container leaves open its pod decides.
    both = {**of_pod, **own}
    if both.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if both.get("runAsUser") != USER or both.get("runAsGroup") != USER:
        yield f"user and group are not {USER}"
    if both.get("seccompProfile", {}).get("type") not in CONFINED:
        yield "the seccomp profile does not confine"
    if both.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in CONFINED:
        yield "the AppArmor profile does not confine"
    options = both.get("seLinuxOptions", {})
    if options.get("type", "") not in LINUX or options.get("user") or options.get("role"):
        yield "SELinux is told another user, role or type"
    if both.get("windowsOptions", {}).get("hostProcess"):
        yield "is a process of a Windows host"
    if own.get("privileged"):
        yield "is privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities are kept"
    if own.get("procMount", "Default") != "Default":
        yield "procMount is set"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "the root file system can be written"
    if any(port.get("hostPort") for port in one.get("ports", [])):
        yield "a port of the host is taken"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if one.get(probe, {}).get("httpGet", {}).get("host"):
            yield f"{probe} asks another host"
