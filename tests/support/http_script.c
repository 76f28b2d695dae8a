#include "tests/support/http_script.h"

#include "tests/support/http_capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_HEAD = 128 * 1024, MAX_CONNECTIONS = 1024, MAX_SEEN = 8192 };

struct connection {
    struct http_script *script;
    pthread_t thread;
    int fd;   /* -1 once closed; guarded by the script's lock */
    SSL *ssl; /* its thread's; NULL: plain */
    int number;
};

struct http_script {
    struct http_answer *answers;
    size_t answer_count;
    SSL_CTX *tls; /* NULL: plain */
    bool is_proxy;
    int listener;
    char url[64];
    pthread_t acceptor;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t released;
    bool is_released, is_stopping;
    struct connection connections[MAX_CONNECTIONS];
    int connection_count;
    struct http_seen *seen[MAX_SEEN];
    size_t arrived; /* entries of seen in use */
    size_t read_whole;
    size_t sent;
    int at_once, most_at_once;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

/* ---- sending ---- */

/* False when the other side has gone away: then there is nobody to serve. */
static bool send_all(struct connection *c, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n =
            c->ssl ? SSL_write(c->ssl, bytes, len < 16384 ? (int)len : 16384) : send(c->fd, bytes, len, MSG_NOSIGNAL);

        if (!c->ssl && n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static void count_sent(struct http_script *s, size_t len)
{
    pthread_mutex_lock(&s->lock);
    s->sent += len;
    pthread_mutex_unlock(&s->lock);
}

static size_t body_length(const struct http_answer *a)
{
    return a->body && !a->body_len ? strlen(a->body) : a->body_len;
}

static bool send_body(struct connection *c, const struct http_answer *a, size_t total)
{
    size_t len = body_length(a), done = 0;
    size_t limit = a->cut_after && a->cut_after < total ? a->cut_after : total;

    while (done < limit) {
        size_t at = done % len;
        size_t n = len - at < limit - done ? len - at : limit - done;

        if (!send_all(c, a->body + at, n))
            return false;
        count_sent(c->script, n);
        done += n;
    }
    return true;
}

static bool send_answer(struct connection *c, const struct http_answer *a)
{
    size_t total = body_length(a) * (a->repeat ? a->repeat : 1);
    char line[128], length[64] = "";

    if (!a->status)
        return false;
    snprintf(line, sizeof(line), "HTTP/1.1 %d Scripted\r\n", a->status);
    if (a->announced >= 0)
        snprintf(length, sizeof(length), "Content-Length: %lld\r\n",
                 a->announced ? (long long)a->announced : (long long)total);
    if (!send_all(c, line, strlen(line)) || (a->headers && !send_all(c, a->headers, strlen(a->headers))) ||
        !send_all(c, length, strlen(length)) || !send_all(c, "\r\n", 2))
        return false;
    if (!a->is_head && !send_body(c, a, total))
        return false;
    return a->end == HTTP_KEEP && !a->cut_after && !a->is_early && a->announced >= 0;
}

/* ---- receiving ---- */

static ssize_t receive(struct connection *c, char *bytes, size_t room)
{
    return c->ssl ? SSL_read(c->ssl, bytes, (int)room) : recv(c->fd, bytes, room, 0);
}

/* Reads up to the empty line; what came after it stays in buffer[*head_len .. *len]. */
static bool receive_head(struct connection *c, char *buffer, size_t *len, size_t *head_len)
{
    for (;;) {
        char *end = memmem(buffer, *len, "\r\n\r\n", 4);
        ssize_t n;

        if (end) {
            *head_len = (size_t)(end - buffer) + 4;
            return true;
        }
        if (*len >= MAX_HEAD)
            return false;
        n = receive(c, buffer + *len, MAX_HEAD - *len);
        if (n <= 0)
            return false;
        *len += (size_t)n;
    }
}

struct span http_seen_header(const struct http_seen *seen, const char *name)
{
    struct span rest = span_of(seen->headers);

    while (rest.len) {
        struct span line = span_head(rest, span_find(rest, '\n'));
        size_t colon = span_find(line, ':');

        if (colon == strlen(name) && !strncasecmp(line.ptr, name, colon))
            return span_trim(span_tail(line, colon + 1));
        rest = span_tail(rest, line.len + 1);
    }
    return (struct span){ 0 };
}

static struct http_seen *parse_head(const char *buffer, size_t head_len)
{
    struct http_seen *seen = calloc(1, sizeof(*seen));
    const char *line_end = memmem(buffer, head_len, "\r\n", 2);

    must(seen != NULL, "calloc");
    seen->headers = strndup(line_end + 2, head_len - (size_t)(line_end + 2 - buffer));
    must(seen->headers != NULL, "strndup");
    if (sscanf(buffer, "%15s %4095s", seen->method, seen->target) != 2)
        seen->method[0] = '\0';
    return seen;
}

static bool receive_body(struct connection *c, struct http_seen *seen, char *buffer, size_t *len)
{
    struct span length = http_seen_header(seen, "content-length");
    size_t want = length.len ? (size_t)strtoull(length.ptr, NULL, 10) : 0;
    size_t have = *len < want ? *len : want;

    seen->body = malloc(want + 1);
    must(seen->body != NULL, "malloc");
    memcpy(seen->body, buffer, have);
    memmove(buffer, buffer + have, *len - have);
    *len -= have;
    while (have < want) {
        ssize_t n = receive(c, seen->body + have, want - have);

        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    seen->body[want] = '\0';
    seen->body_len = want;
    return true;
}

/* ---- one connection ---- */

static const struct http_answer *take_number(struct http_script *s, struct http_seen *seen)
{
    size_t i;

    pthread_mutex_lock(&s->lock);
    i = s->arrived++;
    must(i < MAX_SEEN, "http_script: too many requests");
    s->seen[i] = seen;
    s->at_once++;
    if (s->at_once > s->most_at_once)
        s->most_at_once = s->at_once;
    pthread_mutex_unlock(&s->lock);
    return &s->answers[i < s->answer_count ? i : s->answer_count - 1];
}

static void count_read(struct http_script *s, const struct http_answer *a)
{
    pthread_mutex_lock(&s->lock);
    s->read_whole++;
    while (a->is_held && !s->is_released && !s->is_stopping)
        pthread_cond_wait(&s->released, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static void leave(struct http_script *s)
{
    pthread_mutex_lock(&s->lock);
    s->at_once--;
    pthread_mutex_unlock(&s->lock);
}

/* Serves one request; false: the connection ends, as *end says. */
static bool serve_one(struct connection *c, char *buffer, size_t *len, enum http_end *end)
{
    struct http_script *s = c->script;
    const struct http_answer *a;
    struct http_seen *seen;
    size_t head_len;
    bool expects;

    if (!receive_head(c, buffer, len, &head_len))
        return false;
    seen = parse_head(buffer, head_len);
    seen->connection = c->number;
    *len -= head_len;
    memmove(buffer, buffer + head_len, *len);
    a = take_number(s, seen);
    *end = a->end;
    expects = http_seen_header(seen, "expect").len > 0;
    if (!(expects && a->is_early)) {
        if (expects && !send_all(c, "HTTP/1.1 100 Continue\r\n\r\n", 25))
            return leave(s), false;
        if (!receive_body(c, seen, buffer, len))
            return leave(s), false;
    }
    count_read(s, a);
    leave(s); /* before the answer: whoever has it may ask again before this thread runs on */
    return send_answer(c, a);
}

/* What comes before the first request: CONNECT, and the TLS handshake. */
static bool greet(struct connection *c, char *buffer)
{
    static const char established[] = "HTTP/1.1 200 Connection established\r\nVia: a proxy\r\n\r\n";
    size_t len = 0, head_len = 0;

    if (!c->script->tls)
        return true;
    if (c->script->is_proxy && (!receive_head(c, buffer, &len, &head_len) || strncmp(buffer, "CONNECT ", 8) != 0 ||
                                len != head_len || !send_all(c, established, sizeof(established) - 1)))
        return false;
    c->ssl = SSL_new(c->script->tls);
    must(c->ssl && SSL_set_fd(c->ssl, c->fd) == 1, "SSL_new");
    return SSL_accept(c->ssl) == 1;
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    struct http_script *s = c->script;
    char *buffer = malloc(MAX_HEAD);
    enum http_end end = HTTP_CLOSE;
    size_t len = 0;

    must(buffer != NULL, "malloc");
    if (greet(c, buffer))
        while (serve_one(c, buffer, &len, &end))
            continue;
    free(buffer);
    if (c->ssl && end != HTTP_RESET)
        (void)SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    pthread_mutex_lock(&s->lock);
    if (end == HTTP_RESET)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
    close(c->fd);
    c->fd = -1;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct http_script *s = arg;

    for (;;) {
        int fd = accept(s->listener, NULL, NULL);
        struct connection *c;

        if (fd < 0 && errno == EINTR)
            continue;
        if (fd < 0)
            return NULL;
        /* What was sent before a reset must have left by then. */
        must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) == 0, "TCP_NODELAY");
        pthread_mutex_lock(&s->lock);
        if (s->is_stopping) {
            pthread_mutex_unlock(&s->lock);
            close(fd);
            continue;
        }
        must(s->connection_count < MAX_CONNECTIONS, "http_script: too many connections");
        c = &s->connections[s->connection_count++];
        *c = (struct connection){ .script = s, .fd = fd, .number = s->connection_count };
        must(pthread_create(&c->thread, NULL, serve, c) == 0, "pthread_create");
        pthread_mutex_unlock(&s->lock);
    }
}

/* ---- life ---- */

static struct http_script *start(const struct http_answer *answers, size_t count, SSL_CTX *tls, bool is_proxy)
{
    struct http_script *s = calloc(1, sizeof(*s));
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);

    must(s != NULL, "calloc");
    s->answers = malloc(count * sizeof(*answers));
    must(s->answers != NULL, "malloc");
    memcpy(s->answers, answers, count * sizeof(*answers));
    s->answer_count = count;
    s->tls = tls;
    s->is_proxy = is_proxy;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->released, NULL);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(s->listener >= 0, "socket");
    must(bind(s->listener, (struct sockaddr *)&address, len) == 0, "bind");
    must(listen(s->listener, 256) == 0, "listen");
    must(getsockname(s->listener, (struct sockaddr *)&address, &len) == 0, "getsockname");
    snprintf(s->url, sizeof(s->url), "%s://127.0.0.1:%d", tls && !is_proxy ? "https" : "http", ntohs(address.sin_port));
    must(pthread_create(&s->acceptor, NULL, accept_all, s) == 0, "pthread_create");
    return s;
}

struct http_script *http_script_start(const struct http_answer *answers, size_t count)
{
    return start(answers, count, NULL, false);
}

struct http_script *http_script_start_tls(const struct http_answer *answers, size_t count, SSL_CTX *tls, bool is_proxy)
{
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    return start(answers, count, tls, is_proxy);
}

void http_script_stop(struct http_script *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->is_stopping = true;
    pthread_cond_broadcast(&s->released);
    for (int i = 0; i < s->connection_count; i++)
        if (s->connections[i].fd >= 0)
            shutdown(s->connections[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&s->lock);
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    close(s->listener);
    for (int i = 0; i < s->connection_count; i++)
        pthread_join(s->connections[i].thread, NULL);
    for (size_t i = 0; i < s->arrived; i++) {
        http_capture(s->seen[i]);
        free(s->seen[i]->headers);
        free(s->seen[i]->body);
        free(s->seen[i]);
    }
    pthread_cond_destroy(&s->released);
    pthread_mutex_destroy(&s->lock);
    free(s->answers);
    free(s);
}

/* ---- what was seen ---- */

const char *http_script_url(const struct http_script *s)
{
    return s->url;
}

static size_t read_locked(struct http_script *s, const size_t *field)
{
    size_t value;

    pthread_mutex_lock(&s->lock);
    value = *field;
    pthread_mutex_unlock(&s->lock);
    return value;
}

size_t http_script_count(struct http_script *s)
{
    return read_locked(s, &s->read_whole);
}

size_t http_script_sent(struct http_script *s)
{
    return read_locked(s, &s->sent);
}

int http_script_connections(struct http_script *s)
{
    int count;

    pthread_mutex_lock(&s->lock);
    count = s->connection_count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

int http_script_most_at_once(struct http_script *s)
{
    int most;

    pthread_mutex_lock(&s->lock);
    most = s->most_at_once;
    pthread_mutex_unlock(&s->lock);
    return most;
}

const struct http_seen *http_script_seen(struct http_script *s, size_t i)
{
    const struct http_seen *seen;

    pthread_mutex_lock(&s->lock);
    seen = i < s->arrived ? s->seen[i] : NULL;
    pthread_mutex_unlock(&s->lock);
    return seen;
}

void http_script_release(struct http_script *s)
{
    pthread_mutex_lock(&s->lock);
    s->is_released = true;
    pthread_cond_broadcast(&s->released);
    pthread_mutex_unlock(&s->lock);
}
