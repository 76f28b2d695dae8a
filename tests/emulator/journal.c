#include "tests/emulator/journal.h"

#include "server/base/clock.h"
#include "server/base/json_writer.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/request.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MAX_OPS = 64, CAPTURED_MAX = 1024 * 1024 };

struct op_count {
    const char *op;
    int64_t requests, errors, faults;
};

struct journal {
    pthread_mutex_t lock; /* guards all below */
    FILE *file;
    struct op_count ops[MAX_OPS];
    size_t op_count;
    int64_t in_flight, peak_in_flight, total;
    int64_t bytes_in, bytes_out;
};

struct journal *journal_new(const char *path)
{
    struct journal *journal = emu_alloc(1, sizeof *journal);

    pthread_mutex_init(&journal->lock, NULL);
    if (path) {
        journal->file = fopen(path, "ae");
        if (!journal->file)
            emu_die(path);
    }
    return journal;
}

static void write_line(struct journal *journal, const struct buf *json)
{
    if (!journal->file)
        return;
    fwrite(json->data, 1, json->len, journal->file);
    fputc('\n', journal->file);
    if (fflush(journal->file) != 0)
        emu_die("log file");
}

void journal_line(struct journal *journal, const struct buf *json)
{
    pthread_mutex_lock(&journal->lock);
    write_line(journal, json);
    pthread_mutex_unlock(&journal->lock);
}

static void count(struct journal *journal, const struct request *rq)
{
    size_t i = 0;

    while (i < journal->op_count && strcmp(journal->ops[i].op, rq->op) != 0)
        i++;
    if (i == MAX_OPS)
        return;
    if (i == journal->op_count)
        journal->ops[journal->op_count++] = (struct op_count){ .op = rq->op };
    journal->ops[i].requests++;
    journal->ops[i].errors += rq->reply.status >= 400 || rq->drop_answer;
    journal->ops[i].faults += rq->fault != NULL;
    journal->bytes_in += rq->body.wire_bytes;
    journal->bytes_out += reply_length(&rq->reply);
}

/* What tests/support/bedrock_shapes.py judges: the request as it came, and the answer as it was meant. */
static void put_bedrock(struct json_writer *w, const struct request *rq)
{
    json_put_span(w, "target", rq->target);
    json_put_text(w, "agent", request_header(rq, "user-agent"));
    json_put_text(w, "content_type", request_header(rq, "content-type"));
    json_put_span(w, "body", span_head(buf_view(&rq->body.memory), CAPTURED_MAX));
    json_put_span(w, "answer", span_head(buf_view(&rq->reply.body), CAPTURED_MAX));
}

void journal_request(struct emulator *emu, const struct request *rq)
{
    AUTO(buf_done) struct buf line = { 0 };
    struct json_writer w = json_writer_on(&line);

    buf_init(&line, 0);
    if (emu->journal->file) {
        json_begin_object(&w);
        json_put_time(&w, "time", emu_now_ms(emu));
        json_put_text(&w, "event", "request");
        json_put_text(&w, "op", rq->op);
        json_put_text(&w, "method", rq->method);
        if (rq->claim.present && !rq->claim.bad)
            json_put_text(&w, "key_id", rq->claim.access_key);
        if (rq->bucket.len > 0)
            json_put_span(&w, "bucket", rq->bucket);
        if (rq->key.len > 0)
            json_put_span(&w, "key", rq->key);
        if (rq->model.len > 0)
            json_put_span(&w, "model", rq->model);
        json_put_i64(&w, "status", rq->drop_answer ? 0 : rq->reply.status);
        if (rq->reply.code[0])
            json_put_text(&w, "code", rq->reply.code);
        json_put_text(&w, "fault", rq->fault);
        json_put_i64(&w, "bytes_in", rq->body.wire_bytes);
        json_put_i64(&w, "bytes_out", reply_length(&rq->reply));
        json_put_i64(&w, "ms", clock_mono_ms() - rq->started_mono_ms);
        json_put_text(&w, "request_id", rq->id);
        if (!strncmp(rq->op, "Bedrock.", strlen("Bedrock.")))
            put_bedrock(&w, rq);
        json_end_object(&w);
    }
    pthread_mutex_lock(&emu->journal->lock);
    count(emu->journal, rq);
    write_line(emu->journal, &line);
    pthread_mutex_unlock(&emu->journal->lock);
}

void journal_enter(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    journal->total++;
    if (++journal->in_flight > journal->peak_in_flight)
        journal->peak_in_flight = journal->in_flight;
    pthread_mutex_unlock(&journal->lock);
}

void journal_leave(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    journal->in_flight--;
    pthread_mutex_unlock(&journal->lock);
}

void journal_stats(struct journal *journal, struct buf *out, bool reset)
{
    struct json_writer w = json_writer_on(out);

    pthread_mutex_lock(&journal->lock);
    json_begin_object(&w);
    json_put_i64(&w, "total", journal->total);
    json_put_i64(&w, "in_flight", journal->in_flight);
    json_put_i64(&w, "peak_in_flight", journal->peak_in_flight);
    json_put_i64(&w, "bytes_in", journal->bytes_in);
    json_put_i64(&w, "bytes_out", journal->bytes_out);
    json_name(&w, "ops");
    json_begin_object(&w);
    for (size_t i = 0; i < journal->op_count; i++) {
        json_name(&w, journal->ops[i].op);
        json_begin_object(&w);
        json_put_i64(&w, "requests", journal->ops[i].requests);
        json_put_i64(&w, "errors", journal->ops[i].errors);
        json_put_i64(&w, "faults", journal->ops[i].faults);
        json_end_object(&w);
    }
    json_end_object(&w);
    json_end_object(&w);
    if (reset) {
        journal->op_count = 0;
        journal->total = journal->bytes_in = journal->bytes_out = 0;
        journal->peak_in_flight = journal->in_flight;
    }
    pthread_mutex_unlock(&journal->lock);
}
