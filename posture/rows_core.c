/* The seven rows that every relay had to pass from the start; they cannot be
 * waived. */
#include "posture/rows.h"

/* clang-format off */
const struct invariant row_config = {
    .about = {
        .id = "config", .sentinel = "ErrInvalidConfig", .error = POSTURE_ERR_INVALID_CONFIG,
        .rule = "every declared variable and flag is present if required and has a valid shape",
        .why = "a mistyped switch must not be read as the weaker setting",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "correct the variable or the flag in the environment that starts the process",
            [POSTURE_PLATFORM_DOCKER] = "docker run -e NAME=VALUE, or the environment: section of the compose file",
            [POSTURE_PLATFORM_PODMAN] = "podman run -e NAME=VALUE",
            [POSTURE_PLATFORM_KUBERNETES] = "correct env: of the container; enableServiceLinks: false for tcp:// values",
            [POSTURE_PLATFORM_FLY] = "correct [env] in fly.toml, or: fly secrets set NAME=VALUE",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: Environment=NAME=VALUE",
        },
        .impact = "",
        .action = ALWAYS_REFUSED, .on_unknown = ALWAYS_REFUSED,
        .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errinvalidconfig",
    },
    .judge = judge_config,
};

const struct invariant row_running_as_root = {
    .about = {
        .id = "running-as-root", .sentinel = "ErrRunningAsRoot", .error = POSTURE_ERR_RUNNING_AS_ROOT,
        .rule = "the real, effective, saved and filesystem user ids are not 0",
        .why = "whoever takes over a root process has the container, and often the host",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "setpriv --reuid=65532 --regid=65532 --clear-groups --bounding-set=-all --inh-caps=-all COMMAND",
            [POSTURE_PLATFORM_DOCKER] = "docker run --user 65532:65532, or USER 65532:65532 in the image",
            [POSTURE_PLATFORM_PODMAN] = "podman run --user 65532:65532",
            [POSTURE_PLATFORM_KUBERNETES] = "securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532}",
            [POSTURE_PLATFORM_FLY] = "USER 65532:65532 in the Dockerfile, and once on the volume: chown -R 65532:65532 DIR",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: DynamicUser=yes, or User= with an unprivileged user",
        },
        .impact = "ports below 1024 then need CAP_NET_BIND_SERVICE or higher port flags; volumes need that owner",
        .action = PRODUCTION_REFUSED, .on_unknown = PRODUCTION_REFUSED,
        .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errrunningasroot",
    },
    .judge = judge_root,
};

const struct invariant row_capabilities = {
    .about = {
        .id = "capabilities", .sentinel = "ErrUnexpectedCapability", .error = POSTURE_ERR_UNEXPECTED_CAPABILITY,
        .rule = "effective, permitted and ambient capabilities are within the allowlist",
        .why = "a stray capability is a fragment of root that nobody asked for",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "setpriv --reuid=65532 --regid=65532 --clear-groups --bounding-set=-all --inh-caps=-all --ambient-caps=-all COMMAND",
            [POSTURE_PLATFORM_DOCKER] = "docker run --cap-drop=ALL, adding --cap-add=NET_BIND_SERVICE only for ports below 1024",
            [POSTURE_PLATFORM_PODMAN] = "podman run --cap-drop=all, adding --cap-add=net_bind_service only for ports below 1024",
            [POSTURE_PLATFORM_KUBERNETES] = "securityContext: {capabilities: {drop: [ALL]}}",
            [POSTURE_PLATFORM_FLY] = "USER 65532:65532 in the Dockerfile: a non-root process holds none there",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: CapabilityBoundingSet= and AmbientCapabilities= both empty",
        },
        .impact = "ports below 1024 can then be bound with CAP_NET_BIND_SERVICE only",
        .action = EXPOSED_REFUSED, .on_unknown = PRODUCTION_REFUSED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errunexpectedcapability",
    },
    .judge = judge_capabilities,
};

const struct invariant row_cert_cache = {
    .about = {
        .id = "cert-cache", .sentinel = "ErrCacheDirInsecure", .error = POSTURE_ERR_CACHE_DIR_INSECURE,
        .rule = "the certificate cache is a directory of ours with mode 0700, its files 0600, and nobody else can replace what is above it",
        .why = "whoever reads the private key can pose as this server",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "point --cert-cache at a directory of its own, below one that is root's or the service user's: sudo install -d -m 0700 -o USER /var/lib/relay/certs",
            [POSTURE_PLATFORM_DOCKER] = "RUN install -d -m 0700 -o 65532 -g 65532 DIR in the image (a new named volume takes it over), or that command on the host for a bind mount; --cert-cache DIR",
            [POSTURE_PLATFORM_PODMAN] = "RUN install -d -m 0700 -o 65532 -g 65532 DIR in the image (a new named volume takes it over), or that command under podman unshare for a bind mount; --cert-cache DIR",
            [POSTURE_PLATFORM_KUBERNETES] = "a volume whose root is not group or world writable: no fsGroup, and an initContainer with runAsUser: 0 that runs: chown 65532:65532 MOUNT && chmod 0700 MOUNT; --cert-cache MOUNT/certs",
            [POSTURE_PLATFORM_FLY] = "once on the volume as root: fly ssh console -C \"install -d -m 0700 -o 65532 -g 65532 /data/certs\"; --cert-cache /data/certs",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: StateDirectory=relay and StateDirectoryMode=0700; --cert-cache /var/lib/relay/certs",
        },
        .impact = "another program that reads the directory loses access",
        .action = ALWAYS_REFUSED, .on_unknown = PRODUCTION_REFUSED,
        .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errcachedirinsecure",
    },
    .judge = judge_cert_cache,
};

const struct invariant row_plaintext_listener = {
    .about = {
        .id = "plaintext-listener", .sentinel = "ErrInsecureListenInProduction", .error = POSTURE_ERR_INSECURE_LISTEN_IN_PRODUCTION,
        .rule = "no plaintext public listener in production",
        .why = "everybody on the way can read and change what is not encrypted",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "replace --insecure-listen by --domain NAME, or unset the production variable for a development run",
            [POSTURE_PLATFORM_DOCKER] = "replace --insecure-listen by --domain NAME in the container's arguments",
            [POSTURE_PLATFORM_PODMAN] = "replace --insecure-listen by --domain NAME in the container's arguments",
            [POSTURE_PLATFORM_KUBERNETES] = "replace --insecure-listen by --domain NAME in args: of the container",
            [POSTURE_PLATFORM_FLY] = "replace --insecure-listen by --domain NAME in [processes] of fly.toml",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: ExecStart= with --domain NAME in place of --insecure-listen",
        },
        .impact = "clients must connect with wss://",
        .action = PRODUCTION_REFUSED, .on_unknown = PRODUCTION_REFUSED,
        .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errinsecurelisteninproduction",
    },
    .judge = judge_plaintext,
};

const struct invariant row_listeners = {
    .about = {
        .id = "listeners", .sentinel = "ErrUnexpectedListener", .error = POSTURE_ERR_UNEXPECTED_LISTENER,
        .rule = "the listening sockets of this process, held or about to be bound, are exactly the expected ones",
        .why = "a debug port or an inherited socket is an entrance that nobody watches",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "close the descriptor in the parent before exec, or start from a shell that does not hold it",
            [POSTURE_PLATFORM_DOCKER] = "let the entrypoint exec the program directly, without a wrapper that holds sockets",
            [POSTURE_PLATFORM_PODMAN] = "drop --preserve-fds and wrappers that hold sockets",
            [POSTURE_PLATFORM_KUBERNETES] = "run the program as command: itself, without a wrapper that holds sockets",
            [POSTURE_PLATFORM_FLY] = "run the program as the process itself, without a wrapper that holds sockets",
            [POSTURE_PLATFORM_SYSTEMD] = "remove the .socket unit of this service, or its FileDescriptorStoreMax=: a program that does not adopt sockets must get none",
        },
        .impact = "whatever used that socket stops working",
        .action = EXPOSED_REFUSED, .on_unknown = PRODUCTION_REFUSED,
        .linux_only = true, .phases = AT_BOOT | AT_BOUND,
        .since = 1, .runbook = "docs/runbook.md#errunexpectedlistener",
    },
    .judge = judge_listeners,
};

const struct invariant row_single_instance = {
    .about = {
        .id = "single-instance", .sentinel = "ErrMultiInstanceDeployDetected", .error = POSTURE_ERR_MULTI_INSTANCE_DEPLOY_DETECTED,
        .rule = "one instance runs, or the instances share a backend",
        .why = "instances that do not know each other lose the peers of each other",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "run one instance and set PYRYCODE_RELAY_SINGLE_INSTANCE=1",
            [POSTURE_PLATFORM_DOCKER] = "run one container and add -e PYRYCODE_RELAY_SINGLE_INSTANCE=1",
            [POSTURE_PLATFORM_PODMAN] = "run one container and add -e PYRYCODE_RELAY_SINGLE_INSTANCE=1",
            [POSTURE_PLATFORM_KUBERNETES] = "replicas: 1 and strategy: {type: Recreate}; then env: PYRYCODE_RELAY_SINGLE_INSTANCE=1",
            [POSTURE_PLATFORM_FLY] = "fly scale count 1, then [env] PYRYCODE_RELAY_SINGLE_INSTANCE = \"1\" in fly.toml",
            [POSTURE_PLATFORM_SYSTEMD] = "one unit, and systemctl edit UNIT: Environment=PYRYCODE_RELAY_SINGLE_INSTANCE=1",
        },
        .impact = "",
        .action = EXPOSED_REFUSED, .on_unknown = PRODUCTION_REFUSED,
        .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errmultiinstancedeploydetected",
    },
    .judge = judge_single_instance,
};
/* clang-format on */
