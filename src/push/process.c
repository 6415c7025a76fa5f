#include "push/process.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "outward/supervised.h"
#include "push/sender.h"

struct process {
    struct sender *sender;
    int fd;
    bool is_stopping;                 /* no more wakes */
    bool is_cut_off;                  /* the relay is gone, or broken */
    uint8_t in[PUSH_MESSAGE_MAX + 1]; /* a byte too many shows */
};

static bool send_message(int fd, const struct push_message *message)
{
    uint8_t out[PUSH_HEAD_LEN + PUSH_TEXT_MAX];
    size_t len = push_message_encode(message, out, sizeof(out));
    ssize_t sent = 0;

    if (len == 0)
        return false;
    do {
        sent = send(fd, out, len, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)len;
}

static void on_report(void *ctx, const struct sender_report *report)
{
    struct process *p = ctx;
    const struct push_message message = {
        .type = PUSH_RESULT,
        .outcome = report->outcome,
        .requests = report->requests,
        .id = report->id,
        .text = span_str(report->text),
    };

    if (!send_message(p->fd, &message))
        p->is_cut_off = true;
}

static void take(struct process *p, const struct push_message *message)
{
    if (message->type == PUSH_STOP) {
        p->is_stopping = true;
        sender_cancel(p->sender);
    } else if (!p->is_stopping) {
        sender_send(p->sender, message->id, message->text);
    }
}

/* Every message that is there. */
static void hear(struct process *p)
{
    while (!p->is_stopping && !p->is_cut_off) {
        struct push_message message;
        ssize_t len = recv(p->fd, p->in, sizeof(p->in), MSG_DONTWAIT);

        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (len <= 0 || !push_message_parse(span_of(p->in, (size_t)len),
                            PUSH_TO_PROCESS, &message)) {
            p->is_cut_off = true;
            return;
        }
        take(p, &message);
        explicit_bzero(p->in, (size_t)len);
    }
}

static void loop(struct process *p)
{
    const struct push_message started = {.type = PUSH_STARTED};

    p->is_cut_off = !send_message(p->fd, &started);
    while (!p->is_stopping && !p->is_cut_off) {
        sender_perform(p->sender);
        if (sender_wait(p->sender, p->fd) == SENDER_READABLE)
            hear(p);
    }
}

/* 0: the relay wants no more; else: there was no beginning. */
static int run(void *ctx, int channel, int kept)
{
    const struct process_config *config = ctx;
    struct process *p = calloc(1, sizeof(*p));
    struct credentials account;
    struct sender_config setup = {
        .account = &account,
        .endpoint = config->endpoint,
        .ca_file = config->ca_file,
        .user_agent = config->user_agent,
        .report = on_report,
        .ctx = p,
    };
    int status = 1;

    (void)kept;
    if (p == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        !credentials_read(config->credentials, &account)) {
        free(p);
        return 1;
    }
    p->fd = channel;
    p->sender = sender_new(&setup);
    if (p->sender != NULL) {
        loop(p);
        status = 0;
    }
    sender_free(p->sender);
    credentials_done(&account);
    curl_global_cleanup();
    free(p);
    return status;
}

/* What the dead one has not read is not for the next: the relay is told that
 * it failed. */
static void drop_unread(int channel)
{
    uint8_t byte = 0;

    while (recv(channel, &byte, sizeof(byte), MSG_DONTWAIT) > 0)
        ;
}

static void died(void *ctx, int channel, const struct supervised_death *death)
{
    char text[PUSH_TEXT_MAX];
    struct push_message message = {.type = PUSH_DIED};

    (void)ctx;
    (void)text_format(text, sizeof(text), "the push process %s %d",
        death->signal != 0 ? "was killed by signal" : "ended with status",
        death->signal != 0 ? death->signal : death->status);
    message.text = span_str(text);
    drop_unread(channel);
    IGNORE(!send_message(channel, &message), "then the relay is gone");
}

static bool confine(void *ctx)
{
    const struct process_config *config = ctx;

    return config->confine == NULL || config->confine(config->ctx);
}

int process_start(
    const struct process_config *config, int *ret_fd, pid_t *ret_pid)
{
    /* the copy that each process has of it is its own */
    struct process_config ours = *config;
    const struct supervised plan = {
        .name = "relay-push",
        .supervisor_name = "relay-push-sv",
        .kept = -1,
        .confine = confine,
        .run = run,
        .died = died,
        .ctx = &ours,
    };

    return supervised_start(&plan, ret_fd, ret_pid);
}
