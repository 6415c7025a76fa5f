/* The walk over an object and the validity of the whole agree, and so do what
 * works by vectors and its scalar twins. */
#include "base/utf8.h"
#include "fuzz.h"
#include "wire/json.h"
#include "wire/json_run.h"

static void walk(struct span in, int valid)
{
    struct json_object o;
    struct json_member m;
    enum json_step step = JSON_MALFORMED;

    if (!json_object_begin(in, &o))
        return;
    while ((step = json_object_next(&o, &m)) == JSON_MEMBER) {
        FUZZ_CHECK(fuzz_is_inside(m.name, in) && fuzz_is_inside(m.value, in));
        FUZZ_CHECK(json_valid(m.value));
    }
    FUZZ_CHECK((step == JSON_END) == valid);
}

static void compare_twins(struct span in)
{
    bool wide = false;
    bool scalar_wide = false;

    FUZZ_CHECK(json_run(in, 0, &wide) == json_run_scalar(in, 0, &scalar_wide));
    FUZZ_CHECK(wide == scalar_wide);
    FUZZ_CHECK(utf8_valid(in) == utf8_valid_scalar(in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    uint8_t *escaped = NULL;
    size_t len = 0;

    compare_twins(in);
    walk(in, json_valid(in));
    if (!utf8_valid(in))
        return 0;
    len = json_escape(in, NULL, 0);
    FUZZ_CHECK(len <= size * 6);
    escaped = malloc(len + 2);
    FUZZ_CHECK(escaped != NULL);
    escaped[0] = '"';
    FUZZ_CHECK(json_escape(in, escaped + 1, len) == len);
    escaped[len + 1] = '"';
    FUZZ_CHECK(json_valid(span_of(escaped, len + 2)));
    FUZZ_CHECK(json_text_equals(span_of(escaped + 1, len), in));
    free(escaped);
    return 0;
}
