#include "aws/batch_input.h"

#include "server/base/json_writer.h"
#include "server/base/mem.h"
#include "server/base/text.h"

enum { TEMPLATE_MAX_BYTES = 4 * 1024 * 1024 };

/* A line is head, record id, before_model, modelInput, end; a modelInput is before_format, format, before_uri, uri,
 * tail. Only the id and the uri are escaped per line. */
struct batch_input {
    struct buf before_format; /* before_model, and from the modelInput's brace to the format */
    struct buf tail;          /* from the closing quote of the uri to the modelInput's brace, and end */
};

static const char head[] = "{\"recordId\":\"";
static const char before_model[] = "\",\"modelInput\":";
static const char end[] = "}\n";
static const char before_uri[] = "\",\"source\":{\"s3Location\":{\"uri\":\"";

static bool check_text(struct span text, const char *field, struct err *err)
{
    if (!text_is_utf8(text)) {
        err_set(err, ERR_INPUT, false, HERE, "%s is not valid UTF-8", field);
        return err_code(err, "bad_text");
    }
    return true;
}

static bool check_owner(struct span owner, struct err *err)
{
    bool ok = owner.len == 0 || owner.len == 12;

    for (size_t i = 0; ok && i < owner.len; i++)
        ok = owner.ptr[i] >= '0' && owner.ptr[i] <= '9';
    if (ok)
        return true;
    err_set(err, ERR_INPUT, false, HERE, "bucket owner must be an account number of 12 digits, not '%.*s'",
            SPAN_ARG(span_head(owner, 40)));
    return err_code(err, "bad_bucket_owner");
}

/* Written so that NaN fails too. */
static bool in_unit_range(double x)
{
    return x >= 0 && x <= 1;
}

/* Nova's request schema; the upper bound of maxTokens is the model's own and known to the caller. */
static bool check_inference(const struct batch_inference *in, struct err *err)
{
    const char *broken = NULL;

    if (in->has_max_tokens && in->max_tokens < 1)
        broken = "maxTokens must be at least 1";
    else if (in->has_temperature && !in_unit_range(in->temperature))
        broken = "temperature must be from 0 to 1";
    else if (in->has_top_p && !in_unit_range(in->top_p))
        broken = "topP must be from 0 to 1";
    else if (in->has_top_k && (in->top_k < 0 || in->top_k > 128))
        broken = "topK must be from 0 to 128";
    if (!broken)
        return true;
    err_set(err, ERR_INPUT, false, HERE, "%s", broken);
    return err_code(err, "bad_inference");
}

static void build_inference(struct buf *out, const struct batch_inference *in)
{
    struct json_writer w = json_writer_on(out);

    if (!in->has_max_tokens && !in->has_temperature && !in->has_top_p && !in->has_top_k)
        return;
    buf_text(out, ",\"inferenceConfig\":");
    json_begin_object(&w);
    if (in->has_max_tokens)
        json_put_i64(&w, "maxTokens", in->max_tokens);
    if (in->has_temperature)
        json_put_f64(&w, "temperature", in->temperature);
    if (in->has_top_p)
        json_put_f64(&w, "topP", in->top_p);
    if (in->has_top_k)
        json_put_i64(&w, "topK", in->top_k);
    json_end_object(&w);
}

static void build_before_format(struct buf *out, struct span system)
{
    buf_text(out, before_model);
    buf_text(out, "{\"schemaVersion\":\"messages-v1\",");
    if (system.len > 0) {
        buf_text(out, "\"system\":[{\"text\":\"");
        json_escape(out, system);
        buf_text(out, "\"}],");
    }
    buf_text(out, "\"messages\":[{\"role\":\"user\",\"content\":[{\"video\":{\"format\":\"");
}

static void build_tail(struct buf *out, struct span prompt, const struct batch_inference *inference, struct span owner)
{
    buf_char(out, '"');
    if (owner.len > 0) {
        buf_text(out, ",\"bucketOwner\":\"");
        buf_span(out, owner);
        buf_char(out, '"');
    }
    buf_text(out, "}}}},{\"text\":\"");
    json_escape(out, prompt);
    buf_text(out, "\"}]}]");
    if (inference)
        build_inference(out, inference);
    buf_char(out, '}');
    buf_text(out, end);
}

struct batch_input *batch_input_new(struct span prompt, struct span system, const struct batch_inference *inference,
                                    struct span owner, struct err *err)
{
    struct batch_input *in = NULL;

    if (prompt.len == 0) {
        err_set(err, ERR_INPUT, false, HERE, "the prompt is empty");
        (void)err_code(err, "bad_text");
        return NULL;
    }
    if (!check_text(prompt, "prompt", err) || !check_text(system, "system", err) || !check_owner(owner, err) ||
        (inference && !check_inference(inference, err)))
        return NULL;
    in = mem_alloc(1, sizeof(*in));
    if (!in) {
        err_memory(err, HERE);
        return NULL;
    }
    buf_init(&in->before_format, TEMPLATE_MAX_BYTES);
    buf_init(&in->tail, TEMPLATE_MAX_BYTES);
    build_before_format(&in->before_format, system);
    build_tail(&in->tail, prompt, inference, owner);
    if (!buf_check(&in->before_format, "the system text of a batch line", err) ||
        !buf_check(&in->tail, "the prompt of a batch line", err)) {
        batch_input_free(in);
        return NULL;
    }
    return in;
}

void batch_input_free(struct batch_input *in)
{
    if (!in)
        return;
    buf_done(&in->before_format);
    buf_done(&in->tail);
    mem_free(in);
}

static void add_model(struct buf *out, struct span begin, const char *format, struct span uri, struct span tail)
{
    buf_span(out, begin);
    buf_text(out, format);
    buf_add(out, before_uri, sizeof(before_uri) - 1);
    json_escape(out, uri);
    buf_span(out, tail);
}

void batch_input_model(const struct batch_input *in, struct buf *out, const char *format, struct span uri)
{
    add_model(out, span_tail(buf_view(&in->before_format), sizeof(before_model) - 1), format, uri,
              span_head(buf_view(&in->tail), in->tail.len - (sizeof(end) - 1)));
}

void batch_input_line(const struct batch_input *in, struct buf *out, const char *record_id, const char *format,
                      struct span uri)
{
    buf_add(out, head, sizeof(head) - 1);
    json_escape(out, span_of(record_id));
    add_model(out, buf_view(&in->before_format), format, uri, buf_view(&in->tail));
}
