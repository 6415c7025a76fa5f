/* The rows on the process itself and its limits. */
#include "posture/rows.h"

/* clang-format off */
const struct invariant row_no_way_back = {
    .about = {
        .id = "no-way-back", .sentinel = "ErrPrivilegeRegainable", .error = POSTURE_ERR_PRIVILEGE_REGAINABLE,
        .rule = "no_new_privs is set, or the bounding set is within the allowlist",
        .why = "one setuid file gives back every capability that the bounding set holds",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "setpriv --no-new-privs COMMAND",
            [POSTURE_PLATFORM_DOCKER] = "docker run --security-opt no-new-privileges:true",
            [POSTURE_PLATFORM_PODMAN] = "podman run --security-opt no-new-privileges",
            [POSTURE_PLATFORM_KUBERNETES] = "securityContext: {allowPrivilegeEscalation: false}",
            [POSTURE_PLATFORM_FLY] = "ENTRYPOINT [\"posture\", \"run\", \"--seal=no-new-privs\", \"--\", \"PROGRAM\"] in the Dockerfile",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: NoNewPrivileges=yes",
        },
        .impact = "setuid programs such as ping or sudo lose their privileges below this process",
        .action = PRODUCTION_REFUSED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT | AT_SEALED,
        .since = 1, .runbook = "docs/runbook.md#errprivilegeregainable",
    },
    .judge = judge_no_way_back,
};

const struct invariant row_loader_environment = {
    .about = {
        .id = "loader-environment", .sentinel = "ErrLoaderInjection", .error = POSTURE_ERR_LOADER_INJECTION,
        .rule = "no variable or file makes the loader or a library load code or write secrets",
        .why = "LD_PRELOAD and its kin run code inside the process before its first instruction",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "env -u NAME COMMAND",
            [POSTURE_PLATFORM_DOCKER] = "remove -e NAME from docker run, and ENV NAME from the image",
            [POSTURE_PLATFORM_PODMAN] = "remove -e NAME from podman run, and ENV NAME from the image",
            [POSTURE_PLATFORM_KUBERNETES] = "remove NAME from env: of the container, and look for a webhook that injects it",
            [POSTURE_PLATFORM_FLY] = "fly secrets unset NAME, and remove it from [env] of fly.toml",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: UnsetEnvironment=NAME",
        },
        .impact = "an allocator or agent that was preloaded is gone; allow its exact value by policy instead",
        .action = PRODUCTION_REFUSED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errloaderinjection",
    },
    .judge = judge_loader_environment,
};

const struct invariant row_traced = {
    .about = {
        .id = "traced", .sentinel = "ErrBeingTraced", .error = POSTURE_ERR_BEING_TRACED,
        .rule = "no process traces this one",
        .why = "a tracer reads keys from memory and changes what the process does",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "start without strace, gdb or another debugger",
            [POSTURE_PLATFORM_DOCKER] = "start without a debugger, and drop --cap-add=SYS_PTRACE",
            [POSTURE_PLATFORM_PODMAN] = "start without a debugger, and drop --cap-add=SYS_PTRACE",
            [POSTURE_PLATFORM_KUBERNETES] = "start without a debugger; drop SYS_PTRACE and shareProcessNamespace",
            [POSTURE_PLATFORM_FLY] = "start without a debugger",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: SystemCallFilter=~@debug, and start without a debugger",
        },
        .impact = "",
        .action = PRODUCTION_REFUSED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errbeingtraced",
    },
    .judge = judge_traced,
};

const struct invariant row_descriptor_limit = {
    .about = {
        .id = "descriptor-limit", .sentinel = "ErrDescriptorLimitTooLow", .error = POSTURE_ERR_DESCRIPTOR_LIMIT_TOO_LOW,
        .rule = "the hard limit of open files covers the declared need",
        .why = "beyond the limit every new connection fails, and so do logs and certificates",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "ulimit -Hn NEEDED before COMMAND, or lower --max-connections",
            [POSTURE_PLATFORM_DOCKER] = "docker run --ulimit nofile=NEEDED:NEEDED",
            [POSTURE_PLATFORM_PODMAN] = "podman run --ulimit nofile=NEEDED:NEEDED",
            [POSTURE_PLATFORM_KUBERNETES] = "raise the container runtime's LimitNOFILE= on the node, or lower --max-connections",
            [POSTURE_PLATFORM_FLY] = "lower --max-connections: the machine's init sets the limit",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: LimitNOFILE=NEEDED",
        },
        .impact = "",
        .action = PRODUCTION_REFUSED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errdescriptorlimittoolow",
    },
    .judge = judge_descriptor_limit,
};

const struct invariant row_clock = {
    .about = {
        .id = "clock", .sentinel = "ErrClockUnset", .error = POSTURE_ERR_CLOCK_UNSET,
        .rule = "the clock is later than the date of the program's source",
        .why = "before that date every certificate is not yet valid, and expired ones look good",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "timedatectl set-ntp true",
            [POSTURE_PLATFORM_DOCKER] = "set the host's clock: timedatectl set-ntp true",
            [POSTURE_PLATFORM_PODMAN] = "set the host's clock: timedatectl set-ntp true",
            [POSTURE_PLATFORM_KUBERNETES] = "set the node's clock: timedatectl set-ntp true",
            [POSTURE_PLATFORM_FLY] = "fly machine restart",
            [POSTURE_PLATFORM_SYSTEMD] = "timedatectl set-ntp true, and systemctl edit UNIT: After=time-sync.target",
        },
        .impact = "",
        .action = PRODUCTION_REFUSED, .on_unknown = ALWAYS_WARNED,
        .linux_only = false, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errclockunset",
    },
    .judge = judge_clock,
};

const struct invariant row_entropy = {
    .about = {
        .id = "entropy", .sentinel = "ErrEntropyUnavailable", .error = POSTURE_ERR_ENTROPY_UNAVAILABLE,
        .rule = "getrandom(2) answers at once",
        .why = "keys made before the kernel is seeded can be guessed",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "start later in the boot, or give the machine a virtio-rng",
            [POSTURE_PLATFORM_DOCKER] = "start later in the host's boot, or give it a virtio-rng",
            [POSTURE_PLATFORM_PODMAN] = "start later in the host's boot, or give it a virtio-rng",
            [POSTURE_PLATFORM_KUBERNETES] = "give the node a virtio-rng",
            [POSTURE_PLATFORM_FLY] = "fly machine restart",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: After=systemd-random-seed.service",
        },
        .impact = "",
        .action = ALWAYS_REFUSED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errentropyunavailable",
    },
    .judge = judge_entropy,
};

const struct invariant row_personality = {
    .about = {
        .id = "personality", .sentinel = "ErrAslrDisabled", .error = POSTURE_ERR_ASLR_DISABLED,
        .rule = "addresses are randomized",
        .why = "known addresses are what turns a memory bug into an exploit",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "setarch \"$(uname -m)\" COMMAND, without -R",
            [POSTURE_PLATFORM_DOCKER] = "start the program without setarch -R or a debugger",
            [POSTURE_PLATFORM_PODMAN] = "start the program without setarch -R or a debugger",
            [POSTURE_PLATFORM_KUBERNETES] = "start the program without setarch -R or a debugger",
            [POSTURE_PLATFORM_FLY] = "start the program without setarch -R or a debugger",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: Personality= empty, LockPersonality=yes",
        },
        .impact = "",
        .action = PRODUCTION_REFUSED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#erraslrdisabled",
    },
    .judge = judge_personality,
};

const struct invariant row_host_namespaces = {
    .about = {
        .id = "host-namespaces", .sentinel = "ErrHostNamespace", .error = POSTURE_ERR_HOST_NAMESPACE,
        .rule = "the pid, ipc and uts namespaces are not the host's",
        .why = "a process in the host's namespaces sees, signals and shares memory with what runs there",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "unshare --pid --ipc --uts --fork --mount-proc COMMAND",
            [POSTURE_PLATFORM_DOCKER] = "remove --pid=host, --ipc=host and --uts=host from docker run",
            [POSTURE_PLATFORM_PODMAN] = "remove --pid=host, --ipc=host and --uts=host from podman run",
            [POSTURE_PLATFORM_KUBERNETES] = "hostPID: false, hostIPC: false in the pod spec",
            [POSTURE_PLATFORM_FLY] = "no such setting: this machine is a guest of its own",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: PrivateIPC=yes, ProtectHostname=yes",
        },
        .impact = "",
        .action = ALWAYS_WARNED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errhostnamespace",
    },
    .judge = judge_host_namespaces,
};

const struct invariant row_privileged_group = {
    .about = {
        .id = "privileged-group", .sentinel = "ErrPrivilegedGroup", .error = POSTURE_ERR_PRIVILEGED_GROUP,
        .rule = "no group gives more than an ordinary one does",
        .why = "docker and lxd are root by another name; disk, kmem, shadow and adm read what only root should",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "setpriv --clear-groups COMMAND, or gpasswd -d USER GROUP",
            [POSTURE_PLATFORM_DOCKER] = "remove --group-add from docker run",
            [POSTURE_PLATFORM_PODMAN] = "remove --group-add from podman run",
            [POSTURE_PLATFORM_KUBERNETES] = "remove the group from supplementalGroups: of the pod",
            [POSTURE_PLATFORM_FLY] = "remove the image user from that group",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: SupplementaryGroups= empty",
        },
        .impact = "what only that group may read is out of reach",
        .action = ALWAYS_WARNED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errprivilegedgroup",
    },
    .judge = judge_privileged_group,
};

const struct invariant row_confinement = {
    .about = {
        .id = "confinement", .sentinel = "ErrUnconfined", .error = POSTURE_ERR_UNCONFINED,
        .rule = "a security module's profile or a seccomp filter confines this process from outside",
        .why = "without one, every bug of the kernel is within reach of whoever takes the process over",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "run it under a systemd unit with SystemCallFilter=@system-service",
            [POSTURE_PLATFORM_DOCKER] = "remove --privileged and --security-opt seccomp=unconfined from docker run",
            [POSTURE_PLATFORM_PODMAN] = "remove --privileged and --security-opt seccomp=unconfined from podman run",
            [POSTURE_PLATFORM_KUBERNETES] = "securityContext: {seccompProfile: {type: RuntimeDefault}}",
            [POSTURE_PLATFORM_FLY] = "no such setting: the machine is isolated by its hypervisor",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: SystemCallFilter=@system-service, SystemCallArchitectures=native",
        },
        .impact = "",
        .action = ALWAYS_WARNED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errunconfined",
    },
    .judge = judge_confinement,
};

const struct invariant row_core_dumps = {
    .about = {
        .id = "core-dumps", .sentinel = "ErrCoreDumpPossible", .error = POSTURE_ERR_CORE_DUMP_POSSIBLE,
        .rule = "the process is not dumpable, or no core is written anywhere",
        .why = "a core dump writes the keys in memory to a disk that others read",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "prlimit --core=1 COMMAND",
            [POSTURE_PLATFORM_DOCKER] = "docker run --ulimit core=1",
            [POSTURE_PLATFORM_PODMAN] = "podman run --ulimit core=1",
            [POSTURE_PLATFORM_KUBERNETES] = "command: [\"posture\", \"run\", \"--seal=no-core\", \"--\", \"PROGRAM\"]: a pod has no field for it",
            [POSTURE_PLATFORM_FLY] = "ENTRYPOINT [\"posture\", \"run\", \"--seal=no-core\", \"--\", \"PROGRAM\"] in the Dockerfile",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: LimitCORE=1",
        },
        .impact = "crashes leave no core to look at",
        .action = PRODUCTION_REFUSED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT | AT_SEALED,
        .since = 1, .runbook = "docs/runbook.md#errcoredumppossible",
    },
    .judge = judge_core_dumps,
};
/* clang-format on */
