#include "acme/supervisor.h"

#include <errno.h>

#include "acme/channel.h"
#include "acme/failure.h"
#include "outward/clock.h"
#include "outward/supervised.h"

static bool confine(void *ctx)
{
    const struct supervisor_config *config = ctx;

    return config->confine == NULL || config->confine(config->ctx);
}

static int run(void *ctx, int channel, int kept)
{
    const struct supervisor_config *config = ctx;
    struct agent_config agent = config->agent;

    agent.directory = kept;
    return agent_run(&agent, channel);
}

static void died(void *ctx, int fd, const struct supervised_death *death)
{
    struct channel *channel = channel_new(fd, AGENT_TO_AGENT);
    struct failure failure;
    struct agent_message message = {.type = AGENT_FAILURE,
        .kind = AGENT_DIED,
        .when_s = (uint64_t)clock_unix_s() + death->delay_ms / 1000};

    (void)ctx;
    if (channel == NULL)
        return;
    failure_set(&failure, AGENT_DIED, "the certificate agent %s %d",
        death->signal != 0 ? "was killed by signal" : "ended with status",
        death->signal != 0 ? death->signal : death->status);
    message.parts[0] = span_str(failure.text);
    IGNORE(channel_send(channel, &message) < 0, "then the relay is gone");
    channel_free(channel);
}

int supervisor_start(
    const struct supervisor_config *config, int *ret_fd, pid_t *ret_pid)
{
    /* the copy that each process has of it is its own */
    struct supervisor_config ours = *config;
    struct supervised plan = {
        .name = "relay-acme",
        .supervisor_name = "relay-acme-sv",
        .kept = config->agent.directory,
        .confine = confine,
        .run = run,
        .died = died,
        .ctx = &ours,
    };

    if (agent_config_fault(&config->agent) != NULL)
        return -EINVAL;
    return supervised_start(&plan, ret_fd, ret_pid);
}
