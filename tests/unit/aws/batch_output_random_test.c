/* Random lines, valid and damaged, in every key order: what the stream reader takes from a line is what Jansson's DOM
 * of the same line holds. The seed is fixed, so a failure repeats. */
#include "aws/batch_output.h"

#include "server/base/buf.h"
#include "server/base/text.h"
#include "tests/support/test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALID_LINES = 40000, DAMAGED_LINES = 40000 };

static uint64_t state = 0x9E3779B97F4A7C15U;

static unsigned pick(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % below;
}

/* ---- generating ---- */

static void blank(struct buf *b)
{
    static const char *const blanks[] = { "", "", "", "", " ", "\t", "  ", "\r" };

    buf_text(b, blanks[pick(8)]);
}

static void string(struct buf *b)
{
    static const char *const pieces[] = {
        "a",       "word ",          "\\n",      "\\\"", "\\\\", "\\/", "\\u0041", "\xc3\xa9",        "\\u00e9",
        "\\u0000", "\\ud83d\\ude00", "<answer>", "{",    "}],",  "12",  ":",       "\xf0\x9f\x98\x80"
    };

    buf_char(b, '"');
    for (unsigned n = pick(6); n > 0; n--)
        buf_text(b, pieces[pick(sizeof(pieces) / sizeof(pieces[0]))]);
    buf_char(b, '"');
}

static void number(struct buf *b)
{
    static const char *const numbers[] = { "0",    "400",  "-7", "12.75", "3e2", "9223372036854775807",
                                           "-0.5", "1E+1", "-0", "5.0" };

    buf_text(b, numbers[pick(10)]);
}

static void any_value(struct buf *b, unsigned depth)
{
    unsigned n = 0;

    switch (pick(depth > 0 ? 9 : 7)) {
    case 0:
        buf_text(b, "null");
        return;
    case 1:
        buf_text(b, pick(2) ? "true" : "false");
        return;
    case 2:
    case 3:
        number(b);
        return;
    case 4:
        buf_text(b, "\"400\"");
        return;
    case 5:
    case 6:
        string(b);
        return;
    case 7:
        buf_char(b, '[');
        for (n = pick(4); n > 0; n--) {
            any_value(b, depth - 1);
            if (n > 1)
                buf_char(b, ',');
        }
        buf_char(b, ']');
        return;
    default:
        buf_char(b, '{');
        for (n = pick(4); n > 0; n--) {
            static const char *const names[] = { "text", "output", "x", "content", "recordId" };

            buf_fmt(b, "\"%s\":", names[pick(5)]);
            any_value(b, depth - 1);
            if (n > 1)
                buf_char(b, ',');
        }
        buf_char(b, '}');
    }
}

/* An object of some of the members in random order, now and then with one twice or with a stranger among them; a member
 * is mostly what it should be. */
struct member {
    const char *name;
    void (*make)(struct buf *b);
};

static void object(struct buf *b, const struct member *members, unsigned count, unsigned absent_in)
{
    unsigned order[16], n = 0;

    for (unsigned i = 0; i < count; i++)
        if (pick(absent_in) != 0)
            order[n++] = i;
    if (n > 0 && pick(20) == 0) {
        order[n] = order[pick(n)];
        n++;
    }
    for (unsigned i = n; i > 1; i--) {
        unsigned j = pick(i), swap = order[i - 1];

        order[i - 1] = order[j];
        order[j] = swap;
    }
    buf_char(b, '{');
    for (unsigned i = 0; i < n; i++) {
        if (i > 0)
            buf_char(b, ',');
        if (pick(12) == 0) {
            buf_text(b, "\"stranger\":");
            any_value(b, 2);
            buf_char(b, ',');
        }
        blank(b);
        buf_fmt(b, "\"%s\"", members[order[i]].name);
        blank(b);
        buf_char(b, ':');
        blank(b);
        if (pick(25) == 0)
            any_value(b, 2);
        else
            members[order[i]].make(b);
        blank(b);
    }
    buf_char(b, '}');
}

static void flag(struct buf *b)
{
    buf_text(b, pick(2) ? "true" : "false");
}

static void usage(struct buf *b)
{
    static const struct member members[] = { { "inputTokens", number },
                                             { "outputTokens", number },
                                             { "total", number } };

    object(b, members, 3, 6);
}

static void anything(struct buf *b)
{
    any_value(b, 3);
}

static void block(struct buf *b)
{
    static const struct member text[] = { { "text", string } };
    static const struct member reasoning[] = { { "reasoningContent", anything } };

    object(b, pick(3) ? text : reasoning, 1, 12);
}

static void content(struct buf *b)
{
    buf_char(b, '[');
    for (unsigned n = pick(4); n > 0; n--) {
        block(b);
        if (n > 1)
            buf_char(b, ',');
    }
    buf_char(b, ']');
}

static void message(struct buf *b)
{
    static const struct member members[] = { { "role", string }, { "content", content } };

    object(b, members, 2, 12);
}

static void output(struct buf *b)
{
    static const struct member members[] = { { "message", message } };

    object(b, members, 1, 15);
}

static void model_output(struct buf *b)
{
    static const struct member members[] = {
        { "output", output }, { "stopReason", string }, { "usage", usage }, { "metrics", anything }, { "error", string }
    };

    object(b, members, 5, 5);
}

static void error_object(struct buf *b)
{
    static const struct member members[] = {
        { "errorCode", number }, { "errorMessage", string }, { "retryable", flag }, { "expired", flag }
    };

    object(b, members, 4, 5);
}

static void random_line(struct buf *b)
{
    static const struct member good[] = { { "recordId", string },
                                          { "modelInput", anything },
                                          { "modelOutput", model_output } };
    static const struct member bad[] = { { "recordId", string },
                                         { "modelInput", anything },
                                         { "error", error_object } };
    static const struct member both[] = { { "recordId", string },
                                          { "error", error_object },
                                          { "modelOutput", model_output } };

    object(b, pick(20) == 0 ? both : pick(3) == 0 ? bad : good, 3, 20);
}

/* Some bytes changed, taken out, put in, or the end cut off. */
static void damage(struct buf *b)
{
    static const char bytes[] = "\"{}[],:\\ue01-+.tn \x01\x80\xff";

    for (unsigned n = 1 + pick(3); n > 0 && b->len > 1; n--) {
        size_t at = pick((unsigned)b->len);

        switch (pick(5)) {
        case 0:
            buf_cut(b, at);
            break;
        case 1:
            memmove(b->data + at, b->data + at + 1, b->len - at - 1);
            buf_cut(b, b->len - 1);
            break;
        default:
            b->data[at] = bytes[pick(sizeof(bytes) - 1)];
        }
    }
}

/* ---- what the DOM says ---- */

struct expected {
    enum batch_line_kind kind;
    struct buf record_id, text, stop_reason, message;
    bool altered, retryable, expired;
    int64_t in, out, code;
    bool is_unclear; /* nothing can be said */
};

/* Jansson keeps NUL (JSON_ALLOW_NUL); the reader replaces it. Returns whether it did. */
static bool put(struct buf *b, const json_t *value)
{
    if (!json_is_string(value))
        return false;
    return text_add_storable(b, (struct span){ json_string_value(value), json_string_length(value) });
}

/* Doubles beyond 2^53 have lost digits that the reader keeps: what they were cannot be told from the DOM. */
static bool is_blurred(const json_t *value)
{
    return json_is_real(value) && (json_real_value(value) > 9e15 || json_real_value(value) < -9e15);
}

static int64_t number_of(const json_t *value, int64_t otherwise, bool *is_unclear)
{
    int64_t n = otherwise;

    if (json_is_integer(value))
        return json_integer_value(value);
    if (is_blurred(value))
        *is_unclear = true;
    else if (json_is_real(value))
        return (int64_t)json_real_value(value);
    if (json_is_string(value) &&
        text_parse_i64(span_trim((struct span){ json_string_value(value), json_string_length(value) }), &n))
        return n;
    return otherwise;
}

static void expect_answer(const json_t *answer, struct expected *e)
{
    const json_t *list = json_object_get(json_object_get(json_object_get(answer, "output"), "message"), "content");
    const json_t *counts = json_object_get(answer, "usage");
    const json_t *item = NULL;
    size_t i = 0;

    json_array_foreach((json_t *)list, i, item)
    {
        if (put(&e->text, json_object_get(item, "text")))
            e->altered = true;
    }
    (void)put(&e->stop_reason, json_object_get(answer, "stopReason"));
    e->in = number_of(json_object_get(counts, "inputTokens"), -1, &e->is_unclear);
    e->out = number_of(json_object_get(counts, "outputTokens"), -1, &e->is_unclear);
    e->in = e->in < 0 || e->in > INT32_MAX ? -1 : e->in;
    e->out = e->out < 0 || e->out > INT32_MAX ? -1 : e->out;
}

static void expect(const json_t *root, struct expected *e)
{
    const json_t *answer = json_object_get(root, "modelOutput"), *error = json_object_get(root, "error");

    bool is_bad = !json_is_object(root) || (answer && !json_is_object(answer) && !json_is_null(answer)) ||
                  (error && !json_is_object(error) && !json_is_string(error) && !json_is_null(error));

    (void)put(&e->record_id, json_object_get(root, "recordId"));
    e->in = e->out = -1;
    if (json_is_object(answer))
        expect_answer(answer, e);
    if (json_is_object(error)) {
        e->code = number_of(json_object_get(error, "errorCode"), 0, &e->is_unclear);
        (void)put(&e->message, json_object_get(error, "errorMessage"));
        e->retryable = json_is_true(json_object_get(error, "retryable"));
        e->expired = json_is_true(json_object_get(error, "expired"));
    } else {
        (void)put(&e->message, json_is_string(error) ? error : json_object_get(answer, "error"));
    }
    e->kind = json_is_object(error) || json_is_string(error) ? BATCH_LINE_ERROR : BATCH_LINE_ANSWER;
    if (is_bad || e->record_id.len == 0 || (!json_is_object(answer) && e->kind == BATCH_LINE_ANSWER))
        e->kind = BATCH_LINE_MALFORMED;
}

static void expected_init(struct expected *e)
{
    *e = (struct expected){ 0 };
    buf_init(&e->record_id, 1 << 16);
    buf_init(&e->text, 1 << 16);
    buf_init(&e->stop_reason, 1 << 16);
    buf_init(&e->message, 1 << 16);
}

static void expected_done(struct expected *e)
{
    buf_done(&e->record_id);
    buf_done(&e->text);
    buf_done(&e->stop_reason);
    buf_done(&e->message);
}

static bool same(const struct expected *e, const struct batch_line *line)
{
    if (e->is_unclear)
        return true;
    if (e->kind != line->kind)
        return false;
    if (e->kind == BATCH_LINE_MALFORMED)
        return true;
    return span_eq(buf_view(&e->record_id), line->record_id) && span_eq(buf_view(&e->text), line->text) &&
           span_eq(text_utf8_head(buf_view(&e->stop_reason), 64), line->stop_reason) &&
           span_eq(buf_view(&e->message), line->error_message) && e->altered == line->text_altered &&
           e->in == line->input_tokens && e->out == line->output_tokens && e->code == line->error_code &&
           e->retryable == line->error_retryable && e->expired == line->error_expired;
}

/* ---- comparing ---- */

struct source {
    struct span rest;
    size_t step;
};

static bool more(void *arg, struct span *piece, struct err *err)
{
    struct source *s = arg;

    (void)err;
    *piece = span_head(s->rest, s->step);
    s->rest = span_tail(s->rest, piece->len);
    return true;
}

/* Reads the line and the one behind it. Returns whether Jansson took the line, so that there was something to compare.
 */
static bool compare(struct buf *file, unsigned number_of_line)
{
    AUTO(expected_done) struct expected e = { 0 };
    const size_t line_len = file->len;
    struct source source = { .step = 1 + pick(200) };
    struct batch_line line = { 0 };
    struct err err = { 0 };
    bool eof = false;
    json_t *root = json_loadb(file->data, line_len, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    bool is_compared = root != NULL;
    struct batch_output *out = batch_output_new(0, more, &source, &err);

    expected_init(&e);
    test_case("line %u: %.*s", number_of_line, (int)line_len, file->data);
    if (root)
        expect(root, &e);
    buf_text(file, "\n{\"recordId\":\"next\",\"modelOutput\":{}}\n");
    source.rest = buf_view(file);
    if (span_trim(span_head(buf_view(file), line_len)).len > 0) {
        CHECK(batch_output_next(out, &line, &eof, &err) && !eof);
        if (root)
            CHECK(same(&e, &line));
    }
    CHECK(batch_output_next(out, &line, &eof, &err) && !eof);
    CHECK_SPAN(line.record_id, "next");
    batch_output_free(out);
    json_decref(root);
    return is_compared;
}

static unsigned run(unsigned lines, bool is_damaged)
{
    AUTO(buf_done) struct buf file = { 0 };
    unsigned compared = 0;

    buf_init(&file, 1 << 20);
    for (unsigned i = 0; i < lines; i++) {
        buf_reset(&file);
        random_line(&file);
        if (is_damaged)
            damage(&file);
        compared += compare(&file, i);
    }
    test_case(NULL);
    return compared;
}

static void valid_lines(void)
{
    CHECK_I64(run(VALID_LINES, false), VALID_LINES);
}

static void damaged_lines(void)
{
    unsigned compared = run(DAMAGED_LINES, true);

    CHECK(compared > DAMAGED_LINES / 20); /* enough damage leaves JSON behind, */
    CHECK(compared < DAMAGED_LINES);      /* and enough does not */
}

static const struct test tests[] = { { "valid_lines", valid_lines }, { "damaged_lines", damaged_lines } };

TEST_MAIN("batch_output_random", tests)
