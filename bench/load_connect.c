#include "bench/load_connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 128 /* connections under way */, BACKLOG = 4096 };

/* TLS 1.3 alone, and OpenSSL's buffers only while they are used. */
static SSL_CTX *tls_context(const SSL_METHOD *method)
{
    SSL_CTX *tls = SSL_CTX_new(method);

    if (tls == NULL ||
        SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1) {
        SSL_CTX_free(tls);
        return NULL;
    }
    (void)SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                    SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_read_ahead(tls, 1);
    return tls;
}

static int prepare_tls(struct load_run *run)
{
    const struct load_options *o = run->options;

    if (!o->tls)
        return 0;
    run->host.tls_out = tls_context(TLS_client_method());
    if (run->host.tls_out == NULL)
        return -ENOMEM;
    if (o->form != LOAD_PROXY)
        return 0;
    run->host.tls_in = tls_context(TLS_server_method());
    if (run->host.tls_in == NULL)
        return -ENOMEM;
    if (SSL_CTX_use_certificate_chain_file(run->host.tls_in, o->certificate) !=
            1 ||
        SSL_CTX_use_PrivateKey_file(
            run->host.tls_in, o->key, SSL_FILETYPE_PEM) != 1)
        load_run_fail(run, "no such certificate and key");
    return load_run_failed(run) ? -EINVAL : 0;
}

static int prepare_listener(struct load_run *run)
{
    const int one = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(run->options->backend),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct epoll_event event = {.events = EPOLLIN};

    if (run->options->form != LOAD_PROXY)
        return 0;
    run->listener =
        socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (run->listener < 0 ||
        setsockopt(run->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) <
            0 ||
        bind(run->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(run->listener, BACKLOG) < 0 ||
        epoll_ctl(run->host.epoll, EPOLL_CTL_ADD, run->listener, &event) < 0)
        return -errno;
    return 0;
}

int load_connect_prepare(struct load_run *run)
{
    int status = prepare_tls(run);

    return status < 0 ? status : prepare_listener(run);
}

static struct peer *unused_binary(struct load_run *run)
{
    return run->binaries_used < run->options->pairs
               ? &run->binaries[run->binaries_used++]
               : NULL;
}

void load_connect_accept(struct load_run *run)
{
    int fd = -1;

    while (!load_run_failed(run) && (fd = accept4(run->listener, NULL, NULL,
                                         SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct peer *p = unused_binary(run);
        int status = 0;

        if (p == NULL) {
            (void)close(fd);
            load_run_fail(run, "the proxy makes more connections than it got");
            return;
        }
        status = peer_accept(&run->host, p, fd);
        if (status < 0)
            load_run_fail(run, "accept: %s", strerrordesc_np(-status));
    }
}

static void connect_one(
    struct load_run *run, enum peer_role role, uint32_t index)
{
    struct peer *p =
        role == PEER_PHONE ? &run->pairs[index].phone : unused_binary(run);
    int status = peer_connect(&run->host, p, role,
        run->options->form == LOAD_PAIRS ? PEER_ENTRY_NONE : PEER_ENTRY_ASKS,
        index);

    if (status < 0)
        load_run_fail(run, "cannot connect: %s", strerrordesc_np(-status));
}

static bool are_open(const struct load_run *run)
{
    return run->open == run->wanted;
}

/* Ask for so many more to be open, and wait when too many are under way. */
static bool want(struct load_run *run, uint64_t more, bool is_last)
{
    run->wanted += more;
    if (load_run_failed(run))
        return false;
    if (!is_last && run->wanted - run->open < AT_ONCE)
        return true;
    return load_run_until(run, run->deadline_ns, are_open, NULL);
}

/* Each binary before its phone, but not before it is open. */
static bool connect_relay(struct load_run *run)
{
    uint64_t pairs = run->options->pairs;
    bool is_well = true;

    for (uint32_t i = 0; is_well && i < pairs; i++) {
        connect_one(run, PEER_BINARY, i);
        is_well = want(run, 1, i + 1 == pairs);
    }
    for (uint32_t i = 0; is_well && i < pairs; i++) {
        connect_one(run, PEER_PHONE, i);
        is_well = want(run, 1, i + 1 == pairs);
    }
    return is_well;
}

bool load_connect_pairs(struct load_run *run)
{
    uint64_t pairs = run->options->pairs;
    bool is_well = true;

    if (run->options->form == LOAD_RELAY)
        return connect_relay(run);
    for (uint32_t i = 0; is_well && i < pairs; i++) {
        if (run->options->form == LOAD_PAIRS)
            connect_one(run, PEER_BINARY, i);
        connect_one(run, PEER_PHONE, i);
        is_well = want(run, 2, i + 1 == pairs);
    }
    return is_well;
}
