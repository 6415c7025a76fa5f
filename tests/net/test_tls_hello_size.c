#include "net/tls_hello_size.h"

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

/* Bytes as a constant text. */
#define BYTES(text) text, sizeof(text) - 1

static const struct {
    const char *what;
    const char *bytes;
    size_t len;
    size_t largest;
} rows[] = {
    {"nothing", BYTES(""), 0},
    {"a record's header", BYTES("\x16\3\1\2\0"), 0},
    {"three bytes of a message", BYTES("\x16\3\1\2\0\1\0\2"), 0},
    {"its header", BYTES("\x16\3\1\2\0\1\0\2\xfc"), 764},
    {"the longest there is", BYTES("\x16\3\1\2\0\1\xff\xff\xff"), 0xffffff},
    {"an empty one", BYTES("\x16\3\1\0\4\1\0\0\0"), 0},
    {"a header in records of one byte",
        BYTES("\x16\3\1\0\1\1\x16\3\1\0\1\2\x16\3\1\0\1\3\x16\3\1\0\1\4"),
        0x020304},
    {"empty records before it",
        BYTES("\x16\3\1\0\0\x16\3\1\0\0\x16\3\1\2\0\1\1\0\0"), 0x10000},
    {"an alert before it", BYTES("\x15\3\1\0\2\1\x5a\x16\3\1\2\0\1\1\0\0"),
        0x10000},
    {"what only looks like one, in an alert",
        BYTES("\x15\3\1\0\5\1\1\0\0\0\x16\3\1\2\0\1\0\0\2"), 2},
    {"one behind another, in its record",
        BYTES("\x16\3\1\0\x0a\1\0\0\2xx\1\2\0\0"), 0x20000},
    {"one behind another, in a record of its own",
        BYTES("\x16\3\1\0\6\1\0\0\2xx\x14\3\3\0\1\1\x16\3\3\0\4\1\2\0\0"),
        0x20000},
    {"a body that goes on in the next record",
        BYTES("\x16\3\1\0\5\1\0\0\2x\x16\3\1\0\5x\1\0\0\3"), 3},
    {"a shorter one behind it", BYTES("\x16\3\1\0\x0a\1\0\0\2xx\1\0\0\1"), 2},
    {"data", BYTES("\x17\3\3\0\4\1\xff\xff\xff"), 0},
    {"plain HTTP", BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 0},
};

static size_t largest_in(const char *bytes, size_t len, size_t step)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len); /* of exactly its size */
    struct tls_hello_size at = {.largest = 0};

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    for (size_t i = 0; i < len; i += step)
        tls_hello_size_feed(&at, copy + i, len - i < step ? len - i : step);
    free(copy);
    return at.largest;
}

static void what_it_says_in_whatever_pieces_it_comes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step <= rows[i].len + 1; step++) {
            size_t got = largest_in(rows[i].bytes, rows[i].len, step);

            if (got != rows[i].largest)
                fail_msg("%s, by %zu: %zu", rows[i].what, step, got);
        }
    }
}

RUN_TESTS("tls_hello_size",
    cmocka_unit_test(what_it_says_in_whatever_pieces_it_comes));
