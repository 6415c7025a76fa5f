#include "base/private_file.h"

#include "base/attr.h"
#include "cmocka_all.h"

enum { US = 1000, OTHER = 1001 };

static void whose_it_is_and_who_else_may_what(void **state)
{
    static const struct {
        struct private_file file;
        bool fine;
    } rows[] = {
        {{US, 0600, false}, true},
        {{US, 0400, false}, true},
        {{US, 0640, true}, false},
        {{US, 0604, false}, false},
        {{US, 0700, false}, false},
        {{US, 0620, true}, false},
        {{0, 0600, false}, true},
        {{0, 0640, true}, true},
        {{0, 0440, true}, true},
        {{0, 0440, false}, false},
        {{0, 0660, true}, false},
        {{0, 0644, true}, false},
        {{0, 0750, true}, false},
        {{OTHER, 0600, false}, false},
        {{OTHER, 0440, true}, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (private_file_is_fine(rows[i].file, US) != rows[i].fine)
            fail_msg("row %zu", i);
    }
}

/* Root's own are its own. */
static void of_root(void **state)
{
    (void)state;
    assert_true(private_file_is_fine((struct private_file){.mode = 0600}, 0));
    assert_false(private_file_is_fine(
        (struct private_file){.mode = 0640, .is_our_group = true}, 0));
}

RUN_TESTS("private_file", cmocka_unit_test(whose_it_is_and_who_else_may_what),
    cmocka_unit_test(of_root));
