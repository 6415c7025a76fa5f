#include "wire/http_head.h"

#include <assert.h>

static const struct {
    const char *text;
    unsigned code;
} statuses[] = {
#define X(name, code, text) [name] = {text, code},
    HTTP_STATUS_LIST(X)
#undef X
};

/* Fields of which a second line would leave open which one counts. */
static const char *const singles[] = {
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "X-Pyrycode-Server",
    "X-Pyrycode-Version",
    "X-Pyrycode-Token",
    "X-Pyrycode-Device-Name",
};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* RFC 9110 section 5.6.2. */
static bool is_token_char(uint8_t c)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    uint8_t l = lower(c);

    if ((c >= '0' && c <= '9') || (l >= 'a' && l <= 'z'))
        return true;
    return memchr(marks, c, sizeof(marks) - 1) != NULL;
}

static bool is_token(struct span in)
{
    for (size_t i = 0; i < in.len; i++) {
        if (!is_token_char(in.ptr[i]))
            return false;
    }
    return in.len > 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool names_equal(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool http_name_is(struct span name, const char *want)
{
    return names_equal(name, span_str(want));
}

struct span http_trimmed(struct span in)
{
    while (in.len > 0 && is_blank(in.ptr[0]))
        in = span_from(in, 1);
    while (in.len > 0 && is_blank(in.ptr[in.len - 1]))
        in.len--;
    return in;
}

/*
 * The line at the start of in, without its CRLF.  HTTP_MORE if it has no end
 * yet; bad if a bare CR or LF stands in it.
 */
static enum http_status take_line(
    struct span in, enum http_status bad, struct span *ret)
{
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] == '\n')
            return bad;
        if (in.ptr[i] != '\r')
            continue;
        if (i + 1 == in.len)
            return HTTP_MORE;
        if (in.ptr[i + 1] != '\n')
            return bad;
        *ret = span_of(in.ptr, i);
        return HTTP_OK;
    }
    return HTTP_MORE;
}

static bool is_target(struct span in)
{
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] <= ' ' || in.ptr[i] >= 0x7f || in.ptr[i] == '#')
            return false;
    }
    return in.len > 0;
}

/*
 * Take scheme and authority off a target in absolute-form; "/" if that leaves
 * no path.  False if there is no host: RFC 9110 section 4.2.1 wants one.
 */
static bool take_authority(struct span *target)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        struct span scheme = span_str(schemes[i]);
        struct span rest;
        size_t len = 0;

        if (target->len < scheme.len ||
            !names_equal(span_of(target->ptr, scheme.len), scheme))
            continue;
        rest = span_from(*target, scheme.len);
        while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
            len++;
        if (len == 0)
            return false;
        rest = span_from(rest, len);
        *target = rest.len == 0 || rest.ptr[0] == '?' ? span_of("/", 1) : rest;
        return true;
    }
    return true;
}

/* The path of a request target in origin-form or absolute-form. */
static bool take_path(struct span target, struct span *ret)
{
    size_t len = 0;

    if (!is_target(target) || !take_authority(&target))
        return false;
    if (target.ptr[0] != '/' && !span_eq(target, span_of("*", 1)))
        return false;
    while (len < target.len && target.ptr[len] != '?')
        len++;
    *ret = span_of(target.ptr, len);
    return true;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static enum http_status take_version(struct span in, unsigned *ret_minor)
{
    if (in.len != 8 || memcmp(in.ptr, "HTTP/", 5) != 0 || in.ptr[6] != '.' ||
        !is_digit(in.ptr[5]) || !is_digit(in.ptr[7]))
        return HTTP_BAD_LINE;
    if (in.ptr[5] != '1' || in.ptr[7] > '1')
        return HTTP_BAD_VERSION;
    *ret_minor = in.ptr[7] - (unsigned)'0';
    return HTTP_OK;
}

static enum http_status parse_request_line(
    struct span line, struct http_head *ret)
{
    const uint8_t *end = line.ptr + line.len;
    const uint8_t *first =
        line.len == 0 ? NULL : memchr(line.ptr, ' ', line.len);
    const uint8_t *second = NULL;

    if (first == NULL)
        return HTTP_BAD_LINE;
    second = memchr(first + 1, ' ', (size_t)(end - first - 1));
    if (second == NULL)
        return HTTP_BAD_LINE;
    ret->method = span_of(line.ptr, (size_t)(first - line.ptr));
    if (!is_token(ret->method) ||
        !take_path(
            span_of(first + 1, (size_t)(second - first - 1)), &ret->path))
        return HTTP_BAD_LINE;
    return take_version(
        span_of(second + 1, (size_t)(end - second - 1)), &ret->minor);
}

static bool is_value(struct span in)
{
    for (size_t i = 0; i < in.len; i++) {
        if ((in.ptr[i] < ' ' && in.ptr[i] != '\t') || in.ptr[i] == 0x7f)
            return false;
    }
    return true;
}

static enum http_status parse_field(struct span line, struct http_head *ret)
{
    const uint8_t *colon = memchr(line.ptr, ':', line.len);
    struct http_field field;

    if (is_blank(line.ptr[0]))
        return HTTP_FOLDED;
    if (colon == NULL)
        return HTTP_BAD_FIELD;
    field.name = span_of(line.ptr, (size_t)(colon - line.ptr));
    field.value = http_trimmed(span_from(line, field.name.len + 1));
    if (!is_token(field.name) || !is_value(field.value))
        return HTTP_BAD_FIELD;
    if (ret->field_count == HTTP_FIELDS_MAX)
        return HTTP_TOO_MANY;
    ret->fields[ret->field_count++] = field;
    return HTTP_OK;
}

static size_t count_fields(const struct http_head *head, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < head->field_count; i++)
        count += http_name_is(head->fields[i].name, name);
    return count;
}

/* Could it be uri-host [":" port], RFC 9110 section 7.2?  Characters alone;
 * nothing at all is legal. */
static bool is_host(struct span in)
{
    static const char marks[] = "!$%&'()*+,;=:[]-._~";

    for (size_t i = 0; i < in.len; i++) {
        uint8_t l = lower(in.ptr[i]);

        if (!is_digit(l) && !(l >= 'a' && l <= 'z') &&
            memchr(marks, l, sizeof(marks) - 1) == NULL)
            return false;
    }
    return true;
}

/* What holds of the fields together. */
static enum http_status check_fields(const struct http_head *head)
{
    struct span length = http_head_get(head, "Content-Length");

    for (size_t i = 0; i < ARRAY_LEN(singles); i++) {
        if (count_fields(head, singles[i]) > 1)
            return HTTP_DUPLICATE;
    }
    if (head->minor == 1 && count_fields(head, "Host") == 0)
        return HTTP_NO_HOST;
    if (!is_host(http_head_get(head, "Host")))
        return HTTP_BAD_HOST;
    if (count_fields(head, "Transfer-Encoding") > 0)
        return HTTP_BODY;
    if (length.ptr != NULL && !span_eq(length, span_of("0", 1)))
        return HTTP_BODY;
    return HTTP_OK;
}

static enum http_status parse_fields(
    struct span in, size_t at, struct http_head *ret)
{
    for (;;) {
        struct span line;
        enum http_status status =
            take_line(span_from(in, at), HTTP_BAD_FIELD, &line);

        if (status != HTTP_OK)
            return status;
        at += line.len + 2;
        if (line.len == 0) {
            ret->head_len = at;
            return check_fields(ret);
        }
        status = parse_field(line, ret);
        if (status != HTTP_OK)
            return status;
    }
}

static enum http_status parse(struct span in, struct http_head *ret)
{
    struct span line = {.len = 0};
    size_t at = 0;
    enum http_status status = HTTP_OK;

    /* RFC 9112 section 2.2: one empty line before the request line. */
    if (in.len >= 2 && memcmp(in.ptr, "\r\n", 2) == 0)
        at = 2;
    status = take_line(span_from(in, at), HTTP_BAD_LINE, &line);
    if (status != HTTP_OK)
        return status;
    at += line.len + 2;
    status = parse_request_line(line, ret);
    return status == HTTP_OK ? parse_fields(in, at, ret) : status;
}

enum http_status http_head_parse(
    struct span in, size_t head_max, struct http_head *ret)
{
    enum http_status status = HTTP_MORE;
    bool over = in.len > head_max;

    ret->field_count = 0;
    if (over)
        in.len = head_max;
    if (in.len > 0)
        status = parse(in, ret);
    return status == HTTP_MORE && over ? HTTP_TOO_LARGE : status;
}

struct span http_head_get(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->field_count; i++) {
        if (http_name_is(head->fields[i].name, name))
            return head->fields[i].value;
    }
    return span_of(NULL, 0);
}

static bool list_holds(struct span list, const char *token)
{
    while (list.len > 0) {
        const uint8_t *comma = memchr(list.ptr, ',', list.len);
        size_t len = comma == NULL ? list.len : (size_t)(comma - list.ptr);

        if (http_name_is(http_trimmed(span_of(list.ptr, len)), token))
            return true;
        list = span_from(list, comma == NULL ? len : len + 1);
    }
    return false;
}

bool http_head_lists(
    const struct http_head *head, const char *name, const char *token)
{
    for (size_t i = 0; i < head->field_count; i++) {
        if (http_name_is(head->fields[i].name, name) &&
            list_holds(head->fields[i].value, token))
            return true;
    }
    return false;
}

unsigned http_status_code(enum http_status status)
{
    assert(status < ARRAY_LEN(statuses));
    return statuses[status].code;
}

const char *http_status_text(enum http_status status)
{
    assert(status < ARRAY_LEN(statuses));
    return statuses[status].text;
}
