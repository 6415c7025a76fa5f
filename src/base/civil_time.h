/*
 * civil_time: seconds since 1970 as a date and a time of day, Gregorian, for
 * where localtime_r(3) cannot be called: it takes a lock and reads files.
 */
#pragma once

#include <stdint.h>

struct civil_time {
    int year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
    int hour;
    int minute;
    int second;
};

/* The time in UTC, without leap seconds, time(2); before 1970 its start, after
 * the year 9999 its end.  Pure, async-signal-safe. */
struct civil_time civil_time_of(int64_t unix_s);
