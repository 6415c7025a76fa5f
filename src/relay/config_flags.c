#include "relay/config_flags.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "relay/address_table.h"
#include "relay/limits.h"
#include "wire/http_head.h"

#define TEXT(n, v, i, p, h, m)                                                 \
    {                                                                          \
        .name = (n), .kind = CONFIG_KIND_TEXT, .value = (v), .initial = (i),   \
        .preset = (p), .help = (h), .manual = (m)                              \
    }
#define BOOL(n, h, m)                                                          \
    {                                                                          \
        .name = (n), .kind = CONFIG_KIND_BOOL, .value = "", .initial = "",     \
        .preset = "", .help = (h), .manual = (m)                               \
    }
#define LIST(n, v, h, m)                                                       \
    {                                                                          \
        .name = (n), .kind = CONFIG_KIND_LIST, .value = (v), .initial = "",    \
        .preset = "", .help = (h), .manual = (m)                               \
    }
/* Of a number: from l to u, by default c; 0 where l is 1: computed, p says
 * how. */
#define COUNT(n, v, l, u, c, p, h, m)                                          \
    {                                                                          \
        .name = (n), .kind = CONFIG_KIND_COUNT, .value = (v), .initial = "",   \
        .preset = (p), .help = (h), .manual = (m), .least = (l), .most = (u),  \
        .count = (c)                                                           \
    }

/* clang-format off */
static const struct config_flag_row flags[] = {
    [CONFIG_DOMAIN] = TEXT("domain", "NAME", "", "",
        "public host name that TLS is served for",
        "Public host name that TLS is served for, with a certificate that is "
        "ordered from a CA and renewed, or that of --tls-cert."),
    [CONFIG_INSECURE_LISTEN] = TEXT("insecure-listen", "ADDR", "", "",
        "plain HTTP on host:port, without TLS",
        "Plain HTTP on host:port, without TLS: for development, or behind a "
        "proxy of one's own."),
    [CONFIG_HTTPS_LISTEN] = TEXT("https-listen", "ADDR", ":443", "",
        "TLS listener",
        "TLS listener. Not with --insecure-listen."),
    [CONFIG_HTTP_LISTEN] = TEXT("http-listen", "ADDR", ":80", "",
        "ACME HTTP-01 listener",
        "ACME HTTP-01 listener. Not with --insecure-listen."),
    [CONFIG_METRICS_LISTEN] = TEXT("metrics-listen", "ADDR", "127.0.0.1:9090", "",
        "loopback, or empty",
        "Metrics, health and a status page, on a loopback address; empty: "
        "none."),
    [CONFIG_TRUST_X_FORWARDED_FOR] = BOOL("trust-x-forwarded-for",
        "limits by the first X-Forwarded-For",
        "Limits of addresses go by the first entry of X-Forwarded-For, "
        "whoever sends it."),
    [CONFIG_HTTPS_PROXY_PROTOCOL] = BOOL("https-proxy-protocol",
        "TLS connections begin with a PROXY v2 header",
        "TLS connections begin with a PROXY v2 header. Not with "
        "--insecure-listen."),
    [CONFIG_TRUSTED_PROXY] = LIST("trusted-proxy", "CIDR",
        "proxies that are believed; repeatable",
        "A block of proxies, whose PROXY headers are believed. Limits of "
        "addresses go by X-Forwarded-For, from the right past them. May be "
        "given up to 64 times."),
    [CONFIG_LOG_FORMAT] = TEXT("log-format", "FORMAT", "text", "",
        "text or json",
        "Lines on stderr as text or as json."),
    [CONFIG_REQUIRE_SEAL] = BOOL("require-seal",
        "refuse where the kernel cannot seal the process",
        "Refuse where the kernel cannot seal the process."),
    [CONFIG_TAKE_OVER] = TEXT("take-over", "PATH", "", "",
        "socket by which one instance takes over from another",
        "Where a relay that is started meets the one that runs, takes its "
        "listening sockets over and lets it drain; then it listens there "
        "itself. Give it to each. An absolute path in a directory of the "
        "relay's user alone."),
    [CONFIG_HEALTHCHECK] = BOOL("healthcheck",
        "ask the running relay, and exit 0 if it is well",
        "Ask the running relay with these flags how it is, say one line, and "
        "exit: 0 it is well, 1 it is not, 2 nobody can be asked."),
    [CONFIG_VERSION] = BOOL("version",
        "print the version and exit",
        "Print the version."),
    [CONFIG_HELP] = BOOL("help",
        "print this and exit",
        "Print the flags."),
    [CONFIG_HELP_CERTIFICATES] = BOOL("help-certificates",
        "print those of certificates and push",
        "Print the flags of certificates and push, which are those from "
        "--cert-cache to --push-ca-file."),
    [CONFIG_HELP_LIMITS] = BOOL("help-limits",
        "print threads and limits, and exit",
        "Print --threads and the flags of limits, which are those behind "
        "it."),
    [CONFIG_CERT_CACHE] = TEXT("cert-cache", "DIR", "", "$HOME/.pyrycode-relay/certs",
        "certificates",
        "Where certificates and the account's key are kept, 0700 and the "
        "service user's."),
    [CONFIG_TLS_CERT] = TEXT("tls-cert", "FILE", "", "",
        "certificate chain, instead of an automatic one",
        "Certificate chain as PEM, leaf first."),
    [CONFIG_TLS_KEY] = TEXT("tls-key", "FILE", "", "",
        "its private key; both are read again when they change",
        "Its private key, without a passphrase. Both are read again when "
        "they change."),
    [CONFIG_ACME_EMAIL] = TEXT("acme-email", "ADDRESS", "", "",
        "contact of the account at the CA",
        "Contact of the account at the CA."),
    [CONFIG_ACME_DIRECTORY] = TEXT("acme-directory", "URL", "https://acme-v02.api.letsencrypt.org/directory", "Let's Encrypt's",
        "of the CA",
        "Of the CA, RFC 8555; https only."),
    [CONFIG_ACME_CA_FILE] = TEXT("acme-ca-file", "FILE", "", "the system's",
        "what the CA is trusted by",
        "PEM of what the CA's own TLS certificate is verified by."),
    [CONFIG_PUSH_ENDPOINT] = TEXT("push-endpoint", "URL", "https://fcm.googleapis.com", "Google's",
        "where push wakes are sent",
        "Where push wakes are sent, https://HOST or https://HOST:PORT."),
    [CONFIG_PUSH_CA_FILE] = TEXT("push-ca-file", "FILE", "", "the system's",
        "what that is trusted by",
        "PEM of what that server, and the one of access tokens, is verified "
        "by."),
    [CONFIG_THREADS] = COUNT("threads", "N", 1, LIMIT_THREADS, 0, "CPUs that this process may use",
        "workers",
        "Worker threads, at most 64."),
    [CONFIG_MAX_CONNECTIONS] = COUNT("max-connections", "N", 1, LIMIT_COUNT, 0, "by descriptors and memory",
        "WebSockets",
        "WebSockets; the newest gets 503."),
    [CONFIG_MAX_BINARIES] = COUNT("max-binaries", "N", 1, LIMIT_COUNT, 0, "all but an eighth",
        "of them, binaries",
        "Of them, binaries."),
    [CONFIG_MAX_PHONES] = COUNT("max-phones", "N", 1, LIMIT_COUNT, 0, "all but an eighth",
        "of them, phones",
        "Of them, phones."),
    [CONFIG_MAX_PENDING] = COUNT("max-pending", "N", 1, LIMIT_COUNT, 0, "1024 at most",
        "not yet upgraded, or closing",
        "Connections before their upgrade, or closing; the one that has "
        "waited longest is dropped."),
    [CONFIG_MAX_HANDSHAKES] = COUNT("max-handshakes", "N", 1, LIMIT_COUNT, 0, "1024 at most",
        "in their TLS handshake",
        "Connections before the end of their PROXY header and TLS handshake; "
        "the one that has waited longest is dropped."),
    [CONFIG_MAX_CONNECTIONS_PER_ADDRESS] = COUNT("max-connections-per-address", "N", 0, LIMIT_COUNT, 1024, "",
        "of an address, or IPv6 /64",
        "WebSockets of one IPv4 address or IPv6 /64; the newest gets 503."),
    [CONFIG_MAX_PENDING_PER_ADDRESS] = COUNT("max-pending-per-address", "N", 0, LIMIT_COUNT, ADDRESS_PENDING_MAX, "",
        "the same, before their upgrade",
        "The same, before their upgrade; the newest is closed."),
    [CONFIG_UPGRADE_BURST] = COUNT("upgrade-burst", "N", 0, LIMIT_COUNT, ADDRESS_BURST, "",
        "attempts of an address at once",
        "Upgrade attempts of an address at once; the next gets 429."),
    [CONFIG_UPGRADE_INTERVAL] = COUNT("upgrade-interval", "SECONDS", 1, 86400, ADDRESS_INTERVAL_MS / 1000, "",
        "for one more of them",
        "Until an address has one more."),
    [CONFIG_MAX_BYTES_PER_SECOND] = COUNT("max-bytes-per-second", "N", 0, LIMIT_COUNT, 0, "",
        "read from one connection",
        "Bytes read from one connection; more are read later."),
    [CONFIG_MAX_HEAD_BYTES] = COUNT("max-head-bytes", "N", 256, 65536, LIMIT_HEAD_BYTES, "",
        "of a request head",
        "Bytes of a request head; more get 431."),
    [CONFIG_MAX_HEAD_FIELDS] = COUNT("max-head-fields", "N", 1, HTTP_FIELDS_MAX, HTTP_FIELDS_MAX, "",
        "header fields of it",
        "Header fields of it; more get 431."),
    [CONFIG_MAX_SERVER_ID_BYTES] = COUNT("max-server-id-bytes", "N", 1, LIMIT_SERVER_ID_BYTES, LIMIT_SERVER_ID_BYTES, "",
        "of X-Pyrycode-Server",
        "Bytes of X-Pyrycode-Server; more get 400."),
    [CONFIG_MAX_DEVICE_NAME_BYTES] = COUNT("max-device-name-bytes", "N", 1, 65536, LIMIT_DEVICE_NAME_BYTES, "",
        "of X-Pyrycode-Device-Name",
        "Bytes of X-Pyrycode-Device-Name that the log shows."),
    [CONFIG_MAX_PHONES_PER_SERVER] = COUNT("max-phones-per-server", "N", 1, LIMIT_PHONES_MAX, LIMIT_PHONES, "",
        "phones of one server-id",
        "Phones of one server-id, at most 256; the newest is closed with "
        "4429."),
    [CONFIG_MAX_QUEUED_PER_PHONE] = COUNT("max-queued-per-phone", "BYTES", 65536, LIMIT_COUNT, LIMIT_OUTBOX_BYTES, "",
        "for a phone that reads slowly",
        "Queued for a phone that reads slowly; it is closed with 1011."),
    [CONFIG_MAX_QUEUED_PER_SERVER] = COUNT("max-queued-per-server", "BYTES", 65536, LIMIT_COUNT, LIMIT_SERVER_OUTBOX_BYTES, "",
        "for all phones of a server-id",
        "Queued for all phones of a server-id; the one with the longest "
        "queue is closed."),
    [CONFIG_MAX_QUEUED] = COUNT("max-queued", "BYTES", 1048576, UINT64_MAX / 2, 0, "a quarter of memory",
        "kept in all",
        "Kept for all connections; the one that keeps most is closed."),
    [CONFIG_DRAIN_SECONDS] = COUNT("drain-seconds", "N", 1, 3600, LIMIT_YIELD_SECONDS, "",
        "of closes after a take-over",
        "Over which the closes are spread of a relay that was taken over "
        "from."),
    [CONFIG_MAX_WAKES_PER_SECOND] = COUNT("max-wakes-per-second", "N", 0, 10000, LIMIT_WAKES_PER_SECOND, "",
        "push wakes, of all server-ids",
        "Push wakes of all server-ids; those beyond it are dropped."),
};
/* clang-format on */

_Static_assert(ARRAY_LEN(flags) == CONFIG_FLAG_COUNT,
    "every enum config_flag needs a row");

const struct config_flag_row *config_flag_row(size_t flag)
{
    assert(flag < CONFIG_FLAG_COUNT);
    return &flags[flag];
}

size_t config_flag_find(const char *name, size_t len)
{
    size_t i = 0;

    if (len == 1 && name[0] == 'h')
        return CONFIG_HELP;
    while (i < CONFIG_FLAG_COUNT && (strlen(flags[i].name) != len ||
                                        memcmp(flags[i].name, name, len) != 0))
        i++;
    return i;
}
