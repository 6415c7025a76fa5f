#include "bench/usage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/text.h"
#include "bench/clock_ns.h"

static int add_cpu(pid_t pid, struct usage *sum)
{
    struct timespec spent;
    clockid_t clock = 0;
    int error = clock_getcpuclockid(pid, &clock);

    if (error != 0)
        return -error;
    if (clock_gettime(clock, &spent) < 0)
        return -errno;
    sum->cpu_ns +=
        (uint64_t)spent.tv_sec * CLOCK_NS_PER_SECOND + (uint64_t)spent.tv_nsec;
    return 0;
}

static int add_memory(pid_t pid, struct usage *sum)
{
    char line[256];
    uint64_t kib = 0;
    FILE *rollup = NULL;

    (void)text_format(line, sizeof(line), "/proc/%d/smaps_rollup", (int)pid);
    rollup = fopen(line, "re");
    if (rollup == NULL)
        return -errno;
    while (fgets(line, sizeof(line), rollup) != NULL) {
        /* NOLINTNEXTLINE(cert-err34-c): the kernel writes a number here */
        if (sscanf(line, "Pss: %" SCNu64, &kib) == 1)
            break;
    }
    (void)fclose(rollup);
    sum->pss_bytes += kib * 1024;
    return 0;
}

int usage_read(const pid_t *pids, size_t count, struct usage *ret)
{
    struct usage sum = {0};

    for (size_t i = 0; i < count; i++) {
        int status = add_cpu(pids[i], &sum);

        if (status == 0)
            status = add_memory(pids[i], &sum);
        if (status < 0)
            return status;
    }
    *ret = sum;
    return 0;
}
