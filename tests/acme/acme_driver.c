/*
 * Plays the relay to a certificate agent: starts it, serves its challenges,
 * prints what it says as JSON lines, and passes on the words of stdin.
 *
 * usage: acme_driver DIRECTORY DOMAIN CACHE CA_FILE HTTP_PORT TLS_PORT
 *                    RETRY_MIN RETRY_MAX [EMAIL]
 *
 * A port of 0 means that the challenge is not offered; a negative one that it
 * is and that nobody serves it.  Words: renew, stop, close.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acme/channel.h"
#include "acme/supervisor.h"
#include "base/num.h"
#include "base/text.h"

struct driver {
    struct channel *channel;
    int fd;
    pid_t pid;
    int http_fd; /* -1: not served */
    int tls_fd;
    char token[AGENT_TOKEN_MAX + 1];
    char key_auth[AGENT_KEY_AUTH_MAX + 1];
    char domain[AGENT_NAME_MAX + 1];
    SSL_CTX *tls;
    bool is_ending;
};

static void copy(char *ret, size_t cap, struct span in)
{
    struct text t = text_over(ret, cap);

    text_add(&t, in);
}

static void print_json(const char *name, struct span value)
{
    (void)printf(", \"%s\": \"", name);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];

        if (c < ' ' || c > '~' || c == '"' || c == '\\')
            (void)printf("\\u%04x", c);
        else
            (void)putchar(c);
    }
    (void)putchar('"');
}

static void begin(const char *event)
{
    (void)printf("{\"event\": \"%s\"", event);
}

static void end(void)
{
    (void)printf("}\n");
    (void)fflush(stdout);
}

static int listen_on(long port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = port <= 0 ? -1 : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        listen(fd, 16) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

static int accept_one(int listener)
{
    struct timeval patience = {.tv_sec = 5};
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0)
        (void)setsockopt(
            fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static void serve_http(struct driver *d)
{
    static const char path[] = "GET /.well-known/acme-challenge/";
    char in[2048] = "";
    char out[512];
    int fd = accept_one(d->http_fd);
    ssize_t len = fd < 0 ? -1 : recv(fd, in, sizeof(in) - 1, 0);
    size_t token_len = strlen(d->token);
    bool is_known = len > 0 && token_len > 0 &&
                    strncmp(in, path, sizeof(path) - 1) == 0 &&
                    strncmp(in + sizeof(path) - 1, d->token, token_len) == 0 &&
                    in[sizeof(path) - 1 + token_len] == ' ';

    if (is_known)
        (void)text_format(out, sizeof(out),
            "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
            strlen(d->key_auth), d->key_auth);
    else
        (void)text_format(out, sizeof(out),
            "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    if (fd >= 0 && send(fd, out, strlen(out), MSG_NOSIGNAL) > 0) {
        begin("http");
        print_json("status", span_str(is_known ? "200" : "404"));
        end();
    }
    if (fd >= 0)
        (void)close(fd);
}

static int choose_alpn(SSL *ssl, const unsigned char **out,
    unsigned char *out_len, const unsigned char *in, unsigned in_len, void *ctx)
{
    static const unsigned char acme[] = "\x0a"
                                        "acme-tls/1";

    (void)ssl;
    (void)ctx;
    if (in_len != sizeof(acme) - 1 || memcmp(in, acme, in_len) != 0)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = in + 1;
    *out_len = in[0];
    return SSL_TLSEXT_ERR_OK;
}

static void serve_tls(struct driver *d)
{
    int fd = accept_one(d->tls_fd);
    SSL *ssl = d->tls == NULL || fd < 0 ? NULL : SSL_new(d->tls);

    if (ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1) {
        begin("tls");
        end();
    }
    SSL_free(ssl);
    if (fd >= 0)
        (void)close(fd);
}

static SSL_CTX *make_tls(struct span key_pem, struct span cert_pem)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    BIO *key_bio = BIO_new_mem_buf(key_pem.ptr, (int)key_pem.len);
    BIO *cert_bio = BIO_new_mem_buf(cert_pem.ptr, (int)cert_pem.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    X509 *cert = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);

    SSL_CTX_set_alpn_select_cb(tls, choose_alpn, NULL);
    if (SSL_CTX_use_certificate(tls, cert) != 1 ||
        SSL_CTX_use_PrivateKey(tls, key) != 1)
        abort();
    EVP_PKEY_free(key);
    X509_free(cert);
    BIO_free(key_bio);
    BIO_free(cert_bio);
    return tls;
}

static void answer_presented(struct driver *d, struct span name)
{
    struct agent_message answer = {.type = AGENT_PRESENTED, .parts = {name}};

    if (channel_send(d->channel, &answer) != 0)
        abort();
}

static void drop_challenges(struct driver *d)
{
    d->token[0] = '\0';
    SSL_CTX_free(d->tls);
    d->tls = NULL;
}

static void on_present(struct driver *d, const struct agent_message *m)
{
    drop_challenges(d);
    begin("present");
    if (m->type == AGENT_PRESENT_HTTP) {
        copy(d->token, sizeof(d->token), m->parts[0]);
        copy(d->key_auth, sizeof(d->key_auth), m->parts[1]);
        print_json("proof", span_str("http-01"));
    } else {
        d->tls = make_tls(m->parts[1], m->parts[2]);
        print_json("proof", span_str("tls-alpn-01"));
    }
    end();
    answer_presented(d, m->parts[0]);
}

static void on_event(const struct agent_message *m)
{
    if (m->type == AGENT_CERTIFICATE) {
        begin("certificate");
        print_json(
            "source", span_str(agent_source_name((enum agent_source)m->kind)));
        print_json("domain", m->parts[0]);
        print_json("key", m->parts[1]);
        print_json("chain", m->parts[2]);
    } else if (m->type == AGENT_FAILURE) {
        begin("failure");
        print_json(
            "kind", span_str(agent_failure_name((enum agent_failure)m->kind)));
        print_json("text", m->parts[0]);
    } else {
        begin("status");
        print_json(
            "state", span_str(agent_state_name((enum agent_state)m->kind)));
    }
    (void)printf(", \"when\": %llu", (unsigned long long)m->when_s);
    end();
}

static void on_message(struct driver *d, const struct agent_message *m)
{
    if (m->type == AGENT_PRESENT_HTTP || m->type == AGENT_PRESENT_TLS) {
        on_present(d, m);
    } else if (m->type == AGENT_WITHDRAW) {
        drop_challenges(d);
        begin("withdraw");
        end();
    } else {
        on_event(m);
    }
}

static void on_channel(struct driver *d)
{
    struct agent_message m;
    int status = channel_receive(d->channel, 0, &m);

    if (status > 0)
        on_message(d, &m);
    d->is_ending = status < 0;
    if (status < 0 && status != -EPIPE) {
        begin("broken");
        end();
    }
}

static void send_word(struct driver *d, enum agent_type type)
{
    struct agent_message message = {.type = type};

    if (channel_send(d->channel, &message) != 0)
        d->is_ending = true;
}

static void on_stdin(struct driver *d)
{
    char line[64] = "";

    if (fgets(line, sizeof(line), stdin) == NULL ||
        strcmp(line, "close\n") == 0)
        d->is_ending = true;
    else if (strcmp(line, "renew\n") == 0)
        send_word(d, AGENT_RENEW);
    else if (strcmp(line, "stop\n") == 0)
        send_word(d, AGENT_STOP);
}

static void loop(struct driver *d)
{
    while (!d->is_ending) {
        struct pollfd fds[] = {
            {.fd = d->fd, .events = POLLIN},
            {.fd = d->http_fd, .events = POLLIN},
            {.fd = d->tls_fd, .events = POLLIN},
            {.fd = STDIN_FILENO, .events = POLLIN},
        };

        if (poll(fds, ARRAY_LEN(fds), -1) < 0)
            abort();
        if (fds[0].revents != 0)
            on_channel(d);
        else if (fds[1].revents != 0)
            serve_http(d);
        else if (fds[2].revents != 0)
            serve_tls(d);
        else if (fds[3].revents != 0)
            on_stdin(d);
    }
}

static int64_t number(const char *text)
{
    uint64_t value = 0;

    if (text[0] == '-')
        return -1;
    if (!num_parse_u64(span_str(text), INT32_MAX, &value))
        abort();
    return (int64_t)value;
}

static struct supervisor_config configure(char *argv[], int directory)
{
    return (struct supervisor_config){
        .agent = {
            .directory_url = argv[1],
            .domain = argv[2],
            .directory = directory,
            .ca_file = argv[4],
            .user_agent = "acme_driver",
            .may = (number(argv[5]) != 0 ? AGENT_MAY_HTTP : 0U) |
                   (number(argv[6]) != 0 ? AGENT_MAY_TLS_ALPN : 0U),
            .policy = {.retry_min_s = number(argv[7]),
                .retry_max_s = number(argv[8]),
                .jitter_max_s = 0},
            .email = argv[9],
        }};
}

int main(int argc, char *argv[])
{
    struct driver d = {.fd = -1};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    int status = 0;

    /* a CA may hang up before the handshake's last flight is written */
    (void)sigaction(SIGPIPE, &ignore, NULL);
    /* poll() must see every line that is left */
    (void)setvbuf(stdin, NULL, _IONBF, 0);
    if (argc != 9 && argc != 10) {
        (void)fprintf(stderr, "see the source for the usage\n");
        return 2;
    }

    int directory = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct supervisor_config config = configure(argv, directory);

    if (directory < 0 || supervisor_start(&config, &d.fd, &d.pid) != 0) {
        perror("supervisor_start");
        return 1;
    }
    d.channel = channel_new(d.fd, AGENT_TO_RELAY);
    d.http_fd = listen_on((long)number(argv[5]));
    d.tls_fd = listen_on((long)number(argv[6]));
    loop(&d);
    (void)close(d.fd);
    drop_challenges(&d);
    channel_free(d.channel);
    while (waitpid(d.pid, &status, 0) < 0)
        ;
    begin("ended");
    (void)printf(", \"status\": %d", status);
    end();
    (void)close(directory);
    return 0;
}
