#include "aws/batch_echo.h"

#include "server/base/mem.h"
#include "server/base/text.h"

enum { RECORD_ID_MAX = 256, URI_MAX = 1100, TEXT_MAX = 1024 * 1024, NAME_MAX_BYTES = 4096 };

struct batch_echo {
    struct json_reader reader;
    struct buf name; /* of the member being read */
    struct buf record_id;
    struct buf uri;
    struct buf prompt;
    struct buf system;
};

/* Reads the value of one member of an object, or skips it. Of members that come twice the last counts. */
typedef bool member_fn(struct batch_echo *e, struct span name, struct batch_echo_line *line, struct err *err);
/* Reads one item of an array. */
typedef bool item_fn(struct batch_echo *e, struct batch_echo_line *line, struct err *err);

struct batch_echo *batch_echo_new(int64_t offset, json_more_fn *more, void *more_arg, struct err *err)
{
    struct batch_echo *e = mem_alloc(1, sizeof *e);

    if (!e) {
        err_memory(err, HERE);
        return NULL;
    }
    json_reader_init(&e->reader, (struct span){ "", 0 }, offset, more, more_arg);
    buf_init(&e->name, NAME_MAX_BYTES);
    buf_init(&e->record_id, RECORD_ID_MAX);
    buf_init(&e->uri, URI_MAX);
    buf_init(&e->prompt, TEXT_MAX);
    buf_init(&e->system, TEXT_MAX);
    return e;
}

void batch_echo_free(struct batch_echo *e)
{
    if (!e)
        return;
    buf_done(&e->name);
    buf_done(&e->record_id);
    buf_done(&e->uri);
    buf_done(&e->prompt);
    buf_done(&e->system);
    mem_free(e);
}

/* ---- values of the kind that is wanted; any other is skipped ---- */

static bool is_kind(struct batch_echo *e, enum json_kind wanted, bool *yes, struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;

    if (!json_peek(&e->reader, &kind, err))
        return false;
    *yes = kind == wanted;
    return *yes || json_skip_value(&e->reader, err);
}

static bool members(struct batch_echo *e, member_fn *take, struct batch_echo_line *line, struct err *err)
{
    bool yes = false, done = false;

    if (!is_kind(e, JSON_KIND_OBJECT, &yes, err))
        return false;
    if (!yes)
        return true;
    if (!json_enter_object(&e->reader, err))
        return false;
    for (;;) {
        if (!json_next_name(&e->reader, &e->name, &done, err))
            return false;
        if (done)
            return true;
        if (!take(e, buf_view(&e->name), line, err))
            return false;
    }
}

static bool items(struct batch_echo *e, item_fn *take, struct batch_echo_line *line, struct err *err)
{
    bool yes = false, done = false;

    if (!is_kind(e, JSON_KIND_ARRAY, &yes, err))
        return false;
    if (!yes)
        return true;
    if (!json_enter_array(&e->reader, err))
        return false;
    for (;;) {
        if (!json_next_item(&e->reader, &done, err))
            return false;
        if (done)
            return true;
        if (!take(e, line, err))
            return false;
    }
}

static bool take_text(struct batch_echo *e, struct buf *into, struct err *err)
{
    bool yes = false;

    buf_reset(into);
    return is_kind(e, JSON_KIND_STRING, &yes, err) && (!yes || json_take_string(&e->reader, into, err));
}

static bool add_text(struct batch_echo *e, struct buf *into, struct err *err)
{
    bool yes = false;

    if (!is_kind(e, JSON_KIND_STRING, &yes, err))
        return false;
    if (!yes)
        return true;
    if (into->len > 0)
        buf_char(into, '\n');
    return json_take_string(&e->reader, into, err);
}

/* A number within bounds, as Nova takes them; else as if it were absent. */
static bool take_count(struct batch_echo *e, bool *has, int64_t *out, struct err *err)
{
    int64_t n = -1;
    bool yes = false;

    *has = false;
    if (!is_kind(e, JSON_KIND_NUMBER, &yes, err) || (yes && !json_take_i64_if_fits(&e->reader, &n, err)))
        return false;
    *has = n >= 0 && n <= INT32_MAX;
    *out = *has ? n : 0;
    return true;
}

static bool take_share(struct batch_echo *e, bool *has, double *out, struct err *err)
{
    double x = -1;
    bool yes = false;

    *has = false;
    if (!is_kind(e, JSON_KIND_NUMBER, &yes, err) || (yes && !json_take_f64_if_fits(&e->reader, &x, err)))
        return false;
    *has = x >= 0 && x <= 1;
    *out = *has ? x : 0;
    return true;
}

/* ---- modelInput ---- */

static bool location_member(struct batch_echo *e, struct span name, struct batch_echo_line *line, struct err *err)
{
    (void)line;
    if (span_eq_text(name, "uri") && e->uri.len == 0)
        return take_text(e, &e->uri, err);
    return json_skip_value(&e->reader, err);
}

static bool source_member(struct batch_echo *e, struct span name, struct batch_echo_line *line, struct err *err)
{
    if (span_eq_text(name, "s3Location"))
        return members(e, location_member, line, err);
    if (span_eq_text(name, "bytes"))
        line->has_bytes = true;
    return json_skip_value(&e->reader, err);
}

static bool video_member(struct batch_echo *e, struct span name, struct batch_echo_line *line, struct err *err)
{
    return span_eq_text(name, "source") ? members(e, source_member, line, err) : json_skip_value(&e->reader, err);
}

static bool block_member(struct batch_echo *e, struct span name, struct batch_echo_line *line, struct err *err)
{
    if (span_eq_text(name, "video"))
        return members(e, video_member, line, err);
    if (span_eq_text(name, "text"))
        return add_text(e, &e->prompt, err);
    return json_skip_value(&e->reader, err);
}

static bool block(struct batch_echo *e, struct batch_echo_line *line, struct err *err)
{
    return members(e, block_member, line, err);
}

static bool message_member(struct batch_echo *e, struct span name, struct batch_echo_line *line, struct err *err)
{
    return span_eq_text(name, "content") ? items(e, block, line, err) : json_skip_value(&e->reader, err);
}

static bool message(struct batch_echo *e, struct batch_echo_line *line, struct err *err)
{
    return members(e, message_member, line, err);
}

static bool system_member(struct batch_echo *e, struct span name, struct batch_echo_line *line, struct err *err)
{
    (void)line;
    return span_eq_text(name, "text") ? add_text(e, &e->system, err) : json_skip_value(&e->reader, err);
}

static bool system_block(struct batch_echo *e, struct batch_echo_line *line, struct err *err)
{
    return members(e, system_member, line, err);
}

static bool inference_member(struct batch_echo *e, struct span name, struct batch_echo_line *line, struct err *err)
{
    struct batch_inference *to = &line->inference;

    if (span_eq_text(name, "maxTokens"))
        return take_count(e, &to->has_max_tokens, &to->max_tokens, err);
    if (span_eq_text(name, "topK"))
        return take_count(e, &to->has_top_k, &to->top_k, err);
    if (span_eq_text(name, "temperature"))
        return take_share(e, &to->has_temperature, &to->temperature, err);
    if (span_eq_text(name, "topP"))
        return take_share(e, &to->has_top_p, &to->top_p, err);
    return json_skip_value(&e->reader, err);
}

/* Converse: topK stands in additionalModelRequestFields.inferenceConfig. */
static bool additional_member(struct batch_echo *e, struct span name, struct batch_echo_line *line, struct err *err)
{
    return span_eq_text(name, "inferenceConfig") ? members(e, inference_member, line, err)
                                                 : json_skip_value(&e->reader, err);
}

static bool input_member(struct batch_echo *e, struct span name, struct batch_echo_line *line, struct err *err)
{
    if (span_eq_text(name, "messages"))
        return items(e, message, line, err);
    if (span_eq_text(name, "system"))
        return items(e, system_block, line, err);
    if (span_eq_text(name, "inferenceConfig"))
        return members(e, inference_member, line, err);
    if (span_eq_text(name, "additionalModelRequestFields"))
        return members(e, additional_member, line, err);
    return json_skip_value(&e->reader, err);
}

/* ---- the line ---- */

static void clear_input(struct batch_echo *e, struct batch_echo_line *line)
{
    buf_reset(&e->uri);
    buf_reset(&e->prompt);
    buf_reset(&e->system);
    line->has_bytes = false;
    line->inference = (struct batch_inference){ 0 };
}

static bool line_member(struct batch_echo *e, struct span name, struct batch_echo_line *line, struct err *err)
{
    if (span_eq_text(name, "recordId"))
        return take_text(e, &e->record_id, err);
    if (span_eq_text(name, "modelInput")) {
        clear_input(e, line);
        return members(e, input_member, line, err);
    }
    return json_skip_value(&e->reader, err);
}

static bool read_line(struct batch_echo *e, struct batch_echo_line *line, struct err *err)
{
    enum json_kind kind = JSON_KIND_NULL;

    clear_input(e, line);
    buf_reset(&e->record_id);
    if (!json_peek(&e->reader, &kind, err))
        return false;
    if (kind != JSON_KIND_OBJECT)
        return err_set(err, ERR_INPUT, false, HERE, "the line is no JSON object");
    return members(e, line_member, line, err) && json_end_of_line(&e->reader, err);
}

static bool skip_mark(struct batch_echo *e, struct err *err)
{
    return json_reader_offset(&e->reader) > 0 || json_skip_mark(&e->reader, err);
}

bool batch_echo_next(struct batch_echo *e, struct batch_echo_line *line, bool *eof, struct err *err)
{
    struct err *problem = &line->problem;
    struct err drop = { 0 };
    bool is_begun, is_read;

    *line = (struct batch_echo_line){ 0 };
    *eof = false;
    is_begun = skip_mark(e, problem);
    if (is_begun && !json_next_line(&e->reader, eof, problem))
        return err_pass(err, problem);
    if (*eof)
        return true;
    line->offset = is_begun ? json_reader_offset(&e->reader) : 0; /* a broken mark is part of its line */
    is_read = is_begun && read_line(e, line, problem);
    if (!is_read && (e->reader.io_failed || problem->kind == ERR_MEMORY))
        return err_pass(err, problem);
    if (!is_read && !json_drop_line(&e->reader, &drop))
        return err_pass(err, &drop);
    line->malformed = !is_read;
    if (is_read) {
        line->record_id = buf_view(&e->record_id);
        line->video_uri = buf_view(&e->uri);
        line->prompt = buf_view(&e->prompt);
        line->system = buf_view(&e->system);
    }
    line->next_offset = json_reader_offset(&e->reader);
    return true;
}
