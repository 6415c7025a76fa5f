/*
 * wire_driver: the pure functions on stdin and stdout, for property tests
 * that compare them with another implementation.  A line in, a line out:
 *
 *     json HEX            valid | invalid
 *     envelope HEX        STATUS [CONN_ID_HEX FRAME_HEX CLOSE_CODE]
 *     prefix HEX          HEX
 *     notice CODE HEX     HEX
 *     mask KEY_HEX OFFSET HEX   HEX
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "wire/envelope.h"
#include "wire/json.h"
#include "wire/ws_frame.h"

enum { BYTES_MAX = 1 << 20 };

static size_t from_hex(const char *hex, uint8_t *ret)
{
    size_t len = 0;
    unsigned value = 0;

    while (sscanf(hex + 2 * len, "%2x", &value) == 1)
        ret[len++] = (uint8_t)value;
    return len;
}

static void put_hex(const char *before, struct span bytes)
{
    (void)fputs(before, stdout);
    for (size_t i = 0; i < bytes.len; i++)
        (void)printf("%02x", bytes.ptr[i]);
}

static void put_envelope(struct span in)
{
    struct envelope e;
    enum envelope_status status = envelope_parse(in, &e);

    (void)printf("%d", (int)status);
    if (status != ENVELOPE_ROUTE)
        return;
    put_hex(" ", e.conn_id);
    put_hex(" ", e.frame);
    (void)printf(" %u", e.close_code);
}

static void run(char *line, uint8_t *bytes)
{
    static uint8_t out[BYTES_MAX];
    uint8_t key[WS_MASK_LEN];
    char *save = NULL;
    const char *command = strtok_r(line, " \n", &save);
    const char *a = strtok_r(NULL, " \n", &save);
    const char *b = strtok_r(NULL, " \n", &save);
    const char *c = strtok_r(NULL, " \n", &save);
    const char *last = c != NULL ? c : b != NULL ? b : a;
    struct span in = span_of(bytes, last == NULL ? 0 : from_hex(last, bytes));

    if (command == NULL)
        return;
    if (strcmp(command, "json") == 0) {
        (void)fputs(json_valid(in) ? "valid" : "invalid", stdout);
    } else if (strcmp(command, "envelope") == 0) {
        put_envelope(in);
    } else if (strcmp(command, "prefix") == 0) {
        put_hex("", span_of(out, envelope_prefix(in, out, sizeof(out))));
    } else if (strcmp(command, "notice") == 0 && b != NULL) {
        put_hex("", span_of(out,
                        envelope_close_notice(in,
                            (uint16_t)strtoul(a, NULL, 10), out, sizeof(out))));
    } else if (strcmp(command, "mask") == 0 && b != NULL && strlen(a) == 8) {
        (void)from_hex(a, key);
        if (c == NULL)
            in.len = 0;
        ws_frame_unmask(bytes, in.len, key, strtoul(b, NULL, 10));
        put_hex("", in);
    }
    (void)putchar('\n');
    (void)fflush(stdout);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    uint8_t *bytes = malloc(BYTES_MAX);

    while (bytes != NULL && getline(&line, &cap, stdin) > 0)
        if (strlen(line) < BYTES_MAX)
            run(line, bytes);
    free(line);
    free(bytes);
    return 0;
}
