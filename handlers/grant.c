#include "handlers/grant.h"

#include "handlers/app.h"
#include "handlers/common.h"
#include "server/base/clock.h"
#include "server/base/mem.h"
#include "sql/job_store.h"

#include <stdio.h>
#include <string.h>

unsigned scope_bits(struct span name)
{
    if (span_eq_text(name, "read"))
        return SCOPE_READ;
    if (span_eq_text(name, "run"))
        return SCOPE_READ | SCOPE_RUN;
    return span_eq_text(name, "admin") ? SCOPE_ALL : 0;
}

/* ---- making one ---- */

static struct span item_of(const json_t *list, size_t i)
{
    const json_t *item = json_array_get(list, i);

    return (struct span){ json_string_value(item), json_string_length(item) };
}

/* NULL text: *out stays NULL. */
static bool read_list(const char *text, json_t **out, struct err *err)
{
    if (!text)
        return true;
    *out = json_loads(text, 0, NULL);
    return json_is_array(*out) || err_memory(err, HERE); /* it is the database's own JSON */
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* As encode(..., 'hex') of PostgreSQL has it. */
static bool read_hash(const char *hex, unsigned char out[API_KEY_HASH])
{
    if (!hex || strlen(hex) != 2 * (size_t)API_KEY_HASH)
        return false;
    for (size_t i = 0; i < API_KEY_HASH; i++) {
        const int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

static bool read_row(struct grant *grant, const struct key_row *row, struct err *err)
{
    json_t *scopes = NULL;

    if (!read_list(row->scopes, &scopes, err) || !read_list(row->prefixes, &grant->prefixes, err) ||
        !read_list(row->models, &grant->models, err)) {
        json_decref(scopes);
        return false;
    }
    for (size_t i = 0; i < json_array_size(scopes); i++)
        grant->caller.scopes |= scope_bits(item_of(scopes, i));
    json_decref(scopes);
    if (!read_hash(row->hash, grant->hash) ||
        (row->previous_hash && !read_hash(row->previous_hash, grant->previous_hash)))
        return err_set(err, ERR_INTERNAL, false, HERE, "a hash in the database is none");
    grant->previous_until_ms = row->previous_hash ? row->previous_until_ms : 0;
    grant->expires_ms = row->expires_ms;
    grant->revoked_ms = row->revoked_ms;
    grant->last_used_ms = row->last_used_ms;
    grant->ahead_ms = row->now_ms - clock_mono_ms();
    grant->caller.key_id = row->id;
    snprintf(grant->caller.name, sizeof grant->caller.name, "%s", row->name);
    return true;
}

struct grant *grant_new(const struct key_row *row, struct err *err)
{
    struct grant *grant = mem_alloc(1, sizeof *grant);

    if (!grant) {
        err_memory(err, HERE);
        return NULL;
    }
    atomic_init(&grant->refs, 1);
    if (read_row(grant, row, err))
        return grant;
    grant_unref(grant);
    return NULL;
}

struct grant *grant_ref(struct grant *grant)
{
    atomic_fetch_add(&grant->refs, 1);
    return grant;
}

void grant_unref(void *arg)
{
    struct grant *grant = arg;

    if (!grant || atomic_fetch_sub(&grant->refs, 1) > 1)
        return;
    json_decref(grant->prefixes);
    json_decref(grant->models);
    mem_free(grant);
}

/* ---- judging a secret ---- */

static bool deny(struct err *err, const char *code, const char *words)
{
    err_set(err, ERR_DENIED, false, HERE, "%s", words);
    return err_code(err, code);
}

int64_t grant_now_ms(const struct grant *grant)
{
    return grant ? clock_mono_ms() + grant->ahead_ms : 0;
}

bool grant_judge(const struct grant *grant, const unsigned char hash[API_KEY_HASH], int64_t now_ms, struct err *err)
{
    static const struct grant nobody = { 0 };
    const struct grant *g = grant ? grant : &nobody;
    const bool is_now = api_key_hash_equal(g->hash, hash);
    const bool is_before = api_key_hash_equal(g->previous_hash, hash);

    if (!grant || !(is_now || (is_before && g->previous_until_ms > now_ms)))
        return deny(err, "key_invalid",
                    "This key is not known here, or its secret was replaced. Ask an admin for a key.");
    if (g->revoked_ms)
        return deny(err, "key_revoked", "This key was revoked. Ask an admin for another one.");
    if (g->expires_ms && g->expires_ms <= now_ms)
        return deny(err, "key_expired", "This key is expired. Ask an admin for another one.");
    return true;
}

/* ---- what it may ---- */

const struct grant *grant_of(const struct request *rq)
{
    return rq_caller(rq)->grant;
}

bool grant_is_held(const struct grant *grant)
{
    return grant && grant->prefixes;
}

bool grant_sees(const struct grant *grant, struct span place)
{
    if (!grant_is_held(grant))
        return true;
    for (size_t i = 0; i < json_array_size(grant->prefixes); i++)
        if (span_starts(place, item_of(grant->prefixes, i)))
            return true;
    return false;
}

bool grant_sees_places(const struct grant *grant, const struct db_rows *places)
{
    for (int i = 0; i < places->count; i++)
        if (!grant_sees(grant, span_of(db_text(places, i, 0))))
            return false;
    return places->count > 0;
}

bool grant_sees_prefix(const struct grant *grant, struct span bucket, struct span key_prefix)
{
    AUTO(buf_done) struct buf place = { .max = 4096 };

    if (!grant_is_held(grant))
        return true;
    buf_fmt(&place, "s3://%.*s/", SPAN_ARG(bucket));
    buf_span(&place, key_prefix);
    return buf_ok(&place) && grant_sees(grant, buf_view(&place));
}

bool grant_runs_model(const struct grant *grant, struct span model_id)
{
    if (!grant || !grant->models)
        return true;
    for (size_t i = 0; i < json_array_size(grant->models); i++)
        if (span_eq(model_id, item_of(grant->models, i)))
            return true;
    return false;
}

bool job_begun(struct db *db, const struct request *rq, int64_t job_id, struct err *err)
{
    return job_store_begun_by(db, job_id, rq_caller(rq)->key_id, err);
}

bool grant_prefix_ids(struct request *rq, struct db_rows *rows, const char **ids, struct err *err)
{
    *ids = NULL;
    return !grant_is_held(grant_of(rq)) || key_store_prefixes(db_of(rq), rq_caller(rq)->key_id, rows, ids, err);
}

/* "a, b and 3 more" */
static void list_items(const json_t *list, struct buf *out)
{
    enum { SHOWN = 5 };
    const size_t count = json_array_size(list);

    for (size_t i = 0; i < count && i < SHOWN; i++)
        buf_fmt(out, "%s%.*s", i ? ", " : "", SPAN_ARG(span_head(item_of(list, i), 100)));
    if (count > SHOWN)
        buf_fmt(out, " and %zu more", count - SHOWN);
}

bool grant_refuse_place(struct request *rq, struct reply *rp, const char *pointer)
{
    AUTO(buf_done) struct buf places = { .max = 2048 };

    list_items(grant_of(rq)->prefixes, &places);
    reply_problem(rq, rp, 403, "place_not_allowed",
                  "This key is held to %s. Name a place under one of them, or use another key.", buf_cstr(&places));
    reply_pointer(rp, pointer, "It lies outside what this key may use.");
    return false;
}

bool grant_refuse_model(struct request *rq, struct reply *rp, struct span model_id)
{
    AUTO(buf_done) struct buf models = { .max = 2048 };

    list_items(grant_of(rq)->models, &models);
    reply_problem(rq, rp, 403, "model_not_allowed",
                  "This key may not run %.*s, only: %s. Name one of these as \"model_id\", or use another key.",
                  SPAN_ARG(span_head(model_id, 200)), buf_cstr(&models));
    return false;
}
