/* A small HTTP/1.1 server on a free port of 127.0.0.1 that plays scripted answers and remembers what it was asked. For
 * tests of clients: it can cut bodies, lie about lengths, reset connections and hold answers back. One thread a
 * connection. */
#ifndef VIDBATCH_TESTS_SUPPORT_HTTP_SCRIPT_H
#define VIDBATCH_TESTS_SUPPORT_HTTP_SCRIPT_H

#include "server/base/span.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_end {
    HTTP_KEEP,  /* the connection serves the next request */
    HTTP_CLOSE, /* closed in order */
    HTTP_RESET, /* the other side gets a reset */
};

struct http_answer {     /* all text is kept: it must live until http_script_stop */
    int status;          /* 0: not a byte is sent, only `end` happens (HTTP_KEEP counts as HTTP_CLOSE then) */
    const char *headers; /* more header lines, each with its \r\n; may be NULL */
    const char *body;    /* may be NULL */
    size_t body_len;     /* of a body that holds zeros; 0: it is text */
    size_t repeat;       /* body is sent so many times in a row; 0 = once */
    int64_t announced;   /* Content-Length to claim; 0: the truth, -1: none */
    size_t cut_after;    /* `end` happens after so many body bytes; 0: after all of it */
    enum http_end end;
    bool
        is_early; /* answers a request with "Expect: 100-continue" without reading its body, then ends the connection */
    bool is_held; /* waits for http_script_release before answering */
    bool is_head; /* the answer to a HEAD: a length, no body */
};

struct http_seen {
    char method[16];
    char target[4096];
    char *headers; /* all lines, with \r\n */
    char *body;    /* terminated */
    size_t body_len;
    int connection; /* 1 = the first one that was accepted */
};

struct http_script;
/* Requests get the answers in order of arrival, whatever the connection; the last answer serves all further ones. The
 * array is copied. Aborts when there is no socket to be had. Gives: http_script_stop. */
struct http_script *http_script_start(const struct http_answer *answers, size_t count);
/* The same over TLS. As a proxy it waits for a CONNECT in clear text, to whatever host, says that the connection is
 * established, and is that host itself. tls is kept until http_script_stop. */
struct http_script *http_script_start_tls(const struct http_answer *answers, size_t count, SSL_CTX *tls, bool is_proxy);
/* Ends all connections and frees what was seen. */
void http_script_stop(struct http_script *s);
/* "http://127.0.0.1:12345", of a proxy too; "https://..." over TLS */
const char *http_script_url(const struct http_script *s);
/* Requests whose head and body have been read whole (a body refused early counts as read). */
size_t http_script_count(struct http_script *s);
int http_script_connections(struct http_script *s);
/* The i-th request (0 = first to arrive), or NULL. Valid until http_script_stop, once http_script_count has counted it.
 */
const struct http_seen *http_script_seen(struct http_script *s, size_t i);
/* Value of a request's header, trimmed; the empty span where it has none. */
struct span http_seen_header(const struct http_seen *seen, const char *name);
/* Body bytes that the sockets have taken so far. */
size_t http_script_sent(struct http_script *s);
/* Most requests that waited for the beginning of their answer at the same time. */
int http_script_most_at_once(struct http_script *s);
/* Lets all held answers go, now and from now on. */
void http_script_release(struct http_script *s);

#endif
