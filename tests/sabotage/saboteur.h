/* The service with a saboteur inside: build/.../bin/vidbatchd-sabotaged is made of the very objects of vidbatchd, but
 * its calls to libpq, libcurl and the memory door are routed here by the linker (--wrap, see sabotage.mk). At each call
 * the saboteur may kill the process or make the call fail. Nothing of it is in vidbatchd.
 *
 * Whoever starts it gives a control file (SABOTAGE_CONTROL, a struct control, shared memory that outlives the process)
 * and a file of points (SABOTAGE_POINTS), one name a line. With SABOTAGE_LIST it prints what there is and leaves. */
#ifndef VIDBATCH_TESTS_SABOTAGE_SABOTEUR_H
#define VIDBATCH_TESTS_SABOTAGE_SABOTEUR_H

#include "server/base/attr.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum sabotage {
    SABOTAGE_KILL = 1,        /* kill -9 before and after whatever makes something true: commits, and AWS's changes */
    SABOTAGE_MEMORY = 2,      /* an allocation fails */
    SABOTAGE_DB_REFUSED = 4,  /* a libpq call does nothing and fails, as it does without memory */
    SABOTAGE_DB_CUT = 8,      /* the connection is lost before the statement */
    SABOTAGE_DB_LOST = 16,    /* the statement is executed, its answer lost with the connection */
    SABOTAGE_NET_MEMORY = 32, /* a libcurl call fails for want of memory */
    SABOTAGE_NET_LOST = 64    /* a transfer was made, its answer lost */
};

enum control_mode {
    CONTROL_OFF,
    CONTROL_POINTS, /* each point once, at its first hit, over all processes: its name is added to the file of points */
    CONTROL_ONE /* each point once, but at most one after each arming; a place that is met again counts as a new one,
                   SABOTAGE_TIMES times: the second failure of a loop may meet what the first has left */
};
enum { SABOTAGE_TIMES = 3 };

/* As tests/sabotage/saboteur.py writes it: no padding. */
struct control {
    _Atomic int32_t mode;
    _Atomic int32_t what;  /* of enum sabotage, or'ed */
    _Atomic int64_t armed; /* CONTROL_ONE: another number for each arming */
    _Atomic int64_t fired; /* how often something was made to fail */
    _Atomic int32_t last;  /* of enum sabotage: what did so last */
    char scopes[116];      /* " scan plan ": only there; empty: everywhere */
    char label[80];        /* CONTROL_ONE: what the names of points begin with */
};

/* ---- scope.c: what the thread is doing ---- */
/* The step's kind; "request" in a handler; "io" in libmicrohttpd's threads; "idle" between; "start" in main. */
const char *sabotage_scope(void);
/* The same as the names of points begin with it: of a request the route is said, "POST:/v1/jobs/{id}/cancel". */
const char *sabotage_place(void);

/* ---- points.c ---- */
/* Is this call the one? fmt: the point's name without its scope. Any thread. */
bool sabotage_hits(enum sabotage what, const char *fmt, ...) PRINTF(2, 3);
/* The same for a moment in which the process may be killed; returns if it is not. */
void sabotage_kill(const char *fmt, ...) PRINTF(1, 2);
/* Where kills are wanted: adds "writes QUERY" to the file of points. */
void sabotage_note(const char *query);
/* Where in the program: the return addresses of so many frames, relative to the program's start. */
enum { SABOTAGE_TRACE = 120 };
void sabotage_trace(int frames, char out[SABOTAGE_TRACE]);

/* ---- libpq.c ---- */
/* Does this statement, an SQL text, change anything? */
bool sabotage_writes(const char *sql);

#endif
