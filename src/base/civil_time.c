#include "base/civil_time.h"

enum {
    DAY_S = 86400,
    /* of 400 years, after which the calendar repeats; of 100 without their
     * 400th; of 4 with a leap day */
    ERA_DAYS = 146097,
    CENTURY_DAYS = 36524,
    OLYMPIAD_DAYS = 1461,
    YEAR_DAYS = 365,
    /* from 1 March of year 0 to 1970 */
    EPOCH_DAYS = 719468,
};

static const int64_t last_s = 253402300799; /* 9999-12-31T23:59:59Z */

/* The date; years begin in March here, so that a leap day ends one. */
static void set_date(struct civil_time *t, int64_t days)
{
    int64_t era = days / ERA_DAYS;
    int64_t of_era = days % ERA_DAYS;
    int64_t year = (of_era - of_era / (OLYMPIAD_DAYS - 1) +
                       of_era / CENTURY_DAYS - of_era / (ERA_DAYS - 1)) /
                   YEAR_DAYS;
    int64_t of_year = of_era - (YEAR_DAYS * year + year / 4 - year / 100);
    /* 31 30 31 30 31 from March and from August: 153 days in five months */
    int64_t month = (5 * of_year + 2) / 153;

    t->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    t->month = (int)(month < 10 ? month + 3 : month - 9);
    t->year = (int)(era * 400 + year + (t->month <= 2));
}

struct civil_time civil_time_of(int64_t unix_s)
{
    struct civil_time t;
    int64_t s = unix_s < 0 ? 0 : unix_s > last_s ? last_s : unix_s;
    int of_day = (int)(s % DAY_S);

    set_date(&t, s / DAY_S + EPOCH_DAYS);
    t.hour = of_day / 3600;
    t.minute = of_day / 60 % 60;
    t.second = of_day % 60;
    return t;
}
