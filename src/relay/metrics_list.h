/*
 * metrics_list: every series of the relay's own, see docs/metrics.md.  Append
 * freely; what is written here is rendered, documented and tested.
 */
#pragma once

#define METRICS_PREFIX "pyrycode_relay_"

/* enumerator, name, help */
#define METRIC_COUNTER_LIST(X)                                                 \
    X(FAMILY_FRAMES_FORWARDED, METRICS_PREFIX "frames_forwarded_total",        \
        "Frames written to the other side.")                                   \
    X(FAMILY_GRACE_EXPIRIES, METRICS_PREFIX "grace_expiries_total",            \
        "Grace windows that ran out and freed the slot.")                      \
    X(FAMILY_UPGRADE_ATTEMPTS, METRICS_PREFIX "ws_upgrade_attempts_total",     \
        "Upgrade attempts by endpoint and outcome.")                           \
    X(FAMILY_REGISTER_FAILURES, METRICS_PREFIX "register_failures_total",      \
        "Registrations that were refused, by reason.")                         \
    X(FAMILY_PUSH_WAKES, METRICS_PREFIX "push_wakes_total",                    \
        "Push wakes by outcome.")                                              \
    X(FAMILY_PUSH_REFUSED, METRICS_PREFIX "push_wakes_refused_total",          \
        "Wishes to wake a device that were not granted, by reason.")           \
    X(FAMILY_PUSH_RETRIES, METRICS_PREFIX "push_retries_total",                \
        "Requests to FCM beyond the first of a wake.")                         \
    X(FAMILY_PUSH_DEATHS, METRICS_PREFIX "push_process_deaths_total",          \
        "Push processes that died and were started anew.")                     \
    X(FAMILY_UPGRADE_FAILURES, METRICS_PREFIX "upgrade_failures_total",        \
        "Requests that never became a WebSocket, by reason.")                  \
    X(FAMILY_DEVICE_NAMES_CUT, METRICS_PREFIX "device_names_cut_total",        \
        "Device names that were longer than the limit.")                       \
    X(FAMILY_HTTP_RESPONSES, METRICS_PREFIX "http_responses_total",            \
        "HTTP answers by status code.")                                        \
    X(FAMILY_UNAVAILABLE, METRICS_PREFIX "unavailable_total",                  \
        "Answers with 503 by reason.")                                         \
    X(FAMILY_BUDGET_REFUSALS, METRICS_PREFIX "budget_refusals_total",          \
        "Connections refused by the budget that was full.")                    \
    X(FAMILY_RATE_LIMITED, METRICS_PREFIX "rate_limited_total",                \
        "Times that a rate limit held a peer back.")                           \
    X(FAMILY_MEMORY_REFUSALS, METRICS_PREFIX "memory_refusals_total",          \
        "Connections refused or dropped for want of memory.")                  \
    X(FAMILY_DEADLINE_DROPS, METRICS_PREFIX "deadline_drops_total",            \
        "Connections dropped by the deadline that they missed.")               \
    X(FAMILY_HEARTBEAT_CLOSES, METRICS_PREFIX "heartbeat_closes_total",        \
        "Connections closed because a pong did not come.")                     \
    X(FAMILY_CLOSES_SENT, METRICS_PREFIX "closes_sent_total",                  \
        "Close frames sent by the relay, by code.")                            \
    X(FAMILY_PROBES, METRICS_PREFIX "probes_total",                            \
        "Probes of a binary whose server-id another claims, by result.")       \
    X(FAMILY_TAKEOVERS, METRICS_PREFIX "takeovers_total",                      \
        "Server-ids that a new binary took from a dead one.")                  \
    X(FAMILY_PHONE_EVICTIONS, METRICS_PREFIX "phone_evictions_total",          \
        "Phones closed because their binary changed or stayed away.")          \
    X(FAMILY_OUTBOX_OVERFLOWS, METRICS_PREFIX "outbox_overflows_total",        \
        "Peers closed because a queue was full, by its budget.")               \
    X(FAMILY_ENVELOPES_REFUSED, METRICS_PREFIX "envelopes_refused_total",      \
        "Messages of binaries that were not delivered, by reason.")            \
    X(FAMILY_PHONE_MESSAGES_REFUSED,                                           \
        METRICS_PREFIX "phone_messages_refused_total",                         \
        "Messages of phones that were not delivered, by reason.")              \
    X(FAMILY_RECEIVED_BYTES, METRICS_PREFIX "received_bytes_total",            \
        "Bytes read from peers.")                                              \
    X(FAMILY_SENT_BYTES, METRICS_PREFIX "sent_bytes_total",                    \
        "Bytes written to peers.")                                             \
    X(FAMILY_ACCEPTED, METRICS_PREFIX "accepted_connections_total",            \
        "TCP connections accepted.")                                           \
    X(FAMILY_DESCRIPTORS_EXHAUSTED,                                            \
        METRICS_PREFIX "descriptors_exhausted_total",                          \
        "Accepts that failed for want of a descriptor.")                       \
    X(FAMILY_TLS_HANDSHAKES, METRICS_PREFIX "tls_handshakes_total",            \
        "TLS handshakes completed, by version and kind.")                      \
    X(FAMILY_TLS_FAILURES, METRICS_PREFIX "tls_handshake_failures_total",      \
        "TLS handshakes that failed, by reason.")                              \
    X(FAMILY_PROXY_REFUSALS, METRICS_PREFIX "proxy_header_refusals_total",     \
        "Connections closed for their PROXY header, by reason.")               \
    X(FAMILY_CERTIFICATES, METRICS_PREFIX "tls_certificates_total",            \
        "Certificates that were handed to the relay, by result.")              \
    X(FAMILY_ORDER_FAILURES, METRICS_PREFIX "certificate_failures_total",      \
        "Failures of the certificate agent, by kind.")                         \
    X(FAMILY_DRAINS, METRICS_PREFIX "drains_total", "Drains begun.")           \
    X(FAMILY_TAKE_OVERS, METRICS_PREFIX "take_overs_total",                    \
        "Processes that asked to take over from this one, by outcome.")        \
    X(FAMILY_LOG_SUPPRESSED, METRICS_PREFIX "log_lines_suppressed_total",      \
        "Log lines left out by the flood limit.")                              \
    X(FAMILY_HANDLER_ERRORS, "promhttp_metric_handler_errors_total",           \
        "Scrapes that could not be answered in full, by cause.")

#define METRIC_GAUGE_LIST(X)                                                   \
    X(FAMILY_CONNECTED_BINARIES, METRICS_PREFIX "connected_binaries",          \
        "Binaries with a live connection.")                                    \
    X(FAMILY_CONNECTED_PHONES, METRICS_PREFIX "connected_phones",              \
        "Registered phones.")                                                  \
    X(FAMILY_PUSH_UNDER_WAY, METRICS_PREFIX "push_wakes_under_way",            \
        "Push wakes that have not ended.")                                     \
    X(FAMILY_CONNECTIONS, METRICS_PREFIX "connections",                        \
        "Open connections by kind.")                                           \
    X(FAMILY_CONNECTIONS_LIMIT, METRICS_PREFIX "connections_limit",            \
        "Upgraded connections that may be open at once.")                      \
    X(FAMILY_GRACE_WINDOWS, METRICS_PREFIX "grace_windows",                    \
        "Server-ids that wait for their binary to come back.")                 \
    X(FAMILY_QUEUED_BYTES, METRICS_PREFIX "queued_bytes",                      \
        "Bytes charged to the queues of peers.")                               \
    X(FAMILY_QUEUED_BYTES_LIMIT, METRICS_PREFIX "queued_bytes_limit",          \
        "Bytes that all queues together may be charged.")                      \
    X(FAMILY_WORKERS, METRICS_PREFIX "workers", "Worker threads.")             \
    X(FAMILY_WORKERS_ALIVE, METRICS_PREFIX "workers_alive",                    \
        "Worker threads that proved their life in time.")                      \
    X(FAMILY_WORKER_BEAT_AGE, METRICS_PREFIX "worker_beat_age_seconds",        \
        "Time since the latest proof of life of the worker that is furthest "  \
        "behind.")                                                             \
    X(FAMILY_CERTIFICATE_EXPIRY,                                               \
        METRICS_PREFIX "tls_certificate_expiry_timestamp_seconds",             \
        "When the certificate in use expires, since the epoch; 0: none.")      \
    X(FAMILY_CERTIFICATE_ISSUED,                                               \
        METRICS_PREFIX "certificate_last_issued_timestamp_seconds",            \
        "When a certificate was last issued, since the epoch; 0: not since "   \
        "the start.")                                                          \
    X(FAMILY_CERTIFICATE_NEXT_TRY,                                             \
        METRICS_PREFIX "certificate_next_try_timestamp_seconds",               \
        "When the next certificate is ordered, since the epoch; 0: never.")    \
    X(FAMILY_READY, METRICS_PREFIX "ready",                                    \
        "1 while new connections are wanted.")                                 \
    X(FAMILY_DRAINING, METRICS_PREFIX "draining",                              \
        "1 from the signal or the take-over to the end.")

/* enumerator, family, labels */
#define METRIC_LIST(X)                                                         \
    X(METRIC_PHONE_TO_BINARY, FAMILY_FRAMES_FORWARDED,                         \
        "direction=\"phone_to_binary\"")                                       \
    X(METRIC_BINARY_TO_PHONE, FAMILY_FRAMES_FORWARDED,                         \
        "direction=\"binary_to_phone\"")                                       \
    X(METRIC_GRACE_EXPIRIES, FAMILY_GRACE_EXPIRIES, "")                        \
    X(METRIC_SERVER_ACCEPT, FAMILY_UPGRADE_ATTEMPTS,                           \
        "endpoint=\"server\",outcome=\"accept\"")                              \
    X(METRIC_SERVER_HEADERS, FAMILY_UPGRADE_ATTEMPTS,                          \
        "endpoint=\"server\",outcome=\"reject_headers\"")                      \
    X(METRIC_SERVER_409, FAMILY_UPGRADE_ATTEMPTS,                              \
        "endpoint=\"server\",outcome=\"reject_409\"")                          \
    X(METRIC_SERVER_404, FAMILY_UPGRADE_ATTEMPTS,                              \
        "endpoint=\"server\",outcome=\"reject_404\"")                          \
    X(METRIC_SERVER_429, FAMILY_UPGRADE_ATTEMPTS,                              \
        "endpoint=\"server\",outcome=\"reject_429\"")                          \
    X(METRIC_SERVER_RATE_LIMIT, FAMILY_UPGRADE_ATTEMPTS,                       \
        "endpoint=\"server\",outcome=\"reject_rate_limit\"")                   \
    X(METRIC_CLIENT_ACCEPT, FAMILY_UPGRADE_ATTEMPTS,                           \
        "endpoint=\"client\",outcome=\"accept\"")                              \
    X(METRIC_CLIENT_HEADERS, FAMILY_UPGRADE_ATTEMPTS,                          \
        "endpoint=\"client\",outcome=\"reject_headers\"")                      \
    X(METRIC_CLIENT_409, FAMILY_UPGRADE_ATTEMPTS,                              \
        "endpoint=\"client\",outcome=\"reject_409\"")                          \
    X(METRIC_CLIENT_404, FAMILY_UPGRADE_ATTEMPTS,                              \
        "endpoint=\"client\",outcome=\"reject_404\"")                          \
    X(METRIC_CLIENT_429, FAMILY_UPGRADE_ATTEMPTS,                              \
        "endpoint=\"client\",outcome=\"reject_429\"")                          \
    X(METRIC_CLIENT_RATE_LIMIT, FAMILY_UPGRADE_ATTEMPTS,                       \
        "endpoint=\"client\",outcome=\"reject_rate_limit\"")                   \
    X(METRIC_NO_SERVER, FAMILY_REGISTER_FAILURES, "kind=\"no_server\"")        \
    X(METRIC_SERVER_IN_USE, FAMILY_REGISTER_FAILURES,                          \
        "kind=\"server_in_use\"")                                              \
    X(METRIC_PHONES_AT_CAP, FAMILY_REGISTER_FAILURES,                          \
        "kind=\"phones_at_cap\"")                                              \
    X(METRIC_RATELIMIT, FAMILY_REGISTER_FAILURES, "kind=\"ratelimit\"")        \
    X(METRIC_PUSH_SENT, FAMILY_PUSH_WAKES, "outcome=\"sent\"")                 \
    X(METRIC_PUSH_UNREGISTERED, FAMILY_PUSH_WAKES, "outcome=\"unregistered\"") \
    X(METRIC_PUSH_SEND_FAILED, FAMILY_PUSH_WAKES, "outcome=\"send_failed\"")   \
    X(METRIC_PUSH_TOKEN_FETCH_FAILED, FAMILY_PUSH_WAKES,                       \
        "outcome=\"token_fetch_failed\"")                                      \
    X(METRIC_PUSH_DROPPED, FAMILY_PUSH_WAKES, "outcome=\"dropped\"")           \
    X(METRIC_PUSH_OFF, FAMILY_PUSH_REFUSED, "reason=\"off\"")                  \
    X(METRIC_PUSH_MALFORMED, FAMILY_PUSH_REFUSED, "reason=\"malformed\"")      \
    X(METRIC_PUSH_PLATFORM, FAMILY_PUSH_REFUSED, "reason=\"platform\"")        \
    X(METRIC_PUSH_TOKEN, FAMILY_PUSH_REFUSED, "reason=\"token\"")              \
    X(METRIC_PUSH_SERVER_ID, FAMILY_PUSH_REFUSED, "reason=\"server_id\"")      \
    X(METRIC_PUSH_CEILING, FAMILY_PUSH_REFUSED, "reason=\"ceiling\"")          \
    X(METRIC_PUSH_IN_FLIGHT, FAMILY_PUSH_REFUSED, "reason=\"in_flight\"")      \
    X(METRIC_PUSH_PROCESS, FAMILY_PUSH_REFUSED, "reason=\"process\"")          \
    X(METRIC_PUSH_RETRIES, FAMILY_PUSH_RETRIES, "")                            \
    X(METRIC_PUSH_DEATHS, FAMILY_PUSH_DEATHS, "")                              \
    X(METRIC_UPGRADE_NONE, FAMILY_UPGRADE_FAILURES, "reason=\"not_upgrade\"")  \
    X(METRIC_UPGRADE_METHOD, FAMILY_UPGRADE_FAILURES, "reason=\"method\"")     \
    X(METRIC_UPGRADE_VERSION, FAMILY_UPGRADE_FAILURES, "reason=\"version\"")   \
    X(METRIC_UPGRADE_KEY, FAMILY_UPGRADE_FAILURES, "reason=\"key\"")           \
    X(METRIC_UPGRADE_MALFORMED_HEAD, FAMILY_UPGRADE_FAILURES,                  \
        "reason=\"malformed_head\"")                                           \
    X(METRIC_UPGRADE_HEAD_TOO_LARGE, FAMILY_UPGRADE_FAILURES,                  \
        "reason=\"head_too_large\"")                                           \
    X(METRIC_UPGRADE_MISSING_HEADER, FAMILY_UPGRADE_FAILURES,                  \
        "reason=\"missing_header\"")                                           \
    X(METRIC_UPGRADE_SERVER_ID, FAMILY_UPGRADE_FAILURES,                       \
        "reason=\"server_id\"")                                                \
    X(METRIC_DEVICE_NAMES_CUT, FAMILY_DEVICE_NAMES_CUT, "")                    \
    X(METRIC_HTTP_101, FAMILY_HTTP_RESPONSES, "code=\"101\"")                  \
    X(METRIC_HTTP_200, FAMILY_HTTP_RESPONSES, "code=\"200\"")                  \
    X(METRIC_HTTP_400, FAMILY_HTTP_RESPONSES, "code=\"400\"")                  \
    X(METRIC_HTTP_403, FAMILY_HTTP_RESPONSES, "code=\"403\"")                  \
    X(METRIC_HTTP_404, FAMILY_HTTP_RESPONSES, "code=\"404\"")                  \
    X(METRIC_HTTP_405, FAMILY_HTTP_RESPONSES, "code=\"405\"")                  \
    X(METRIC_HTTP_421, FAMILY_HTTP_RESPONSES, "code=\"421\"")                  \
    X(METRIC_HTTP_426, FAMILY_HTTP_RESPONSES, "code=\"426\"")                  \
    X(METRIC_HTTP_429, FAMILY_HTTP_RESPONSES, "code=\"429\"")                  \
    X(METRIC_HTTP_431, FAMILY_HTTP_RESPONSES, "code=\"431\"")                  \
    X(METRIC_HTTP_500, FAMILY_HTTP_RESPONSES, "code=\"500\"")                  \
    X(METRIC_HTTP_503, FAMILY_HTTP_RESPONSES, "code=\"503\"")                  \
    X(METRIC_HTTP_505, FAMILY_HTTP_RESPONSES, "code=\"505\"")                  \
    X(METRIC_HTTP_OTHER, FAMILY_HTTP_RESPONSES, "code=\"other\"")              \
    X(METRIC_UNAVAILABLE_BUDGET, FAMILY_UNAVAILABLE, "reason=\"budget\"")      \
    X(METRIC_UNAVAILABLE_MEMORY, FAMILY_UNAVAILABLE, "reason=\"memory\"")      \
    X(METRIC_UNAVAILABLE_DRAINING, FAMILY_UNAVAILABLE, "reason=\"draining\"")  \
    X(METRIC_UNAVAILABLE_OVERLOADED, FAMILY_UNAVAILABLE,                       \
        "reason=\"overloaded\"")                                               \
    X(METRIC_UNAVAILABLE_WEDGED, FAMILY_UNAVAILABLE, "reason=\"wedged\"")      \
    X(METRIC_BUDGET_CONNECTIONS, FAMILY_BUDGET_REFUSALS,                       \
        "budget=\"connections\"")                                              \
    X(METRIC_BUDGET_ADDRESS, FAMILY_BUDGET_REFUSALS, "budget=\"address\"")     \
    X(METRIC_BUDGET_BINARIES, FAMILY_BUDGET_REFUSALS, "budget=\"binaries\"")   \
    X(METRIC_BUDGET_PHONES, FAMILY_BUDGET_REFUSALS, "budget=\"phones\"")       \
    X(METRIC_BUDGET_PRE_UPGRADE, FAMILY_BUDGET_REFUSALS,                       \
        "budget=\"pre_upgrade\"")                                              \
    X(METRIC_BUDGET_HANDSHAKES, FAMILY_BUDGET_REFUSALS,                        \
        "budget=\"handshakes\"")                                               \
    X(METRIC_BUDGET_ADDRESS_TABLE, FAMILY_BUDGET_REFUSALS,                     \
        "budget=\"address_table\"")                                            \
    X(METRIC_RATE_UPGRADES, FAMILY_RATE_LIMITED, "limit=\"upgrades\"")         \
    X(METRIC_RATE_BYTES, FAMILY_RATE_LIMITED, "limit=\"bytes\"")               \
    X(METRIC_MEMORY_REFUSALS, FAMILY_MEMORY_REFUSALS, "")                      \
    X(METRIC_DEADLINE_PROXY, FAMILY_DEADLINE_DROPS,                            \
        "deadline=\"proxy_header\"")                                           \
    X(METRIC_DEADLINE_TLS, FAMILY_DEADLINE_DROPS, "deadline=\"tls\"")          \
    X(METRIC_DEADLINE_HEAD, FAMILY_DEADLINE_DROPS, "deadline=\"head\"")        \
    X(METRIC_DEADLINE_MESSAGE, FAMILY_DEADLINE_DROPS, "deadline=\"message\"")  \
    X(METRIC_DEADLINE_WRITE, FAMILY_DEADLINE_DROPS, "deadline=\"write\"")      \
    X(METRIC_DEADLINE_CLOSE, FAMILY_DEADLINE_DROPS, "deadline=\"close\"")      \
    X(METRIC_DEADLINE_LINGER, FAMILY_DEADLINE_DROPS, "deadline=\"linger\"")    \
    X(METRIC_HEARTBEAT_BINARY, FAMILY_HEARTBEAT_CLOSES, "kind=\"binary\"")     \
    X(METRIC_HEARTBEAT_PHONE, FAMILY_HEARTBEAT_CLOSES, "kind=\"phone\"")       \
    X(METRIC_CLOSE_1000, FAMILY_CLOSES_SENT, "code=\"1000\"")                  \
    X(METRIC_CLOSE_1001, FAMILY_CLOSES_SENT, "code=\"1001\"")                  \
    X(METRIC_CLOSE_1002, FAMILY_CLOSES_SENT, "code=\"1002\"")                  \
    X(METRIC_CLOSE_1003, FAMILY_CLOSES_SENT, "code=\"1003\"")                  \
    X(METRIC_CLOSE_1007, FAMILY_CLOSES_SENT, "code=\"1007\"")                  \
    X(METRIC_CLOSE_1009, FAMILY_CLOSES_SENT, "code=\"1009\"")                  \
    X(METRIC_CLOSE_1011, FAMILY_CLOSES_SENT, "code=\"1011\"")                  \
    X(METRIC_CLOSE_4404, FAMILY_CLOSES_SENT, "code=\"4404\"")                  \
    X(METRIC_CLOSE_4409, FAMILY_CLOSES_SENT, "code=\"4409\"")                  \
    X(METRIC_CLOSE_4429, FAMILY_CLOSES_SENT, "code=\"4429\"")                  \
    X(METRIC_CLOSE_OTHER, FAMILY_CLOSES_SENT, "code=\"other\"")                \
    X(METRIC_PROBE_ALIVE, FAMILY_PROBES, "result=\"alive\"")                   \
    X(METRIC_PROBE_DEAD, FAMILY_PROBES, "result=\"dead\"")                     \
    X(METRIC_PROBE_RELEASED, FAMILY_PROBES, "result=\"released\"")             \
    X(METRIC_PROBE_ABANDONED, FAMILY_PROBES, "result=\"abandoned\"")           \
    X(METRIC_TAKEOVERS, FAMILY_TAKEOVERS, "")                                  \
    X(METRIC_EVICTED_RECLAIM, FAMILY_PHONE_EVICTIONS, "cause=\"reclaim\"")     \
    X(METRIC_EVICTED_TAKEOVER, FAMILY_PHONE_EVICTIONS, "cause=\"takeover\"")   \
    X(METRIC_EVICTED_GRACE_EXPIRY, FAMILY_PHONE_EVICTIONS,                     \
        "cause=\"grace_expiry\"")                                              \
    X(METRIC_OVERFLOW_PHONE, FAMILY_OUTBOX_OVERFLOWS, "budget=\"phone\"")      \
    X(METRIC_OVERFLOW_SERVER_ID, FAMILY_OUTBOX_OVERFLOWS,                      \
        "budget=\"server_id\"")                                                \
    X(METRIC_OVERFLOW_PROCESS, FAMILY_OUTBOX_OVERFLOWS, "budget=\"process\"")  \
    X(METRIC_ENVELOPE_NOT_OBJECT, FAMILY_ENVELOPES_REFUSED,                    \
        "reason=\"not_object\"")                                               \
    X(METRIC_ENVELOPE_BAD_CONN_ID, FAMILY_ENVELOPES_REFUSED,                   \
        "reason=\"bad_conn_id\"")                                              \
    X(METRIC_ENVELOPE_BAD_CLOSE_CODE, FAMILY_ENVELOPES_REFUSED,                \
        "reason=\"bad_close_code\"")                                           \
    X(METRIC_ENVELOPE_ILLEGAL_CLOSE_CODE, FAMILY_ENVELOPES_REFUSED,            \
        "reason=\"illegal_close_code\"")                                       \
    X(METRIC_ENVELOPE_NO_CONN_ID, FAMILY_ENVELOPES_REFUSED,                    \
        "reason=\"no_conn_id\"")                                               \
    X(METRIC_ENVELOPE_NO_FRAME, FAMILY_ENVELOPES_REFUSED,                      \
        "reason=\"no_frame\"")                                                 \
    X(METRIC_ENVELOPE_UNKNOWN_CONN_ID, FAMILY_ENVELOPES_REFUSED,               \
        "reason=\"unknown_conn_id\"")                                          \
    X(METRIC_PHONE_NOT_JSON, FAMILY_PHONE_MESSAGES_REFUSED,                    \
        "reason=\"not_json\"")                                                 \
    X(METRIC_PHONE_NO_BINARY, FAMILY_PHONE_MESSAGES_REFUSED,                   \
        "reason=\"no_binary\"")                                                \
    X(METRIC_RECEIVED_BINARY, FAMILY_RECEIVED_BYTES, "leg=\"binary\"")         \
    X(METRIC_RECEIVED_PHONE, FAMILY_RECEIVED_BYTES, "leg=\"phone\"")           \
    X(METRIC_RECEIVED_OTHER, FAMILY_RECEIVED_BYTES, "leg=\"other\"")           \
    X(METRIC_SENT_BINARY, FAMILY_SENT_BYTES, "leg=\"binary\"")                 \
    X(METRIC_SENT_PHONE, FAMILY_SENT_BYTES, "leg=\"phone\"")                   \
    X(METRIC_SENT_OTHER, FAMILY_SENT_BYTES, "leg=\"other\"")                   \
    X(METRIC_ACCEPTED_PUBLIC, FAMILY_ACCEPTED, "listener=\"public\"")          \
    X(METRIC_ACCEPTED_METRICS, FAMILY_ACCEPTED, "listener=\"metrics\"")        \
    X(METRIC_ACCEPTED_CHALLENGES, FAMILY_ACCEPTED, "listener=\"http\"")        \
    X(METRIC_DESCRIPTORS_EXHAUSTED, FAMILY_DESCRIPTORS_EXHAUSTED, "")          \
    X(METRIC_TLS_13_FULL, FAMILY_TLS_HANDSHAKES,                               \
        "version=\"1.3\",kind=\"full\"")                                       \
    X(METRIC_TLS_13_RESUMED, FAMILY_TLS_HANDSHAKES,                            \
        "version=\"1.3\",kind=\"resumed\"")                                    \
    X(METRIC_TLS_12_FULL, FAMILY_TLS_HANDSHAKES,                               \
        "version=\"1.2\",kind=\"full\"")                                       \
    X(METRIC_TLS_12_RESUMED, FAMILY_TLS_HANDSHAKES,                            \
        "version=\"1.2\",kind=\"resumed\"")                                    \
    X(METRIC_TLS_CLOSED, FAMILY_TLS_FAILURES, "reason=\"closed\"")             \
    X(METRIC_TLS_PLAIN_HTTP, FAMILY_TLS_FAILURES, "reason=\"plain_http\"")     \
    X(METRIC_TLS_NOT_TLS, FAMILY_TLS_FAILURES, "reason=\"not_tls\"")           \
    X(METRIC_TLS_NAME, FAMILY_TLS_FAILURES, "reason=\"server_name\"")          \
    X(METRIC_TLS_NOT_READY, FAMILY_TLS_FAILURES, "reason=\"no_certificate\"")  \
    X(METRIC_TLS_VERSION, FAMILY_TLS_FAILURES, "reason=\"version\"")           \
    X(METRIC_TLS_PARAMETERS, FAMILY_TLS_FAILURES, "reason=\"parameters\"")     \
    X(METRIC_TLS_ALPN, FAMILY_TLS_FAILURES, "reason=\"alpn\"")                 \
    X(METRIC_TLS_ALERT, FAMILY_TLS_FAILURES, "reason=\"peer_alert\"")          \
    X(METRIC_TLS_PROTOCOL, FAMILY_TLS_FAILURES, "reason=\"protocol\"")         \
    X(METRIC_PROXY_ABSENT, FAMILY_PROXY_REFUSALS, "reason=\"absent\"")         \
    X(METRIC_PROXY_VERSION_1, FAMILY_PROXY_REFUSALS, "reason=\"version_1\"")   \
    X(METRIC_PROXY_LOCAL, FAMILY_PROXY_REFUSALS, "reason=\"local\"")           \
    X(METRIC_PROXY_MALFORMED, FAMILY_PROXY_REFUSALS, "reason=\"malformed\"")   \
    X(METRIC_PROXY_UNTRUSTED, FAMILY_PROXY_REFUSALS, "reason=\"untrusted\"")   \
    X(METRIC_CERTIFICATE_INSTALLED, FAMILY_CERTIFICATES,                       \
        "result=\"installed\"")                                                \
    X(METRIC_CERTIFICATE_REFUSED, FAMILY_CERTIFICATES, "result=\"refused\"")   \
    X(METRIC_ORDER_NETWORK, FAMILY_ORDER_FAILURES, "kind=\"network\"")         \
    X(METRIC_ORDER_UNTRUSTED, FAMILY_ORDER_FAILURES, "kind=\"untrusted\"")     \
    X(METRIC_ORDER_PROTOCOL, FAMILY_ORDER_FAILURES, "kind=\"protocol\"")       \
    X(METRIC_ORDER_RATE_LIMITED, FAMILY_ORDER_FAILURES,                        \
        "kind=\"rate-limited\"")                                               \
    X(METRIC_ORDER_CHALLENGE, FAMILY_ORDER_FAILURES, "kind=\"challenge\"")     \
    X(METRIC_ORDER_REFUSED, FAMILY_ORDER_FAILURES, "kind=\"refused\"")         \
    X(METRIC_ORDER_BAD_CERTIFICATE, FAMILY_ORDER_FAILURES,                     \
        "kind=\"bad-certificate\"")                                            \
    X(METRIC_ORDER_STORE, FAMILY_ORDER_FAILURES, "kind=\"store\"")             \
    X(METRIC_ORDER_INTERNAL, FAMILY_ORDER_FAILURES, "kind=\"internal\"")       \
    X(METRIC_ORDER_DIED, FAMILY_ORDER_FAILURES, "kind=\"died\"")               \
    X(METRIC_DRAINS, FAMILY_DRAINS, "")                                        \
    X(METRIC_TAKE_OVER_YIELDED, FAMILY_TAKE_OVERS, "outcome=\"yielded\"")      \
    X(METRIC_TAKE_OVER_FAILED, FAMILY_TAKE_OVERS, "outcome=\"failed\"")        \
    X(METRIC_TAKE_OVER_REFUSED, FAMILY_TAKE_OVERS, "outcome=\"refused\"")      \
    X(METRIC_LOG_SUPPRESSED, FAMILY_LOG_SUPPRESSED, "")                        \
    X(METRIC_CONNECTED_BINARIES, FAMILY_CONNECTED_BINARIES, "")                \
    X(METRIC_CONNECTED_PHONES, FAMILY_CONNECTED_PHONES, "")                    \
    X(METRIC_PUSH_UNDER_WAY, FAMILY_PUSH_UNDER_WAY, "")                        \
    X(METRIC_CERTIFICATE_EXPIRY, FAMILY_CERTIFICATE_EXPIRY, "")                \
    X(METRIC_CERTIFICATE_ISSUED, FAMILY_CERTIFICATE_ISSUED, "")                \
    X(METRIC_CERTIFICATE_NEXT_TRY, FAMILY_CERTIFICATE_NEXT_TRY, "")            \
    X(METRIC_CONNECTIONS_HANDSHAKE, FAMILY_CONNECTIONS, "kind=\"handshake\"")  \
    X(METRIC_CONNECTIONS_STRANGER, FAMILY_CONNECTIONS, "kind=\"stranger\"")    \
    X(METRIC_CONNECTIONS_BINARY, FAMILY_CONNECTIONS, "kind=\"binary\"")        \
    X(METRIC_CONNECTIONS_PHONE, FAMILY_CONNECTIONS, "kind=\"phone\"")          \
    X(METRIC_CONNECTIONS_LIMIT, FAMILY_CONNECTIONS_LIMIT, "")                  \
    X(METRIC_GRACE_WINDOWS, FAMILY_GRACE_WINDOWS, "")                          \
    X(METRIC_QUEUED_BINARY, FAMILY_QUEUED_BYTES, "leg=\"binary\"")             \
    X(METRIC_QUEUED_PHONE, FAMILY_QUEUED_BYTES, "leg=\"phone\"")               \
    X(METRIC_QUEUED_OTHER, FAMILY_QUEUED_BYTES, "leg=\"other\"")               \
    X(METRIC_QUEUED_BYTES_LIMIT, FAMILY_QUEUED_BYTES_LIMIT, "")                \
    X(METRIC_WORKERS, FAMILY_WORKERS, "")                                      \
    X(METRIC_WORKERS_ALIVE, FAMILY_WORKERS_ALIVE, "")                          \
    X(METRIC_WORKER_BEAT_AGE, FAMILY_WORKER_BEAT_AGE, "")                      \
    X(METRIC_READY, FAMILY_READY, "")                                          \
    X(METRIC_DRAINING, FAMILY_DRAINING, "")                                    \
    X(METRIC_HANDLER_ENCODING, FAMILY_HANDLER_ERRORS, "cause=\"encoding\"")    \
    X(METRIC_HANDLER_GATHERING, FAMILY_HANDLER_ERRORS, "cause=\"gathering\"")

/* enumerator, family, labels */
#define METRIC_HISTOGRAM_LIST(X)                                               \
    X(HISTOGRAM_SIZE_PHONE_TO_BINARY, SCALE_FRAME_SIZE,                        \
        "direction=\"phone_to_binary\"")                                       \
    X(HISTOGRAM_SIZE_BINARY_TO_PHONE, SCALE_FRAME_SIZE,                        \
        "direction=\"binary_to_phone\"")                                       \
    X(HISTOGRAM_LATENCY_PHONE_TO_BINARY, SCALE_FORWARD_LATENCY,                \
        "direction=\"phone_to_binary\"")                                       \
    X(HISTOGRAM_LATENCY_BINARY_TO_PHONE, SCALE_FORWARD_LATENCY,                \
        "direction=\"binary_to_phone\"")                                       \
    X(HISTOGRAM_AGE_BINARY, SCALE_CONNECTION_AGE, "kind=\"binary\"")           \
    X(HISTOGRAM_AGE_PHONE, SCALE_CONNECTION_AGE, "kind=\"phone\"")             \
    X(HISTOGRAM_PUSH_DURATION, SCALE_PUSH_DURATION, "")
