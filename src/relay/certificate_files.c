#include "relay/certificate_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/private_file.h"
#include "relay/certificates.h"
#include "relay/log.h"
#include "relay/relay.h"

enum {
    TEXT_MAX = 98304, /* bytes; a key and ten certificates */
    PAUSE_MAX = 64,   /* looks between two attempts to read */
};

/* ---- one file ---- */

/* A file's text. */
struct file_text {
    uint8_t *bytes;
    size_t len;
};

static void file_text_free(struct file_text *text)
{
    if (text->bytes != NULL)
        explicit_bzero(text->bytes, text->len);
    free(text->bytes);
    *text = (struct file_text){.len = 0};
}

enum file_kind { FILE_PUBLIC, FILE_SECRET };

/* As the posture check judges key files. */
static bool is_secret(const struct stat *st)
{
    return private_file_is_fine(
        (struct private_file){
            .owner = st->st_uid,
            .mode = st->st_mode,
            /* group_member(3) knows the supplementary ones alone */
            .is_our_group = st->st_gid == getegid() || group_member(st->st_gid),
        },
        geteuid());
}

static int judge(int fd, enum file_kind kind, size_t *ret_len)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || (kind == FILE_SECRET && !is_secret(&st)))
        return -EPERM;
    if (st.st_size > TEXT_MAX)
        return -EFBIG;
    *ret_len = (size_t)st.st_size;
    return 0;
}

/* All of it, or -errno: a file that shrinks meanwhile is read again later. */
static int read_all(int fd, struct file_text *text)
{
    size_t have = 0;

    while (have < text->len) {
        ssize_t got = read(fd, text->bytes + have, text->len - have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return -EAGAIN;
        have += (size_t)got;
    }
    return 0;
}

/* 0 or -errno: -EPERM: no regular file, or no secret; -EFBIG: too large. */
static int read_file(
    const char *path, enum file_kind kind, struct file_text *ret)
{
    /* O_NONBLOCK: a pipe in its place would hold us for ever. */
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    CLOSES int fd = open(path, flags);
    struct file_text text = {.len = 0};
    int failed = 0;

    if (fd < 0)
        return -errno;
    failed = judge(fd, kind, &text.len);
    if (failed != 0)
        return failed;
    text.bytes = malloc(text.len + 1);
    if (text.bytes == NULL)
        return -ENOMEM;
    failed = read_all(fd, &text);
    if (failed != 0) {
        file_text_free(&text);
        return failed;
    }
    *ret = text;
    return 0;
}

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct file_mark mark_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return (struct file_mark){.inode = 0};
    return (struct file_mark){
        .device = st.st_dev,
        .inode = st.st_ino,
        .size = st.st_size,
        .changed_ns = nanoseconds(st.st_ctim),
        .written_ns = nanoseconds(st.st_mtim),
    };
}

static bool is_same(const struct file_mark *a, const struct file_mark *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->changed_ns == b->changed_ns &&
           a->written_ns == b->written_ns;
}

/* ---- certificates ---- */

static void log_unreadable(const char *path, int failed)
{
    const char *err = failed == -EPERM
                          ? "not a regular file, or a key for others to read"
                          : strerrordesc_np(-failed);

    LOG(LOG_ERROR, "certificate_unreadable", LOG_TEXT(LOG_PATH, path),
        LOG_TEXT(LOG_ERR, err == NULL ? "unknown error" : err),
        LOG_TEXT(LOG_FIX,
            "give a regular file that the relay may read; a key: chown to the "
            "relay's user and chmod 0600; what was served before still is"));
}

/* What came of the files. */
enum reading {
    READING_INSTALLED,
    READING_REFUSED, /* they do not do, until they change */
    READING_FAILED,  /* they could not be read, for now */
};

static enum reading unread(const char *path, int failed)
{
    log_unreadable(path, failed);
    return failed == -EPERM || failed == -EFBIG ? READING_REFUSED
                                                : READING_FAILED;
}

static enum reading install_pair(struct relay *relay)
{
    const char *cert_path = relay->config->text[CONFIG_TLS_CERT];
    const char *key_path = relay->config->text[CONFIG_TLS_KEY];
    struct file_text cert = {.len = 0};
    struct file_text key = {.len = 0};
    int failed = read_file(cert_path, FILE_PUBLIC, &cert);
    enum reading came = READING_INSTALLED;

    if (failed != 0)
        return unread(cert_path, failed);
    failed = read_file(key_path, FILE_SECRET, &key);
    if (failed != 0) {
        came = unread(key_path, failed);
    } else if (!relay_install_certificate(
                   relay, &(struct tls_pem){
                              .key = span_of(key.bytes, key.len),
                              .chain = span_of(cert.bytes, cert.len),
                          })) {
        came = READING_REFUSED;
    }
    file_text_free(&cert);
    file_text_free(&key);
    return came;
}

static void remember(struct certificate_files *files)
{
    files->cert = files->new_cert;
    files->key = files->new_key;
}

static void look(struct relay *relay)
{
    relay->files.new_cert = mark_of(relay->config->text[CONFIG_TLS_CERT]);
    relay->files.new_key = mark_of(relay->config->text[CONFIG_TLS_KEY]);
}

bool certificate_files_load(struct relay *relay)
{
    if (!relay->config->has_certificate)
        return true;
    look(relay);
    remember(&relay->files);
    return install_pair(relay) == READING_INSTALLED;
}

/* The files keep still, and are not what was read last. */
static void reload(struct relay *relay)
{
    struct certificate_files *files = &relay->files;

    if (install_pair(relay) != READING_FAILED) {
        remember(files);
        files->pause = 0;
        return;
    }
    files->pause = files->pause == 0 ? 1 : 2 * files->pause;
    if (files->pause > PAUSE_MAX)
        files->pause = PAUSE_MAX;
    files->looks_left = files->pause;
}

void certificate_files_follow(struct relay *relay)
{
    struct certificate_files *files = &relay->files;
    struct file_mark cert = files->new_cert;
    struct file_mark key = files->new_key;

    if (!relay->config->has_certificate)
        return;
    look(relay);
    if (is_same(&files->cert, &files->new_cert) &&
        is_same(&files->key, &files->new_key))
        return;
    /* Two files do not change at once: wait until both are done. */
    if (!is_same(&cert, &files->new_cert) || !is_same(&key, &files->new_key)) {
        files->looks_left = 0;
        files->pause = 0;
        return;
    }
    if (files->looks_left > 0) {
        files->looks_left--;
    } else {
        reload(relay);
    }
}
