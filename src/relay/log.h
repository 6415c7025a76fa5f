/*
 * log: one event, one line on stderr, as logfmt or as JSON.
 *
 *     time=2026-10-03T12:34:56.789Z level=INFO msg=server_claimed key=value
 *
 * Keys come from one closed list; values are escaped (base/logfmt.h,
 * base/json_text.h), so nothing that a peer sends can forge a line.  Payloads,
 * tokens and keys never reach it.  Any thread may log; a line is written
 * whole.  Once log_limit() was called, a flood of one event is thinned out
 * (relay/log_flood.h), and a reader of the log that stalls costs lines instead
 * of holding up who logs; how many lines are missing is always said.  ERROR
 * lines are never left out, wait for nobody, and may be logged by a signal
 * handler.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "relay/log_flood.h"

/* enumerator, text; docs/operations.md says what each means */
#define LOG_KEY_LIST(X)                                                        \
    X(LOG_ADDR, "addr")                                                        \
    X(LOG_AGENT, "agent")                                                      \
    X(LOG_BINARY_CONN_ID, "binary_conn_id")                                    \
    X(LOG_BINARY_VERSION, "binary_version")                                    \
    X(LOG_BYPASS_ENV_VAR, "bypass_env_var")                                    \
    X(LOG_BYTES, "bytes")                                                      \
    X(LOG_CERT_CACHE, "cert_cache")                                            \
    X(LOG_CHECK, "check")                                                      \
    X(LOG_CLOSE_CODE, "close_code")                                            \
    X(LOG_CONN_ID, "conn_id")                                                  \
    X(LOG_DEVICE_NAME, "device_name")                                          \
    X(LOG_DOMAIN, "domain")                                                    \
    X(LOG_DURATION, "duration")                                                \
    X(LOG_EFFECTIVE_UID, "effective_uid")                                      \
    X(LOG_ENFORCED, "enforced")                                                \
    X(LOG_ENV_VAR, "env_var")                                                  \
    X(LOG_ERR, "err")                                                          \
    X(LOG_EVENT, "event")                                                      \
    X(LOG_EXPECTED, "expected")                                                \
    X(LOG_EXPIRES, "expires")                                                  \
    X(LOG_FAILED, "failed")                                                    \
    X(LOG_FCM_MESSAGE_ID, "fcm_message_id")                                    \
    X(LOG_FIX, "fix")                                                          \
    X(LOG_FLAG, "flag")                                                        \
    X(LOG_HELD_BEFORE, "held_before")                                          \
    X(LOG_HTTPS_PROXY_PROTOCOL, "https_proxy_protocol")                        \
    X(LOG_IMPACT, "impact")                                                    \
    X(LOG_KIND, "kind")                                                        \
    X(LOG_LANDLOCK_ABI, "landlock_abi")                                        \
    X(LOG_LISTEN, "listen")                                                    \
    X(LOG_MISSING, "missing")                                                  \
    X(LOG_MODE, "mode")                                                        \
    X(LOG_N, "n")                                                              \
    X(LOG_NEXT_TRY, "next_try")                                                \
    X(LOG_OBSERVED, "observed")                                                \
    X(LOG_PATH, "path")                                                        \
    X(LOG_PID, "pid")                                                          \
    X(LOG_REASON, "reason")                                                    \
    X(LOG_REMOTE, "remote")                                                    \
    X(LOG_RUNBOOK, "runbook")                                                  \
    X(LOG_SERVER_ID, "server_id")                                              \
    X(LOG_SUPPRESSED, "suppressed")                                            \
    X(LOG_SYSCALL, "syscall")                                                  \
    X(LOG_SYSCALL_NUMBER, "syscall_number")                                    \
    X(LOG_TOKEN_FP, "token_fp")                                                \
    X(LOG_UNEXPECTED_PORTS, "unexpected_ports")                                \
    X(LOG_VALUE, "value")                                                      \
    X(LOG_VERDICT, "verdict")                                                  \
    X(LOG_VERSION, "version")                                                  \
    X(LOG_WARNINGS, "warnings")

enum log_key {
#define X(name, text) name,
    LOG_KEY_LIST(X)
#undef X
};

enum log_level {
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
};

struct log_field {
    enum log_key key;
    bool is_number; /* in JSON; value is its decimal digits */
    struct span value;
};

enum { LOG_LINE_MAX = 3072 }; /* bytes; a longer line is cut and says so */

enum log_format {
    LOG_AS_TEXT,
    LOG_AS_JSON,
};

/* How the process logs; shared by its threads. */
struct log {
    enum log_format format;
    int fd;
    atomic_bool limited;
    atomic_int zone_s;    /* local time, in seconds east of UTC */
    pthread_mutex_t lock; /* of what follows */
    struct log_flood flood;
};

/* Lines in that format to that descriptor, which is not closed here. */
MUST_CHECK NONNULL int log_init(
    struct log *log, enum log_format format, int fd);
/* It is installed no more. */
NONNULL void log_done(struct log *log);

/* From now on log_write() goes there; NULL: as text to stderr, without limit,
 * which is how a program starts. */
void log_install(struct log *log);

/* The boot is over: floods are thinned out from now on. */
NONNULL void log_limit(struct log *log);

/* Say what was left out, as `log_suppressed` lines, and see whether the local
 * time has changed its offset; once a second. */
NONNULL void log_tick(struct log *log);

/* Lines left out since the start. */
NONNULL uint64_t log_left_out(struct log *log);

/* Write one line, whole, in one write; msg is a string constant. */
void log_write(enum log_level level, const char *msg,
    const struct log_field *fields, size_t count);

struct log_event {
    enum log_level level;
    const char *msg;
    const struct log_field *fields;
    size_t count;
    uint64_t suppressed; /* lines of this event before it; 0 is not said */
    int zone_s;          /* of the time that it is written with, east of UTC */
};

/* The same text without writing it, for tests: returns its length. */
NONNULL size_t log_render(char buf[LOG_LINE_MAX], enum log_format format,
    const struct log_event *event);

/* Decimal digits of a number, for the time of the full expression. */
struct log_number {
    char text[24];
};
struct log_number log_number(int64_t value);

#define LOG_FIELD(k, v) ((struct log_field){.key = (k), .value = (v)})
#define LOG_TEXT(k, v)  LOG_FIELD(k, span_str(v))
#define LOG_INT(k, v)                                                          \
    ((struct log_field){                                                       \
        .key = (k), .is_number = true, .value = span_str(log_number(v).text)})

/* LOG(LOG_INFO, "server_claimed", LOG_TEXT(LOG_REMOTE, remote), ...); at
 * least one field. */
#define LOG(level, msg, ...)                                                   \
    log_write(level, msg, (const struct log_field[]){__VA_ARGS__},             \
        sizeof((const struct log_field[]){__VA_ARGS__}) /                      \
            sizeof(struct log_field))
