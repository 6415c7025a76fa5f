/* How a relay comes by its listening sockets: inherited, or bound here. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/host_port.h"
#include "relay/log.h"
#include "relay/relay.h"

/* ---- what is asked for ---- */

size_t relay_plan(
    const struct config *config, struct relay_plan ret[RELAY_LISTENERS])
{
    static const struct {
        enum config_flag flag;
        const char *label;
        enum conn_surface surface;
        bool plain; /* opened without TLS */
        bool secure;
    } all[RELAY_LISTENERS + 1] = {
        {CONFIG_INSECURE_LISTEN, "--insecure-listen", CONN_PUBLIC, true, false},
        {CONFIG_HTTPS_LISTEN, "--https-listen", CONN_PUBLIC, false, true},
        {CONFIG_HTTP_LISTEN, "--http-listen", CONN_CHALLENGES, false, true},
        {CONFIG_METRICS_LISTEN, "--metrics-listen", CONN_METRICS, true, true},
    };
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        const char *address = config->text[all[i].flag];
        bool opened = config->insecure ? all[i].plain : all[i].secure;

        if (opened && address[0] != '\0') {
            ret[count++] = (struct relay_plan){
                .address = address,
                .label = all[i].label,
                .surface = all[i].surface,
            };
        }
    }
    return count;
}

const char *relay_plan_name(const struct relay_plan *plan)
{
    return plan->label + 2;
}

/* ---- binding ---- */

static int open_one(
    const struct host_port *hp, enum listener_share share, int *ret_fd)
{
    int failed = listener_open(&hp->addr, hp->addr_len, share, ret_fd);

    if (failed == -EAFNOSUPPORT && hp->any) {
        /* No IPv6 here: every address is every IPv4 address. */
        struct sockaddr_storage any = {.ss_family = AF_INET};

        ((struct sockaddr_in *)&any)->sin_port = htons(hp->port);
        failed = listener_open(&any, sizeof(struct sockaddr_in), share, ret_fd);
    }
    return failed;
}

/* A socket for each shard; where the kernel does not let sockets share an
 * address, one whose connections are dealt out in turn. */
static int open_publics(struct relay *relay, const struct host_port *hp)
{
    size_t count = relay->shard_count;
    int failed = 0;

    if (count == 1)
        return open_one(hp, LISTENER_ALONE, &relay->publics[0].fd);
    for (size_t i = 0; i < count && failed == 0; i++) {
        failed = open_one(hp, i == 0 ? LISTENER_FIRST : LISTENER_SIBLING,
            &relay->publics[i].fd);
    }
    if (failed != -ENOPROTOOPT)
        return failed;
    relay->public_count = 1;
    log_write(LOG_WARN,
        "this kernel has no SO_REUSEPORT: one worker accepts for all", NULL, 0);
    return open_one(hp, LISTENER_ALONE, &relay->publics[0].fd);
}

/* Room for so many; none is open yet. */
static int make_publics(struct relay *relay, size_t count)
{
    relay->publics = calloc(count, sizeof(*relay->publics));
    if (relay->publics == NULL)
        return -ENOMEM;
    relay->public_count = count;
    for (size_t i = 0; i < count; i++)
        relay->publics[i].fd = -1;
    return 0;
}

/* ---- inheriting ---- */

static size_t count_inherited(const struct relay *relay,
    const struct relay_plan *plan, const struct host_port *hp)
{
    return relay->inherited == NULL ? 0
                                    : inherited_count(relay->inherited,
                                          relay_plan_name(plan), &hp->addr);
}

static int have_publics(struct relay *relay, const struct relay_plan *plan,
    const struct host_port *hp)
{
    size_t inherited = count_inherited(relay, plan, hp);
    int failed =
        make_publics(relay, inherited > 0 ? inherited : relay->shard_count);

    if (failed != 0)
        return failed;
    if (inherited == 0)
        return open_publics(relay, hp);
    for (size_t i = 0; i < inherited; i++) {
        relay->publics[i] =
            inherited_take(relay->inherited, relay_plan_name(plan), &hp->addr);
    }
    return 0;
}

static int have_one(const struct relay *relay, const struct relay_plan *plan,
    const struct host_port *hp, struct listener_socket *ret)
{
    if (count_inherited(relay, plan, hp) == 0)
        return open_one(hp, LISTENER_ALONE, &ret->fd);
    *ret = inherited_take(relay->inherited, relay_plan_name(plan), &hp->addr);
    return 0;
}

static int have_surface(struct relay *relay, const struct relay_plan *plan,
    const struct host_port *hp)
{
    switch (plan->surface) {
    case CONN_PUBLIC:
        return have_publics(relay, plan, hp);
    case CONN_METRICS:
        return have_one(relay, plan, hp, &relay->metrics_socket);
    case CONN_CHALLENGES:
        return have_one(relay, plan, hp, &relay->challenges_socket);
    }
    return -EINVAL;
}

/* ---- the whole ---- */

static void log_listener_failed(const char *address, int error)
{
    LOG(LOG_ERROR, "listener failed", LOG_TEXT(LOG_ADDR, address),
        LOG_TEXT(LOG_ERR, strerrordesc_np(-error)));
}

static bool bind_one(struct relay *relay, const struct relay_plan *plan)
{
    struct host_port hp;
    int failed = -EINVAL;

    if (host_port_parse(span_str(plan->address), &hp) == HOST_PORT_OK)
        failed = have_surface(relay, plan, &hp);
    if (failed != 0)
        log_listener_failed(plan->address, failed);
    return failed == 0;
}

bool relay_bind(struct relay *relay)
{
    struct relay_plan plan[RELAY_LISTENERS];
    size_t count = relay_plan(relay->config, plan);

    for (size_t i = 0; i < count; i++) {
        if (!bind_one(relay, &plan[i]))
            return false;
    }
    return true;
}

static void close_if_open(struct listener_socket *socket)
{
    if (socket->fd >= 0)
        (void)close(socket->fd);
    socket->fd = -1;
}

void relay_unbind(struct relay *relay)
{
    for (size_t i = 0; i < relay->public_count; i++)
        close_if_open(&relay->publics[i]);
    free(relay->publics);
    relay->publics = NULL;
    relay->public_count = 0;
    close_if_open(&relay->metrics_socket);
    close_if_open(&relay->challenges_socket);
}

size_t relay_public_sockets(const struct relay *relay)
{
    return relay->public_count;
}
