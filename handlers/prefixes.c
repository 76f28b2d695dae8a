/* Registered places in S3: a bucket and a key prefix. */
#include "handlers/app.h"
#include "handlers/audited.h"
#include "handlers/common.h"
#include "handlers/grant.h"
#include "handlers/idempotent.h"
#include "handlers/prefix_input.h"
#include "handlers/prefix_json.h"
#include "handlers/routes.h"
#include "server/base/id.h"
#include "sql/plan_store.h"
#include "sql/prefix_store.h"
#include "sql/task_store.h"

#include <stdio.h>
#include <string.h>

/* ---- create ---- */

struct creation {
    struct request *rq;
    struct reply *rp;
    struct prefix_input in;
};

static void creation_done(struct creation *creation)
{
    prefix_input_done(&creation->in);
}

static bool refuse_existing(struct creation *creation, int64_t existing, struct answer *out, struct err *err)
{
    char id[ID_SIZE];
    char text[ID_SIZE + 64];

    id_format(ID_PREFIX, existing, id);
    reply_problem(creation->rq, creation->rp, 409, "prefix_exists",
                  "This bucket and prefix are registered as %s. Use that one, or delete it first.", id);
    snprintf(text, sizeof text, "\"%s\"", id);
    reply_problem_member(creation->rp, "existing_id", span_of(text));
    snprintf(text, sizeof text, "/v1/prefixes/%s", id);
    reply_header(creation->rp, "Location", text);
    return answer_refuse(out, err);
}

static bool put_prefix(struct db *db, int64_t id, struct buf *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    AUTO(db_rows_done) struct db_rows troubles = { 0 };
    struct task_trouble trouble = { 0 };
    struct prefix_row row = { 0 };
    struct json_writer w = json_writer_on(out);

    if (!prefix_store_get(db, id, &rows, &row, err) || !task_store_trouble_prefix(db, id, &troubles, &trouble, err))
        return false;
    prefix_json(&w, &row, &trouble);
    return true;
}

static bool create(struct db *db, void *arg, struct answer *out, struct err *err)
{
    struct creation *creation = arg;
    char id_text[ID_SIZE];
    bool exists = false;
    int64_t id = 0;

    if (!prefix_store_create(db, &creation->in.row, &id, &exists, err))
        return false;
    if (exists)
        return refuse_existing(creation, id, out, err);
    id_format(ID_PREFIX, id, id_text);
    out->status = 201;
    snprintf(out->location, sizeof out->location, "/v1/prefixes/%s", id_text);
    return task_store_add(db, "scan", id, 0, err) && audited(db, creation->rq, "prefix.create", ID_PREFIX, id, err) &&
           put_prefix(db, id, &out->body, err);
}

void prefixes_create(struct request *rq, struct reply *rp)
{
    AUTO(creation_done) struct creation creation = { .rq = rq, .rp = rp };

    if (rq_check_query(rq, rp, (const char *const[]){ NULL }) && prefix_input_create(rq, rp, &creation.in) &&
        (grant_sees_prefix(grant_of(rq), creation.in.row.bucket, creation.in.row.key_prefix) ||
         grant_refuse_place(rq, rp, "/prefix")))
        idempotent_run(rq, rp, create, &creation);
}

/* ---- read ---- */

static int64_t put_row(struct json_writer *w, const struct db_rows *rows, int row, void *arg)
{
    struct prefix_row prefix = { 0 };

    (void)arg;
    prefix_row_read(rows, row, &prefix);
    prefix_json(w, &prefix, NULL);
    return prefix.id;
}

void prefixes_list(struct request *rq, struct reply *rp)
{
    AUTO(db_rows_done) struct db_rows seen = { 0 };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const char *within = NULL;
    struct err err = { 0 };
    int64_t after = 0;
    bool has = false;
    int limit = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ "limit", "after", NULL }) || !rq_limit(rq, rp, &limit) ||
        !rq_cursor_i64(rq, rp, "prefixes", &has, &after))
        return;
    if (!grant_prefix_ids(rq, &seen, &within, &err) ||
        !prefix_store_list(db_of(rq), after, within, limit + 1, &rows, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    reply_list(rq, rp, &rows, limit, "prefixes", put_row, NULL);
}

void prefixes_get(struct request *rq, struct reply *rp)
{
    struct err err = { 0 };
    int64_t id = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_PREFIX, &id))
        return;
    if (put_prefix(db_of(rq), id, reply_body(rp), &err))
        reply_resource(rq, rp);
    else
        reply_failure(rq, rp, &err);
}

/* ---- change ---- */

struct change {
    const struct request *rq;
    int64_t id;
    struct prefix_input in;
    struct buf body;
};

static void change_done(struct change *change)
{
    prefix_input_done(&change->in);
    buf_done(&change->body);
}

/* A scan under way keeps its state; the task runs once more after it. The prefix first: a scan that ends at this moment
 * is waited for, or sees that the task was asked for again. */
static bool start_scan(struct db *db, const struct prefix_row *row, struct err *err)
{
    return prefix_store_scan_queued(db, row->id, err) && task_store_add(db, "scan", row->id, 0, err);
}

/* The same list? Suffixes hold no blanks, but the database writes some between them. */
static bool same_suffixes(struct span a, struct span b)
{
    size_t k = 0;

    for (size_t i = 0; i < a.len; i++) {
        if (a.ptr[i] == ' ')
            continue;
        while (k < b.len && b.ptr[k] == ' ')
            k++;
        if (k == b.len || a.ptr[i] != b.ptr[k++])
            return false;
    }
    return k == b.len;
}

/* Does the change alter what a scan would find? */
static bool needs_scan(const struct change *change, const struct prefix_row *row)
{
    const struct prefix_new *said = &change->in.row;

    if (change->in.clear_owner && row->bucket_owner)
        return true;
    if (said->bucket_owner.ptr && !span_eq_text(said->bucket_owner, row->bucket_owner ? row->bucket_owner : ""))
        return true;
    return said->suffixes.ptr && !same_suffixes(said->suffixes, span_of(row->suffixes));
}

static bool update(struct db *db, void *arg, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct change *change = arg;
    struct prefix_row row = { 0 };

    buf_reset(&change->body);
    return prefix_store_get(db, change->id, &rows, &row, err) &&
           prefix_store_update(db, change->id, change->in.row.name, change->in.row.bucket_owner, change->in.clear_owner,
                               change->in.row.suffixes, err) &&
           (!needs_scan(change, &row) || start_scan(db, &row, err)) &&
           audited(db, change->rq, "prefix.update", ID_PREFIX, change->id, err) &&
           put_prefix(db, change->id, &change->body, err);
}

void prefixes_update(struct request *rq, struct reply *rp)
{
    AUTO(change_done) struct change change = { .rq = rq };
    struct err err = { 0 };

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_PREFIX, &change.id) ||
        !prefix_input_update(rq, rp, &change.in))
        return;
    buf_init(&change.body, 0);
    if (!db_transaction(db_of(rq), update, &change, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    buf_span(reply_body(rp), buf_view(&change.body));
    reply_resource(rq, rp);
}

struct order {
    const struct request *rq;
    int64_t id;
};

static bool delete (struct db *db, void *arg, struct err *err)
{
    const struct order *order = arg;
    const int64_t id = order->id;

    /* Its videos may be millions: they are removed behind the answer. */
    return prefix_store_delete(db, id, err) && plan_store_expire_prefix(db, id, err) &&
           task_store_remove(db, "scan", id, err) && task_store_add(db, "sweep", id, 0, err) &&
           audited(db, order->rq, "prefix.delete", ID_PREFIX, id, err);
}

void prefixes_delete(struct request *rq, struct reply *rp)
{
    struct order order = { .rq = rq };
    struct err err = { 0 };

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_PREFIX, &order.id))
        return;
    if (db_transaction(db_of(rq), delete, &order, &err))
        reply_status(rp, 204);
    else
        reply_failure(rq, rp, &err);
}

static bool scan(struct db *db, void *arg, struct answer *out, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    const struct order *order = arg;
    const int64_t id = order->id;
    struct prefix_row row = { 0 };
    char id_text[ID_SIZE];

    out->status = 202;
    id_format(ID_PREFIX, id, id_text);
    snprintf(out->location, sizeof out->location, "/v1/prefixes/%s", id_text);
    return prefix_store_get(db, id, &rows, &row, err) && start_scan(db, &row, err) &&
           audited(db, order->rq, "prefix.scan", ID_PREFIX, id, err) && put_prefix(db, id, &out->body, err);
}

void prefixes_scan(struct request *rq, struct reply *rp)
{
    struct order order = { .rq = rq };

    if (rq_check_query(rq, rp, (const char *const[]){ NULL }) && rq_path_id(rq, rp, "id", ID_PREFIX, &order.id))
        idempotent_run(rq, rp, scan, &order);
}
