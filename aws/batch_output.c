#include "aws/batch_output.h"

#include "server/base/mem.h"
#include "server/base/text.h"

enum {
    RECORD_ID_MAX = 256,
    TEXT_MAX = 4 * 1024 * 1024,
    NAME_MAX_BYTES = 4096,
    WORD_MAX = 1024,           /* stopReason, numbers in strings */
    MESSAGE_MAX = 1024 * 1024, /* read up to here ... */
    MESSAGE_KEPT = 8 * 1024,   /* ... and cut: a long error text must not cost the record its error */
    STOP_REASON_KEPT = 64
};

enum presence { ABSENT, PRESENT, NO_OBJECT };

struct batch_output {
    struct json_reader reader;
    struct buf name; /* of the member being read */
    struct buf record_id;
    struct buf text;
    struct buf stop_reason;
    struct buf message;      /* error.errorMessage */
    struct buf output_error; /* modelOutput.error */
    struct buf word;         /* scratch */
    enum presence answer, error;
    json_more_fn *more; /* of the caller */
    void *more_arg;
    const char *line_at; /* the line's first byte in the reader's window; NULL: its head is, or will be, in `head` */
    bool is_split;       /* the line goes on behind that window */
    struct buf head;
};

/* Reads the value of one member of an object into line, or skips it. Of members that come twice the last counts, as in
 * every JSON parser in use: a reader of an object clears what an earlier one has left. */
typedef bool member_fn(struct batch_output *o, struct span name, struct batch_line *line, struct err *err);

static void keep_head(struct batch_output *o, struct span bytes)
{
    buf_span(&o->head, span_head(bytes, BATCH_LINE_HEAD - o->head.len));
}

/* The window that goes away may hold the beginning of a line. */
static bool more_bytes(void *arg, struct span *piece, struct err *err)
{
    struct batch_output *o = arg;

    if (o->line_at) {
        o->is_split = true;
        keep_head(o, (struct span){ o->line_at, (size_t)(o->reader.end - o->line_at) });
        o->line_at = NULL;
    }
    if (!o->more(o->more_arg, piece, err))
        return false;
    if (o->is_split)
        keep_head(o, *piece);
    return true;
}

static void begin_head(struct batch_output *o, const char *at)
{
    o->line_at = at;
    o->is_split = false;
    buf_reset(&o->head);
}

struct span batch_output_head(const struct batch_output *o, const struct batch_line *line)
{
    const size_t bytes = (size_t)(line->next_offset - line->offset);

    if (o->line_at)
        return (struct span){ o->line_at, bytes < BATCH_LINE_HEAD ? bytes : BATCH_LINE_HEAD };
    return span_head(buf_view(&o->head), bytes);
}

struct batch_output *batch_output_new(int64_t offset, json_more_fn *more, void *more_arg, struct err *err)
{
    struct batch_output *o = mem_alloc(1, sizeof(*o));

    if (!o) {
        err_memory(err, HERE);
        return NULL;
    }
    o->more = more;
    o->more_arg = more_arg;
    json_reader_init(&o->reader, (struct span){ "", 0 }, offset, more ? more_bytes : NULL, o);
    buf_init(&o->head, BATCH_LINE_HEAD);
    buf_init(&o->name, NAME_MAX_BYTES);
    buf_init(&o->record_id, RECORD_ID_MAX);
    buf_init(&o->text, TEXT_MAX);
    buf_init(&o->stop_reason, WORD_MAX);
    buf_init(&o->message, MESSAGE_MAX);
    buf_init(&o->output_error, MESSAGE_MAX);
    buf_init(&o->word, WORD_MAX);
    return o;
}

void batch_output_free(struct batch_output *o)
{
    if (!o)
        return;
    buf_done(&o->name);
    buf_done(&o->record_id);
    buf_done(&o->text);
    buf_done(&o->stop_reason);
    buf_done(&o->message);
    buf_done(&o->output_error);
    buf_done(&o->word);
    buf_done(&o->head);
    mem_free(o);
}

static bool members(struct batch_output *o, member_fn *take, struct batch_line *line, struct err *err)
{
    bool done = false;

    if (!json_enter_object(&o->reader, err))
        return false;
    for (;;) {
        if (!json_next_name(&o->reader, &o->name, &done, err))
            return false;
        if (done)
            return true;
        if (!take(o, buf_view(&o->name), line, err))
            return false;
    }
}

/* The value's members where it is an object; any other value is skipped. */
static bool members_if_object(struct batch_output *o, member_fn *take, struct batch_line *line, struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;

    if (!json_peek(&o->reader, &kind, err))
        return false;
    return kind == JSON_KIND_OBJECT ? members(o, take, line, err) : json_skip_value(&o->reader, err);
}

/* Appends the value where it is a string; any other value is skipped. */
static bool add_if_string(struct batch_output *o, struct buf *into, struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;

    if (!json_peek(&o->reader, &kind, err))
        return false;
    return kind == JSON_KIND_STRING ? json_take_string(&o->reader, into, err) : json_skip_value(&o->reader, err);
}

static bool take_if_string(struct batch_output *o, struct buf *into, struct err *err)
{
    buf_reset(into);
    return add_if_string(o, into, err);
}

/* A number, or a number in a string; anything else, and a number that does not fit, leaves *out alone. */
static bool take_if_number(struct batch_output *o, int64_t *out, struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;

    if (!json_peek(&o->reader, &kind, err))
        return false;
    if (kind == JSON_KIND_NUMBER)
        return json_take_i64_if_fits(&o->reader, out, err);
    if (!take_if_string(o, &o->word, err))
        return false;
    (void)!text_parse_i64(span_trim(buf_view(&o->word)), out); /* empty where it was no string */
    return true;
}

static bool take_if_bool(struct batch_output *o, bool *out, struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;

    *out = false;
    if (!json_peek(&o->reader, &kind, err))
        return false;
    if (kind == JSON_KIND_TRUE || kind == JSON_KIND_FALSE)
        return json_take_bool(&o->reader, out, err);
    return json_skip_value(&o->reader, err);
}

/* ---- modelOutput ---- */

static void clear_text(struct batch_output *o, struct batch_line *line)
{
    buf_reset(&o->text);
    line->text_altered = false;
}

static bool usage_member(struct batch_output *o, struct span name, struct batch_line *line, struct err *err)
{
    int64_t *count = span_eq_text(name, "inputTokens")    ? &line->input_tokens
                     : span_eq_text(name, "outputTokens") ? &line->output_tokens
                                                          : NULL;

    if (!count)
        return json_skip_value(&o->reader, err);
    *count = -1;
    if (!take_if_number(o, count, err))
        return false;
    if (*count < 0 || *count > INT32_MAX) /* no record has so many: nonsense, and sums must not overflow */
        *count = -1;
    return true;
}

/* One block of the content: { "text": ... }, or reasoningContent, toolUse ..., which are skipped. */
static bool content_block(struct batch_output *o, struct batch_line *line, struct err *err)
{
    const size_t before = o->text.len;
    const bool altered_before = line->text_altered;
    bool done = false;

    if (!json_enter_object(&o->reader, err))
        return false;
    for (;;) {
        if (!json_next_name(&o->reader, &o->name, &done, err))
            return false;
        if (done)
            break;
        if (!span_eq_text(buf_view(&o->name), "text")) {
            if (!json_skip_value(&o->reader, err))
                return false;
            continue;
        }
        buf_cut(&o->text, before);
        o->reader.altered = false; /* also set by names */
        if (!add_if_string(o, &o->text, err))
            return false;
        line->text_altered = altered_before || o->reader.altered;
    }
    return true;
}

static bool message_member(struct batch_output *o, struct span name, struct batch_line *line, struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;
    bool done = false;

    if (!span_eq_text(name, "content"))
        return json_skip_value(&o->reader, err);
    clear_text(o, line);
    if (!json_peek(&o->reader, &kind, err))
        return false;
    if (kind != JSON_KIND_ARRAY)
        return json_skip_value(&o->reader, err);
    if (!json_enter_array(&o->reader, err))
        return false;
    for (;;) {
        if (!json_next_item(&o->reader, &done, err))
            return false;
        if (done)
            return true;
        if (!json_peek(&o->reader, &kind, err))
            return false;
        if (kind == JSON_KIND_OBJECT ? !content_block(o, line, err) : !json_skip_value(&o->reader, err))
            return false;
    }
}

static bool output_member(struct batch_output *o, struct span name, struct batch_line *line, struct err *err)
{
    if (!span_eq_text(name, "message"))
        return json_skip_value(&o->reader, err);
    clear_text(o, line);
    return members_if_object(o, message_member, line, err);
}

static bool answer_member(struct batch_output *o, struct span name, struct batch_line *line, struct err *err)
{
    if (span_eq_text(name, "output")) {
        clear_text(o, line);
        return members_if_object(o, output_member, line, err);
    }
    if (span_eq_text(name, "usage")) {
        line->input_tokens = line->output_tokens = -1;
        return members_if_object(o, usage_member, line, err);
    }
    if (span_eq_text(name, "stopReason"))
        return take_if_string(o, &o->stop_reason, err);
    if (span_eq_text(name, "error")) /* Nova says so when its content filter blocked the answer */
        return take_if_string(o, &o->output_error, err);
    return json_skip_value(&o->reader, err);
}

static void clear_answer(struct batch_output *o, struct batch_line *line)
{
    clear_text(o, line);
    buf_reset(&o->stop_reason);
    buf_reset(&o->output_error);
    line->input_tokens = line->output_tokens = -1;
    o->answer = ABSENT;
}

/* ---- error ---- */

static bool error_member(struct batch_output *o, struct span name, struct batch_line *line, struct err *err)
{
    if (span_eq_text(name, "errorCode")) {
        line->error_code = 0;
        return take_if_number(o, &line->error_code, err);
    }
    if (span_eq_text(name, "errorMessage"))
        return take_if_string(o, &o->message, err);
    if (span_eq_text(name, "retryable"))
        return take_if_bool(o, &line->error_retryable, err);
    if (span_eq_text(name, "expired"))
        return take_if_bool(o, &line->error_expired, err);
    return json_skip_value(&o->reader, err);
}

static void clear_error(struct batch_output *o, struct batch_line *line)
{
    buf_reset(&o->message);
    line->error_code = 0;
    line->error_retryable = line->error_expired = false;
    o->error = ABSENT;
}

/* ---- the line ---- */

/* null counts as absent. */
static bool take_result(struct batch_output *o, member_fn *take, enum presence *presence, struct batch_line *line,
                        struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;

    if (!json_peek(&o->reader, &kind, err))
        return false;
    *presence = kind == JSON_KIND_OBJECT ? PRESENT : kind == JSON_KIND_NULL ? ABSENT : NO_OBJECT;
    return *presence == PRESENT ? members(o, take, line, err) : json_skip_value(&o->reader, err);
}

/* An error may also be nothing but its text. */
static bool take_error(struct batch_output *o, struct batch_line *line, struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;

    clear_error(o, line);
    if (!json_peek(&o->reader, &kind, err))
        return false;
    if (kind != JSON_KIND_STRING)
        return take_result(o, error_member, &o->error, line, err);
    o->error = PRESENT;
    return json_take_string(&o->reader, &o->message, err);
}

static bool line_member(struct batch_output *o, struct span name, struct batch_line *line, struct err *err)
{
    if (span_eq_text(name, "recordId"))
        return take_if_string(o, &o->record_id, err);
    if (span_eq_text(name, "modelOutput")) {
        clear_answer(o, line);
        return take_result(o, answer_member, &o->answer, line, err);
    }
    if (span_eq_text(name, "error"))
        return take_error(o, line, err);
    return json_skip_value(&o->reader, err);
}

static bool read_line(struct batch_output *o, struct batch_line *line, struct err *err)
{
    clear_answer(o, line);
    clear_error(o, line);
    buf_reset(&o->record_id);
    return members(o, line_member, line, err) && json_end_of_line(&o->reader, err);
}

static bool judge(const struct batch_output *o, struct err *err)
{
    if (o->record_id.len == 0) {
        err_set(err, ERR_INPUT, false, HERE, "the line has no recordId");
        return err_code(err, "no_record_id");
    }
    if (o->answer == NO_OBJECT || o->error == NO_OBJECT) {
        err_set(err, ERR_INPUT, false, HERE, "modelOutput or error of the line is not what it should be");
        return err_code(err, "bad_result");
    }
    if (o->answer == ABSENT && o->error == ABSENT) {
        err_set(err, ERR_INPUT, false, HERE, "the line has neither modelOutput nor error");
        return err_code(err, "no_result");
    }
    return true;
}

/* An error beside an answer should not occur; the record has then failed, whatever words came with it. */
static void fill_line(const struct batch_output *o, struct batch_line *line)
{
    line->record_id = buf_view(&o->record_id);
    line->text = buf_view(&o->text);
    line->stop_reason = text_utf8_head(buf_view(&o->stop_reason), STOP_REASON_KEPT);
    line->kind = o->error == PRESENT ? BATCH_LINE_ERROR : BATCH_LINE_ANSWER;
    line->error_message = text_utf8_head(buf_view(o->error == PRESENT ? &o->message : &o->output_error), MESSAGE_KEPT);
}

static bool fatal(const struct batch_output *o, const struct err *cause)
{
    return o->reader.io_failed || cause->kind == ERR_MEMORY;
}

static bool give_up(const struct err *cause, struct err *err)
{
    if (err && err->kind == ERR_NONE)
        *err = *cause;
    return false;
}

static bool drop_line(struct batch_output *o, struct err *err)
{
    struct err cause = { 0 }; /* err may hold an earlier error, which would win */

    return json_drop_line(&o->reader, &cause) || give_up(&cause, err);
}

/* The body's one value and nothing behind it. */
static bool read_answer(struct batch_output *o, struct batch_line *line, struct err *err)
{
    if (!take_result(o, answer_member, &o->answer, line, err) || !json_end_of_line(&o->reader, err))
        return false;
    return o->answer == PRESENT || err_set(err, ERR_INPUT, false, HERE, "it is no JSON object");
}

bool batch_output_answer(struct batch_output *o, struct span body, struct batch_line *line, struct err *err)
{
    struct err problem = { 0 };

    *line = (struct batch_line){ 0 };
    json_reader_init(&o->reader, body, 0, NULL, NULL);
    clear_answer(o, line);
    clear_error(o, line);
    buf_reset(&o->record_id);
    if (read_answer(o, line, &problem)) {
        fill_line(o, line);
        return true;
    }
    if (problem.kind == ERR_MEMORY)
        return give_up(&problem, err);
    err_set(err, ERR_UPSTREAM, false, HERE, "the model's answer cannot be read: %s", problem.what);
    return err_code(err, "bad_answer");
}

/* Some tools put a byte order mark before the first line. */
static bool skip_mark(struct batch_output *o, struct err *err)
{
    return json_reader_offset(&o->reader) > 0 || json_skip_mark(&o->reader, err);
}

bool batch_output_next(struct batch_output *o, struct batch_line *line, bool *eof, struct err *err)
{
    struct err *problem = &line->problem;
    bool is_begun = false, is_read = false;

    *line = (struct batch_line){ 0 };
    *eof = false;
    begin_head(o, NULL);
    is_begun = skip_mark(o, problem);
    if (is_begun && !json_next_line(&o->reader, eof, problem))
        return give_up(problem, err);
    if (*eof)
        return true;
    begin_head(o, is_begun ? o->reader.at : NULL);
    line->offset = is_begun ? json_reader_offset(&o->reader) : 0; /* a broken mark is part of its line */
    is_read = is_begun && read_line(o, line, problem);
    if (!is_read && fatal(o, problem))
        return give_up(problem, err);
    if (!is_read && !drop_line(o, err))
        return false;
    if (is_read && judge(o, problem))
        fill_line(o, line);
    else
        line->kind = BATCH_LINE_MALFORMED;
    line->next_offset = json_reader_offset(&o->reader);
    return true;
}
