#include "bench/payload.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

/* {"n":"PAIR____","q":"SEQUENCE________","d":"…"} */
static const char head[] =
    "{\"n\":\"00000000\",\"q\":\"0000000000000000\",\"d\":\"";
static const char tail[] = "\"}";

enum {
    HEAD_LEN = sizeof(head) - 1,
    TAIL_LEN = sizeof(tail) - 1,
    PAIR_AT = 6,
    PAIR_LEN = 8,
    SEQUENCE_AT = 21,
    SEQUENCE_LEN = 16,
    STARTS = 61, /* places of the filler where a message may start: a prime */
};

_Static_assert(HEAD_LEN + TAIL_LEN == PAYLOAD_LEAST, "an empty text fits");

int payload_init(struct payload *p, size_t size)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t state = 2463534242U; /* xorshift32, Marsaglia 2003 */

    assert(size >= PAYLOAD_LEAST && size <= PAYLOAD_MOST);
    p->size = size;
    p->filler = malloc(size + STARTS);
    if (p->filler == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < size + STARTS; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        p->filler[i] = (uint8_t)letters[state >> 26];
    }
    return 0;
}

void payload_done(struct payload *p)
{
    free(p->filler);
    p->filler = NULL;
}

static void write_hex(uint8_t *out, size_t digits, uint64_t value)
{
    for (size_t i = digits; i > 0; i--) {
        out[i - 1] = (uint8_t) "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

static const uint8_t *text_of(const struct payload *p, uint64_t sequence)
{
    return p->filler + sequence % STARTS;
}

void payload_write(
    const struct payload *p, uint32_t pair, uint64_t sequence, uint8_t *out)
{
    size_t text_len = p->size - PAYLOAD_LEAST;

    memcpy(out, head, HEAD_LEN);
    write_hex(out + PAIR_AT, PAIR_LEN, pair);
    write_hex(out + SEQUENCE_AT, SEQUENCE_LEN, sequence);
    memcpy(out + HEAD_LEN, text_of(p, sequence), text_len);
    memcpy(out + HEAD_LEN + text_len, tail, TAIL_LEN);
}

bool payload_is_intact(const struct payload *p, struct span value,
    uint32_t *ret_pair, uint64_t *ret_sequence)
{
    size_t text_len = p->size - PAYLOAD_LEAST;
    uint8_t wanted[HEAD_LEN];
    uint64_t pair = 0;
    uint64_t sequence = 0;

    if (value.len != p->size ||
        !num_parse_hex64(span_of(value.ptr + PAIR_AT, PAIR_LEN), &pair) ||
        !num_parse_hex64(
            span_of(value.ptr + SEQUENCE_AT, SEQUENCE_LEN), &sequence))
        return false;
    memcpy(wanted, head, HEAD_LEN);
    write_hex(wanted + PAIR_AT, PAIR_LEN, pair);
    write_hex(wanted + SEQUENCE_AT, SEQUENCE_LEN, sequence);
    if (memcmp(value.ptr, wanted, HEAD_LEN) != 0 ||
        memcmp(value.ptr + HEAD_LEN, text_of(p, sequence), text_len) != 0 ||
        memcmp(value.ptr + HEAD_LEN + text_len, tail, TAIL_LEN) != 0)
        return false;
    *ret_pair = (uint32_t)pair;
    *ret_sequence = sequence;
    return true;
}
