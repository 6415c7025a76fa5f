#include "posture/civil_date.h"

#include <inttypes.h>

#include "base/num.h"
#include "base/text.h"

static bool is_leap(uint64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static uint64_t days_of_month(uint64_t year, uint64_t month)
{
    static const uint8_t days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Leap days of the years before that one. */
static uint64_t leap_days(uint64_t year)
{
    uint64_t before = year - 1;

    return before / 4 - before / 100 + before / 400;
}

bool civil_date_parse(struct span in, uint32_t *ret_days)
{
    uint64_t year = 0;
    uint64_t month = 0;
    uint64_t day = 0;
    uint64_t days = 0;

    if (in.len != 10 || in.ptr[4] != '-' || in.ptr[7] != '-' ||
        !num_parse_u64(span_of(in.ptr, 4), 9999, &year) ||
        !num_parse_u64(span_of(in.ptr + 5, 2), 12, &month) ||
        !num_parse_u64(span_of(in.ptr + 8, 2), 31, &day) || year < 1970 ||
        month == 0 || day == 0 || day > days_of_month(year, month))
        return false;
    days = (year - 1970) * 365 + leap_days(year) - leap_days(1970);
    for (uint64_t m = 1; m < month; m++)
        days += days_of_month(year, m);
    *ret_days = (uint32_t)(days + day - 1);
    return true;
}

void civil_date_format(uint32_t days, char ret[CIVIL_DATE_TEXT])
{
    uint64_t year = 1970;
    uint64_t month = 1;
    uint64_t left = days;

    for (; left >= (is_leap(year) ? 366U : 365U); year++)
        left -= is_leap(year) ? 366 : 365;
    for (; left >= days_of_month(year, month); month++)
        left -= days_of_month(year, month);
    (void)text_format(ret, CIVIL_DATE_TEXT,
        "%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64, year, month, left + 1);
}
