#include "outward/supervised.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "outward/clock.h"

/* Descriptors of the two processes, once they have no others. */
enum {
    FD_CHANNEL = 3,
    FD_KEPT = 4,
    FD_ASIDE = 16, /* where the two cannot be in each other's way */
};

/* Put fd where it belongs; -1 stays nowhere. */
static bool settle(int fd, int at)
{
    return fd < 0 || dup3(fd, at, O_CLOEXEC) >= 0;
}

static bool keep_descriptors(int channel, int kept)
{
    int channel_aside = fcntl(channel, F_DUPFD_CLOEXEC, FD_ASIDE);
    int kept_aside = kept < 0 ? -1 : fcntl(kept, F_DUPFD_CLOEXEC, FD_ASIDE);
    unsigned rest = kept < 0 ? FD_KEPT : FD_KEPT + 1;

    return channel_aside >= 0 && (kept < 0 || kept_aside >= 0) &&
           settle(channel_aside, FD_CHANNEL) && settle(kept_aside, FD_KEPT) &&
           close_range(rest, ~0U, 0) == 0;
}

/* Signals of a terminal or a service manager reach the whole group: the relay
 * answers them, and we end with it. */
static void set_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigset_t none;

    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        (void)sigaction(ignored[i], &action, NULL);
    action.sa_handler = SIG_DFL;
    (void)sigaction(SIGCHLD, &action, NULL);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

/* True if the relay's end is closed, at once or within that time. */
static bool relay_is_gone(uint64_t wait_ms)
{
    struct pollfd pfd = {.fd = FD_CHANNEL, .events = 0};

    return poll(&pfd, 1, (int)wait_ms) > 0 &&
           (pfd.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

static void tell_relay(
    const struct supervised *plan, int wait_status, uint64_t delay_ms)
{
    struct supervised_death death = {
        .status = 1, /* where it could not be made */
        .delay_ms = delay_ms,
    };

    if (wait_status >= 0) {
        death.signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
        death.status = WEXITSTATUS(wait_status);
    }
    plan->died(plan->ctx, FD_CHANNEL, &death);
}

/* A process whose supervisor was killed would be started anew by nobody, and
 * the relay would not hear of it: let the channel end at once. */
static void die_with(pid_t supervisor)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor) /* it was faster */
        _exit(1);
}

/* One process from fork to death; its wait status, or -errno. */
static int run_one(const struct supervised *plan)
{
    int kept = plan->kept < 0 ? -1 : FD_KEPT;
    pid_t supervisor = getpid();
    pid_t pid = fork();
    int status = 0;

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        (void)prctl(PR_SET_NAME, plan->name);
        die_with(supervisor);
        _exit(plan->run(plan->ctx, FD_CHANNEL, kept) == 0 ? 0 : 1);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return status;
}

static void supervise(const struct supervised *plan)
{
    uint64_t delay_ms = SUPERVISED_RESTART_MIN_MS;

    for (;;) {
        uint64_t started_ms = clock_monotonic_ms();
        int status = run_one(plan);

        if (status == 0)
            return;
        if (clock_monotonic_ms() - started_ms > SUPERVISED_RESTART_MAX_MS)
            delay_ms = SUPERVISED_RESTART_MIN_MS;
        if (relay_is_gone(0))
            return;
        tell_relay(plan, status, delay_ms);
        if (relay_is_gone(delay_ms))
            return;
        delay_ms = delay_ms < SUPERVISED_RESTART_MAX_MS / 2
                       ? delay_ms * 2
                       : SUPERVISED_RESTART_MAX_MS;
    }
}

static int be_supervisor(const struct supervised *plan, int channel)
{
    (void)prctl(PR_SET_NAME, plan->supervisor_name);
    set_signals();
    if (!keep_descriptors(channel, plan->kept))
        return 1;
    if (plan->confine != NULL && !plan->confine(plan->ctx))
        return 1;
    supervise(plan);
    return 0;
}

int supervised_start(const struct supervised *plan, int *ret_fd, pid_t *ret_pid)
{
    int ends[2] = {-1, -1};
    pid_t pid = 0;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;

    CLOSES int ours = ends[0];
    CLOSES int theirs = ends[1];

    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        _exit(be_supervisor(plan, theirs));
    *ret_fd = take_fd(&ours);
    *ret_pid = pid;
    return 0;
}
