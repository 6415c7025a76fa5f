/*
 * sender: wakes under way to FCM, several at once.
 *
 * It has the access token and fetches it as needed, once for all; a send that
 * is answered with 401 has it fetched anew, once.  Answers with 429 and 5xx
 * are tried again as push/retry.h says.  Each wake ends in exactly one report.
 */
#pragma once

#include <stdint.h>

#include "push/credentials.h"
#include "wire/push_message.h"

enum {
    SENDER_JOBS = 32, /* wakes at once */
    SENDER_POLL_MS = 60000,
};

struct sender_report {
    uint32_t id;
    enum push_outcome outcome;
    uint8_t requests; /* that were made to send it; stays at 255 */
    const char *text; /* FCM's id of it or "", else a sentence */
};

/* Must not call the sender. */
typedef void sender_report_fn(void *ctx, const struct sender_report *report);

/* Everything in it outlives the sender. */
struct sender_config {
    const struct credentials *account;
    const char *endpoint; /* FCM_ENDPOINT, or another with https */
    const char *ca_file;  /* PEM; NULL: the system's */
    const char *user_agent;
    sender_report_fn *report;
    void *ctx;
};

struct sender;

/* NULL: without memory, or the endpoint is too long. */
MUST_CHECK NONNULL struct sender *sender_new(
    const struct sender_config *config);
/* What is under way is given up without a report. */
void sender_free(struct sender *s);

/* Begin a wake; the token is copied. */
NONNULL void sender_send(struct sender *s, uint32_t id, struct span token);

/* Give up what is under way, and report it. */
NONNULL void sender_cancel(struct sender *s);

/* Get on with everything, as far as goes without waiting. */
NONNULL void sender_perform(struct sender *s);

enum sender_event { SENDER_GOES_ON, SENDER_READABLE };

/* Wait until there is something to perform, or fd can be read. */
NONNULL enum sender_event sender_wait(struct sender *s, int fd);
