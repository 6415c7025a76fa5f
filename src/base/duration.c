#include "base/duration.h"

#include <inttypes.h>

#include "base/decimal.h"

#define SECOND UINT64_C(1000000000) /* in nanoseconds */

/* Less than a second: the largest unit of which there is one. */
static void add_fraction(struct text *t, uint64_t ns)
{
    static const struct {
        uint64_t unit;
        unsigned places;
        const char *name;
    } units[] = {{1000000, 6, "ms"}, {1000, 3, "\xc2\xb5s"}, {1, 0, "ns"}};

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (ns >= units[i].unit) {
            decimal_add(t, ns, units[i].places);
            text_add_str(t, units[i].name);
            return;
        }
    }
    text_add_str(t, "0s");
}

void duration_add(struct text *t, uint64_t ns)
{
    uint64_t minutes = ns / SECOND / 60;

    if (ns < SECOND) {
        add_fraction(t, ns);
        return;
    }
    if (minutes >= 60)
        text_addf(t, "%" PRIu64 "h", minutes / 60);
    if (minutes > 0)
        text_addf(t, "%" PRIu64 "m", minutes % 60);
    decimal_add(t, ns - minutes * 60 * SECOND, 9);
    text_add_char(t, 's');
}
