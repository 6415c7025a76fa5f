/*
 * agent: the process that talks to the CA.
 *
 * It holds the account's key and the right to connect out; the relay, which
 * serves strangers, has neither.  It reads the certificate directory, decides
 * when to order (schedule.h), orders, writes the directory, and tells the
 * relay by messages (wire/agent_message.h).  It logs nothing itself, and ends
 * when the relay's end of the channel is closed.
 *
 * Where a relay takes over from another, two agents have one directory for a
 * while.  The second reads it, and neither writes nor orders before the first
 * has ended; then it reads it again.
 *
 * What the relay can rely on:
 * - the first message is AGENT_STATUS "starting"; then, if the directory has
 *   a valid certificate, AGENT_CERTIFICATE "cached", and if it has an RSA
 *   certificate beside it, AGENT_CERTIFICATE "cached-rsa";
 * - each failure of an order is one AGENT_FAILURE with the time of the next
 *   try; an AGENT_STATUS "idle" with that time follows;
 * - AGENT_CERTIFICATE "issued" means that the certificate was judged with its
 *   key; an AGENT_FAILURE "store" before it, that it is not on the disk yet;
 * - what was presented is withdrawn, however the order ended.
 */
#pragma once

#include "acme/schedule.h"
#include "base/attr.h"

enum {
    AGENT_MAY_TLS_ALPN = 1U << 0, /* the relay can serve tls-alpn-01 */
    AGENT_MAY_HTTP = 1U << 1,     /* and http-01 */
};

enum {
    /* between looks whether another agent has left the directory */
    AGENT_ALONE_MS = 250,
    /* for the relay to say that it serves a challenge */
    AGENT_PRESENT_MS = 30000,
    /* the longest sleep: a clock that was set is noticed after that */
    AGENT_SLEEP_MAX_S = 3600,
    /* between questions for RFC 9773 if the CA does not say, and bounds */
    AGENT_ARI_S = 21600,
    AGENT_ARI_MIN_S = 60,
    AGENT_ARI_MAX_S = 86400,
};

struct agent_config {
    const char *domain; /* store_is_domain(), lower case */
    const char *email;  /* contact of the account; NULL: none */
    const char *directory_url;
    const char *ca_file; /* what to trust the CA's own TLS by; NULL: system */
    const char *user_agent;
    int directory; /* descriptor of the certificate directory */
    unsigned may;  /* AGENT_MAY_ bits, one at least; TLS is preferred */
    struct schedule_policy policy;
};

/* What is wrong with the texts of a configuration, or NULL. */
NONNULL const char *agent_config_fault(const struct agent_config *config);

/*
 * Be the agent on that end of the channel until the relay says stop or is
 * gone.  0: it did; -errno: there was no beginning.
 */
MUST_CHECK NONNULL int agent_run(const struct agent_config *config, int fd);
