#include "base/duration.h"

#include "cmocka_all.h"

/* As Go's documentation and its own tests of Duration.String() have it. */
static void as_go_writes_them(void **state)
{
    static const struct {
        uint64_t ns;
        const char *want;
    } cases[] = {
        {0, "0s"},
        {1, "1ns"},
        {999, "999ns"},
        {1100, "1.1\xc2\xb5s"},
        {2200000, "2.2ms"},
        {412300000, "412.3ms"},
        {999999999, "999.999999ms"},
        {1000000000, "1s"},
        {3300000000, "3.3s"},
        {59999999999, "59.999999999s"},
        {60000000000, "1m0s"},
        {245000000000, "4m5s"},
        {245001000000, "4m5.001s"},
        {3600000000000, "1h0m0s"},
        {18367001000000, "5h6m7.001s"},
        {UINT64_MAX, "5124095h34m33.709551615s"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[64];
        struct text t = text_over(buf, sizeof(buf));

        duration_add(&t, cases[i].ns);
        assert_string_equal(buf, cases[i].want);
    }
}

RUN_TESTS("duration", cmocka_unit_test(as_go_writes_them));
