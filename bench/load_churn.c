#include "bench/load_churn.h"

#include <string.h>

#include "bench/clock_ns.h"

static void start(struct load_run *run, struct peer *p)
{
    int status = peer_connect(&run->host, p, PEER_PHONE, PEER_ENTRY_NONE, 0);

    if (status < 0)
        load_run_fail(run, "cannot connect: %s", strerrordesc_np(-status));
}

static bool has_session(const struct load_run *run)
{
    return run->host.session != NULL;
}

static void on_opened(struct peer_host *host, struct peer *p)
{
    struct load_run *run = load_run_of(host);

    if (run->options->resume && !has_session(run))
        return; /* on_round() waits for it */
    if (run->options->resume && SSL_session_reused(p->tls) != 1)
        load_run_fail(run, "a session was not resumed");
    peer_end(p);
}

static void on_round(struct peer_host *host, struct peer *p)
{
    struct load_run *run = load_run_of(host);

    if (!run->options->resume || has_session(run) ||
        SSL_SESSION_has_ticket(SSL_get0_session(p->tls)) != 1)
        return;
    run->host.session = SSL_get1_session(p->tls);
    peer_end(p);
}

static void on_lost(struct peer_host *host, struct peer *p, const char *why)
{
    struct load_run *run = load_run_of(host);

    if (!p->is_ended) {
        load_run_fail(run, "a connection was lost: %s", why);
        return;
    }
    if (run->phase == LOAD_MEASURING)
        run->handshakes++;
    if (run->phase != LOAD_DRAINING && !load_run_failed(run))
        start(run, p);
}

static void on_received(
    struct peer_host *host, struct peer *p, struct span text)
{
    (void)p;
    (void)text;
    load_run_fail(load_run_of(host), "a message, where none was asked for");
}

static void on_writable(struct peer_host *host, struct peer *p)
{
    (void)host;
    (void)p;
}

const struct peer_events load_churn_events = {
    .opened = on_opened,
    .received = on_received,
    .round = on_round,
    .writable = on_writable,
    .lost = on_lost,
};

void load_churn_start(struct load_run *run)
{
    start(run, &run->churners[0]);
    if (run->options->resume &&
        !load_run_until(run, run->deadline_ns, has_session, NULL))
        return;
    for (uint64_t i = 1; i < run->options->concurrent; i++)
        start(run, &run->churners[i]);
}
