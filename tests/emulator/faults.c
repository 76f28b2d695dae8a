#include "tests/emulator/faults.h"

#include "server/base/json_writer.h"
#include "server/base/mem.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/fields.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rule {
    char op[64];
    char bucket[64];
    char key[256];
    char name_contains[64]; /* of job rules */
    bool is_job;
    int64_t skip, count; /* count -1: without end */
    double probability;
    uint64_t random;
    int64_t used;
    struct fault_action action;
    struct job_script script;
};

struct faults {
    pthread_mutex_t lock; /* guards all below */
    struct rule *rules;
    size_t count;
};

struct faults *faults_new(void)
{
    struct faults *faults = emu_alloc(1, sizeof *faults);

    pthread_mutex_init(&faults->lock, NULL);
    return faults;
}

static bool read_job(json_t *json, struct rule *rule, struct buf *why)
{
    struct job_script *s = &rule->script;
    bool manifest = true;
    const struct field fields[] = {
        FIELD_TEXT("name_contains", rule->name_contains),
        FIELD_TEXT("terminal", s->terminal),
        FIELD_TEXT("message", s->message),
        FIELD_REAL("process_fraction", &s->process_fraction),
        FIELD_REAL("error_fraction", &s->error_fraction),
        FIELD_INT("missing", &s->missing),
        FIELD_INT("duplicate", &s->duplicate),
        FIELD_INT("unknown_records", &s->unknown_records),
        FIELD_INT("garbage_lines", &s->garbage_lines),
        FIELD_REAL("max_tokens_fraction", &s->max_tokens_fraction),
        FIELD_BOOL("reasoning", &s->reasoning),
        FIELD_REAL("content_filtered_fraction", &s->content_filtered_fraction),
        FIELD_BOOL("manifest", &manifest),
        FIELD_INT("output_files", &s->output_files),
        FIELD_BOOL("hold", &s->hold),
        FIELD_BOOL("lagging_counters", &s->lagging_counters),
        FIELD_INT("count", &rule->count),
        FIELD_BOOL("truncate_last_line", &s->truncate_last_line),
    };
    static const char *const ends[] = { "", "Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired" };

    s->process_fraction = -1;
    s->output_files = 1;
    if (!fields_read(json, fields, sizeof fields / sizeof fields[0], why))
        return false;
    s->given = true;
    s->no_manifest = !manifest;
    rule->is_job = true;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (strcmp(s->terminal, ends[i]) == 0)
            return true;
    buf_fmt(why, "terminal: no such status");
    return false;
}

static bool read_action(json_t *json, struct fault_action *a, struct buf *why)
{
    int64_t status = 0;
    const struct field fields[] = {
        FIELD_INT("status", &status),
        FIELD_TEXT("code", a->code),
        FIELD_TEXT("message", a->message),
        FIELD_BOOL("reset", &a->reset),
        FIELD_BOOL("reset_after", &a->reset_after),
        FIELD_INT("cut_body", &a->cut_body),
        FIELD_INT("slow_body", &a->slow_body),
        FIELD_INT("delay_ms", &a->delay_ms),
        FIELD_TEXT("retry_after", a->retry_after),
        FIELD_TEXT("checksum", a->checksum),
    };

    a->cut_body = -1;
    if (json_is_string(json)) {
        a->reset = strcmp(json_string_value(json), "reset") == 0;
        a->reset_after = strcmp(json_string_value(json), "reset_after") == 0;
    } else if (!fields_read(json, fields, sizeof fields / sizeof fields[0], why)) {
        return false;
    }
    a->status = (int)status;
    if (status != 0 && (status < 200 || status > 599)) {
        buf_fmt(why, "action.status must be 200 to 599");
        return false;
    }
    a->name = status != 0        ? "status"
              : a->reset         ? "reset"
              : a->reset_after   ? "reset_after"
              : a->cut_body >= 0 ? "cut_body"
              : a->slow_body > 0 ? "slow_body"
              : a->delay_ms > 0  ? "delay"
              : a->checksum[0]   ? "checksum"
                                 : NULL;
    if (!a->name)
        buf_fmt(why, "action does nothing: give status, reset, reset_after, cut_body, slow_body, delay_ms or checksum");
    return a->name != NULL;
}

static bool read_rule(json_t *json, struct rule *rule, struct buf *why)
{
    json_t *action = NULL;
    json_t *job = NULL;
    int64_t seed = 1;
    const struct field fields[] = {
        FIELD_TEXT("op", rule->op),       FIELD_TEXT("bucket", rule->bucket),
        FIELD_TEXT("key", rule->key),     FIELD_INT("skip", &rule->skip),
        FIELD_INT("count", &rule->count), FIELD_REAL("probability", &rule->probability),
        FIELD_INT("seed", &seed),         FIELD_JSON("action", &action),
        FIELD_JSON("job", &job),
    };

    memset(rule, 0, sizeof *rule);
    rule->count = -1;
    rule->probability = 1;
    if (!fields_read(json, fields, sizeof fields / sizeof fields[0], why))
        return false;
    rule->random = (uint64_t)seed;
    if (job)
        return read_job(job, rule, why);
    if (!action) {
        buf_fmt(why, "a rule needs an action or a job");
        return false;
    }
    return read_action(action, &rule->action, why);
}

bool faults_add(struct faults *faults, json_t *json, struct buf *why)
{
    json_t *list = json_is_object(json) && json_object_get(json, "faults") ? json_object_get(json, "faults") : json;
    size_t n = json_is_array(list) ? json_array_size(list) : 1;
    struct rule *fresh = emu_alloc(n, sizeof *fresh);

    for (size_t i = 0; i < n; i++) {
        if (read_rule(json_is_array(list) ? json_array_get(list, i) : list, &fresh[i], why))
            continue;
        mem_free(fresh);
        return false;
    }
    pthread_mutex_lock(&faults->lock);
    faults->rules = emu_resize(faults->rules, faults->count + n, sizeof *fresh);
    memcpy(faults->rules + faults->count, fresh, n * sizeof *fresh);
    faults->count += n;
    pthread_mutex_unlock(&faults->lock);
    mem_free(fresh);
    return true;
}

void faults_clear(struct faults *faults)
{
    pthread_mutex_lock(&faults->lock);
    faults->count = 0;
    pthread_mutex_unlock(&faults->lock);
}

void faults_list(struct faults *faults, struct buf *out)
{
    struct json_writer w = json_writer_on(out);

    pthread_mutex_lock(&faults->lock);
    json_begin_array(&w);
    for (size_t i = 0; i < faults->count; i++) {
        const struct rule *r = &faults->rules[i];
        json_begin_object(&w);
        json_put_text(&w, "kind", r->is_job ? "job" : r->action.name);
        json_put_text(&w, "op", r->op);
        json_put_text(&w, "bucket", r->bucket);
        json_put_text(&w, "key", r->key);
        json_put_text(&w, "name_contains", r->name_contains);
        json_put_i64(&w, "count", r->count);
        json_put_i64(&w, "used", r->used);
        json_end_object(&w);
    }
    json_end_array(&w);
    pthread_mutex_unlock(&faults->lock);
}

static bool op_matches(const char *pattern, const char *op)
{
    size_t len = strlen(pattern);

    if (len > 0 && pattern[len - 1] == '*')
        return strncmp(pattern, op, len - 1) == 0;
    return len == 0 || strcmp(pattern, op) == 0;
}

/* Uses the rule up by one if it fires now. */
static bool fires(struct rule *rule)
{
    if (rule->count == 0)
        return false;
    if (rule->skip > 0) {
        rule->skip--;
        return false;
    }
    if (rule->probability < 1) {
        rule->random = emu_mix(rule->random);
        if ((double)(rule->random >> 11) / 9007199254740992.0 >= rule->probability)
            return false;
    }
    if (rule->count > 0)
        rule->count--;
    rule->used++;
    return true;
}

bool faults_match(struct faults *faults, const char *op, struct span bucket, struct span key, struct fault_action *out)
{
    bool found = false;

    pthread_mutex_lock(&faults->lock);
    for (size_t i = 0; i < faults->count && !found; i++) {
        struct rule *rule = &faults->rules[i];
        if (rule->is_job || !op_matches(rule->op, op) || !emu_contains(bucket, span_of(rule->bucket)) ||
            !emu_contains(key, span_of(rule->key)) || !fires(rule))
            continue;
        *out = rule->action;
        found = true;
    }
    pthread_mutex_unlock(&faults->lock);
    return found;
}

void faults_job_script(struct faults *faults, struct span name, struct job_script *out)
{
    memset(out, 0, sizeof *out);
    out->process_fraction = -1;
    out->output_files = 1;
    pthread_mutex_lock(&faults->lock);
    for (size_t i = 0; i < faults->count && !out->given; i++) {
        struct rule *rule = &faults->rules[i];
        if (rule->is_job && emu_contains(name, span_of(rule->name_contains)) && fires(rule))
            *out = rule->script;
    }
    pthread_mutex_unlock(&faults->lock);
}
