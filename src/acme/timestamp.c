#include "acme/timestamp.h"

#include <time.h>

#include "base/num.h"

/* The digits at a fixed place of the text. */
static bool digits(struct span text, size_t at, size_t len, int max, int *ret)
{
    uint64_t value = 0;

    if (text.len < at + len ||
        !num_parse_u64(span_of(text.ptr + at, len), (uint64_t)max, &value))
        return false;
    *ret = (int)value;
    return true;
}

static bool is_at(struct span text, size_t at, char c)
{
    return text.len > at && text.ptr[at] == (uint8_t)c;
}

/* "Z" or an offset, after an optional fraction; seconds east of Greenwich. */
static bool parse_zone(struct span zone, int *ret)
{
    int hours = 0;
    int minutes = 0;

    if (is_at(zone, 0, '.')) {
        size_t at = 1;

        while (at < zone.len && zone.ptr[at] >= '0' && zone.ptr[at] <= '9')
            at++;
        if (at == 1)
            return false;
        zone = span_from(zone, at);
    }
    if (zone.len == 1 && (zone.ptr[0] == 'Z' || zone.ptr[0] == 'z')) {
        *ret = 0;
        return true;
    }
    if (zone.len != 6 || !is_at(zone, 3, ':') ||
        !digits(zone, 1, 2, 23, &hours) || !digits(zone, 4, 2, 59, &minutes))
        return false;
    if (zone.ptr[0] != '+' && zone.ptr[0] != '-')
        return false;
    *ret = (hours * 60 + minutes) * (zone.ptr[0] == '+' ? 60 : -60);
    return true;
}

static bool parse_date(struct span text, struct tm *tm)
{
    int year = 0;
    int month = 0;

    if (!digits(text, 0, 4, 9999, &year) || !is_at(text, 4, '-') ||
        !digits(text, 5, 2, 12, &month) || !is_at(text, 7, '-') ||
        !digits(text, 8, 2, 31, &tm->tm_mday))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    return month > 0 && tm->tm_mday > 0;
}

bool timestamp_parse(struct span text, int64_t *ret)
{
    struct tm tm = {.tm_sec = 0};
    int zone = 0;
    struct tm date = tm;

    if (!parse_date(text, &tm) ||
        (!is_at(text, 10, 'T') && !is_at(text, 10, 't')) ||
        !digits(text, 11, 2, 23, &tm.tm_hour) || !is_at(text, 13, ':') ||
        !digits(text, 14, 2, 59, &tm.tm_min) || !is_at(text, 16, ':') ||
        !digits(text, 17, 2, 60, &tm.tm_sec) ||
        !parse_zone(span_from(text, 19), &zone))
        return false;
    /* a day that the month lacks becomes one of the next */
    date.tm_year = tm.tm_year;
    date.tm_mon = tm.tm_mon;
    date.tm_mday = tm.tm_mday;
    (void)timegm(&date);
    if (date.tm_mon != tm.tm_mon)
        return false;
    *ret = timegm(&tm) - zone;
    return true;
}
