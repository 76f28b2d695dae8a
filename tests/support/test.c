#include "tests/support/test.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES = 200 };

/* Checks may run in threads that a test starts, so the tallies are atomic. Cases are named by the test's own thread
 * only. */
static atomic_long checks_made;
static atomic_long checks_failed;
static atomic_bool skipped;
static char case_name[200];

void test_skip(const char *reason)
{
    atomic_store(&skipped, true);
    printf("  skipped: %s\n", reason);
}

void test_case(const char *fmt, ...)
{
    va_list args;

    case_name[0] = '\0';
    if (!fmt)
        return;
    va_start(args, fmt);
    (void)vsnprintf(case_name, sizeof case_name, fmt, args);
    va_end(args);
}

/* Counts one check; when it failed, begins its message: the caller adds what it got. */
static bool tally(bool ok, const char *what, const char *where)
{
    atomic_fetch_add(&checks_made, 1);
    if (ok)
        return true;
    atomic_fetch_add(&checks_failed, 1);
    printf("%s: %s%s%s", where, case_name[0] ? "[" : "", case_name, case_name[0] ? "] " : "");
    printf("%s", what);
    return false;
}

bool test_check(bool ok, const char *what, const char *where)
{
    if (tally(ok, what, where))
        return true;
    printf(": false\n");
    return false;
}

bool test_check_i64(long long got, long long want, const char *what, const char *where)
{
    if (tally(got == want, what, where))
        return true;
    printf(": got %lld, want %lld\n", got, want);
    return false;
}

bool test_check_text(const char *got, const char *want, const char *what, const char *where)
{
    bool same = got && want ? strcmp(got, want) == 0 : got == want;

    if (tally(same, what, where))
        return true;
    printf(":\n    got  %s\n    want %s\n", got ? got : "(NULL)", want ? want : "(NULL)");
    return false;
}

static void show(const char *label, const unsigned char *bytes, unsigned long len)
{
    printf("    %s %lu bytes: ", label, len);
    for (unsigned long i = 0; i < len && i < SHOWN_BYTES; i++) {
        if (bytes[i] >= 0x20 && bytes[i] < 0x7F && bytes[i] != '\\')
            putchar(bytes[i]);
        else
            printf("\\x%02x", bytes[i]);
    }
    printf("%s\n", len > SHOWN_BYTES ? "..." : "");
}

bool test_check_bytes(const void *got, unsigned long got_len, const void *want, unsigned long want_len,
                      const char *what, const char *where)
{
    bool same = got_len == want_len && (got_len == 0 || memcmp(got, want, got_len) == 0);

    if (tally(same, what, where))
        return true;
    printf(":\n");
    show("got ", got, got_len);
    show("want", want, want_len);
    return false;
}

enum outcome { PASSED, FAILED, SKIPPED };

static enum outcome run_one(const struct test *t)
{
    long failed_before = atomic_load(&checks_failed);
    long made_before = atomic_load(&checks_made);

    atomic_store(&skipped, false);
    test_case(NULL);
    t->run();
    if (atomic_load(&checks_failed) > failed_before) {
        printf("FAIL %s\n", t->name);
        return FAILED;
    }
    if (atomic_load(&skipped)) {
        printf("skip %s\n", t->name);
        return SKIPPED;
    }
    if (atomic_load(&checks_made) == made_before) {
        printf("FAIL %s: it checked nothing\n", t->name);
        return FAILED;
    }
    printf("ok   %s\n", t->name);
    return PASSED;
}

int test_main(const char *suite, const struct test *tests, int count, int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : "";
    int tally_by[3] = { 0 };
    int ran = 0;

    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* a crash must not swallow the line that explains it */
    for (int i = 0; i < count; i++) {
        if (!strstr(tests[i].name, only))
            continue;
        tally_by[run_one(&tests[i])]++;
        ran++;
    }
    printf("%s: %d passed, %d failed, %d skipped\n", suite, tally_by[PASSED], tally_by[FAILED], tally_by[SKIPPED]);
    return ran == 0 || tally_by[FAILED] > 0 ? 1 : 0;
}
