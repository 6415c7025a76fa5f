/* The rows on what the machine or the container shows. */
#include "posture/rows.h"

/* clang-format off */
const struct invariant row_runtime_socket = {
    .about = {
        .id = "runtime-socket", .sentinel = "ErrRuntimeSocketExposed", .error = POSTURE_ERR_RUNTIME_SOCKET_EXPOSED,
        .rule = "no socket of a container runtime can be written by us",
        .why = "whoever speaks to the runtime starts a container as root on the host",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "sudo gpasswd -d SERVICE-USER docker",
            [POSTURE_PLATFORM_DOCKER] = "remove -v /var/run/docker.sock from docker run",
            [POSTURE_PLATFORM_PODMAN] = "remove -v /run/podman/podman.sock from podman run",
            [POSTURE_PLATFORM_KUBERNETES] = "remove the hostPath volume of the runtime's socket",
            [POSTURE_PLATFORM_FLY] = "remove the runtime's socket from the image",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: InaccessiblePaths=-/run/docker.sock -/run/containerd/containerd.sock",
        },
        .impact = "a program that manages containers no longer can",
        .action = PRODUCTION_REFUSED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errruntimesocketexposed",
    },
    .judge = judge_runtime_socket,
};

const struct invariant row_privileged_container = {
    .about = {
        .id = "privileged-container", .sentinel = "ErrPrivilegedContainer", .error = POSTURE_ERR_PRIVILEGED_CONTAINER,
        .rule = "no knob of the kernel can be written, no disk or kernel log read, and a container's /sys is read-only",
        .why = "a privileged container is the host's root in all but name",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "run it as a user that is not root and not in the group disk",
            [POSTURE_PLATFORM_DOCKER] = "remove --privileged and --device from docker run",
            [POSTURE_PLATFORM_PODMAN] = "remove --privileged and --device from podman run",
            [POSTURE_PLATFORM_KUBERNETES] = "securityContext: {privileged: false}, and no hostPath of /dev, /proc or /sys",
            [POSTURE_PLATFORM_FLY] = "run it as a user that is not root: USER 65532:65532 in the Dockerfile",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: ProtectKernelTunables=yes PrivateDevices=yes ProtectKernelLogs=yes",
        },
        .impact = "a program that needs a device gets it by --device alone",
        .action = ALWAYS_WARNED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errprivilegedcontainer",
    },
    .judge = judge_privileged_container,
};

const struct invariant row_root_filesystem = {
    .about = {
        .id = "root-filesystem", .sentinel = "ErrWritableRoot", .error = POSTURE_ERR_WRITABLE_ROOT,
        .rule = "/, /usr, /etc and /lib cannot be written by us",
        .why = "whoever takes over the process leaves programs and settings behind for the next start",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "run it as a user that is not root",
            [POSTURE_PLATFORM_DOCKER] = "docker run --read-only --tmpfs /tmp",
            [POSTURE_PLATFORM_PODMAN] = "podman run --read-only",
            [POSTURE_PLATFORM_KUBERNETES] = "securityContext: {readOnlyRootFilesystem: true}",
            [POSTURE_PLATFORM_FLY] = "run it as a user that is not root: USER 65532:65532 in the Dockerfile",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: ProtectSystem=strict",
        },
        .impact = "what writes outside of its volumes fails",
        .action = ALWAYS_WARNED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errwritableroot",
    },
    .judge = judge_root_filesystem,
};

const struct invariant row_memory_limit = {
    .about = {
        .id = "memory-limit", .sentinel = "ErrNoMemoryLimit", .error = POSTURE_ERR_NO_MEMORY_LIMIT,
        .rule = "a memory limit of the cgroup holds, or the machine is a small guest",
        .why = "without one the kernel kills the neighbours when this process is flooded",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "systemd-run --scope -p MemoryMax=512M COMMAND",
            [POSTURE_PLATFORM_DOCKER] = "docker run --memory 512m",
            [POSTURE_PLATFORM_PODMAN] = "podman run --memory 512m",
            [POSTURE_PLATFORM_KUBERNETES] = "resources: {limits: {memory: 512Mi}}",
            [POSTURE_PLATFORM_FLY] = "fly scale memory 512",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: MemoryMax=512M",
        },
        .impact = "the process is killed when it needs more",
        .action = ALWAYS_WARNED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errnomemorylimit",
    },
    .judge = judge_memory_limit,
};
/* clang-format on */
