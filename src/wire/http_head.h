/*
 * http_head: the head of an HTTP/1 request, RFC 9112 sections 2 to 5.
 *
 * Strict: CRLF line ends only, no folded lines, no white space before a
 * colon, no control characters in values, one well-formed Host.  Pure: spans
 * point into the input.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum { HTTP_FIELDS_MAX = 100 };

/* name, status code to answer, text */
#define HTTP_STATUS_LIST(X)                                                    \
    X(HTTP_OK, 0, "complete head")                                             \
    X(HTTP_MORE, 0, "need more bytes")                                         \
    X(HTTP_BAD_LINE, 400, "malformed request line")                            \
    X(HTTP_BAD_FIELD, 400, "malformed header field")                           \
    X(HTTP_FOLDED, 400, "folded header field")                                 \
    X(HTTP_DUPLICATE, 400, "header field that may occur once occurs twice")    \
    X(HTTP_NO_HOST, 400, "HTTP/1.1 request without Host")                      \
    X(HTTP_BAD_HOST, 400, "malformed Host")                                    \
    X(HTTP_BODY, 400, "request with a body")                                   \
    X(HTTP_TOO_LARGE, 431, "request head too large")                           \
    X(HTTP_TOO_MANY, 431, "too many header fields")                            \
    X(HTTP_BAD_VERSION, 505, "HTTP version not supported")

enum http_status {
#define X(name, code, text) name,
    HTTP_STATUS_LIST(X)
#undef X
};

struct http_field {
    struct span name;
    struct span value; /* without white space around it; may be empty */
};

struct http_head {
    struct span method; /* a token, upper and lower case as sent */
    struct span path;   /* target without scheme, authority and query; "/" if
                           that leaves nothing */
    size_t head_len;    /* bytes consumed, the empty line included */
    size_t field_count;
    unsigned minor; /* HTTP/1.minor: 0 or 1 */
    struct http_field fields[HTTP_FIELDS_MAX];
};

/*
 * Parse the head at the start of in.  HTTP_MORE while it is incomplete and
 * nothing is wrong with it yet; HTTP_TOO_LARGE as soon as it exceeds head_max
 * bytes.  Checked: Host exactly once in HTTP/1.1, and only characters that a
 * host and a port may have; Host, Content-Length, Transfer-Encoding,
 * Sec-WebSocket-Key, Sec-WebSocket-Version and every X-Pyrycode- field at most
 * once; no body announced (Content-Length other than 0, any
 * Transfer-Encoding).  *ret is complete on HTTP_OK only, but may be written to
 * at any time.
 */
MUST_CHECK NONNULL enum http_status http_head_parse(
    struct span in, size_t head_max, struct http_head *ret);

/* The value of the first field of that name, ASCII case folded; len 0 and a
 * NULL ptr if there is none. */
NONNULL struct span http_head_get(
    const struct http_head *head, const char *name);

/* Does a comma-separated list field (RFC 9110 section 5.6.1) hold the token,
 * case folded, in any of its lines? */
NONNULL bool http_head_lists(
    const struct http_head *head, const char *name, const char *token);

/* Without the blanks around it, RFC 9110 section 5.6.3. */
struct span http_trimmed(struct span in);

/* ASCII case-insensitive comparison. */
NONNULL bool http_name_is(struct span name, const char *want);

unsigned http_status_code(enum http_status status);
const char *http_status_text(enum http_status status);
