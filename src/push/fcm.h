/*
 * fcm: the message that wakes a device, and what Firebase Cloud Messaging
 * answers: its HTTP v1 interface.  Bytes in, texts out.
 */
#pragma once

#include "base/span.h"
#include "base/text.h"
#include "wire/push_message.h"

#define FCM_ENDPOINT "https://fcm.googleapis.com"

enum {
    FCM_URL_MAX = 640,
    /* a token's text may be escaped throughout */
    FCM_BODY_MAX = 6 * PUSH_TOKEN_MAX + 128,
    FCM_ID_MAX = 256, /* bytes of a message's name that we show */
};

/* Where messages of that project are sent; false if it does not fit. */
MUST_CHECK NONNULL bool fcm_url(
    const char *endpoint, const char *project, char ret[FCM_URL_MAX]);

/* The message without content for that device; valid UTF-8. */
MUST_CHECK NONNULL bool fcm_body(struct span token, struct text *ret);

/* FCM's name of a message that was sent; "" if it has none that is fit for a
 * log. */
NONNULL void fcm_message_id(struct span answer, char ret[FCM_ID_MAX + 1]);

/* What an answer with another status than 2xx means, and the sentence for the
 * log, which holds nothing of the answer but its names of errors. */
NONNULL enum push_outcome fcm_failure(
    long status, struct span answer, struct text *ret);
