/* Landlock: landlock(7), Linux's linux/landlock.h.  The header of Debian 12
 * knows ABI 2; what came later is written down here. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "posture/seal_part.h"

enum {
    NET_BIND_TCP = 1,     /* LANDLOCK_ACCESS_NET_BIND_TCP, ABI 4 */
    RULE_NET_PORT = 2,    /* LANDLOCK_RULE_NET_PORT, ABI 4 */
    FS_TRUNCATE_BIT = 14, /* LANDLOCK_ACCESS_FS_TRUNCATE, ABI 3 */
};

struct ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net; /* ABI 4 */
};

struct net_port_attr {
    uint64_t allowed_access;
    uint64_t port;
};

int seal_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
        LANDLOCK_CREATE_RULESET_VERSION);

    return abi < 0 ? 0 : (int)abi;
}

/* Everything that changes a file system. */
static uint64_t write_access(int abi)
{
    uint64_t access =
        LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
        LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
        LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
        LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
        LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

    if (abi >= 2)
        access |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        access |= UINT64_C(1) << FS_TRUNCATE_BIT;
    return access;
}

static int allow_path(int ruleset, const char *path, uint64_t access)
{
    CLOSES int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {
        .allowed_access = access, .parent_fd = fd};
    struct stat st;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode)) {
        rule.allowed_access &=
            LANDLOCK_ACCESS_FS_WRITE_FILE | UINT64_C(1) << FS_TRUNCATE_BIT;
    }
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
               &rule, 0) < 0
               ? -errno
               : 0;
}

static int allow_port(int ruleset, uint16_t port)
{
    const struct net_port_attr rule = {
        .allowed_access = NET_BIND_TCP, .port = port};

    return syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) < 0
               ? -errno
               : 0;
}

static int add_rules(const struct seal_plan *plan, int ruleset,
    const struct ruleset_attr *handled)
{
    int failed = 0;

    for (size_t i = 0; i < plan->writable_count &&
                       handled->handled_access_fs != 0 && failed == 0;
         i++) {
        failed =
            allow_path(ruleset, plan->writable[i], handled->handled_access_fs);
    }
    for (size_t i = 0; i < plan->bind_port_count &&
                       handled->handled_access_net != 0 && failed == 0;
         i++)
        failed = allow_port(ruleset, plan->bind_ports[i]);
    return failed;
}

int seal_landlock(const struct seal_plan *plan, int abi)
{
    struct ruleset_attr handled = {0};
    size_t size = abi >= 4 ? sizeof(handled) : sizeof(uint64_t);
    CLOSES int ruleset = -1;
    int failed = 0;

    if ((plan->parts >> SEAL_FILES & 1) != 0)
        handled.handled_access_fs = write_access(abi);
    if ((plan->parts >> SEAL_TCP_BIND & 1) != 0 && abi >= 4)
        handled.handled_access_net = NET_BIND_TCP;
    if ((handled.handled_access_fs | handled.handled_access_net) == 0)
        return 0;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, size, 0);
    if (ruleset < 0)
        return -errno;
    failed = add_rules(plan, ruleset, &handled);
    if (failed == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        failed = -errno;
    return failed;
}
