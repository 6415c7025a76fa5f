#include "relay/config_flags.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "relay/address_table.h"
#include "relay/limits.h"
#include "wire/http_head.h"

#define TEXT(n, v, i, h)                                                       \
    {                                                                          \
        .name = (n), .kind = CONFIG_KIND_TEXT, .value = (v), .initial = (i),   \
        .help = (h)                                                            \
    }
#define BOOL(n, h)                                                             \
    {                                                                          \
        .name = (n), .kind = CONFIG_KIND_BOOL, .value = "", .initial = "",     \
        .help = (h)                                                            \
    }
#define LIST(n, v, h)                                                          \
    {                                                                          \
        .name = (n), .kind = CONFIG_KIND_LIST, .value = (v), .initial = "",    \
        .help = (h)                                                            \
    }
/* Of a number: from l to m, by default c; 0 where l is 1: computed. */
#define COUNT(n, v, h, l, m, c)                                                \
    {                                                                          \
        .name = (n), .kind = CONFIG_KIND_COUNT, .value = (v), .initial = "",   \
        .help = (h), .least = (l), .most = (m), .count = (c)                   \
    }

/* clang-format off */
static const struct config_flag_row flags[] = {
    [CONFIG_DOMAIN] = TEXT("domain", "NAME", "",
        "public host name that TLS is served for"),
    [CONFIG_INSECURE_LISTEN] = TEXT("insecure-listen", "ADDR", "",
        "plain HTTP on host:port, without TLS"),
    [CONFIG_HTTPS_LISTEN] = TEXT("https-listen", "ADDR", ":443",
        "TLS listener (default :443)"),
    [CONFIG_HTTP_LISTEN] = TEXT("http-listen", "ADDR", ":80",
        "ACME HTTP-01 listener (default :80)"),
    [CONFIG_METRICS_LISTEN] = TEXT("metrics-listen", "ADDR", "127.0.0.1:9090",
        "loopback, or empty (default 127.0.0.1:9090)"),
    [CONFIG_TRUST_X_FORWARDED_FOR] = BOOL("trust-x-forwarded-for",
        "limits by the first X-Forwarded-For"),
    [CONFIG_HTTPS_PROXY_PROTOCOL] = BOOL("https-proxy-protocol",
        "TLS connections begin with a PROXY v2 header"),
    [CONFIG_TRUSTED_PROXY] = LIST("trusted-proxy", "CIDR",
        "proxies that are believed; repeatable"),
    [CONFIG_LOG_FORMAT] = TEXT("log-format", "FORMAT", "text",
        "text or json (default text)"),
    [CONFIG_REQUIRE_SEAL] = BOOL("require-seal",
        "refuse where the kernel cannot seal the process"),
    [CONFIG_TAKE_OVER] = TEXT("take-over", "PATH", "",
        "socket by which one instance takes over from another"),
    [CONFIG_HEALTHCHECK] = BOOL("healthcheck",
        "ask the running relay, and exit 0 if it is well"),
    [CONFIG_VERSION] = BOOL("version",
        "print the version and exit"),
    [CONFIG_HELP] = BOOL("help",
        "print this and exit"),
    [CONFIG_HELP_CERTIFICATES] = BOOL("help-certificates",
        "print those of certificates and push"),
    [CONFIG_HELP_LIMITS] = BOOL("help-limits",
        "print threads and limits, and exit"),
    [CONFIG_CERT_CACHE] = TEXT("cert-cache", "DIR", "",
        "certificates (default $HOME/.pyrycode-relay/certs)"),
    [CONFIG_TLS_CERT] = TEXT("tls-cert", "FILE", "",
        "certificate chain, instead of an automatic one"),
    [CONFIG_TLS_KEY] = TEXT("tls-key", "FILE", "",
        "its private key; both are read again when they change"),
    [CONFIG_ACME_EMAIL] = TEXT("acme-email", "ADDRESS", "",
        "contact of the account at the CA"),
    [CONFIG_ACME_DIRECTORY] = TEXT("acme-directory", "URL",
        "https://acme-v02.api.letsencrypt.org/directory",
        "of the CA (default Let's Encrypt's)"),
    [CONFIG_ACME_CA_FILE] = TEXT("acme-ca-file", "FILE", "",
        "what the CA is trusted by (default the system's)"),
    [CONFIG_PUSH_ENDPOINT] = TEXT("push-endpoint", "URL", "https://fcm.googleapis.com",
        "where push wakes are sent (default Google's)"),
    [CONFIG_PUSH_CA_FILE] = TEXT("push-ca-file", "FILE", "",
        "what that is trusted by (default the system's)"),
    [CONFIG_THREADS] = COUNT("threads", "N",
        "workers (CPUs that this process may use)", 1, LIMIT_THREADS, 0),
    [CONFIG_MAX_CONNECTIONS] = COUNT("max-connections", "N",
        "WebSockets (by descriptors and memory)", 1, LIMIT_COUNT, 0),
    [CONFIG_MAX_BINARIES] = COUNT("max-binaries", "N",
        "of them, binaries (all but an eighth)", 1, LIMIT_COUNT, 0),
    [CONFIG_MAX_PHONES] = COUNT("max-phones", "N",
        "of them, phones (all but an eighth)", 1, LIMIT_COUNT, 0),
    [CONFIG_MAX_PENDING] = COUNT("max-pending", "N",
        "before their upgrade or closing (1024, less with few fds)", 1, LIMIT_COUNT, 0),
    [CONFIG_MAX_HANDSHAKES] = COUNT("max-handshakes", "N",
        "in their TLS handshake (1024, less with few fds)", 1, LIMIT_COUNT, 0),
    [CONFIG_MAX_CONNECTIONS_PER_ADDRESS] = COUNT("max-connections-per-address", "N",
        "of one IPv4 address or IPv6 /64", 0, LIMIT_COUNT, 1024),
    [CONFIG_MAX_PENDING_PER_ADDRESS] = COUNT("max-pending-per-address", "N",
        "the same, before their upgrade", 0, LIMIT_COUNT, ADDRESS_PENDING_MAX),
    [CONFIG_UPGRADE_BURST] = COUNT("upgrade-burst", "N",
        "upgrade attempts of an address at once", 0, LIMIT_COUNT, ADDRESS_BURST),
    [CONFIG_UPGRADE_INTERVAL] = COUNT("upgrade-interval", "SECONDS",
        "for one more of them", 1, 86400, ADDRESS_INTERVAL_MS / 1000),
    [CONFIG_MAX_BYTES_PER_SECOND] = COUNT("max-bytes-per-second", "N",
        "read from one connection", 0, LIMIT_COUNT, 0),
    [CONFIG_MAX_HEAD_BYTES] = COUNT("max-head-bytes", "N",
        "of a request head", 256, 65536, LIMIT_HEAD_BYTES),
    [CONFIG_MAX_HEAD_FIELDS] = COUNT("max-head-fields", "N",
        "header fields of it", 1, HTTP_FIELDS_MAX, HTTP_FIELDS_MAX),
    [CONFIG_MAX_SERVER_ID_BYTES] = COUNT("max-server-id-bytes", "N",
        "of X-Pyrycode-Server", 1, LIMIT_SERVER_ID_BYTES, LIMIT_SERVER_ID_BYTES),
    [CONFIG_MAX_DEVICE_NAME_BYTES] = COUNT("max-device-name-bytes", "N",
        "of X-Pyrycode-Device-Name", 1, 65536, LIMIT_DEVICE_NAME_BYTES),
    [CONFIG_MAX_PHONES_PER_SERVER] = COUNT("max-phones-per-server", "N",
        "phones of one server-id", 1, LIMIT_PHONES_MAX, LIMIT_PHONES),
    [CONFIG_MAX_QUEUED_PER_PHONE] = COUNT("max-queued-per-phone", "BYTES",
        "for a phone that reads slowly", 65536, LIMIT_COUNT, LIMIT_OUTBOX_BYTES),
    [CONFIG_MAX_QUEUED_PER_SERVER] = COUNT("max-queued-per-server", "BYTES",
        "for all phones of a server-id", 65536, LIMIT_COUNT, LIMIT_SERVER_OUTBOX_BYTES),
    [CONFIG_MAX_QUEUED] = COUNT("max-queued", "BYTES",
        "kept for all connections (a quarter of memory)", 1048576, UINT64_MAX / 2, 0),
    [CONFIG_DRAIN_SECONDS] = COUNT("drain-seconds", "N",
        "of closes after a take-over", 1, 3600, LIMIT_YIELD_SECONDS),
    [CONFIG_MAX_WAKES_PER_SECOND] = COUNT("max-wakes-per-second", "N",
        "push wakes, of all server-ids", 0, 10000, LIMIT_WAKES_PER_SECOND),
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

static void print_row(FILE *out, size_t i, int width)
{
    const struct config_flag_row *row = &flags[i];
    char left[64];

    (void)text_format(left, sizeof(left), "--%s%s%s", row->name,
        row->value[0] == '\0' ? "" : " ", row->value);
    (void)fprintf(out, "  %-*s %s", width, left, row->help);
    if (i >= CONFIG_FIRST_LIMIT && row->count > 0)
        (void)fprintf(out, " (%" PRIu64 ")", row->count);
    if (i >= CONFIG_FIRST_LIMIT && row->least == 0)
        (void)fputs(row->count == 0 ? " (off)" : "; 0: off", out);
    (void)fputs("\n", out);
}

void config_help(FILE *out)
{
    (void)fputs(
        "usage: pyrycode-relay --domain NAME | --insecure-listen ADDR [flags]\n"
        "Relays frames between phones and pyrycode; refuses an insecure "
        "posture.\n\n",
        out);
    for (size_t i = 0; i < CONFIG_FIRST_CERTIFICATE; i++)
        print_row(out, i, 23);
    (void)fputs("\n  " CONFIG_PRODUCTION "=1       refuse what is insecure\n"
                "  " CONFIG_SINGLE_INSTANCE "=1  only one instance runs\n"
                "  " CONFIG_FCM_CREDENTIALS "    service account, for push\n",
        out);
}

void config_help_certificates(FILE *out)
{
    (void)fputs("Certificates of pyrycode-relay: ordered from a CA for "
                "--domain, or given.\n"
                "Push wakes: sent if " CONFIG_FCM_CREDENTIALS " is set.\n\n",
        out);
    for (size_t i = CONFIG_FIRST_CERTIFICATE; i < CONFIG_FIRST_LIMIT; i++)
        print_row(out, i, 23);
}

void config_help_limits(FILE *out)
{
    (void)fputs(
        "Limits of pyrycode-relay, each a flag, with its default.\n\n", out);
    for (size_t i = CONFIG_FIRST_LIMIT; i < CONFIG_FLAG_COUNT; i++)
        print_row(out, i, 33);
}
