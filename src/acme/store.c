#include "acme/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/text.h"
#include "outward/crypto.h"
#include "wire/pem_block.h"

static const char account_name[] = "acme_account+key";
static const char account_old_name[] = "acme_account.key";

enum {
    NAME_BUF = 320, /* the longest domain, suffixes, NUL */
    KEPT_MAX = 100, /* files kept from being overwritten, for one domain */
};

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool store_is_domain(const char *domain)
{
    size_t len = strlen(domain);
    size_t labels = 1;

    if (len == 0 || len > AGENT_NAME_MAX || domain[len - 1] == '.')
        return false;
    for (size_t i = 0; i < len; i++) {
        bool is_dot = domain[i] == '.';

        if (!is_dot && !is_label_char(domain[i]))
            return false;
        if (is_dot && (i == 0 || domain[i - 1] == '.'))
            return false;
        labels += is_dot;
    }
    return labels >= 2;
}

static void name_of(const struct store_query *query, char ret[NAME_BUF])
{
    bool fits = text_format(ret, NAME_BUF, "%s%s", query->domain,
        query->kind == STORE_RSA ? "+rsa" : "");

    assert(fits);
    assert(store_is_domain(query->domain));
}

static const char *error_text(int error, char buf[128])
{
    const char *text = strerror_r(error, buf, 128);

    return text == NULL ? "?" : text;
}

static void fail_with_errno(
    struct failure *failure, const char *name, const char *act, int error)
{
    char buf[128];

    failure_set(
        failure, AGENT_STORE, "%s: %s: %s", name, act, error_text(error, buf));
}

int store_lock(int dir)
{
    if (flock(dir, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

/* Why a file is not one that we would trust, or NULL. */
static const char *foreign(const struct stat *st)
{
    if (!S_ISREG(st->st_mode))
        return "not a regular file";
    if (st->st_uid != geteuid())
        return "owned by another user";
    if ((st->st_mode & 077) != 0)
        return "open to others; it should have mode 0600";
    return st->st_size > STORE_FILE_MAX ? "larger than the limit" : NULL;
}

/* All of the file into ret, which has STORE_FILE_MAX + 1 bytes.  -errno. */
static ssize_t read_whole(int fd, char *ret)
{
    size_t len = 0;

    while (len <= STORE_FILE_MAX) {
        ssize_t n = read(fd, ret + len, STORE_FILE_MAX + 1 - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return (ssize_t)len;
        len += (size_t)n;
    }
    return -EFBIG;
}

static bool read_into(int fd, struct pem *ret, int *ret_error)
{
    struct pem pem = {.len = STORE_FILE_MAX};
    ssize_t len = 0;

    pem.text = malloc(STORE_FILE_MAX + 1);
    if (pem.text == NULL) {
        *ret_error = ENOMEM;
        return false;
    }
    len = read_whole(fd, pem.text);
    if (len < 0) {
        pem_done(&pem);
        *ret_error = (int)-len;
        return false;
    }
    pem.text[len] = '\0';
    pem.len = (size_t)len;
    *ret = pem;
    return true;
}

/* Read one file of ours. */
static enum store_status read_file(
    int dir, const char *name, struct pem *ret, struct failure *ret_failure)
{
    /* a FIFO must not block us, a link must not lead us elsewhere */
    CLOSES int fd =
        openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    const char *why = NULL;
    int error = 0;

    if (fd < 0 && errno == ENOENT)
        return STORE_ABSENT;
    if (fd < 0 || fstat(fd, &st) != 0) {
        fail_with_errno(ret_failure, name, "cannot be opened", errno);
        return STORE_UNUSABLE;
    }
    why = foreign(&st);
    if (why != NULL) {
        failure_set(ret_failure, AGENT_STORE, "%s: %s", name, why);
        return STORE_UNUSABLE;
    }
    if (!read_into(fd, ret, &error)) {
        fail_with_errno(ret_failure, name, "cannot be read", error);
        return STORE_UNUSABLE;
    }
    return STORE_OK;
}

enum store_status store_load(int dir, const struct store_query *query,
    struct pem *ret_pem, struct certificate *ret, struct failure *ret_failure)
{
    char name[NAME_BUF];
    OWNED_PEM pem = {.text = NULL};
    enum store_status status = STORE_OK;
    enum certificate_status verdict = CERTIFICATE_OK;

    name_of(query, name);
    status = read_file(dir, name, &pem, ret_failure);
    if (status != STORE_OK)
        return status;
    verdict =
        certificate_judge(pem_span(&pem), query->domain, query->now_s, ret);
    if (verdict != CERTIFICATE_OK && verdict != CERTIFICATE_EARLY &&
        verdict != CERTIFICATE_EXPIRED) {
        failure_set(ret_failure, AGENT_STORE, "%s: %s", name,
            certificate_status_text(verdict));
        return STORE_UNUSABLE;
    }
    *ret_pem = pem_take(&pem);
    return verdict == CERTIFICATE_OK ? STORE_OK : STORE_EXPIRED;
}

static int write_whole(int fd, struct span text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text = span_from(text, (size_t)n);
    }
    return 0;
}

/* A file of that name with that text, safe on the disk.  0 or -errno. */
static int write_new(int dir, const char *name, struct span text)
{
    CLOSES int fd = openat(
        dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int status = 0;

    if (fd < 0)
        return -errno;
    /* the umask may have taken our own bits away */
    if (fchmod(fd, 0600) != 0)
        return -errno;
    status = write_whole(fd, text);
    if (status == 0 && fsync(fd) != 0)
        status = -errno;
    if (close(take_fd(&fd)) != 0 && status == 0)
        status = -errno;
    return status;
}

/* Write under the temporary name, then rename.  0 or -errno. */
static int write_and_rename(
    int dir, const char *temporary, const char *name, struct span text)
{
    int status = write_new(dir, temporary, text);

    if (status == 0 && renameat(dir, temporary, dir, name) != 0)
        status = -errno;
    if (status == 0 && fsync(dir) != 0)
        status = -errno;
    return status;
}

static void remove_temporary(int dir, const char *temporary)
{
    IGNORE(unlinkat(dir, temporary, 0) < 0, "there is none");
}

/*
 * Replace the file by one with that text.  The temporary name is ours alone
 * (store_lock()), so one that a crash left is ours to remove.
 */
static bool replace_file(
    int dir, const char *name, struct span text, struct failure *ret_failure)
{
    char temporary[NAME_BUF + 8];
    int status = 0;
    bool fits = text_format(temporary, sizeof(temporary), ".%s.new", name);

    assert(fits);
    remove_temporary(dir, temporary);
    status = write_and_rename(dir, temporary, name, text);
    if (status == 0)
        return true;
    remove_temporary(dir, temporary);
    fail_with_errno(ret_failure, name, "cannot be written", -status);
    return false;
}

/* Give the file a second name, under which it stays.  0 or -errno. */
static int keep_aside(int dir, const char *name)
{
    char kept[NAME_BUF + 16];

    for (unsigned i = 1; i <= KEPT_MAX; i++) {
        bool fits = text_format(kept, sizeof(kept), "%s.kept-%u", name, i);

        assert(fits);
        if (linkat(dir, name, dir, kept, 0) == 0)
            return 0;
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

bool store_save(int dir, const struct store_query *query, struct span text,
    struct failure *ret_failure)
{
    char name[NAME_BUF];
    OWNED_PEM old = {.text = NULL};
    struct certificate certificate;
    enum store_status status =
        store_load(dir, query, &old, &certificate, ret_failure);
    int error = 0;

    name_of(query, name);
    if (status == STORE_UNUSABLE)
        error = keep_aside(dir, name);
    if (error != 0 && error != -ENOENT) {
        fail_with_errno(ret_failure, name,
            "is not a certificate of ours and cannot be kept aside", -error);
        return false;
    }
    return replace_file(dir, name, text, ret_failure);
}

/* A file that is one EC key on P-256, as the CA's protocol needs it. */
static EVP_PKEY *parse_account(
    const char *name, const struct pem *pem, struct failure *ret_failure)
{
    struct span rest = pem_span(pem);
    struct pem_block block = {.label = rest};
    EVP_PKEY *key = NULL;
    char group[32] = "";
    size_t len = 0;

    if (pem_block_next(&rest, &block) == PEM_BLOCK && pem_block_is_key(&block))
        key = pem_read_key(block.text);
    if (key != NULL &&
        EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
        strcmp(group, "prime256v1") == 0)
        return key;
    failure_set(ret_failure, AGENT_STORE,
        "%s: %s; move it away to start with a new account", name,
        key == NULL ? "no private key can be read from it"
                    : "its key is not on the curve P-256");
    EVP_PKEY_free(key);
    return NULL;
}

static EVP_PKEY *make_account(int dir, struct failure *ret_failure)
{
    OWNED(EVP_PKEY) *key = pem_new_key();
    OWNED_PEM pem = {.text = NULL};

    if (key == NULL || !pem_write_key(key, &pem)) {
        failure_set(ret_failure, AGENT_INTERNAL, "no account key can be made");
        return NULL;
    }
    if (!replace_file(dir, account_name, pem_span(&pem), ret_failure))
        return NULL;
    return TAKE_PTR(key);
}

EVP_PKEY *store_account(int dir, struct failure *ret_failure)
{
    static const char *const names[] = {account_name, account_old_name};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        OWNED_PEM pem = {.text = NULL};
        enum store_status status = read_file(dir, names[i], &pem, ret_failure);

        if (status == STORE_OK)
            return parse_account(names[i], &pem, ret_failure);
        if (status != STORE_ABSENT)
            return NULL;
    }
    return make_account(dir, ret_failure);
}
