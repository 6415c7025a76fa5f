/* posture suggest: what to put into a platform's manifest.  It prints and
 * never writes. */
#include <stdio.h>
#include <string.h>

#include "posture/cmd/cmd.h"

static const struct {
    const char *platform;
    const char *text;
} suggestions[] = {
    {"docker", "# docker run, or the same keys of a compose service\n"
               "docker run \\\n"
               "  --user 65532:65532 \\\n"
               "  --cap-drop=ALL \\\n"
               "  --security-opt no-new-privileges:true \\\n"
               "  --read-only \\\n"
               "  --memory 512m \\\n"
               "  --ulimit core=1 \\\n"
               "  --ulimit nofile=65536:65536 \\\n"
               "  IMAGE\n"},
    {"podman", "podman run \\\n"
               "  --user 65532:65532 \\\n"
               "  --cap-drop=all \\\n"
               "  --security-opt no-new-privileges \\\n"
               "  --read-only \\\n"
               "  --memory 512m \\\n"
               "  --ulimit core=1 \\\n"
               "  --ulimit nofile=65536:65536 \\\n"
               "  IMAGE\n"},
    {"kubernetes",
        "# spec.template.spec of a Deployment: the restricted profile\n"
        "enableServiceLinks: false\n"
        "automountServiceAccountToken: false\n"
        "securityContext:\n"
        "  runAsNonRoot: true\n"
        "  runAsUser: 65532\n"
        "  runAsGroup: 65532\n"
        "  fsGroup: 65532\n"
        "  fsGroupChangePolicy: OnRootMismatch\n"
        "  seccompProfile:\n"
        "    type: RuntimeDefault\n"
        "containers:\n"
        "  - name: CONTAINER\n"
        "    securityContext:\n"
        "      allowPrivilegeEscalation: false\n"
        "      readOnlyRootFilesystem: true\n"
        "      capabilities:\n"
        "        drop: [ALL]\n"
        "    resources:\n"
        "      limits:\n"
        "        memory: 512Mi\n"
        "    # a pod has no field for core dumps; where the program does not "
        "seal itself:\n"
        "    command: [/posture, run, --production, --seal=no-core, --, "
        "/PROGRAM]\n"},
    {"systemd", "# systemctl edit UNIT\n"
                "[Service]\n"
                "DynamicUser=yes\n"
                "StateDirectory=NAME\n"
                "StateDirectoryMode=0700\n"
                "CapabilityBoundingSet=\n"
                "AmbientCapabilities=\n"
                "NoNewPrivileges=yes\n"
                "ProtectSystem=strict\n"
                "ProtectHome=yes\n"
                "ProtectHostname=yes\n"
                "ProtectKernelTunables=yes\n"
                "PrivateDevices=yes\n"
                "PrivateTmp=yes\n"
                "LockPersonality=yes\n"
                "SystemCallFilter=@system-service\n"
                "SystemCallArchitectures=native\n"
                "LimitCORE=1\n"
                "LimitNOFILE=65536\n"
                "MemoryMax=512M\n"},
    {"fly", "# Dockerfile; a machine has no field for these\n"
            "USER 65532:65532\n"
            "ENTRYPOINT [\"posture\", \"run\", \"--production\", "
            "\"--seal=no-new-privs,no-core\", \"--\", \"PROGRAM\"]\n"
            "\n"
            "# once, for a volume: fly ssh console -C 'chown -R 65532:65532 "
            "DIR'\n"},
    {"bare", "prlimit --core=1 \\\n"
             "  setpriv --reuid=65532 --regid=65532 --clear-groups \\\n"
             "  --no-new-privs --inh-caps=-all --ambient-caps=-all "
             "--bounding-set=-all \\\n"
             "  COMMAND\n"},
};

int cmd_suggest(int argc, char *argv[])
{
    const char *platform = NULL;

    if (argc == 2 && strcmp(argv[0], "--for") == 0) {
        platform = argv[1];
    } else if (argc == 1 && strncmp(argv[0], "--for=", 6) == 0) {
        platform = argv[0] + 6;
    } else {
        return cmd_usage_error("expected",
            "suggest --for docker|podman|kubernetes|systemd|fly|bare");
    }
    for (size_t i = 0; i < sizeof(suggestions) / sizeof(suggestions[0]); i++) {
        if (strcmp(suggestions[i].platform, platform) == 0) {
            (void)fputs(suggestions[i].text, stdout);
            return 0;
        }
    }
    return cmd_usage_error("unknown platform", platform);
}
