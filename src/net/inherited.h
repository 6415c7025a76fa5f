/*
 * inherited: listening sockets that this process did not open itself.
 *
 * A table that whoever receives them fills (net/sd_listen.h: a service
 * manager; a relay that is taken over) and that whoever would bind takes from,
 * by what a socket is for and where it listens.  The table owns what nobody
 * has taken.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "net/listener.h"

enum {
    INHERITED_MAX = 128, /* as many as the posture check can judge */
    INHERITED_NAME_LEN = 32,
};

struct inherited_socket {
    struct listener_socket socket; /* its fd is -1 once it was taken */
    char name[INHERITED_NAME_LEN]; /* what it is for: an option without its
                                      dashes; a longer one is cut */
    struct sockaddr_storage addr;
    socklen_t addr_len;
    int error; /* 0, or the errno of why no connection can be taken from it */
};

struct inherited {
    struct inherited_socket list[INHERITED_MAX];
    size_t count;
};

/* Own the socket, close-on-exec and non-blocking from here on; one that does
 * not listen for TCP is kept with its error.  -ENFILE: the table is full, and
 * the socket stays the caller's. */
MUST_CHECK NONNULL int inherited_add(
    struct inherited *in, struct listener_socket socket, const char *name);

/* Is it of that name, does it listen there, and is it still to be had?  Every
 * IPv6 address may stand for every IPv4 address, where there is no IPv6. */
NONNULL bool inherited_fits(const struct inherited_socket *one,
    const char *name, const struct sockaddr_storage *addr);

/* How many fit. */
NONNULL size_t inherited_count(const struct inherited *in, const char *name,
    const struct sockaddr_storage *addr);

/* The next one that fits becomes the caller's; its fd is -1 when there is
 * none. */
MUST_CHECK NONNULL struct listener_socket inherited_take(struct inherited *in,
    const char *name, const struct sockaddr_storage *addr);

/* Close what nobody took. */
NONNULL void inherited_close(struct inherited *in);
