/* The rows on files: programs, descriptors, keys. */
#include "posture/rows.h"

/* clang-format off */
const struct invariant row_executable = {
    .about = {
        .id = "executable", .sentinel = "ErrExecutableInsecure", .error = POSTURE_ERR_EXECUTABLE_INSECURE,
        .rule = "the program is a file without setuid, setgid or more file capabilities, in a place that we cannot write to",
        .why = "whoever takes over the process rewrites its program, and owns every start after that",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "sudo install -o root -g root -m 0755 PROGRAM /usr/local/bin/, and start that one",
            [POSTURE_PLATFORM_DOCKER] = "COPY --chown=0:0 --chmod=0555 PROGRAM /usr/local/bin/ in the Dockerfile, or docker run --read-only",
            [POSTURE_PLATFORM_PODMAN] = "COPY --chown=0:0 --chmod=0555 PROGRAM /usr/local/bin/ in the Containerfile, or podman run --read-only",
            [POSTURE_PLATFORM_KUBERNETES] = "securityContext: {readOnlyRootFilesystem: true}, or COPY --chown=0:0 --chmod=0555 in the image",
            [POSTURE_PLATFORM_FLY] = "COPY --chown=0:0 --chmod=0555 PROGRAM /usr/local/bin/ in the Dockerfile",
            [POSTURE_PLATFORM_SYSTEMD] = "sudo install -o root -g root -m 0755 PROGRAM /usr/local/bin/; systemctl edit UNIT: ProtectSystem=strict",
        },
        .impact = "a program that updates itself no longer can",
        .action = PRODUCTION_REFUSED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errexecutableinsecure",
    },
    .judge = judge_executable,
};

const struct invariant row_inherited_descriptors = {
    .about = {
        .id = "inherited-descriptors", .sentinel = "ErrInheritedDescriptor", .error = POSTURE_ERR_INHERITED_DESCRIPTOR,
        .rule = "descriptors 0, 1 and 2 are open, and no other is but those of socket activation",
        .why = "an open directory or device leads around every permission and out of the container",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "COMMAND </dev/null N<&-, or let the parent close what it does not pass on",
            [POSTURE_PLATFORM_DOCKER] = "upgrade runc and docker: descriptors that leak into containers are their defects",
            [POSTURE_PLATFORM_PODMAN] = "upgrade crun or runc and podman, and leave out --preserve-fds",
            [POSTURE_PLATFORM_KUBERNETES] = "upgrade the container runtime of the node",
            [POSTURE_PLATFORM_FLY] = "close descriptor N in the entrypoint: exec COMMAND N<&-",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: StandardInput=null FileDescriptorStoreMax=0, and no OpenFile=",
        },
        .impact = "what the parent meant to pass on is gone",
        .action = PRODUCTION_REFUSED, .on_unknown = ALWAYS_WARNED,
        .linux_only = true, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errinheriteddescriptor",
    },
    .judge = judge_inherited_descriptors,
};

const struct invariant row_key_files = {
    .about = {
        .id = "key-files", .sentinel = "ErrKeyFileInsecure", .error = POSTURE_ERR_KEY_FILE_INSECURE,
        .rule = "each file that holds a secret is ours with mode 0600 or less, or root's with 0640 or less and a group of ours",
        .why = "whoever reads the key is us from then on, and nobody notices",
        .fix = {
            [POSTURE_PLATFORM_BARE] = "sudo chown SERVICE-USER FILE && sudo chmod 0600 FILE",
            [POSTURE_PLATFORM_DOCKER] = "docker run -v FILE:/run/secrets/KEY:ro after chown 65532 FILE && chmod 0400 FILE",
            [POSTURE_PLATFORM_PODMAN] = "podman run --secret KEY,uid=65532,mode=0400",
            [POSTURE_PLATFORM_KUBERNETES] = "secret: {defaultMode: 0440} with securityContext: {fsGroup: 65532}",
            [POSTURE_PLATFORM_FLY] = "in the entrypoint: chmod 0600 FILE before COMMAND, or [[files]] with a directory of the user's",
            [POSTURE_PLATFORM_SYSTEMD] = "systemctl edit UNIT: LoadCredential=KEY:FILE, and read $CREDENTIALS_DIRECTORY/KEY",
        },
        .impact = "other programs that read the same file no longer can",
        .action = ALWAYS_REFUSED, .on_unknown = ALWAYS_WARNED,
        .linux_only = false, .phases = AT_BOOT,
        .since = 1, .runbook = "docs/runbook.md#errkeyfileinsecure",
    },
    .judge = judge_key_files,
};
/* clang-format on */
