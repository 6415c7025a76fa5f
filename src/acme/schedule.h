/*
 * schedule: when to order the next certificate.  Pure: every time is passed
 * in, and so is chance.
 *
 * Without a certificate: at once.  With one: when a third of its lifetime is
 * left, 30 days at most, and a jitter less; or, if the CA suggests a window
 * (RFC 9773), at a random time in it, but never later than when a tenth is
 * left.  After a failure: not before a delay that doubles, nor before the
 * time that the CA has named.  After an order: not before the longest delay,
 * so that a CA whose certificates are always due is not asked without end.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"

struct schedule_policy {
    int64_t retry_min_s;  /* the first delay, without a certificate */
    int64_t retry_max_s;  /* the longest, and the one with a certificate */
    int64_t jitter_max_s; /* how much earlier than the rule says */
};

/* 2 min, 1 h, 1 h: as the existing relay, whose CAs allow five failed
 * validations an hour. */
struct schedule_policy schedule_default_policy(void);

struct schedule {
    int64_t not_before_s; /* of the certificate in hand */
    int64_t not_after_s;  /* 0: there is none */
    int64_t window_start_s;
    int64_t window_end_s; /* 0: the CA suggests none */
    int64_t issued_at_s;  /* 0: it was found in the directory */
    uint32_t chance;      /* drawn anew for each certificate and failure */
    unsigned failures;    /* since the last success */
    int64_t failed_at_s;
    int64_t retry_at_s; /* as the CA has named it; 0: it has not */
};

/*
 * The time of the next order, which may have passed.  now_s matters only if
 * the clock went back behind the last failure, and for a certificate that
 * has expired.
 */
NONNULL int64_t schedule_due(const struct schedule *s,
    const struct schedule_policy *policy, int64_t now_s);
