#include "acme/schedule.h"

enum {
    BEFORE_EXPIRY_MAX_S = 30 * 86400,
    LIFETIME_SHARE = 3, /* renew when this part of it is left */
    LATEST_SHARE = 10,  /* whatever the CA suggests */
    JITTER_SHARE = 20,  /* no jitter above this part of the lifetime */
    DOUBLINGS_MAX = 20,
};

struct schedule_policy schedule_default_policy(void)
{
    return (struct schedule_policy){
        .retry_min_s = 120, .retry_max_s = 3600, .jitter_max_s = 3600};
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* From 0 to range, both included. */
static int64_t part_of(int64_t range, uint32_t chance)
{
    return range <= 0 ? 0 : (int64_t)(chance % ((uint64_t)range + 1));
}

static int64_t renewal(
    const struct schedule *s, const struct schedule_policy *policy)
{
    int64_t lifetime = larger(s->not_after_s - s->not_before_s, 0);
    int64_t before = smaller(lifetime / LIFETIME_SHARE, BEFORE_EXPIRY_MAX_S);
    int64_t jitter = smaller(policy->jitter_max_s, lifetime / JITTER_SHARE);

    if (s->window_end_s > s->window_start_s) {
        return smaller(
            s->window_start_s +
                part_of(s->window_end_s - s->window_start_s, s->chance),
            s->not_after_s - lifetime / LATEST_SHARE);
    }
    return s->not_after_s - before - part_of(jitter, s->chance);
}

/* How long not to try after the last of so many failures: the upper half of
 * a delay that doubles, or of the longest one while a certificate serves for
 * long enough to wait. */
static int64_t delay(const struct schedule *s,
    const struct schedule_policy *policy, int64_t failed_at_s)
{
    int64_t longest = policy->retry_max_s;
    int64_t left = s->not_after_s - failed_at_s;
    int64_t full = policy->retry_min_s;

    for (unsigned i = 1; i < s->failures && i < DOUBLINGS_MAX; i++)
        full = smaller(full * 2, longest);
    if (left > 8 * longest)
        full = longest;
    full = smaller(full, longest);
    return full / 2 + part_of(full - full / 2, s->chance);
}

int64_t schedule_due(const struct schedule *s,
    const struct schedule_policy *policy, int64_t now_s)
{
    int64_t due = 0;
    int64_t failed_at_s = smaller(s->failed_at_s, now_s);
    int64_t retry_s = 0;

    if (s->not_after_s > now_s)
        due = renewal(s, policy);
    if (s->issued_at_s > 0)
        due = larger(due, smaller(s->issued_at_s, now_s) + policy->retry_max_s);
    if (s->failures == 0)
        return due;
    retry_s = failed_at_s + delay(s, policy, failed_at_s);
    /* the CA's time was meant from the failure on, whatever the clock says */
    if (s->retry_at_s > s->failed_at_s)
        retry_s = larger(retry_s, failed_at_s + s->retry_at_s - s->failed_at_s);
    return larger(due, retry_s);
}
