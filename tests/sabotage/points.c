/* The control file, the file of points, and the decision. */
#include "server/base/text.h"
#include "server/work/step.h"
#include "sql/db.h"
#include "tests/sabotage/saboteur.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS = 1 << 16, NAME = 256 };

static struct control *control;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static int points = -1;
static char line[NAME]; /* of the file, as far as it was read */
static size_t line_len;
static uint64_t seen[SLOTS];                                 /* names by their hash */
static pthread_mutex_t one_lock = PTHREAD_MUTEX_INITIALIZER; /* guards met; held before lock */
static struct {
    uint64_t place;
    int64_t armed;
    int times;
} met[SLOTS]; /* places of CONTROL_ONE, and how often each was met since it was armed */

static void must(bool is_so, const char *what)
{
    if (is_so)
        return;
    perror(what);
    _exit(99);
}

static void list_and_leave(void)
{
    for (int i = 0; i < STEP_KINDS; i++)
        printf("kind %s\n", step_kinds[i].name);
    for (int i = 0; i < QUERY_COUNT; i++)
        if (sabotage_writes(sql_queries[i].text))
            printf("writes %s\n", sql_queries[i].name);
    (void)fflush(stdout);
    _exit(0);
}

__attribute__((constructor)) static void begin(void)
{
    const char *control_path = getenv("SABOTAGE_CONTROL"), *points_path = getenv("SABOTAGE_POINTS");
    int fd = -1;

    if (getenv("SABOTAGE_LIST"))
        list_and_leave();
    if (!control_path || !points_path)
        return;
    fd = open(control_path, O_RDWR | O_CLOEXEC);
    must(fd >= 0, control_path);
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(control != MAP_FAILED, "mmap");
    close(fd);
    points = open(points_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    must(points >= 0, points_path);
}

static uint64_t hash_of(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}

/* Its place, or the free one where it would go. */
static uint64_t *find(uint64_t hash)
{
    uint64_t at = hash % SLOTS;

    while (seen[at] && seen[at] != hash)
        at = (at + 1) % SLOTS;
    return &seen[at];
}

/* What this process and others have added since. */
static void read_points(void)
{
    static off_t offset;
    char bytes[4096];
    ssize_t got = 0;

    while ((got = pread(points, bytes, sizeof bytes, offset)) > 0) {
        offset += got;
        for (ssize_t i = 0; i < got; i++) {
            if (bytes[i] != '\n') {
                line[line_len] = bytes[i];
                line_len += line_len < NAME - 1;
                continue;
            }
            line[line_len] = '\0';
            line_len = 0;
            *find(hash_of(line)) = hash_of(line);
        }
    }
}

/* First over all processes? Then nobody else is. */
static bool is_first(const char *name)
{
    uint64_t hash = hash_of(name);
    bool is_new = false;

    pthread_mutex_lock(&lock);
    if (!*find(hash)) {
        (void)flock(points, LOCK_EX);
        read_points();
        is_new = !*find(hash);
        if (is_new)
            must(dprintf(points, "%s\n", name) > 0, "the file of points");
        *find(hash) = hash;
        (void)flock(points, LOCK_UN);
    }
    pthread_mutex_unlock(&lock);
    return is_new;
}

static bool is_wanted(enum sabotage what)
{
    const char *scope = sabotage_scope();
    char padded[40];

    if (!(atomic_load(&control->what) & (int)what))
        return false;
    if (!control->scopes[0])
        return true;
    snprintf(padded, sizeof padded, " %s ", scope);
    return strstr(control->scopes, padded) != NULL;
}

/* How often has this place been met since the last arming, this time included? No more than SABOTAGE_TIMES. */
static int times_of(const char *name)
{
    const uint64_t place = hash_of(name);
    const int64_t armed = atomic_load(&control->armed);
    uint64_t at = place % SLOTS;

    while (met[at].place && met[at].place != place)
        at = (at + 1) % SLOTS;
    if (met[at].armed != armed)
        met[at].times = 0;
    met[at].place = place;
    met[at].armed = armed;
    met[at].times += met[at].times < SABOTAGE_TIMES;
    return met[at].times;
}

static bool is_the_one(char name[NAME])
{
    size_t len = strlen(name);
    bool is_it = false;

    pthread_mutex_lock(&one_lock);
    if (atomic_load(&control->fired) == 0) {
        (void)snprintf(name + len, NAME - len, " #%d", times_of(name));
        is_it = is_first(name);
        atomic_fetch_add(&control->fired, is_it);
    }
    pthread_mutex_unlock(&one_lock);
    return is_it;
}

static bool decide(enum sabotage what, const char *fmt, va_list args) PRINTF(2, 0);
static bool decide(enum sabotage what, const char *fmt, va_list args)
{
    char name[NAME];
    int len = 0, mode = control ? atomic_load(&control->mode) : CONTROL_OFF;

    if (mode == CONTROL_OFF || !is_wanted(what))
        return false;
    len = snprintf(name, sizeof name, "%s ", mode == CONTROL_ONE ? control->label : sabotage_place());
    vsnprintf(name + len, sizeof name - (size_t)len, fmt, args);
    if (mode == CONTROL_ONE) {
        if (!is_the_one(name))
            return false;
    } else {
        if (!is_first(name))
            return false;
        atomic_fetch_add(&control->fired, 1);
    }
    atomic_store(&control->last, (int)what);
    return true;
}

void sabotage_note(const char *query)
{
    char name[NAME];

    if (!control || atomic_load(&control->mode) != CONTROL_POINTS || !(atomic_load(&control->what) & SABOTAGE_KILL))
        return;
    snprintf(name, sizeof name, "writes %s", query);
    (void)is_first(name);
}

bool sabotage_hits(enum sabotage what, const char *fmt, ...)
{
    va_list args;
    bool is_it = false;

    va_start(args, fmt);
    is_it = decide(what, fmt, args);
    va_end(args);
    return is_it;
}

void sabotage_kill(const char *fmt, ...)
{
    va_list args;
    bool is_it = false;

    va_start(args, fmt);
    is_it = decide(SABOTAGE_KILL, fmt, args);
    va_end(args);
    if (is_it)
        (void)kill(getpid(), SIGKILL);
}

/* Ours alone: a library's functions may keep something else where a frame's pointer is due. */
extern const char __executable_start[], etext[];

__attribute__((no_sanitize("address"))) void sabotage_trace(int frames, char out[SABOTAGE_TRACE])
{
    enum { SKIP = 1, HIGHEST = 8 * 1024 * 1024 };
    const uintptr_t *frame = __builtin_frame_address(0);
    const uintptr_t first = (uintptr_t)frame;
    size_t len = 0;

    out[0] = '\0';
    for (int i = 0; i < SKIP + frames; i++) {
        const uintptr_t next = frame[0], from = frame[1];

        if (from < (uintptr_t)__executable_start || from > (uintptr_t)etext)
            return;
        if (i >= SKIP)
            len += (size_t)snprintf(out + len, SABOTAGE_TRACE - len, " %lx",
                                    (unsigned long)(from - (uintptr_t)__executable_start));
        if (next <= (uintptr_t)frame || next - first > HIGHEST || next % sizeof next != 0)
            return;
        frame = (const uintptr_t *)next; /* NOLINT(performance-no-int-to-ptr): that is what a frame holds */
    }
}
