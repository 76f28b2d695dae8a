/* The smallest harness that reports honestly: CHECK counts and prints, a test binary ends with
 * "<name>: N passed, N failed, N skipped" and exits non-zero on any failure or when nothing ran. */
#ifndef VIDBATCH_TESTS_SUPPORT_TEST_H
#define VIDBATCH_TESTS_SUPPORT_TEST_H

#include "server/base/attr.h"

#include <stdbool.h>

struct test {
    const char *name;
    void (*run)(void);
};

/* Each test function is one "test"; it failed if any CHECK in it failed. */
int test_main(const char *suite, const struct test *tests, int count, int argc, char **argv);
/* Marks the running test as skipped with a printed reason. */
void test_skip(const char *reason);
/* Prefixes the messages of the checks that follow, so that a table's failing row is named. Copied; NULL ends it. */
void test_case(const char *fmt, ...) PRINTF(1, 2);
bool test_check(bool ok, const char *what, const char *where);
bool test_check_i64(long long got, long long want, const char *what, const char *where);
bool test_check_text(const char *got, const char *want, const char *what, const char *where);
bool test_check_bytes(const void *got, unsigned long got_len, const void *want, unsigned long want_len,
                      const char *what, const char *where);

#define TEST_TEXT_(x) #x
#define TEST_TEXT(x) TEST_TEXT_(x)
#define TEST_HERE __FILE__ ":" TEST_TEXT(__LINE__)
#define CHECK(condition) test_check((condition), #condition, TEST_HERE)
#define CHECK_I64(got, want) test_check_i64((long long)(got), (long long)(want), #got, TEST_HERE)
#define CHECK_TEXT(got, want) test_check_text((got), (want), #got, TEST_HERE)
#define CHECK_SPAN(got, want) test_check_bytes((got).ptr, (got).len, (want), __builtin_strlen(want), #got, TEST_HERE)
#define TEST_MAIN(suite, tests)                                                                                        \
    int main(int argc, char **argv)                                                                                    \
    {                                                                                                                  \
        return test_main((suite), (tests), (int)(sizeof(tests) / sizeof((tests)[0])), argc, argv);                     \
    }

#endif
