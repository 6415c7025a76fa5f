#include "posture/facts_files.h"
#include "posture/judge.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "base/text.h"

static bool is_inet(const struct fact_socket *s)
{
    return s->family == AF_INET || s->family == AF_INET6;
}

static void add_protocol(struct text *t, const struct fact_socket *s)
{
    static const struct {
        int protocol;
        const char *name;
    } names[] = {
        {IPPROTO_TCP, "tcp"},
        {IPPROTO_MPTCP, "mptcp"},
        {IPPROTO_UDP, "udp"},
        {IPPROTO_SCTP, "sctp"},
    };

    if (s->family == AF_UNIX) {
        text_add_str(t, s->type == SOCK_DGRAM ? "unix datagram" : "unix");
        return;
    }
    if (!is_inet(s)) {
        text_addf(t, "family %d", s->family);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (s->protocol == names[i].protocol) {
            text_add_str(t, names[i].name);
            return;
        }
    }
    text_addf(t, "protocol %d", s->protocol);
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

/* "descriptor 5: tcp 127.0.0.1:6060"; of a family that is not known here the
 * number alone. */
static void describe(struct text *t, const struct fact_socket *s)
{
    text_addf(t, "descriptor %d: ", s->fd);
    add_protocol(t, s);
    if (s->family == AF_UNIX) {
        text_add_char(t, ' ');
        add_unix(t, s);
    } else if (is_inet(s)) {
        text_add_char(t, ' ');
        add_address(t, &s->addr);
        if (s->family == AF_INET6 && s->v6_only != 0)
            text_add_str(t, " (IPv6 only)");
    }
}

static uint16_t port_of(const struct sockaddr_storage *addr)
{
    return addr->ss_family == AF_INET
               ? ((const struct sockaddr_in *)addr)->sin_port
               : ((const struct sockaddr_in6 *)addr)->sin6_port;
}

/* Both families: [::] with IPv4, or 0.0.0.0 where IPv6 is missing. */
static bool takes_all(const struct judgement *j, const struct fact_socket *s)
{
    if (s->family == AF_INET) {
        return j->facts->sockets.no_ipv6 &&
               ((const struct sockaddr_in *)&s->addr)->sin_addr.s_addr ==
                   htonl(INADDR_ANY);
    }
    return s->v6_only == 0 &&
           IN6_IS_ADDR_UNSPECIFIED(
               &((const struct sockaddr_in6 *)&s->addr)->sin6_addr);
}

/* A stream that listens may keep its messages apart: SOCK_SEQPACKET. */
static bool is_unix_at(const struct fact_socket *s, const char *path, int type)
{
    return s->family == AF_UNIX &&
           (s->type == SOCK_DGRAM) == (type == SOCK_DGRAM) &&
           listener_address_is_path(path, &s->addr, s->addr_len);
}

static bool matches(const struct judgement *j, const struct fact_socket *s,
    const struct listener_address *want)
{
    if (want->path != NULL)
        return is_unix_at(s, want->path, want->type);
    if (!is_inet(s) || s->type != want->type || s->protocol != want->protocol ||
        ntohs(port_of(&s->addr)) != want->where.port)
        return false;
    return want->where.any
               ? takes_all(j, s)
               : listener_address_same_host(&s->addr, &want->where.addr);
}

/* Find a socket for an expected listener that no other one has taken. */
static bool take_match(const struct judgement *j,
    const struct listener_address *want, bool taken[FACTS_SOCKETS_MAX])
{
    const struct fact_sockets *sockets = &j->facts->sockets;

    for (size_t i = 0; i < sockets->count; i++) {
        if (!taken[i] && matches(j, &sockets->list[i], want)) {
            taken[i] = true;
            return true;
        }
    }
    return false;
}

static void add_expected(const struct judgement *j, struct text *t)
{
    if (j->policy->expected.count == 0)
        text_add_str(t, "no listening socket");
    for (size_t i = 0; i < j->policy->expected.count; i++) {
        text_addf(t, "%s%s (%s)", i == 0 ? "" : ", ",
            j->policy->expected.list[i].address,
            j->policy->expected.list[i].label);
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
            /* Who opened it is ourselves. */
            .fix = boot ? NULL
                        : "switch off what opens it (a debug or metrics "
                          "option), or declare it as an expected listener",
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

static void add_unplanned(
    const struct judgement *j, const struct policy_listener *planned)
{
    char observed[256];
    char expected_buf[512];
    char fix[256];
    struct text expected = text_over(expected_buf, sizeof(expected_buf));

    (void)text_format(observed, sizeof(observed), "about to bind %s (%s)",
        planned->address, planned->label);
    (void)text_format(fix, sizeof(fix),
        "drop %s from the arguments and the environment, or declare it as an "
        "expected listener",
        planned->label);
    add_expected(j, &expected);
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .object = planned->address,
            .observed = observed,
            .expected = expected.ptr,
            .reason = "a listener is about to be opened that nobody asked for",
            .fix = fix,
        });
}

static void add_left_out(const struct judgement *j)
{
    const struct fact_sockets *sockets = &j->facts->sockets;
    char observed[96];

    (void)text_format(observed, sizeof(observed),
        "%zu sockets beside the %zu that were looked at", sockets->left_out,
        sockets->count);
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_FAIL,
            .observed = observed,
            .expected = "no more sockets than can be judged",
            .reason = "more listening sockets are held than can be judged",
        });
}

static void add_unread(const struct judgement *j)
{
    const struct fact_sockets *sockets = &j->facts->sockets;
    char where[32] = "/proc/thread-self/fd";
    char observed[128];

    if (sockets->error_fd >= 0) {
        (void)text_format(
            where, sizeof(where), "descriptor %d", sockets->error_fd);
    }
    (void)text_format(observed, sizeof(observed), "%s: %s", where,
        facts_error_text(sockets->error));
    report_add(j->report, j->row,
        &(struct report_draft){
            .verdict = POSTURE_UNKNOWN,
            .error_number = sockets->error,
            .object = where,
            .observed = observed,
            .expected = j->row->rule,
            .reason = "not every descriptor could be looked at",
            .fix = "mount /proc, and let the sandbox permit getsockopt, "
                   "getsockname and getpeername",
        });
}

/* True if every descriptor was looked at and every socket is in the list. */
static bool judge_complete(const struct judgement *j)
{
    const struct fact_sockets *sockets = &j->facts->sockets;

    if (sockets->left_out > 0)
        add_left_out(j);
    if (sockets->error != 0)
        add_unread(j);
    return sockets->left_out == 0 && sockets->error == 0;
}

static size_t count_same(const struct policy_listeners *in, size_t len,
    const struct listener_address *at)
{
    size_t same = 0;

    for (size_t i = 0; i < len; i++)
        same += listener_address_is_same(&in->list[i].at, at);
    return same;
}

/* Each planned listener needs an expected one of its own. */
static bool judge_planned(const struct judgement *j)
{
    const struct policy_listeners *planned = &j->policy->planned;
    const struct policy_listeners *expected = &j->policy->expected;
    bool fine = true;

    for (size_t i = 0; i < planned->count; i++) {
        const struct listener_address *at = &planned->list[i].at;

        if (count_same(planned, i + 1, at) <=
            count_same(expected, expected->count, at))
            continue;
        add_unplanned(j, &planned->list[i]);
        fine = false;
    }
    return fine;
}

static bool judge_inherited(const struct judgement *j)
{
    const struct fact_sockets *sockets = &j->facts->sockets;
    bool fine = true;

    for (size_t i = 0; i < sockets->count; i++) {
        if (j->policy->activation && sockets->list[i].activated)
            continue;
        add_surplus(j, &sockets->list[i]);
        fine = false;
    }
    return fine;
}

/* One socket for each expected listener, and none beside. */
static bool judge_bound(const struct judgement *j, bool complete)
{
    const struct fact_sockets *sockets = &j->facts->sockets;
    const struct policy_listeners *expected = &j->policy->expected;
    bool taken[FACTS_SOCKETS_MAX] = {false};
    bool fine = true;

    for (size_t i = 0; i < expected->count; i++) {
        if (take_match(j, &expected->list[i].at, taken))
            continue;
        /* It may be among those that were not seen. */
        if (complete)
            add_missing(j, &expected->list[i]);
        fine = false;
    }
    for (size_t i = 0; i < sockets->count; i++) {
        if (taken[i])
            continue;
        add_surplus(j, &sockets->list[i]);
        fine = false;
    }
    return fine;
}

void judge_listeners(const struct judgement *j)
{
    bool complete = false;
    bool fine = false;
    char observed[64];

    if (!j->facts->linux_facts) {
        judge_not_applicable(j, "sockets are listed on Linux only");
        return;
    }
    complete = judge_complete(j);
    if (j->report->phase == POSTURE_PHASE_BOOT) {
        fine = judge_inherited(j);
        fine &= judge_planned(j);
    } else {
        fine = judge_bound(j, complete);
    }
    (void)text_format(observed, sizeof(observed), "%zu listening sockets held",
        j->facts->sockets.count);
    if (fine && complete)
        judge_pass(j, observed);
}
