/* cmocka and what it wants before it, and a shorter way to write spans. */
#pragma once

#include <setjmp.h> /* IWYU pragma: export */
#include <stdarg.h> /* IWYU pragma: export */
#include <stddef.h> /* IWYU pragma: export */
#include <stdint.h> /* IWYU pragma: export */

#include <cmocka.h> /* IWYU pragma: export */

#include "base/span.h"

/* A string literal, NULs inside included. */
#define LIT(s) span_of("" s, sizeof(s) - 1)

#define assert_span(got, want)                                                 \
    do {                                                                       \
        struct span got_span = (got);                                          \
        struct span want_span = (want);                                        \
        assert_int_equal(got_span.len, want_span.len);                         \
        if (want_span.len > 0)                                                 \
            assert_memory_equal(got_span.ptr, want_span.ptr, want_span.len);   \
    } while (0)

/* A test program: its group and its tests. */
#define RUN_TESTS(group, ...)                                                  \
    int main(void)                                                             \
    {                                                                          \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                       \
        return cmocka_run_group_tests_name(group, tests, NULL, NULL);          \
    }                                                                          \
    _Static_assert(1, "a semicolon follows")
