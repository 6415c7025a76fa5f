#include "relay/healthcheck.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/host_port.h"
#include "base/own.h"
#include "base/text.h"

enum {
    TIME_MS = 3000,    /* for all of it; an image's HEALTHCHECK waits longer */
    ANSWER_MAX = 1024, /* bytes; /healthz answers less */
};

static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
                              "Connection: close\r\n\r\n";

static uint64_t now_ms(void)
{
    struct timespec now = {.tv_sec = 0};

    IGNORE(clock_gettime(CLOCK_MONOTONIC, &now) < 0, "every Linux has it");
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* 0 once the descriptor is ready, or -errno. */
static int wait_for(int fd, short events, uint64_t deadline_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    uint64_t now = now_ms();
    int ready = poll(&p, 1, now >= deadline_ms ? 0 : (int)(deadline_ms - now));

    if (ready < 0)
        return -errno;
    return ready == 0 ? -ETIMEDOUT : 0;
}

/* An address that means all of them is reached by the loopback one; where a
 * socket serves both families, IPv4 reaches it, too. */
static void make_reachable(struct host_port *hp)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&hp->addr;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&hp->addr;

    if (hp->addr.ss_family == AF_INET
            ? v4->sin_addr.s_addr != htonl(INADDR_ANY)
            : !IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
        return;
    *v4 = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(hp->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    hp->addr_len = sizeof(*v4);
}

static int connect_to(
    const struct host_port *hp, uint64_t deadline_ms, int *ret_fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    CLOSES int fd = socket(
        hp->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&hp->addr, hp->addr_len) < 0) {
        int failed =
            errno == EINPROGRESS ? wait_for(fd, POLLOUT, deadline_ms) : -errno;

        if (failed != 0)
            return failed;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
            return -errno;
        if (error != 0)
            return -error;
    }
    *ret_fd = take_fd(&fd);
    return 0;
}

/* All that comes until the end, or as much of it as there is room for. */
static int read_answer(int fd, uint64_t deadline_ms, char ret[ANSWER_MAX + 1])
{
    size_t len = 0;

    while (len < ANSWER_MAX) {
        int failed = wait_for(fd, POLLIN, deadline_ms);
        ssize_t got = failed != 0 ? 0 : read(fd, ret + len, ANSWER_MAX - len);

        if (failed != 0)
            return failed;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (got == 0)
            break;
        len += got > 0 ? (size_t)got : 0;
    }
    ret[len] = '\0';
    return 0;
}

static int ask(struct host_port *hp, char ret[ANSWER_MAX + 1])
{
    uint64_t deadline_ms = now_ms() + TIME_MS;
    CLOSES int fd = -1;
    ssize_t sent = 0;
    int failed = 0;

    make_reachable(hp);
    failed = connect_to(hp, deadline_ms, &fd);
    if (failed != 0)
        return failed;
    /* So short a request fits any socket's buffer. */
    sent = send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
    if (sent != (ssize_t)sizeof(request) - 1)
        return sent < 0 ? -errno : -EMSGSIZE;
    return read_answer(fd, deadline_ms, ret);
}

/* Bytes of the first line; what is said of it stays one. */
static int line_len(const char *text)
{
    return (int)strcspn(text, "\r\n");
}

static enum healthcheck judge(const char *answer, const char *at, FILE *out)
{
    const char *status = strchr(answer, ' ');
    const char *body = strstr(answer, "\r\n\r\n");
    bool http = strncmp(answer, "HTTP/1.1 ", 9) == 0;

    if (!http || status == NULL || body == NULL) {
        (void)fprintf(out, "unhealthy: %s: no answer in HTTP\n", at);
        return HEALTHCHECK_SICK;
    }
    if (strncmp(status, " 200 ", 5) != 0) {
        (void)fprintf(out, "unhealthy: %s: %.3s %.*s\n", at, status + 1,
            line_len(body + 4), body + 4);
        return HEALTHCHECK_SICK;
    }
    (void)fprintf(out, "healthy: %s: %.*s\n", at, line_len(body + 4), body + 4);
    return HEALTHCHECK_FINE;
}

enum healthcheck healthcheck(const struct config *config, FILE *out)
{
    const char *at = config->text[CONFIG_METRICS_LISTEN];
    struct host_port hp;
    char answer[ANSWER_MAX + 1];
    int failed = 0;

    if (at[0] == '\0')
        at = config->text[CONFIG_INSECURE_LISTEN];
    if (at[0] == '\0') {
        (void)fputs("cannot ask: no listener speaks plain HTTP; give the "
                    "--metrics-listen of the relay\n",
            out);
        return HEALTHCHECK_CANNOT;
    }
    if (host_port_parse(span_str(at), &hp) != HOST_PORT_OK) {
        (void)fprintf(out, "cannot ask: \"%.64s\" is no address\n", at);
        return HEALTHCHECK_CANNOT;
    }
    failed = ask(&hp, answer);
    if (failed != 0) {
        const char *why = strerrordesc_np(-failed);

        (void)fprintf(out, "unhealthy: %s: %s\n", at,
            why == NULL ? "unknown error" : why);
        return HEALTHCHECK_SICK;
    }
    return judge(answer, at, out);
}
