/* POST /v1/prefixes/{id}/check: the doctor's look at one prefix, and at what every job needs. It waits for AWS, at most
 * about half a minute, and there is one at a time: the other handler threads go on. */
#include "handlers/app.h"
#include "handlers/audited.h"
#include "handlers/common.h"
#include "handlers/routes.h"
#include "server/base/clock.h"
#include "server/base/id.h"
#include "server/base/mem.h"
#include "sql/prefix_store.h"

static void report_free(struct doctor_report **report)
{
    mem_free(*report);
}

static bool examine(struct request *rq, int64_t id, struct doctor_report *report, struct err *err)
{
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct prefix_row row = { 0 };
    struct doctor_place place;

    /* it may leave an object in S3, where a put was tried */
    if (!prefix_store_get(db_of(rq), id, &rows, &row, err) ||
        !audited(db_of(rq), rq, "prefix.check", ID_PREFIX, id, err))
        return false;
    place = (struct doctor_place){ span_of(row.bucket), span_of(row.key_prefix), span_of(row.bucket_owner) };
    return doctor_examine(app_of(rq)->doctor, &place, 1, report, err);
}

void prefixes_check(struct request *rq, struct reply *rp)
{
    AUTO(report_free) struct doctor_report *report = NULL;
    struct json_writer w = json_writer_on(reply_body(rp));
    struct err err = { 0 };
    int64_t id = 0;

    if (!rq_check_query(rq, rp, (const char *const[]){ NULL }) || !rq_path_id(rq, rp, "id", ID_PREFIX, &id))
        return;
    report = mem_alloc(1, sizeof *report);
    if (!report)
        (void)err_memory(&err, HERE);
    if (!report || !examine(rq, id, report, &err)) {
        reply_failure(rq, rp, &err);
        return;
    }
    json_begin_object(&w);
    json_put_id(&w, "prefix_id", ID_PREFIX, id);
    json_put_time(&w, "checked_at", clock_wall_ms());
    doctor_json(report, &w);
    json_end_object(&w);
    reply_page(rq, rp);
}
