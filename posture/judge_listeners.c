#include "posture/judge.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "base/host_port.h"
#include "base/text.h"

static const char *protocol_name(const struct fact_socket *s)
{
    if (s->addr.ss_family == AF_UNIX)
        return "unix";
    if (s->type == SOCK_DGRAM)
        return "udp";
    return s->protocol == IPPROTO_MPTCP ? "mptcp" : "tcp";
}

static void add_unix(struct text *t, const struct fact_socket *s)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&s->addr;
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t len = s->addr_len > start ? s->addr_len - start : 0;

    if (len == 0) {
        text_add_str(t, "unnamed");
    } else if (un->sun_path[0] == '\0') {
        text_addf(t, "@%.*s", (int)(len - 1), un->sun_path + 1);
    } else {
        text_addf(t, "%.*s", (int)strnlen(un->sun_path, len), un->sun_path);
    }
}

static void add_address(struct text *t, const struct sockaddr_storage *addr)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;
    char literal[INET6_ADDRSTRLEN] = "?";

    if (addr->ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, literal, sizeof(literal));
        text_addf(t, "%s:%u", literal, ntohs(v4->sin_port));
    } else {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, literal, sizeof(literal));
        text_addf(t, "[%s]:%u", literal, ntohs(v6->sin6_port));
    }
}

/* "descriptor 5: tcp 127.0.0.1:6060" */
static void describe(struct text *t, const struct fact_socket *s)
{
    text_addf(t, "descriptor %d: %s ", s->fd, protocol_name(s));
    if (s->addr.ss_family == AF_UNIX) {
        add_unix(t, s);
    } else {
        add_address(t, &s->addr);
    }
}

static uint16_t port_of(const struct sockaddr_storage *addr)
{
    return addr->ss_family == AF_INET
               ? ((const struct sockaddr_in *)addr)->sin_port
               : ((const struct sockaddr_in6 *)addr)->sin6_port;
}

static bool same_host(
    const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET) {
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    }
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
               &((const struct sockaddr_in6 *)b)->sin6_addr,
               sizeof(struct in6_addr)) == 0;
}

/* Every address: [::] for both families, or 0.0.0.0 where IPv6 is missing. */
static bool is_any(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET) {
        return ((const struct sockaddr_in *)addr)->sin_addr.s_addr ==
               htonl(INADDR_ANY);
    }
    return IN6_IS_ADDR_UNSPECIFIED(
        &((const struct sockaddr_in6 *)addr)->sin6_addr);
}

static bool matches(const struct fact_socket *s, const struct host_port *want)
{
    if (s->addr.ss_family == AF_UNIX || s->type != SOCK_STREAM ||
        s->protocol == IPPROTO_MPTCP || ntohs(port_of(&s->addr)) != want->port)
        return false;
    return want->any ? is_any(&s->addr) : same_host(&s->addr, &want->addr);
}

static bool is_expected(const struct judgement *j, const struct fact_socket *s)
{
    for (size_t i = 0; i < j->policy->listener_count; i++) {
        struct host_port want;

        if (host_port_parse(span_str(j->policy->listeners[i].address), &want) ==
                HOST_PORT_OK &&
            matches(s, &want))
            return true;
    }
    return false;
}

static void add_expected(const struct judgement *j, struct text *t)
{
    if (j->policy->listener_count == 0)
        text_add_str(t, "no listening socket");
    for (size_t i = 0; i < j->policy->listener_count; i++) {
        text_addf(t, "%s%s (%s)", i == 0 ? "" : ", ",
            j->policy->listeners[i].address, j->policy->listeners[i].label);
    }
}

static void add_surplus(const struct judgement *j, const struct fact_socket *s)
{
    char observed_buf[256];
    char expected_buf[512];
    struct text observed = text_over(observed_buf, sizeof(observed_buf));
    struct text expected = text_over(expected_buf, sizeof(expected_buf));
    bool boot = j->report->phase == POSTURE_PHASE_BOOT;

    describe(&observed, s);
    if (boot) {
        text_add_str(&expected, "no listening socket before any is opened");
    } else {
        add_expected(j, &expected);
    }
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .object = observed.ptr,
            .observed = observed.ptr,
            .expected = expected.ptr,
            .reason = boot ? "a listening socket was inherited"
                           : "the process holds a listening socket that nobody "
                             "asked for",
        });
}

static void add_missing(
    const struct judgement *j, const struct policy_listener *listener)
{
    char observed[256];

    (void)text_format(observed, sizeof(observed), "nothing listens on %s (%s)",
        listener->address, listener->label);
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .object = listener->address,
            .observed = observed,
            .expected = "a listening socket there",
            .reason = "an expected listener is missing",
            .fix = "look for the error of that listener further up in the log",
        });
}

static bool judge_bound(const struct judgement *j)
{
    const struct fact_sockets *sockets = &j->facts->sockets;
    bool fine = true;

    for (size_t i = 0; i < j->policy->listener_count; i++) {
        struct host_port want;
        bool found = false;

        if (host_port_parse(span_str(j->policy->listeners[i].address), &want) ==
            HOST_PORT_OK) {
            for (size_t k = 0; k < sockets->count; k++)
                found |= matches(&sockets->list[k], &want);
        }
        if (!found)
            add_missing(j, &j->policy->listeners[i]);
        fine &= found;
    }
    return fine;
}

void judge_listeners(const struct judgement *j)
{
    const struct fact_sockets *sockets = &j->facts->sockets;
    bool boot = j->report->phase == POSTURE_PHASE_BOOT;
    bool fine = true;
    char observed[64];

    if (!j->facts->linux_facts) {
        judge_not_applicable(j, "sockets are listed on Linux only");
        return;
    }
    for (size_t i = 0; i < sockets->count; i++) {
        const struct fact_socket *s = &sockets->list[i];

        if (boot ? s->activated : is_expected(j, s))
            continue;
        add_surplus(j, s);
        fine = false;
    }
    if (!boot)
        fine &= judge_bound(j);
    (void)text_format(observed, sizeof(observed), "%zu listening sockets held",
        sockets->count);
    if (fine)
        judge_pass(j, observed);
}
