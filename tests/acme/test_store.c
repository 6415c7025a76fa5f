#include "acme/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "made.h"
#include "outward/crypto.h"

#define T0     1800000000LL
#define DOMAIN "relay.example.com"

static const struct made usual = {
    .domain = DOMAIN, .from_s = T0, .to_s = T0 + 7776000};
static const struct store_query query = {.domain = DOMAIN, .now_s = T0 + 5};

static char path[64];
static int dir = -1;

static int set_up(void **state)
{
    (void)state;
    memcpy(path, "/tmp/test_store.XXXXXX", 23);
    if (mkdtemp(path) == NULL)
        return -1;
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    DIR *listing = opendir(path);
    struct dirent *entry = NULL;

    (void)state;
    while (listing != NULL && (entry = readdir(listing)) != NULL) {
        if (unlinkat(dir, entry->d_name, 0) != 0)
            (void)unlinkat(dir, entry->d_name, AT_REMOVEDIR);
    }
    if (listing != NULL)
        (void)closedir(listing);
    (void)close(dir);
    return rmdir(path);
}

static void one_writes_at_a_time(void **state)
{
    int other = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int same = dup(dir);

    (void)state;
    assert_int_equal(store_lock(dir), 0);
    assert_int_equal(store_lock(same), 0); /* a child's */
    assert_int_equal(store_lock(other), -EAGAIN);
    (void)close(same);
    assert_int_equal(flock(dir, LOCK_UN), 0);
    assert_int_equal(store_lock(other), 0);
    (void)close(other);
    assert_int_equal(store_lock(-1), -EBADF);
}

static void put(const char *name, struct span text, mode_t mode)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.ptr, text.len), text.len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

/* Does the file hold exactly that, readable by us alone? */
static void assert_file(const char *name, struct span want)
{
    static char buf[STORE_FILE_MAX];
    struct stat st;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, buf, sizeof(buf));

    assert_true(len >= 0);
    assert_span(span_of(buf, (size_t)len), want);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(close(fd), 0);
}

static unsigned count_files(void)
{
    DIR *listing = opendir(path);
    unsigned count = 0;

    assert_non_null(listing);
    while (readdir(listing) != NULL)
        count++;
    (void)closedir(listing);
    return count - 2;
}

static enum store_status load(const struct store_query *q, struct pem *ret)
{
    struct certificate c;
    struct failure failure;

    return store_load(dir, q, ret, &c, &failure);
}

static void domains(void **state)
{
    static char longest[300];
    const struct {
        const char *text;
        bool want;
    } cases[] = {
        {"a.b", true},
        {"relay-1.example.com", true},
        {"xn--bcher-kva.example", true},
        {"localhost", false},
        {"A.b", false},
        {"a..b", false},
        {".a.b", false},
        {"a.b.", false},
        {"a.b/c", false},
        {"../a.b", false},
        {"a.b+rsa", false},
        {"a_b.c", false},
        {"a.b\n", false},
        {"\xc3\xa9.b", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(store_is_domain(cases[i].text), cases[i].want);
    memset(longest, 'a', 254);
    longest[1] = '.';
    assert_false(store_is_domain(longest));
    longest[253] = '\0';
    assert_true(store_is_domain(longest));
}

static void there_and_back(void **state)
{
    OWNED_PEM made = made_certificate(&usual);
    OWNED_PEM got = {.text = NULL};
    struct certificate c;
    struct failure failure;
    mode_t old = umask(0377);

    (void)state;
    assert_int_equal(load(&query, &got), STORE_ABSENT);
    assert_true(store_save(dir, &query, pem_span(&made), &failure));
    (void)umask(old);
    assert_file(DOMAIN, pem_span(&made));
    assert_int_equal(count_files(), 1);
    assert_int_equal(store_load(dir, &query, &got, &c, &failure), STORE_OK);
    assert_span(pem_span(&got), pem_span(&made));
    assert_ptr_equal(c.key.ptr, got.text);
}

/* The RSA variant has a name of its own. */
static void rsa(void **state)
{
    struct made what = usual;
    struct store_query q = query;
    OWNED_PEM got = {.text = NULL};

    (void)state;
    what.type = "RSA";
    q.kind = STORE_RSA;

    OWNED_PEM made = made_certificate(&what);

    put(DOMAIN "+rsa", pem_span(&made), 0600);
    assert_int_equal(load(&query, &got), STORE_ABSENT);
    assert_int_equal(load(&q, &got), STORE_OK);
    assert_span(pem_span(&got), pem_span(&made));
}

static void expired(void **state)
{
    struct store_query q = query;
    OWNED_PEM made = made_certificate(&usual);
    OWNED_PEM got = {.text = NULL};
    OWNED_PEM early = {.text = NULL};

    (void)state;
    put(DOMAIN, pem_span(&made), 0600);
    q.now_s = T0 + 7776001;
    assert_int_equal(load(&q, &got), STORE_EXPIRED);
    q.now_s = T0 - 1;
    assert_int_equal(load(&q, &early), STORE_EXPIRED);
}

/* Reported with its name, and left as it is. */
static void assert_unusable(struct span content, const char *why)
{
    OWNED_PEM got = {.text = NULL};
    struct certificate c;
    struct failure failure;

    assert_int_equal(
        store_load(dir, &query, &got, &c, &failure), STORE_UNUSABLE);
    assert_null(got.text);
    assert_int_equal(failure.kind, AGENT_STORE);
    assert_non_null(strstr(failure.text, DOMAIN ": "));
    if (strstr(failure.text, why) == NULL)
        fail_msg("%s does not say %s", failure.text, why);
    if (content.len > 0)
        assert_file(DOMAIN, content);
}

static void torn(void **state)
{
    OWNED_PEM made = made_certificate(&usual);
    struct made other = usual;

    (void)state;
    put(DOMAIN, span_of(made.text, made.len - 40), 0600);
    assert_unusable(span_of(made.text, made.len - 40), "cut");
    put(DOMAIN, LIT("not PEM"), 0600);
    assert_unusable(LIT("not PEM"), "something else");
    put(DOMAIN, LIT(""), 0600);
    assert_unusable(LIT(""), "does not start with a private key");
    other.domain = "other.example.com";

    OWNED_PEM foreign = made_certificate(&other);

    put(DOMAIN, pem_span(&foreign), 0600);
    assert_unusable(pem_span(&foreign), "not for the domain");
}

static void foreign_files(void **state)
{
    OWNED_PEM made = made_certificate(&usual);
    static char large[STORE_FILE_MAX + 1];

    (void)state;
    put(DOMAIN, pem_span(&made), 0640);
    assert_unusable(LIT(""), "0600");
    assert_int_equal(fchmodat(dir, DOMAIN, 0602, 0), 0);
    assert_unusable(LIT(""), "0600");
    memset(large, '\n', sizeof(large));
    put(DOMAIN, span_of(large, sizeof(large)), 0600);
    assert_unusable(LIT(""), "limit");
    assert_int_equal(unlinkat(dir, DOMAIN, 0), 0);
    assert_int_equal(symlinkat("elsewhere", dir, DOMAIN), 0);
    assert_unusable(LIT(""), "opened");
    assert_int_equal(unlinkat(dir, DOMAIN, 0), 0);
    assert_int_equal(mkfifoat(dir, DOMAIN, 0600), 0);
    assert_unusable(LIT(""), "regular");
    assert_int_equal(unlinkat(dir, DOMAIN, 0), 0);
    assert_int_equal(mkdirat(dir, DOMAIN, 0700), 0);
    assert_unusable(LIT(""), "regular");
    if (geteuid() != 0)
        return;
    assert_int_equal(unlinkat(dir, DOMAIN, AT_REMOVEDIR), 0);
    put(DOMAIN, pem_span(&made), 0600);
    assert_int_equal(fchownat(dir, DOMAIN, 65534, 65534, 0), 0);
    assert_unusable(LIT(""), "another user");
}

/* What was good is replaced; what was not is kept aside. */
static void replaced_and_kept(void **state)
{
    OWNED_PEM first = made_certificate(&usual);
    OWNED_PEM second = made_certificate(&usual);
    struct failure failure;

    (void)state;
    put(DOMAIN, pem_span(&first), 0600);
    assert_true(store_save(dir, &query, pem_span(&second), &failure));
    assert_file(DOMAIN, pem_span(&second));
    assert_int_equal(count_files(), 1);
    put(DOMAIN, LIT("a key that somebody needs"), 0600);
    assert_true(store_save(dir, &query, pem_span(&second), &failure));
    assert_file(DOMAIN, pem_span(&second));
    assert_file(DOMAIN ".kept-1", LIT("a key that somebody needs"));
    put(DOMAIN, LIT("and another"), 0600);
    assert_true(store_save(dir, &query, pem_span(&first), &failure));
    assert_file(DOMAIN ".kept-1", LIT("a key that somebody needs"));
    assert_file(DOMAIN ".kept-2", LIT("and another"));
    assert_file(DOMAIN, pem_span(&first));
    assert_int_equal(count_files(), 3);
}

static void a_directory_in_the_way(void **state)
{
    OWNED_PEM made = made_certificate(&usual);
    struct failure failure;

    (void)state;
    assert_int_equal(mkdirat(dir, DOMAIN, 0700), 0);
    assert_false(store_save(dir, &query, pem_span(&made), &failure));
    assert_int_equal(failure.kind, AGENT_STORE);
    assert_int_equal(count_files(), 1);
}

/* What a crash left of an earlier write is in nobody's way. */
static void after_a_crash(void **state)
{
    OWNED_PEM made = made_certificate(&usual);
    struct failure failure;

    (void)state;
    put("." DOMAIN ".new", LIT("half"), 0600);
    assert_true(store_save(dir, &query, pem_span(&made), &failure));
    assert_file(DOMAIN, pem_span(&made));
    assert_int_equal(count_files(), 1);
}

static void directory_gone(void **state)
{
    OWNED_PEM made = made_certificate(&usual);
    OWNED_PEM got = {.text = NULL};
    struct failure failure;

    (void)state;
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(load(&query, &got), STORE_ABSENT);
    assert_false(store_save(dir, &query, pem_span(&made), &failure));
    assert_non_null(strstr(failure.text, DOMAIN ": cannot be written: "));
    assert_null(store_account(dir, &failure));
    assert_int_equal(mkdir(path, 0700), 0);
}

static void account(void **state)
{
    struct failure failure;
    struct stat before;
    struct stat after;

    (void)state;

    OWNED(EVP_PKEY) *made = store_account(dir, &failure);

    assert_non_null(made);
    assert_int_equal(count_files(), 1);
    assert_int_equal(fstatat(dir, "acme_account+key", &before, 0), 0);
    assert_int_equal(before.st_mode & 07777, 0600);

    OWNED(EVP_PKEY) *again = store_account(dir, &failure);

    assert_int_equal(EVP_PKEY_eq(made, again), 1);
    assert_int_equal(fstatat(dir, "acme_account+key", &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

/* The name that older relays used is read, the new one first. */
static void account_of_the_older_name(void **state)
{
    OWNED(EVP_PKEY) *old = made_key("P-256");
    OWNED(EVP_PKEY) *new = made_key("P-256");
    OWNED_PEM old_pem = {.text = NULL};
    OWNED_PEM new_pem = {.text = NULL};
    struct failure failure;

    (void)state;
    assert_true(pem_write_key(old, &old_pem));
    assert_true(pem_write_key(new, &new_pem));
    put("acme_account.key", pem_span(&old_pem), 0600);

    OWNED(EVP_PKEY) *got = store_account(dir, &failure);

    assert_int_equal(EVP_PKEY_eq(got, old), 1);
    assert_int_equal(count_files(), 1);
    put("acme_account+key", pem_span(&new_pem), 0600);

    OWNED(EVP_PKEY) *got_new = store_account(dir, &failure);

    assert_int_equal(EVP_PKEY_eq(got_new, new), 1);
}

/* An account key is never replaced. */
static void account_unusable(void **state)
{
    OWNED(EVP_PKEY) *rsa_key = made_key("RSA");
    OWNED(EVP_PKEY) *p384 = made_key("P-384");
    OWNED_PEM rsa_pem = {.text = NULL};
    OWNED_PEM p384_pem = {.text = NULL};
    struct failure failure;

    (void)state;
    assert_true(pem_write_key(rsa_key, &rsa_pem));
    assert_true(pem_write_key(p384, &p384_pem));

    const struct span contents[] = {
        LIT(""), LIT("torn"), pem_span(&rsa_pem), pem_span(&p384_pem)};

    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        put("acme_account+key", contents[i], 0600);
        assert_null(store_account(dir, &failure));
        assert_int_equal(failure.kind, AGENT_STORE);
        assert_non_null(strstr(failure.text, "move it away"));
        assert_file("acme_account+key", contents[i]);
    }
    assert_int_equal(fchmodat(dir, "acme_account+key", 0644, 0), 0);
    assert_null(store_account(dir, &failure));
    assert_int_equal(count_files(), 1);
}

#define WITH_DIRECTORY(test)                                                   \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

RUN_TESTS("store", cmocka_unit_test(domains), WITH_DIRECTORY(there_and_back),
    WITH_DIRECTORY(one_writes_at_a_time), WITH_DIRECTORY(rsa),
    WITH_DIRECTORY(expired), WITH_DIRECTORY(torn),
    WITH_DIRECTORY(foreign_files), WITH_DIRECTORY(replaced_and_kept),
    WITH_DIRECTORY(a_directory_in_the_way), WITH_DIRECTORY(after_a_crash),
    WITH_DIRECTORY(directory_gone), WITH_DIRECTORY(account),
    WITH_DIRECTORY(account_of_the_older_name),
    WITH_DIRECTORY(account_unusable));
