#include "base/decimal.h"

#include <assert.h>
#include <inttypes.h>

void decimal_add(struct text *t, uint64_t value, unsigned places)
{
    uint64_t unit = 1;
    uint64_t rest = 0;

    assert(places <= DECIMAL_PLACES_MAX);
    for (unsigned i = 0; i < places; i++)
        unit *= 10;
    text_addf(t, "%" PRIu64, value / unit);
    rest = value % unit;
    if (rest == 0)
        return;
    while (rest % 10 == 0) {
        rest /= 10;
        places--;
    }
    text_addf(t, ".%0*" PRIu64, (int)places, rest);
}
