#include "tests/emulator/job_output.h"

#include "server/base/json_writer.h"
#include "server/base/mem.h"
#include "server/base/text.h"
#include "tests/emulator/body.h"
#include "tests/emulator/job_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FLUSH_BYTES = 256 * 1024 };

/* One output file while it is written. */
struct writer {
    struct job *job;
    struct body body;
    struct buf pending;
};

static void writer_open(struct writer *w, struct job *job)
{
    w->job = job;
    body_begin(&w->body, BODY_FILE, &job->emu->store->blobs);
    buf_init(&w->pending, 256 << 20);
}

static void writer_flush(struct writer *w, size_t least)
{
    if (w->pending.len < least)
        return;
    body_add(&w->body, buf_cstr(&w->pending), w->pending.len);
    buf_reset(&w->pending);
}

/* Closes the file and makes it one of the job's objects. */
static void writer_close(struct writer *w, struct job_output *out, const char *name)
{
    AUTO(buf_done) struct buf key = { 0 };
    AUTO(buf_done) struct buf etag = { 0 };
    struct output_object *added = NULL;
    struct blob *blob = NULL;

    writer_flush(w, 1);
    body_end(&w->body);
    buf_init(&key, 0);
    buf_init(&etag, 0);
    buf_fmt(&key, "%s%s%s/%s", w->job->output.prefix, w->job->output.prefix[0] ? "/" : "", w->job->id, name);
    text_hex(&etag, w->body.md5_sum, sizeof w->body.md5_sum);
    blob = body_take_blob(&w->body);
    out->objects = emu_resize(out->objects, out->count + 1, sizeof *out->objects);
    added = &out->objects[out->count++];
    added->name = emu_copy(span_of(name));
    added->object = object_new(buf_view(&key), blob, buf_cstr(&etag), emu_now_ms(w->job->emu));
    added->object->content_type = emu_copy(SPAN_LIT("binary/octet-stream"));
    blob_unref(blob);
    body_done(&w->body);
    buf_done(&w->pending);
}

static void shuffle(size_t *order, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)((seed = emu_mix(seed)) % i);
        size_t kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

/* Which records a script makes fail: spread over all, and exactly as many as the fractions say. */
static enum model_role role_of(const struct job_script *s, size_t index, size_t n)
{
    static const size_t stride = 7919; /* a prime: a permutation unless n is its multiple */
    double place = (double)((index * (n % stride ? stride : 1)) % n);
    double errors = (double)(int64_t)(s->error_fraction * (double)n + 0.5);
    double cut = errors + (double)(int64_t)(s->max_tokens_fraction * (double)n + 0.5);
    double filtered = cut + (double)(int64_t)(s->content_filtered_fraction * (double)n + 0.5);

    return place < errors ? ROLE_ERROR : place < cut ? ROLE_MAX_TOKENS : place < filtered ? ROLE_FILTERED : ROLE_PLAIN;
}

static void count(struct job_counts *c, const struct record_result *r)
{
    c->processed++;
    c->success += r->success;
    c->error += !r->success;
    c->input_tokens += r->input_tokens;
    c->output_tokens += r->output_tokens;
}

/* Lines that no record asked for, as the script wants them. */
static void add_noise(const struct job_script *s, struct buf *out)
{
    static const char *const garbage[] = { "{\"recordId\":\"broken", "not json at all", "[1,2,3]", "{\"recordId\":7}",
                                           "{}{}" };

    for (int64_t i = 0; i < s->unknown_records; i++)
        buf_fmt(out,
                "{\"recordId\":\"ZZUNKNOWN%02" PRId64 "\",\"modelInput\":{},\"modelOutput\":{\"output\":{\"message\":"
                "{\"role\":\"assistant\",\"content\":[{\"text\":\"[emulated] nobody "
                "asked\"}]}},\"stopReason\":\"end_turn\","
                "\"usage\":{\"inputTokens\":1,\"outputTokens\":1,\"totalTokens\":2}}}\n",
                i);
    for (int64_t i = 0; i < s->garbage_lines; i++)
        buf_fmt(out, "%s\n", garbage[i % (int64_t)(sizeof garbage / sizeof garbage[0])]);
}

struct run {
    struct job *job;
    const struct job_input *input;
    struct job_output *out;
    int64_t to_drop, to_double; /* what is left of the script's numbers */
    bool is_first_file;
};

static void run_record(struct run *run, size_t index, struct writer *w, bool is_last)
{
    const struct input_line *line = &run->input->lines[index];
    size_t start = w->pending.len;
    struct record_result r = job_record_run(run->job, run->input->is_folder, line->text,
                                            role_of(&run->job->script, index, run->input->line_count), &w->pending);

    count(&run->out->counts, &r);
    if (run->to_drop > 0) {
        run->to_drop--;
        buf_cut(&w->pending, start);
        return;
    }
    if (run->to_double > 0) {
        AUTO(buf_done) struct buf twin = { 0 };
        run->to_double--;
        buf_init(&twin, 64 << 20);
        buf_add(&twin, w->pending.data + start, w->pending.len - start);
        buf_span(&w->pending, buf_view(&twin));
    }
    if (is_last && run->job->script.truncate_last_line)
        buf_cut(&w->pending, start + (w->pending.len - start) / 2);
}

static void run_file(struct run *run, const struct input_file *file, double fraction)
{
    size_t n = (size_t)((double)file->count * fraction + 0.5);
    size_t pieces = run->job->script.output_files > 0 ? (size_t)run->job->script.output_files : 1;
    size_t *order = emu_alloc(file->count, sizeof *order);

    shuffle(order, file->count, emu_hash(span_of(run->job->id)));
    for (size_t piece = 0; piece < pieces; piece++) {
        size_t from = n * piece / pieces;
        size_t to = n * (piece + 1) / pieces;
        AUTO(buf_done) struct buf name = { 0 };
        struct writer w;

        writer_open(&w, run->job);
        if (run->is_first_file)
            add_noise(&run->job->script, &w.pending);
        run->is_first_file = false;
        for (size_t i = from; i < to && !jobs_are_stopping(run->job->emu->jobs); i++) {
            run_record(run, file->first + order[i], &w, i + 1 == to && piece + 1 == pieces);
            writer_flush(&w, FLUSH_BYTES);
        }
        buf_init(&name, 0);
        buf_span(&name, span_head(span_of(file->name), strlen(file->name) - strlen(".jsonl")));
        if (piece > 0)
            buf_fmt(&name, "-%zu", piece + 1);
        buf_text(&name, ".jsonl.out");
        writer_close(&w, run->out, buf_cstr(&name));
    }
    mem_free(order);
}

static void write_manifest(struct job *job, struct job_output *out)
{
    struct writer w;
    struct json_writer json;

    writer_open(&w, job);
    json = json_writer_on(&w.pending);
    json_begin_object(&json);
    json_put_i64(&json, "totalRecordCount", out->counts.total);
    json_put_i64(&json, "processedRecordCount", out->counts.processed);
    json_put_i64(&json, "successRecordCount", out->counts.success);
    json_put_i64(&json, "errorRecordCount", out->counts.error);
    json_put_i64(&json, "inputTokenCount", out->counts.input_tokens);
    json_put_i64(&json, "outputTokenCount", out->counts.output_tokens);
    json_end_object(&json);
    writer_close(&w, out, "manifest.json.out");
}

void job_output_write(struct job *job, const struct job_input *input, double fraction, struct job_output *out)
{
    struct run run = { .job = job, .input = input, .out = out };

    memset(out, 0, sizeof *out);
    run.to_drop = job->script.missing;
    run.to_double = job->script.duplicate;
    run.is_first_file = true;
    out->counts.total = (int64_t)input->line_count;
    for (size_t i = 0; i < input->file_count; i++)
        run_file(&run, &input->files[i], fraction);
    if (!job->script.no_manifest)
        write_manifest(job, out);
}

void job_output_publish(struct job *job, struct job_output *output)
{
    for (size_t i = 0; i < output->count; i++)
        (void)store_put(job->emu->store, span_of(job->output.bucket), output->objects[i].object, NULL);
}

void job_output_done(struct job_output *output)
{
    for (size_t i = 0; i < output->count; i++) {
        mem_free(output->objects[i].name);
        object_unref(output->objects[i].object);
    }
    mem_free(output->objects);
    memset(output, 0, sizeof *output);
}
