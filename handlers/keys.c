/* API keys. The text of one is shown in the answer that makes it and nowhere else, not even in the kept answer of an
 * Idempotency-Key. */
#include "handlers/app.h"
#include "handlers/audited.h"
#include "handlers/common.h"
#include "handlers/idempotent.h"
#include "handlers/key_input.h"
#include "handlers/keyring.h"
#include "handlers/routes.h"
#include "server/base/api_key.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/money.h"
#include "server/base/text.h"

#include <stdio.h>

static const int64_t most_overlap_ms = 30 * 24 * 3600 * 1000LL;

/* ---- as JSON ---- */

static const char *state_of(const struct key_row *row)
{
    if (row->revoked_ms)
        return "revoked";
    return row->expires_ms && row->expires_ms <= row->now_ms ? "expired" : "active";
}

/* text: the key itself, where it is shown; NULL elsewhere. */
static void put_key(struct json_writer *w, const struct key_row *row, const char *text)
{
    char money[MONEY_SIZE];

    if (row->has_budget)
        money_format(row->monthly_budget_micros, money);
    json_begin_object(w);
    json_put_id(w, "id", ID_KEY, row->id);
    json_put_text(w, "name", row->name);
    json_put_text(w, "state", state_of(row));
    json_put_json(w, "scopes", row->scopes);
    json_put_json(w, "prefixes", row->prefixes);
    json_put_json(w, "models", row->models);
    json_put_text(w, "monthly_budget", row->has_budget ? money : NULL);
    json_put_time(w, "created_at", row->created_ms);
    json_put_id(w, "created_by", ID_KEY, row->created_by);
    json_put_time(w, "rotated_at", row->rotated_ms);
    json_put_time(w, "previous_valid_until", row->previous_until_ms);
    json_put_time(w, "expires_at", row->expires_ms);
    json_put_time(w, "revoked_at", row->revoked_ms);
    json_put_time(w, "last_used_at", row->last_used_ms);
    if (text)
        json_put_text(w, "key", text);
    json_end_object(w);
}

static bool put_one(struct db *db, int64_t id, const char *text, struct buf *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct json_writer w = json_writer_on(out);
    struct key_row row = { 0 };

    if (!key_store_get(db, id, &rows, &row, err))
        return false;
    put_key(&w, &row, text);
    return true;
}

/* The answer with the key, and what is kept of it. */
static bool answer_with(struct db *db, int64_t id, int status, const char *text, struct answer *out, struct err *err)
{
    char id_text[ID_SIZE];

    id_format(ID_KEY, id, id_text);
    out->status = status;
    snprintf(out->location, sizeof out->location, "/v1/keys/%s", id_text);
    out->keeps_less = true;
    return put_one(db, id, text, &out->body, err) && put_one(db, id, NULL, &out->kept, err);
}

/* ---- create ---- */

struct creation {
    struct request *rq;
    struct key_input in;
    char text[API_KEY_SIZE];
};

static void creation_done(struct creation *creation)
{
    key_input_done(&creation->in);
    api_key_wipe(creation->text);
}

static bool create(struct db *db, void *arg, struct answer *out, struct err *err)
{
    struct creation *creation = arg;
    struct key_new *row = &creation->in.row;
    bool added = false;

    api_key_new(clock_wall_ms(), &row->id, creation->text, row->hash);
    row->created_by = rq_caller(creation->rq)->key_id;
    if (!key_store_add(db, row, &added, err))
        return false;
    if (!added)
        return err_set(err, ERR_BUSY, true, HERE, "another key got the same id just now; try again");
    return audited(db, creation->rq, "key.create", ID_KEY, row->id, err) &&
           answer_with(db, row->id, 201, creation->text, out, err);
}

void keys_create(struct request *rq, struct reply *rp)
{
    AUTO(creation_done) struct creation creation = { .rq = rq };

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !key_input_read(rq, rp, &creation.in))
        return;
    idempotent_run(rq, rp, create, &creation);
    keyring_forget(app_of(rq)->keyring, creation.in.row.id);
}

/* ---- read ---- */

static int64_t put_row(struct json_writer *w, const struct db_rows *rows, int row, void *arg)
{
    struct key_row key = { 0 };

    (void)arg;
    key_row_read(rows, row, &key);
    put_key(w, &key, NULL);
    return key.id;
}

void keys_list(struct request *rq, struct reply *rp)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };
    int64_t after = 0;
    bool has = false;
    int limit = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ "limit", "after", NULL }) || !rq_limit(rq, rp, &limit) ||
        !rq_cursor_i64(rq, rp, "keys", &has, &after))
        return;
    if (!key_store_list(db_of(rq), after, limit + 1, &rows, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    reply_list(rq, rp, &rows, limit, "keys", put_row, NULL);
}

void keys_get(struct request *rq, struct reply *rp)
{
    struct err err = { 0 };
    int64_t id = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_KEY, &id))
        return;
    if (put_one(db_of(rq), id, NULL, reply_body(rp), &err))
        reply_resource(rq, rp);
    else
        reply_failure(rq, rp, &err);
}

/* ---- revoke ---- */

struct revocation {
    const struct request *rq;
    int64_t id;
};

/* Once is enough: a second time changes nothing, and is answered as the first. */
static bool revoke(struct db *db, void *arg, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const struct revocation *revocation = arg;
    struct key_row row = { 0 };
    bool revoked = false;

    return key_store_get(db, revocation->id, &rows, &row, err) && key_store_revoke(db, revocation->id, &revoked, err) &&
           (!revoked || audited(db, revocation->rq, "key.revoke", ID_KEY, revocation->id, err));
}

void keys_delete(struct request *rq, struct reply *rp)
{
    struct revocation revocation = { .rq = rq };
    struct err err = { 0 };

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_KEY, &revocation.id))
        return;
    if (db_transaction(db_of(rq), revoke, &revocation, &err))
        reply_status(rp, 204);
    else
        reply_failure(rq, rp, &err);
    keyring_forget(app_of(rq)->keyring, revocation.id);
}

/* ---- rotate ---- */

struct rotation {
    struct request *rq;
    struct reply *rp;
    int64_t id, overlap_ms;
    char text[API_KEY_SIZE];
};

static void rotation_done(struct rotation *rotation)
{
    api_key_wipe(rotation->text);
}

static bool read_rotation(struct rotation *rotation)
{
    struct span text;
    struct fields f;
    json_t *body;

    if (rq_body(rotation->rq).len == 0)
        return true;
    body = rq_json(rotation->rq, rotation->rp);
    if (!body)
        return false;
    fields_begin(&f, rotation->rq, rotation->rp, body);
    if (fields_text(&f, "overlap", false, 1, 32, &text) &&
        (!text_parse_duration_ms(text, &rotation->overlap_ms) || rotation->overlap_ms > most_overlap_ms))
        fields_refuse(&f, "overlap", "It must be a duration of at most 720h, such as 0s, 30m or 24h.");
    return fields_end(&f);
}

static bool rotate(struct db *db, void *arg, struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct rotation *rotation = arg;
    unsigned char hash[API_KEY_HASH];
    struct key_row row = { 0 };
    bool rotated = false;

    if (!key_store_get(db, rotation->id, &rows, &row, err))
        return false;
    api_key_renew(rotation->id, rotation->text, hash);
    if (!key_store_rotate(db, rotation->id, hash, rotation->overlap_ms, &rotated, err))
        return false;
    if (!rotated) {
        reply_problem(rotation->rq, rotation->rp, 409, "key_over", "This key is %s: make a new one.", state_of(&row));
        return answer_refuse(out, err);
    }
    return audited(db, rotation->rq, "key.rotate", ID_KEY, rotation->id, err) &&
           answer_with(db, rotation->id, 200, rotation->text, out, err);
}

void keys_rotate(struct request *rq, struct reply *rp)
{
    AUTO(rotation_done) struct rotation rotation = { .rq = rq, .rp = rp };

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_KEY, &rotation.id) ||
        !read_rotation(&rotation))
        return;
    idempotent_run(rq, rp, rotate, &rotation);
    keyring_forget(app_of(rq)->keyring, rotation.id);
}
