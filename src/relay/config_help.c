#include "relay/config_help.h"

#include <inttypes.h>

#include "base/text.h"
#include "relay/config_flags.h"

enum {
    /* columns of a flag and its value */
    WIDTH = 23,
    WIDTH_OF_LIMITS = 33,
};

/* clang-format off */
static const struct {
    const char *name; /* with its value */
    const char *help; /* NULL: in the manual only */
    const char *manual;
} variables[] = {
    {CONFIG_PRODUCTION "=1", "refuse what is insecure",
        "Refuse what is insecure. Any other value is a failure, and counts as "
        "production."},
    {CONFIG_SINGLE_INSTANCE "=1", "only one instance runs",
        "Asserts that only one instance runs."},
    {CONFIG_FCM_CREDENTIALS, "service account, for push",
        "A service account as a whole JSON document, for push wakes. Once the "
        "process that sends them has it, it is overwritten."},
    {"LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES", NULL,
        "Sockets of a service manager, each with the name of the option that "
        "it stands in for, without the dashes."},
    {"NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID", NULL,
        "Where it is told that the relay serves and ends, and that every "
        "worker gets on."},
};
/* clang-format on */

/* ---- the default of a flag ---- */

static bool is_off_by_zero(const struct config_flag_row *row)
{
    return row->kind == CONFIG_KIND_COUNT && row->least == 0;
}

/* In words; "": there is none to speak of. */
static struct text default_of(
    const struct config_flag_row *row, char *buf, size_t cap)
{
    struct text t = text_over(buf, cap);

    if (row->preset[0] != '\0') {
        text_add_str(&t, row->preset);
    } else if (row->count > 0) {
        text_addf(&t, "%" PRIu64, row->count);
    } else if (is_off_by_zero(row)) {
        text_add_str(&t, "off");
    } else {
        text_add_str(&t, row->initial);
    }
    return t;
}

/* ---- --help ---- */

static void print_row(FILE *out, size_t flag, int width, const char *intro)
{
    const struct config_flag_row *row = config_flag_row(flag);
    char buf[96];
    char left[64];
    struct text preset = default_of(row, buf, sizeof(buf));

    (void)text_format(left, sizeof(left), "--%s%s%s", row->name,
        row->value[0] == '\0' ? "" : " ", row->value);
    (void)fprintf(out, "  %-*s %s", width, left, row->help);
    if (preset.len > 0)
        (void)fprintf(out, " (%s%s)", intro, preset.ptr);
    if (is_off_by_zero(row) && row->count > 0)
        (void)fputs("; 0: off", out);
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
        print_row(out, i, WIDTH, "default ");
    (void)fputs("\n", out);
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (variables[i].help != NULL) {
            (void)fprintf(
                out, "  %-33s %s\n", variables[i].name, variables[i].help);
        }
    }
}

void config_help_certificates(FILE *out)
{
    (void)fputs("Certificates of pyrycode-relay: ordered from a CA for "
                "--domain, or given.\n"
                "Push wakes: sent if " CONFIG_FCM_CREDENTIALS " is set.\n\n",
        out);
    for (size_t i = CONFIG_FIRST_CERTIFICATE; i < CONFIG_FIRST_LIMIT; i++)
        print_row(out, i, WIDTH, "default ");
}

void config_help_limits(FILE *out)
{
    (void)fputs(
        "Limits of pyrycode-relay, each a flag, with its default.\n\n", out);
    for (size_t i = CONFIG_FIRST_LIMIT; i < CONFIG_FLAG_COUNT; i++)
        print_row(out, i, WIDTH_OF_LIMITS, "");
}

/* ---- the manual page ---- */

/* As man(7) wants text: a hyphen would be a dash, and a dot or a quote at the
 * start of a line a request.  The texts have no backslash. */
static void print_troff(FILE *out, const char *text)
{
    if (text[0] == '.' || text[0] == '\'')
        (void)fputs("\\&", out);
    for (; *text != '\0'; text++) {
        if (*text == '-')
            (void)fputc('\\', out);
        (void)fputc(*text, out);
    }
}

static void print_entry(FILE *out, const char *head, const char *body)
{
    (void)fprintf(out, ".TP\n%s", head);
    (void)fputs("\n", out);
    print_troff(out, body);
    (void)fputs("\n", out);
}

static void print_option(FILE *out, const struct config_flag_row *row)
{
    char head[128];
    char buf[96];
    char flag[64];
    struct text preset = default_of(row, buf, sizeof(buf));
    struct text t = text_over(head, sizeof(head));

    (void)text_format(flag, sizeof(flag), "--%s", row->name);
    text_add_str(&t, row->value[0] == '\0' ? ".B " : ".BI ");
    for (const char *c = flag; *c != '\0'; c++)
        text_addf(&t, *c == '-' ? "\\%c" : "%c", *c);
    if (row->value[0] != '\0')
        text_addf(&t, " \" %s\"", row->value);
    print_entry(out, head, row->manual);
    if (preset.len == 0)
        return;
    (void)fputs("Default: ", out);
    print_troff(out, preset.ptr);
    (void)fputs(
        is_off_by_zero(row) && row->count > 0 ? "; 0: off.\n" : ".\n", out);
}

void config_manual(FILE *out)
{
    (void)fputs(".SH OPTIONS\n", out);
    for (size_t i = 0; i < CONFIG_FLAG_COUNT; i++)
        print_option(out, config_flag_row(i));
    (void)fputs(".SH ENVIRONMENT\n", out);
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        char head[96];

        (void)text_format(head, sizeof(head), ".B %s", variables[i].name);
        print_entry(out, head, variables[i].manual);
    }
}
