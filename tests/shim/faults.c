/*
 * faults: what a program asks of the C library fails on demand, to test that
 * it copes.  Loaded with LD_PRELOAD into a release build; never installed.
 *
 * FAULT_CONTROL names a file of one struct control, which the test maps too:
 * it arms a fault and reads what came of it without restarting the program.
 * The mapping is made before main(), thus before the program seals itself.
 * While armed, calls of the chosen kind are counted from 1; those from .first
 * to .last fail with .error.  Calls of other kinds are not counted.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* The order is that of KINDS in tests/e2e/faults.py. */
enum kind {
    KIND_NONE,
    KIND_MEMORY, /* malloc, calloc, and realloc of more than nothing */
    KIND_ACCEPT,
    KIND_READ,  /* recv and readv */
    KIND_WRITE, /* send */
    KIND_EPOLL, /* epoll_ctl */
    KIND_SETSOCKOPT,
    KIND_SHUTDOWN,
    KIND_RANDOM,
    KIND_CLOSE,
};

struct control {
    _Atomic uint64_t kind;
    _Atomic uint64_t first;
    _Atomic uint64_t last;
    _Atomic uint64_t error; /* errno */
    _Atomic uint64_t calls; /* since the test set it to 0 */
    _Atomic uint64_t failed;
    _Atomic uint64_t live; /* blocks allocated and not freed, armed or not */
};

/* A shim has no context to pass: the C library's prototypes are given. */
static struct control *control;

#define EXPORT __attribute__((visibility("default")))

/* glibc's own names for what we stand before. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *old);

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("FAULT_CONTROL");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *at = MAP_FAILED;

    if (fd >= 0) {
        at = mmap(
            NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (at == MAP_FAILED)
        _exit(125);
    (void)close(fd);
    control = at;
}

/* Is this the call that fails?  Then errno is set. */
static int fails(enum kind kind)
{
    uint64_t call = 0;

    if (control == NULL || control->kind != (uint64_t)kind)
        return 0;
    call = ++control->calls;
    if (call < control->first || call > control->last)
        return 0;
    control->failed++;
    errno = (int)control->error;
    return 1;
}

static void *counted(void *made)
{
    if (made != NULL && control != NULL)
        control->live++;
    return made;
}

EXPORT void *malloc(size_t size)
{
    return fails(KIND_MEMORY) ? NULL : counted(__libc_malloc(size));
}

EXPORT void *calloc(size_t count, size_t size)
{
    return fails(KIND_MEMORY) ? NULL : counted(__libc_calloc(count, size));
}

EXPORT void free(void *old)
{
    int error = errno;

    if (old != NULL && control != NULL)
        control->live--;
    __libc_free(old);
    errno = error;
}

EXPORT void *realloc(void *old, size_t size)
{
    if (old == NULL)
        return malloc(size);
    if (size == 0) {
        free(old);
        return NULL;
    }
    return fails(KIND_MEMORY) ? NULL : __libc_realloc(old, size);
}

/* The function that ours stands before; looked up once a place. */
#define NEXT(ours, name)                                                       \
    static _Atomic(void *) found;                                              \
    void *there = found;                                                       \
    union {                                                                    \
        void *object;                                                          \
        __typeof__(&(ours)) function;                                          \
    } next;                                                                    \
    if (there == NULL)                                                         \
        found = there = dlsym(RTLD_NEXT, name);                                \
    next.object = there

/* glibc's prototype has a transparent union, which no pointer points to. */
EXPORT int faults_accept4(int fd, struct sockaddr *addr, socklen_t *addr_len,
    int flags) __asm__("accept4");

int faults_accept4(
    int fd, struct sockaddr *addr, socklen_t *addr_len, int flags)
{
    NEXT(faults_accept4, "accept4");
    return fails(KIND_ACCEPT) ? -1 : next.function(fd, addr, addr_len, flags);
}

/* Not by its name: a fortified build has one of its own. */
EXPORT ssize_t faults_recv(int fd, void *to, size_t len, int flags) __asm__(
    "recv");

ssize_t faults_recv(int fd, void *to, size_t len, int flags)
{
    NEXT(faults_recv, "recv");
    return fails(KIND_READ) ? -1 : next.function(fd, to, len, flags);
}

EXPORT ssize_t readv(int fd, const struct iovec *to, int count)
{
    NEXT(readv, "readv");
    return fails(KIND_READ) ? -1 : next.function(fd, to, count);
}

EXPORT ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    NEXT(send, "send");
    return fails(KIND_WRITE) ? -1 : next.function(fd, bytes, len, flags);
}

EXPORT int epoll_ctl(int fd, int op, int of, struct epoll_event *event)
{
    NEXT(epoll_ctl, "epoll_ctl");
    return fails(KIND_EPOLL) ? -1 : next.function(fd, op, of, event);
}

EXPORT int setsockopt(
    int fd, int level, int name, const void *value, socklen_t len)
{
    NEXT(setsockopt, "setsockopt");
    return fails(KIND_SETSOCKOPT) ? -1
                                  : next.function(fd, level, name, value, len);
}

EXPORT int shutdown(int fd, int how)
{
    NEXT(shutdown, "shutdown");
    return fails(KIND_SHUTDOWN) ? -1 : next.function(fd, how);
}

EXPORT ssize_t getrandom(void *to, size_t len, unsigned flags)
{
    NEXT(getrandom, "getrandom");
    return fails(KIND_RANDOM) ? -1 : next.function(to, len, flags);
}

/* The descriptor is closed even so, as Linux does it. */
EXPORT int close(int fd)
{
    NEXT(close, "close");
    int failed = next.function(fd);

    return failed == 0 && fails(KIND_CLOSE) ? -1 : failed;
}
