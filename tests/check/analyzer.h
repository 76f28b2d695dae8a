/* Read before every source that clang-tidy looks at: the analyzer sees one file at a time and cannot know that these
 * always return false, so it would follow paths that do not exist. */
#ifndef VIDBATCH_TESTS_CHECK_ANALYZER_H
#define VIDBATCH_TESTS_CHECK_ANALYZER_H

#include "server/base/err.h"

#define err_set(...) ((void)(err_set)(__VA_ARGS__), false)
#define err_code(...) ((void)(err_code)(__VA_ARGS__), false)
#define err_memory(...) ((void)(err_memory)(__VA_ARGS__), false)

#endif
