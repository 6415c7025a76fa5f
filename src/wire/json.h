/*
 * json: validity of RFC 8259 texts and a walk over the members of one object,
 * without a tree.
 *
 * Pure, linear time, no recursion; nesting deeper than JSON_DEPTH_MAX is
 * invalid.  Strings must be well-formed UTF-8.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

enum { JSON_DEPTH_MAX = 10000 };

/* Is in exactly one JSON value, with optional white space around it? */
bool json_valid(struct span in);

/*
 * The value that in begins with, after white space: *ret_value its bytes,
 * *ret_rest what stands behind it and the white space after it.  False: in
 * does not begin with one.
 */
MUST_CHECK NONNULL bool json_value(
    struct span in, struct span *ret_value, struct span *ret_rest);

/* A position in an object; set up by json_object_begin(). */
struct json_object {
    struct span rest;
    bool first;
};

struct json_member {
    struct span name;  /* between the quotes, still escaped */
    struct span value; /* the value's bytes without white space around them */
};

enum json_step {
    JSON_MEMBER,    /* *ret holds the next member */
    JSON_END,       /* the object ended and nothing but white space follows */
    JSON_MALFORMED, /* not JSON, or not an object */
};

/* False if in does not start (after white space) with '{'. */
MUST_CHECK NONNULL bool json_object_begin(
    struct span in, struct json_object *ret);
MUST_CHECK NONNULL enum json_step json_object_next(
    struct json_object *o, struct json_member *ret);

/* The first byte of a value tells its type: '"', '{', '[', 't', 'f', 'n', or
 * a digit or '-'. */
bool json_is_string(struct span value);
bool json_is_null(struct span value);

/*
 * Compare the text of a JSON string (between the quotes, still escaped, valid)
 * with plain bytes: exactly, or folding ASCII case.
 */
bool json_text_equals(struct span escaped, struct span plain);
bool json_text_equals_fold(struct span escaped, struct span plain);

/*
 * Write the plain text of such a string, valid UTF-8: half a surrogate pair
 * becomes U+FFFD.  Returns the bytes needed, as json_escape() does.
 */
size_t json_unescape(struct span escaped, uint8_t *ret, size_t cap);

/*
 * Write plain (valid UTF-8) as the text of a JSON string, without the quotes,
 * to ret of cap bytes.  Returns the bytes needed; nothing is written past cap,
 * and the output is complete only if the result is at most cap.
 */
size_t json_escape(struct span plain, uint8_t *ret, size_t cap);
