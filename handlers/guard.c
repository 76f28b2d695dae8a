/* What a key that is held to places in S3 may name: looked at once, before any handler, so that no route is forgotten.
 * A thing elsewhere is answered as if it were not there, and so is one that is not there, before anything else of the
 * request is judged: the two can't be told apart. */
#include "handlers/app.h"
#include "handlers/common.h"
#include "handlers/grant.h"
#include "handlers/routes.h"
#include "server/base/id.h"

/* Routes that name nothing by an id, and see to it themselves that they show and take only what the key may see. */
static handler_fn *const careful[] = { prefixes_create, prefixes_list,  plans_create,     plans_list, jobs_create,
                                       jobs_list,       imports_create, summaries_search, models_list };

static bool is_careful(const struct request *rq)
{
    for (size_t i = 0; i < sizeof careful / sizeof careful[0]; i++)
        if (careful[i] == rq_route(rq)->handler)
            return true;
    return false;
}

static bool refuse_missing(struct request *rq, struct reply *rp)
{
    struct err err = { 0 };

    err_set(&err, ERR_NOT_FOUND, false, HERE, "it is not there for this key");
    reply_failure(rq, rp, &err);
    return false;
}

/* One query, which only such keys cost. */
static bool look(struct request *rq, struct reply *rp, struct span text)
{
    static const char *const kinds[] = { ID_PREFIX, ID_VIDEO, ID_JOB, ID_PLAN, ID_SUMMARY };
    AUTO(db_rows_done) struct db_rows rows = { 0 };
    struct err err = { 0 };
    int64_t id = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!id_parse(kinds[i], text, &id))
            continue;
        if (!key_store_places(db_of(rq), kinds[i], id, &rows, &err)) {
            reply_error(rq, rp, &err);
            return false;
        }
        return grant_sees_places(grant_of(rq), &rows) || refuse_missing(rq, rp);
    }
    return refuse_missing(rq, rp); /* an id of a kind that no place is known of */
}

bool guard_admit(struct request *rq, struct reply *rp)
{
    const struct span id = rq_path_param(rq, "id");

    if (!grant_is_held(grant_of(rq)))
        return true;
    if (id.ptr)
        return look(rq, rp, id);
    if (is_careful(rq))
        return true;
    reply_problem(rq, rp, 403, "key_is_held",
                  "%s %s tells of everything, and this key is held to places in S3. Use a key that is not.",
                  rq_route(rq)->method, rq_route(rq)->path);
    return false;
}
