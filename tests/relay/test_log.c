#include "relay/log.h"

#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

static void a_line_as_documented(void **state)
{
    static char line[LOG_LINE_MAX];
    size_t len = log_render(line, LOG_WARN, "two words",
        (struct log_field[]){
            LOG_TEXT(LOG_SERVER_ID, "s"), LOG_INT(LOG_CLOSE_CODE, 1001)},
        2);
    int year = 0;
    int end = 0;

    (void)state;
    assert_int_equal(line[len - 1], '\n');
    assert_int_equal(
        sscanf(line, "time=%d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3d%n", &year, &end),
        1);
    assert_true(year > 2000 && end == 28);
    assert_non_null(strstr(
        line, " level=WARN msg=\"two words\" server_id=s close_code=1001\n"));
}

static void a_long_line_is_cut_and_says_so(void **state)
{
    static char line[LOG_LINE_MAX];
    static char value[2 * LOG_LINE_MAX];
    size_t len = 0;

    (void)state;
    memset(value, '"', sizeof(value));
    len = log_render(line, LOG_INFO, "x",
        (struct log_field[]){LOG_FIELD(LOG_ERR, span_of(value, sizeof(value)))},
        1);
    assert_true(len <= LOG_LINE_MAX);
    assert_non_null(memmem(line, len, " cut=1\n", 7));
}

RUN_TESTS("log", cmocka_unit_test(a_line_as_documented),
    cmocka_unit_test(a_long_line_is_cut_and_says_so));
