#include "wire/forwarded_for.h"

static const char field_name[] = "X-Forwarded-For";

/* What stands behind the last comma; the rest, without it, stays in *in. */
static struct span take_last(struct span *in)
{
    size_t at = in->len;
    struct span taken;

    while (at > 0 && in->ptr[at - 1] != ',')
        at--;
    taken = span_from(*in, at);
    in->len = at == 0 ? 0 : at - 1;
    return http_trimmed(taken);
}

struct walk {
    const struct cidr *trusted;
    size_t trusted_count;
    struct ip_address at; /* trusted while the walk goes on */
};

/* One line, from its right; false if the walk ends in it. */
static bool walk_line(struct walk *w, struct span line)
{
    while (line.len > 0) {
        struct span entry = take_last(&line);
        struct ip_address next;

        if (entry.len == 0)
            continue;
        if (!ip_address_parse(entry, &next))
            return false;
        w->at = next;
        if (!cidr_any_contains(w->trusted, w->trusted_count, &next))
            return false;
    }
    return true;
}

struct ip_address forwarded_for_client(const struct http_head *head,
    const struct ip_address *peer, const struct cidr *trusted,
    size_t trusted_count)
{
    struct walk w = {
        .trusted = trusted, .trusted_count = trusted_count, .at = *peer};

    if (!cidr_any_contains(trusted, trusted_count, peer))
        return *peer;
    for (size_t i = head->field_count; i > 0; i--) {
        const struct http_field *field = &head->fields[i - 1];

        if (http_name_is(field->name, field_name) &&
            !walk_line(&w, field->value))
            break;
    }
    return w.at;
}

struct span forwarded_for_first(const struct http_head *head)
{
    struct span line = http_head_get(head, field_name);

    return http_trimmed(span_take_until(&line, ','));
}
