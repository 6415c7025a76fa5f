/*
 * no_reuseport: a kernel without SO_REUSEPORT, to test that the relay serves
 * on one.  Loaded with LD_PRELOAD; never installed.
 */
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

__attribute__((visibility("default"))) int setsockopt(
    int fd, int level, int name, const void *value, socklen_t len)
{
    union {
        void *object;
        __typeof__(&setsockopt) function;
    } next;

    if (level == SOL_SOCKET && name == SO_REUSEPORT) {
        errno = ENOPROTOOPT;
        return -1;
    }
    next.object = dlsym(RTLD_NEXT, "setsockopt");
    return next.function(fd, level, name, value, len);
}
