#include "relay/activation.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/host_port.h"
#include "base/ip_address.h"
#include "base/text.h"
#include "net/sd_listen.h"
#include "relay/relay.h"

#define NAMES "insecure-listen, https-listen, http-listen or metrics-listen"

static const struct config_problem bad_variables = {
    .key = "LISTEN_FDS",
    .msg = "refusing to start: invalid socket activation",
    .err = "the variables of socket activation contradict each other",
    .expected = "LISTEN_FDS sockets, at most 128, each with a name in "
                "LISTEN_FDNAMES",
    .fix = "let the service manager set LISTEN_PID, LISTEN_FDS and "
           "LISTEN_FDNAMES, or unset all three",
};

static const struct config_problem bad_socket = {
    .msg = "refusing to start: invalid socket activation",
    .err = "what was handed over is no listening TCP socket",
    .expected = "ListenStream= with an address and a port",
    .fix = "ListenStream=443 as in pyrycode-relay-https.socket; no Accept=yes, "
           "no ListenDatagram=, no path",
};

static const struct config_problem bad_name = {
    .msg = "refusing to start: invalid socket activation",
    .err = "no option in use has the name of that socket",
    .expected = NAMES ", of an option that is in use",
    .fix = "one .socket unit for each, with FileDescriptorName=https-listen "
           "(or the option that it stands in for), and that option not empty",
};

static const struct config_problem bad_address = {
    .msg = "refusing to start: invalid socket activation",
    .err = "the socket listens elsewhere than its option says",
    .expected = "the address of the option",
    .fix = "make ListenStream= of the .socket unit and the option of its name "
           "the same address",
};

static void describe(const struct inherited_socket *one, struct text *ret)
{
    const struct sockaddr_storage *addr = &one->addr;
    struct ip_address ip;
    char host[IP_ADDRESS_TEXT_MAX];

    text_addf(ret, "descriptor %d, named \"%s\"", one->socket.fd, one->name);
    if (one->error != 0) {
        const char *why = strerrordesc_np(one->error);

        text_addf(ret, ": %s", why == NULL ? "unknown error" : why);
    } else if (ip_address_from_sockaddr((const struct sockaddr *)addr, &ip)) {
        (void)ip_address_text(&ip, host);
        text_addf(ret, ", on %s port %d", host,
            ntohs(addr->ss_family == AF_INET
                      ? ((const struct sockaddr_in *)addr)->sin_port
                      : ((const struct sockaddr_in6 *)addr)->sin6_port));
    }
}

/* NULL: it is what its option asks for. */
static const struct config_problem *judge(const struct inherited_socket *one,
    const struct relay_plan *plan, size_t count)
{
    struct host_port hp;

    if (one->error != 0)
        return &bad_socket;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(relay_plan_name(&plan[i]), one->name) != 0)
            continue;
        /* A malformed address is a problem of its own. */
        return host_port_parse(span_str(plan[i].address), &hp) !=
                           HOST_PORT_OK ||
                       inherited_fits(one, one->name, &hp.addr)
                   ? NULL
                   : &bad_address;
    }
    return &bad_name;
}

void activation_check(struct config *config, const struct inherited *in)
{
    struct relay_plan plan[RELAY_LISTENERS];
    size_t count = relay_plan(config, plan);

    for (size_t i = 0; i < in->count; i++) {
        const struct config_problem *found = judge(&in->list[i], plan, count);
        char observed[128];
        struct text t = text_over(observed, sizeof(observed));
        struct config_problem problem;

        if (found == NULL)
            continue;
        problem = *found;
        (void)text_format(
            problem.key, sizeof(problem.key), "LISTEN_FDNAMES[%zu]", i);
        describe(&in->list[i], &t);
        config_add_problem(config, &problem, observed);
    }
}

void activation_read(struct config *config, struct inherited *ret)
{
    const struct sd_listen_variables given = sd_listen_environment();

    if (sd_listen(&given, getpid(), ret) != 0) {
        char observed[128];

        (void)text_format(observed, sizeof(observed),
            "LISTEN_FDS=%.32s LISTEN_FDNAMES=%.64s", given.fds,
            given.names == NULL ? "" : given.names);
        config_add_problem(config, &bad_variables, observed);
    }
    activation_check(config, ret);
}
