/* When a chunk of answers is full, and what is said of lines that cannot be read. */
#include "server/base/log.h"
#include "server/work/ingest.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    size_t rows, text_bytes;
    int64_t from, to;
    bool is_full;
} cases[] = {
    { 0, 0, 0, 0, false },
    { CHUNK_ROWS - 1, CHUNK_TEXT_BYTES, 5, 1000, false },
    { CHUNK_ROWS, 0, 0, 1000, true },
    { 1, CHUNK_TEXT_BYTES + 1, 0, 1000, true },
    { 0, 0, 7, 7 + (int64_t)CHUNK_FILE_BYTES, false },
    { 0, 0, 7, 8 + (int64_t)CHUNK_FILE_BYTES, true }, /* of lines that are of no use */
    { 0, 0, INT64_C(5000000000), INT64_C(5000000000), false },
};

static void is_full_by_rows_text_and_file(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct chunk chunk = {
            .count = cases[i].rows, .arena = { .len = cases[i].text_bytes }, .from = cases[i].from, .to = cases[i].to
        };

        test_case("case %zu", i);
        CHECK(chunk_is_full(&chunk) == cases[i].is_full);
    }
    test_case(NULL);
}

static bool give_junk(void *arg, struct span *bytes, struct err *err)
{
    static const char junk[] = "a\nb\nc\nd\ne\nf\n";
    bool *given = arg;

    (void)err;
    *bytes = *given ? (struct span){ junk, 0 } : (struct span){ junk, sizeof junk - 1 };
    *given = true;
    return true;
}

static int count_of(const char *text, const char *word)
{
    int count = 0;

    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        count++;
    return count;
}

static void tells_of_the_first_unreadable_lines(void)
{
    struct ingest ingest = { 0 };
    struct chunk chunk = { 0 };
    struct batch_output *output = NULL;
    struct batch_line line;
    struct err err = { 0 };
    bool given = false, eof = false, ok = true;
    char said[8192] = "";
    int ends[2];

    CHECK(pipe(ends) == 0);
    log_setup(LOG_INFO_LEVEL, false, ends[1]);
    ok = chunk_init(&chunk, &ingest, SPAN_LIT("x.jsonl.out"), 0, &err);
    output = batch_output_new(0, give_junk, &given, &err);
    while (ok && output && !eof)
        ok = batch_output_next(output, &line, &eof, &err) && (eof || chunk_add(&chunk, output, &line, &err));
    log_setup(LOG_INFO_LEVEL, false, STDERR_FILENO);
    CHECK(ok && output);
    CHECK_I64(chunk.progress.malformed_lines, 6);
    CHECK(close(ends[1]) == 0);
    CHECK(read(ends[0], said, sizeof said - 1) > 0);
    CHECK_I64(count_of(said, "ingest.malformed_line"), 3);
    close(ends[0]);
    batch_output_free(output);
    chunk_done(&chunk);
}

static const struct test tests[] = {
    { "is full by rows, text and file", is_full_by_rows_text_and_file },
    { "tells of the first unreadable lines", tells_of_the_first_unreadable_lines },
};
TEST_MAIN("work/ingest_chunk", tests)
