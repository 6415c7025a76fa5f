/*
 * store: the certificate directory, in the layout of relay-behaviour 6.4, so
 * that what another relay of that layout has written is used as it is, and
 * ours by it (docs/certificates.md has the table).
 *
 * Everything goes through a descriptor of the directory that was opened at
 * boot.  A file is read only if it is a regular file of ours that nobody else
 * may write or read.  A file is written whole or not at all: under a name of
 * its own, synced, renamed, the directory synced.  Nothing is ever deleted or
 * overwritten but a certificate of that domain that could be served, or once
 * could; what else stands in its way is kept under another name.
 */
#pragma once

#include <openssl/types.h>

#include "acme/certificate.h"
#include "acme/failure.h"
#include "acme/pem.h"
#include "base/attr.h"

enum { STORE_FILE_MAX = 98304 }; /* bytes; a key, ten certificates */

/* Which certificate of a domain: the layout knows two. */
enum store_kind {
    STORE_ECDSA, /* <domain> */
    STORE_RSA,   /* <domain>+rsa */
};

/* One certificate, and when it is asked for. */
struct store_query {
    const char *domain; /* store_is_domain() */
    enum store_kind kind;
    int64_t now_s; /* Unix time */
};

enum store_status {
    STORE_OK,
    STORE_ABSENT,   /* no such file */
    STORE_EXPIRED,  /* read and judged; not valid at this time */
    STORE_UNUSABLE, /* torn, foreign or not readable; it is left alone */
};

/* True for a host name that is safe as a file name: letters, digits, '-' and
 * '.', two labels at least. */
NONNULL bool store_is_domain(const char *domain);

/*
 * Be the only one that writes there, for as long as the directory's open file
 * description lasts: flock(2), which needs no file and no room.  -EAGAIN:
 * another has it.
 */
MUST_CHECK int store_lock(int dir);

/*
 * Read and judge a certificate.  STORE_OK and STORE_EXPIRED: the caller owns
 * *ret_pem, and *ret points into it.  Otherwise they are not written;
 * STORE_UNUSABLE: *ret_failure says why, with the file's name.
 */
MUST_CHECK NONNULL enum store_status store_load(int dir,
    const struct store_query *query, struct pem *ret_pem,
    struct certificate *ret, struct failure *ret_failure);

/*
 * Write a certificate's text; false and *ret_failure if it could not be made
 * safe on the disk: what was there is then still there.
 */
MUST_CHECK NONNULL bool store_save(int dir, const struct store_query *query,
    struct span text, struct failure *ret_failure);

/*
 * Read the account's key, or make and write one if there is none.  NULL and
 * *ret_failure otherwise: a key that cannot be read is never replaced.
 */
MUST_CHECK NONNULL EVP_PKEY *store_account(
    int dir, struct failure *ret_failure);
