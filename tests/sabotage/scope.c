/* What a thread is doing, told by the names that the service gives its log lines, and by the route that a request is
 * admitted to. A thread that a step or a request starts beside itself belongs to it. */
#include "server/base/log.h"
#include "server/base/span.h"
#include "server/http/internal.h"
#include "tests/sabotage/saboteur.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCOPE = 24, PLACE = 64 };

static _Thread_local char scope[SCOPE] = "io";
static _Thread_local char route[PLACE];          /* of a request; "" where it is not known yet */
static _Thread_local const char *at_rest = "io"; /* the scope when it does nothing in particular */

const char *sabotage_scope(void)
{
    return scope;
}

const char *sabotage_place(void)
{
    return route[0] ? route : scope;
}

static void set_scope(struct span name)
{
    snprintf(scope, sizeof scope, "%.*s", SPAN_ARG(name));
    route[0] = '\0';
}

/* The linker's names for what was called and for what is. */
void __wrap_log_context(const char *key_values);
void __real_log_context(const char *key_values);
bool __wrap_caller_admit(struct request *rq, void *context);
bool __real_caller_admit(struct request *rq, void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);

void __wrap_log_context(const char *key_values)
{
    struct span text = span_of(key_values ? key_values : "");

    __real_log_context(key_values);
    if (span_starts(text, SPAN_LIT("step="))) {
        text = span_tail(text, 5);
        set_scope(span_head(text, span_find(text, ' ')));
    } else if (span_starts(text, SPAN_LIT("request="))) {
        set_scope(SPAN_LIT("request"));
    } else {
        set_scope(span_of(at_rest));
    }
}

bool __wrap_caller_admit(struct request *rq, void *context)
{
    const struct route *at = rq->match.route;

    snprintf(route, sizeof route, "%s:%s", at->method, at->path);
    return __real_caller_admit(rq, context);
}

struct start {
    void *(*run)(void *);
    void *arg;
    char scope[SCOPE], route[PLACE];
};

static void *run_in_scope(void *arg)
{
    struct start start = *(struct start *)arg;

    free(arg);
    at_rest = "idle";
    memcpy(scope, start.scope, sizeof scope);
    memcpy(route, start.route, sizeof route);
    return start.run(start.arg);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    struct start *start = malloc(sizeof *start);
    int status = 0;

    if (!start)
        abort();
    *start = (struct start){ .run = run, .arg = arg };
    snprintf(start->scope, sizeof start->scope, "%s", strcmp(scope, "start") == 0 ? "idle" : scope);
    memcpy(start->route, route, sizeof route);
    status = __real_pthread_create(thread, attr, run_in_scope, start);
    if (status != 0)
        free(start);
    return status;
}

__attribute__((constructor)) static void main_starts(void)
{
    at_rest = "start";
    set_scope(SPAN_LIT("start"));
}
