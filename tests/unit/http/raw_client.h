/* A client that sends bytes as they are and reads one answer at a time. It takes no memory from server/base/mem, so
 * that failing allocations hit the server only. */
#ifndef VIDBATCH_TESTS_HTTP_RAW_CLIENT_H
#define VIDBATCH_TESTS_HTTP_RAW_CLIENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct answer {
    int status; /* 0: none came */
    bool whole; /* false: the connection ended or timed out inside it */
    char head[8192];
    char body[1 << 18];
    size_t len;
};

static inline int client_open_with(int port, int receive_buffer)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct timeval patience = { .tv_sec = 30 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (receive_buffer > 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static inline int client_open(int port)
{
    return client_open_with(port, 0);
}

static inline bool client_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static inline bool client_say(int fd, const char *text)
{
    return client_send(fd, text, strlen(text));
}

/* Exactly n bytes. */
static inline bool client_take(int fd, char *to, size_t n)
{
    while (n > 0) {
        ssize_t got = recv(fd, to, n, 0);
        if (got <= 0)
            return false;
        to += got;
        n -= (size_t)got;
    }
    return true;
}

/* Up to and with the end of a line, or of a head (two lines ends). */
static inline bool client_take_until(int fd, const char *end, char *to, size_t size)
{
    size_t end_len = strlen(end);
    size_t len = 0;

    while (len + 1 < size && client_take(fd, to + len, 1)) {
        to[++len] = '\0';
        if (len >= end_len && strcmp(to + len - end_len, end) == 0)
            return true;
    }
    to[len] = '\0';
    return false;
}

/* The value of a header into out; "" where it is absent. */
static inline const char *answer_header(const struct answer *a, const char *name, char *out, size_t size)
{
    const char *line = a->head;
    size_t name_len = strlen(name);

    out[0] = '\0';
    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            const char *value = line + name_len + 1;
            value += strspn(value, " ");
            (void)snprintf(out, size, "%.*s", (int)strcspn(value, "\r"), value);
            break;
        }
    }
    return out;
}

static inline bool client_take_chunks(int fd, struct answer *a)
{
    char line[64];

    for (;;) {
        size_t n = 0;
        if (!client_take_until(fd, "\r\n", line, sizeof line))
            return false;
        n = strtoul(line, NULL, 16);
        if (n > sizeof a->body - 1 - a->len || !client_take(fd, a->body + a->len, n) ||
            !client_take_until(fd, "\r\n", line, sizeof line))
            return false;
        a->len += n;
        if (n == 0)
            return true;
    }
}

/* Reads one answer; skips 100 Continue. */
static inline void client_read(int fd, struct answer *a, bool head_only)
{
    char text[64];

    do {
        a->status = 0;
        a->len = 0;
        a->whole = false;
        if (!client_take_until(fd, "\r\n\r\n", a->head, sizeof a->head))
            return;
        (void)sscanf(a->head, "HTTP/1.1 %d", &a->status);
    } while (a->status == 100);
    if (head_only || a->status == 204 || a->status == 304)
        a->whole = true;
    else if (strcasecmp(answer_header(a, "Transfer-Encoding", text, sizeof text), "chunked") == 0)
        a->whole = client_take_chunks(fd, a);
    else if (answer_header(a, "Content-Length", text, sizeof text)[0]) {
        a->len = strtoul(text, NULL, 10);
        a->whole = a->len < sizeof a->body && client_take(fd, a->body, a->len);
    }
    a->body[a->len < sizeof a->body ? a->len : 0] = '\0';
}

/* One request on its own connection. */
static inline void client_ask(int port, const char *request, struct answer *a)
{
    int fd = client_open(port);

    a->status = 0;
    a->len = 0;
    a->head[0] = a->body[0] = '\0';
    if (fd < 0)
        return;
    if (client_say(fd, request))
        client_read(fd, a, strncmp(request, "HEAD", 4) == 0);
    (void)close(fd);
}

/* GET with nothing but a Host. */
static inline void client_get(int port, const char *target, struct answer *a)
{
    char request[4096];

    (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    client_ask(port, request, a);
}

#endif
