#include "posture/proc_status.h"

#include "base/num.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* The next word of *in; empty at the end. */
static struct span take_word(struct span *in)
{
    size_t start = 0;
    size_t end = 0;

    while (start < in->len && is_blank(in->ptr[start]))
        start++;
    end = start;
    while (end < in->len && !is_blank(in->ptr[end]))
        end++;

    struct span word = span_of(in->ptr + start, end - start);

    *in = span_from(*in, end);
    return word;
}

static void parse_ids(struct span value, bool *known, uint32_t *ret)
{
    uint32_t ids[PROC_STATUS_IDS];

    if (*known)
        return;
    for (size_t i = 0; i < PROC_STATUS_IDS; i++) {
        uint64_t id = 0;

        if (!num_parse_u64(take_word(&value), UINT32_MAX, &id))
            return;
        ids[i] = (uint32_t)id;
    }
    if (take_word(&value).len != 0)
        return;
    memcpy(ret, ids, sizeof(ids));
    *known = true;
}

static void parse_number(struct span value, bool *known, uint64_t *ret)
{
    uint64_t number = 0;

    if (*known || !num_parse_u64(take_word(&value), UINT64_MAX, &number) ||
        take_word(&value).len != 0)
        return;
    *ret = number;
    *known = true;
}

static void parse_set(struct span value, bool *known, uint64_t *ret)
{
    struct span word = take_word(&value);
    uint64_t set = 0;

    if (*known || word.len > 16 || !num_parse_hex64(word, &set) ||
        take_word(&value).len != 0)
        return;
    *ret = set;
    *known = true;
}

static void parse_line(struct span line, struct proc_status *ret)
{
    static const char *const sets[PROC_STATUS_SETS] = {
        [PROC_STATUS_CAP_INHERITABLE] = "CapInh",
        [PROC_STATUS_CAP_PERMITTED] = "CapPrm",
        [PROC_STATUS_CAP_EFFECTIVE] = "CapEff",
        [PROC_STATUS_CAP_BOUNDING] = "CapBnd",
        [PROC_STATUS_CAP_AMBIENT] = "CapAmb",
    };
    const uint8_t *colon =
        line.len == 0 ? NULL : memchr(line.ptr, ':', line.len);

    if (colon == NULL)
        return;

    struct span key = span_of(line.ptr, (size_t)(colon - line.ptr));
    struct span value = span_from(line, key.len + 1);

    if (span_eq(key, span_str("Uid"))) {
        parse_ids(value, &ret->uid_known, ret->uid);
    } else if (span_eq(key, span_str("Gid"))) {
        parse_ids(value, &ret->gid_known, ret->gid);
    } else if (span_eq(key, span_str("NoNewPrivs"))) {
        parse_number(value, &ret->no_new_privs_known, &ret->no_new_privs);
    } else if (span_eq(key, span_str("Seccomp"))) {
        parse_number(value, &ret->seccomp_known, &ret->seccomp);
    } else if (span_eq(key, span_str("TracerPid"))) {
        parse_number(value, &ret->tracer_known, &ret->tracer_pid);
    } else {
        for (size_t i = 0; i < PROC_STATUS_SETS; i++) {
            if (span_eq(key, span_str(sets[i])))
                parse_set(value, &ret->cap_known[i], &ret->cap[i]);
        }
    }
}

void proc_status_parse(struct span in, struct proc_status *ret)
{
    *ret = (struct proc_status){.uid_known = false};
    while (in.len > 0) {
        const uint8_t *newline = memchr(in.ptr, '\n', in.len);

        if (newline == NULL)
            return; /* cut off: a number would be another one */

        size_t len = (size_t)(newline - in.ptr);

        parse_line(span_of(in.ptr, len), ret);
        in = span_from(in, len + 1);
    }
}
