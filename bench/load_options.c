#include "bench/load_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "bench/payload.h"

static const char usage[] =
    "usage: load MODE --port PORT [OPTION VALUE]...\n"
    "  flood  messages, a window of them under way: CPU of the server\n"
    "  ping   phone to binary and back: latency\n"
    "  idle   connections, held: memory and CPU of the server\n"
    "  churn  connections with their TLS handshake, closed at once\n"
    "server\n"
    "  --port PORT        on 127.0.0.1\n"
    "  --form FORM        relay (WebSockets, envelopes; the default)\n"
    "                     pairs (copies between connections as they come)\n"
    "                     proxy (passes each on to our --backend)\n"
    "  --backend PORT     proxy: where we listen\n"
    "  --cert FILE --key FILE   proxy: what we show there, with --tls\n"
    "  --tls              TLS 1.3; --name NAME of the server\n"
    "  --id TEXT          of our server-ids, before the number of a pair\n"
    "  --pid PID          of the server, each of its processes\n"
    "load\n"
    "  --pairs N          a phone and a binary each (1)\n"
    "  --size BYTES       of each message's JSON value (128)\n"
    "  --window N         messages under way, of a pair and direction (1)\n"
    "  --burst N          messages a write, at most the window (1)\n"
    "  --direction DIR    up (phone to binary), down, both (up)\n"
    "  --messages N       end after so many, of a pair and direction\n"
    "  --rate N           ping: round trips a second; without, at once\n"
    "  --concurrent N     churn: connections under way (8)\n"
    "  --resume           churn: TLS sessions are resumed\n"
    "  --warm-up MS (500)  --measure MS (3000)  --limit MS (120000)\n"
    "  --sources N        source addresses 127.0.0.1 to N (1)\n"
    "Prints one JSON object.  0: every byte came intact and in order.\n";

static const char *const modes[] = {
    [LOAD_FLOOD] = "flood",
    [LOAD_PING] = "ping",
    [LOAD_IDLE] = "idle",
    [LOAD_CHURN] = "churn",
};

static const char *const forms[] = {
    [LOAD_RELAY] = "relay",
    [LOAD_PAIRS] = "pairs",
    [LOAD_PROXY] = "proxy",
};

static const char *const directions[] = {
    [LOAD_UP] = "up",
    [LOAD_DOWN] = "down",
    [LOAD_UP | LOAD_DOWN] = "both",
};

/* The index of text among names, or count. */
static size_t find(const char *const *names, size_t count, const char *text)
{
    size_t i = 0;

    while (i < count && (names[i] == NULL || strcmp(names[i], text) != 0))
        i++;
    return i;
}

enum {
    OPT_PORT = 256,
    OPT_BACKEND,
    OPT_FORM,
    OPT_DIRECTION,
    OPT_CERT,
    OPT_KEY,
    OPT_NAME,
    OPT_ID,
    OPT_TLS,
    OPT_RESUME,
    OPT_PID,
    OPT_FIRST_NUMBER, /* the rest are rows of numbers[] */
};

/* clang-format off */
static const struct number {
    const char *name;
    size_t offset;
    uint64_t least;
    uint64_t most;
} numbers[] = {
    {"pairs", offsetof(struct load_options, pairs), 1, 100000},
    {"size", offsetof(struct load_options, size), PAYLOAD_LEAST, PAYLOAD_MOST},
    {"window", offsetof(struct load_options, window), 1, 1024},
    {"burst", offsetof(struct load_options, burst), 1, 1024},
    {"messages", offsetof(struct load_options, messages), 0, 1000000000},
    {"rate", offsetof(struct load_options, rate), 0, 1000000},
    {"concurrent", offsetof(struct load_options, concurrent), 1, 1024},
    {"warm-up", offsetof(struct load_options, warm_up_ms), 0, 600000},
    {"measure", offsetof(struct load_options, measure_ms), 0, 600000},
    {"limit", offsetof(struct load_options, limit_ms), 1, 1200000},
    {"sources", offsetof(struct load_options, sources), 1, 200},
};
/* clang-format on */

enum { OTHERS = OPT_FIRST_NUMBER - OPT_PORT };

static void fill_table(struct option table[])
{
    const struct option others[OTHERS] = {
        {"port", required_argument, NULL, OPT_PORT},
        {"backend", required_argument, NULL, OPT_BACKEND},
        {"form", required_argument, NULL, OPT_FORM},
        {"direction", required_argument, NULL, OPT_DIRECTION},
        {"cert", required_argument, NULL, OPT_CERT},
        {"key", required_argument, NULL, OPT_KEY},
        {"name", required_argument, NULL, OPT_NAME},
        {"id", required_argument, NULL, OPT_ID},
        {"tls", no_argument, NULL, OPT_TLS},
        {"resume", no_argument, NULL, OPT_RESUME},
        {"pid", required_argument, NULL, OPT_PID},
    };

    memcpy(table, others, sizeof(others));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        table[OTHERS + i] = (struct option){numbers[i].name, required_argument,
            NULL, OPT_FIRST_NUMBER + (int)i};
    }
    table[OTHERS + ARRAY_LEN(numbers)] = (struct option){0};
}

static bool take_number(struct load_options *o, size_t row, const char *text)
{
    uint64_t value = 0;

    if (!num_parse_u64(span_str(text), numbers[row].most, &value) ||
        value < numbers[row].least)
        return false;
    memcpy((char *)o + numbers[row].offset, &value, sizeof(value));
    return true;
}

static bool take_port(const char *text, uint16_t *ret)
{
    uint64_t value = 0;

    if (!num_parse_u64(span_str(text), UINT16_MAX, &value) || value == 0)
        return false;
    *ret = (uint16_t)value;
    return true;
}

static bool take_pid(struct load_options *o, const char *text)
{
    uint64_t value = 0;

    if (o->pid_count == LOAD_PIDS_MOST ||
        !num_parse_u64(span_str(text), INT32_MAX, &value))
        return false;
    o->pids[o->pid_count++] = (pid_t)value;
    return true;
}

static bool take_text(struct load_options *o, int option, const char *text)
{
    size_t found = 0;

    switch (option) {
    case OPT_PORT:
        return take_port(text, &o->port);
    case OPT_BACKEND:
        return take_port(text, &o->backend);
    case OPT_FORM:
        found = find(forms, ARRAY_LEN(forms), text);
        o->form = (enum load_form)found;
        return found < ARRAY_LEN(forms);
    case OPT_DIRECTION:
        found = find(directions, ARRAY_LEN(directions), text);
        o->directions = found;
        return found < ARRAY_LEN(directions);
    case OPT_CERT:
        o->certificate = text;
        return true;
    case OPT_KEY:
        o->key = text;
        return true;
    case OPT_NAME:
        o->name = text;
        return true;
    case OPT_ID:
        o->id = text;
        return true;
    case OPT_PID:
        return take_pid(o, text);
    default:
        return false;
    }
}

static bool take_option(struct load_options *o, int option, const char *text)
{
    if (option >= OPT_FIRST_NUMBER)
        return take_number(o, (size_t)(option - OPT_FIRST_NUMBER), text);
    if (option == OPT_TLS || option == OPT_RESUME) {
        *(option == OPT_TLS ? &o->tls : &o->resume) = true;
        return true;
    }
    return take_text(o, option, text);
}

/* What does not go together; NULL: nothing. */
static const char *judge(const struct load_options *o)
{
    if (o->port == 0)
        return "--port is missing";
    if (o->burst > o->window)
        return "--burst is more than --window";
    if (o->messages % o->burst != 0)
        return "--messages is no multiple of --burst";
    if (o->form == LOAD_PROXY && o->backend == 0)
        return "--form proxy needs --backend";
    if (o->form == LOAD_PROXY && o->tls &&
        (o->certificate == NULL || o->key == NULL))
        return "--form proxy with --tls needs --cert and --key";
    if (o->resume && !(o->tls && o->mode == LOAD_CHURN))
        return "--resume is for churn with --tls";
    return NULL;
}

bool load_options_parse(int argc, char *argv[], struct load_options *ret)
{
    struct option table[OTHERS + ARRAY_LEN(numbers) + 1];
    struct load_options o = {
        .name = "relay.example.com",
        .id = "load",
        .pairs = 1,
        .size = 128,
        .window = 1,
        .burst = 1,
        .directions = LOAD_UP,
        .concurrent = 8,
        .warm_up_ms = 500,
        .measure_ms = 3000,
        .limit_ms = 120000,
        .sources = 1,
    };
    size_t mode =
        argc < 2 ? ARRAY_LEN(modes) : find(modes, ARRAY_LEN(modes), argv[1]);
    int option = 0;
    const char *fault = NULL;

    if (mode == ARRAY_LEN(modes)) {
        (void)fputs(usage, stderr);
        return false;
    }
    o.mode = (enum load_mode)mode;
    fill_table(table);
    optind = 2;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (!take_option(&o, option, optarg)) {
            (void)fprintf(stderr, "load: bad %s\n", argv[optind - 1]);
            return false;
        }
    }
    fault = optind < argc ? "a word too many" : judge(&o);
    if (fault != NULL) {
        (void)fprintf(stderr, "load: %s\n", fault);
        return false;
    }
    *ret = o;
    return true;
}

const char *load_options_mode_name(const struct load_options *o)
{
    return modes[o->mode];
}

const char *load_options_form_name(const struct load_options *o)
{
    return forms[o->form];
}
