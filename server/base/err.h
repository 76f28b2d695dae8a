/* Errors are values that carry their story: what kind, where, whether trying again can help, and what the other side
 * said. */
#ifndef VIDBATCH_BASE_ERR_H
#define VIDBATCH_BASE_ERR_H

#include "server/base/attr.h"

#include <stdbool.h>
#include <stdint.h>

enum err_kind {
    ERR_NONE = 0,
    ERR_INPUT,     /* what the caller gave breaks a rule: 400 or 422 */
    ERR_NOT_FOUND, /* the named thing does not exist: 404 */
    ERR_CONFLICT,  /* the state of things forbids it now: 409 */
    ERR_DENIED,    /* the other side, or we, refuse access: 403 */
    ERR_BUSY,      /* throttled or out of slots: 503, later */
    ERR_TIMEOUT,   /* a deadline passed: 504 */
    ERR_UPSTREAM,  /* AWS failed or answered nonsense: 502 */
    ERR_DATABASE,  /* PostgreSQL failed: 503 */
    ERR_CANCELLED, /* we are shutting down, or a lease was lost */
    ERR_MEMORY,
    ERR_INTERNAL /* our own bug */
};

struct err {
    enum err_kind kind;
    bool retryable;             /* the same call, unchanged, may succeed later */
    const char *where;          /* HERE: static text, "aws/s3.c:142" */
    char code[48];              /* stable machine word, "below_minimum"; empty: derived from kind */
    char what[600];             /* for people: which object, which rule, what to do */
    char upstream_code[64];     /* AWS's error name, as sent; empty where AWS said nothing */
    char upstream_message[400]; /* AWS's own words, cut to fit */
    char upstream_request_id[80];
    int upstream_status;    /* HTTP status that AWS answered with, 0 without an answer */
    int transport;          /* libcurl's CURLcode of a call that got no whole answer; 0: it got one */
    int64_t retry_after_ms; /* the other side's wish, 0 if none */
};

#define ERR_TEXT_(x) #x
#define ERR_TEXT(x) ERR_TEXT_(x)
#define HERE __FILE__ ":" ERR_TEXT(__LINE__)

/* Always false, so that a failure is one line. The first error wins: a failing cleanup must not hide the cause.
 * e may be NULL (the caller does not care). Text is cut at a UTF-8 boundary. Any thread. */
bool err_set(struct err *e, enum err_kind kind, bool retryable, const char *where, const char *fmt, ...) PRINTF(5, 6);

/* Sets the stable code of an error that err_set has just filled; a code that is there stays. Always false. */
bool err_code(struct err *e, const char *code);

/* Hands an error on, as it is: the first one wins here too. Always false. e may be NULL. */
bool err_pass(struct err *e, const struct err *from);

/* ERR_MEMORY, not retryable by itself. Always false. */
bool err_memory(struct err *e, const char *where);

/* Empties e for reuse. */
void err_clear(struct err *e);

/* The kind as a word ("not_found"): the code of an error that has none of its own. Static text. */
const char *err_kind_name(enum err_kind kind);

/* e->code, or the kind's name where it is empty. Borrowed from e. */
const char *err_code_of(const struct err *e);

#endif
