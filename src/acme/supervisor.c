#include "acme/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acme/channel.h"
#include "acme/clock.h"
#include "acme/failure.h"
#include "base/own.h"

/* Descriptors of the two processes, once they have no others. */
enum {
    FD_CHANNEL = 3,
    FD_DIRECTORY = 4,
    FD_REST = 5,
    FD_ASIDE = 16, /* where the two cannot be in each other's way */
};

static bool keep_descriptors(int channel, int directory)
{
    int channel_aside = fcntl(channel, F_DUPFD_CLOEXEC, FD_ASIDE);
    int directory_aside = fcntl(directory, F_DUPFD_CLOEXEC, FD_ASIDE);

    return channel_aside >= 0 && directory_aside >= 0 &&
           dup3(channel_aside, FD_CHANNEL, O_CLOEXEC) >= 0 &&
           dup3(directory_aside, FD_DIRECTORY, O_CLOEXEC) >= 0 &&
           close_range(FD_REST, ~0U, 0) == 0;
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

static void tell_relay(int wait_status, uint64_t delay_ms)
{
    struct channel *channel = channel_new(FD_CHANNEL, AGENT_TO_AGENT);
    struct failure failure;
    struct agent_message message = {.type = AGENT_FAILURE,
        .kind = AGENT_DIED,
        .when_s = (uint64_t)clock_unix_s() + delay_ms / 1000};

    if (channel == NULL)
        return;
    failure_set(&failure, AGENT_DIED, "the certificate agent %s %d",
        WIFSIGNALED(wait_status) ? "was killed by signal" : "ended with status",
        WIFSIGNALED(wait_status) ? WTERMSIG(wait_status)
                                 : WEXITSTATUS(wait_status));
    message.parts[0] = span_str(failure.text);
    IGNORE(channel_send(channel, &message) < 0, "then the relay is gone");
    channel_free(channel);
}

/* An agent whose supervisor was killed would be started anew by nobody, and
 * the relay would not hear of it: let the channel end at once. */
static void die_with(pid_t supervisor)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor) /* it was faster */
        _exit(1);
}

/* One agent from fork to death; its wait status, or -errno. */
static int run_agent(const struct agent_config *config)
{
    pid_t supervisor = getpid();
    pid_t pid = fork();
    int status = 0;

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        (void)prctl(PR_SET_NAME, "relay-acme");
        die_with(supervisor);
        _exit(agent_run(config, FD_CHANNEL) == 0 ? 0 : 1);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return status;
}

static void supervise(const struct agent_config *config)
{
    uint64_t delay_ms = SUPERVISOR_RESTART_MIN_MS;

    for (;;) {
        uint64_t started_ms = clock_monotonic_ms();
        int status = run_agent(config);

        if (status == 0)
            return;
        if (clock_monotonic_ms() - started_ms > SUPERVISOR_RESTART_MAX_MS)
            delay_ms = SUPERVISOR_RESTART_MIN_MS;
        if (relay_is_gone(0))
            return;
        tell_relay(status < 0 ? 1 << 8 : status, delay_ms);
        if (relay_is_gone(delay_ms))
            return;
        delay_ms = delay_ms < SUPERVISOR_RESTART_MAX_MS / 2
                       ? delay_ms * 2
                       : SUPERVISOR_RESTART_MAX_MS;
    }
}

static int be_supervisor(const struct supervisor_config *config, int channel)
{
    struct agent_config agent = config->agent;

    (void)prctl(PR_SET_NAME, "relay-acme-sv");
    set_signals();
    if (!keep_descriptors(channel, agent.directory))
        return 1;
    if (config->confine != NULL && !config->confine(config->ctx))
        return 1;
    agent.directory = FD_DIRECTORY;
    supervise(&agent);
    return 0;
}

int supervisor_start(
    const struct supervisor_config *config, int *ret_fd, pid_t *ret_pid)
{
    int ends[2] = {-1, -1};
    pid_t pid = 0;

    if (agent_config_fault(&config->agent) != NULL)
        return -EINVAL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;

    CLOSES int ours = ends[0];
    CLOSES int theirs = ends[1];

    pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        _exit(be_supervisor(config, theirs));
    *ret_fd = take_fd(&ours);
    *ret_pid = pid;
    return 0;
}
