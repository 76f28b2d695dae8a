/* Step ingest_file: one of several output files of a shard. Workers share nothing but the rows: where two files hold a
 * record twice, the rule of the merge says which line counts. The last file that ends, ends the shard. */
#include "server/work/ingest.h"
#include "sql/job_store.h"
#include "sql/shard_file_store.h"

#include <string.h>

struct file_step {
    struct ingest ingest;
    int64_t file_id;
    const char *error_json, *words; /* it is given up; NULL: all of it is stored */
};

static bool end_file(struct db *db, void *arg, struct err *err)
{
    struct file_step *file = arg;
    struct ingest *ingest = &file->ingest;
    char state[16];
    int64_t open;

    return task_store_fence(db, &ingest->step->task, err) && job_store_lock(db, ingest->shard.job_id, state, err) &&
           shard_file_store_end(db, file->file_id, file->error_json, err) &&
           shard_file_store_count_open(db, ingest->shard.id, &open, err) &&
           (open > 0 || ingest_end_shard(db, ingest, err)) &&
           (file->words ? task_store_dead(db, &ingest->step->task, ingest->shard.job_id, file->words, err)
                        : task_store_done(db, &ingest->step->task, err));
}

struct file_rows {
    struct db_rows file, shard;
};

static void file_rows_done(struct file_rows *rows)
{
    db_rows_done(&rows->file);
    db_rows_done(&rows->shard);
}

static void file_step_done(struct file_step *file)
{
    ingest_done(&file->ingest);
}

/* *open false: the file has ended, or is no longer known because its shard is read anew. */
static bool load(struct step *step, struct file_rows *rows, struct shard_file_row *row, struct file_step *file,
                 bool *open, struct err *err)
{
    struct err problem = { 0 };

    *file = (struct file_step){ .ingest = { .step = step, .is_shared = true }, .file_id = step->task.subject_id };
    *open = false;
    if (!shard_file_store_get(step->db, file->file_id, &rows->file, row, &problem))
        return problem.kind == ERR_NOT_FOUND || err_pass(err, &problem);
    if (!shard_store_get(step->db, row->shard_id, &rows->shard, &file->ingest.shard, err))
        return false;
    step_about_job(step, file->ingest.shard.job_id);
    *open = !row->ended && strcmp(file->ingest.shard.state, "ingesting") == 0;
    return true;
}

static bool read_file(struct ingest *ingest, const char *key, struct err *err)
{
    struct s3_ref ref = { .key = span_of(key), .owner = ingest_owner(ingest) };
    struct s3_head head;
    struct span path;

    if (!s3_parse_uri(span_of(ingest->shard.output_uri), &ref.bucket, &path, err) ||
        !s3_head(ingest->step->client, &ref, &head, err) || !ingest_load_keys(ingest, err))
        return false;
    return ingest_one_file(ingest, &ref, span_of(head.etag), head.size_bytes, err);
}

bool step_ingest_file(struct step *step, struct err *err)
{
    AUTO(file_rows_done) struct file_rows rows = { 0 };
    struct shard_file_row row;
    AUTO(file_step_done) struct file_step file = { 0 };
    bool open;

    if (!load(step, &rows, &row, &file, &open, err))
        return false;
    if (!open)
        return step_end(step, err);
    return read_file(&file.ingest, row.key, err) && db_transaction(step->db, end_file, &file, err);
}

/* The others are read all the same; the shard then says which one is missing. */
bool step_ingest_file_give_up(struct step *step, const struct err *cause, struct err *err)
{
    AUTO(file_rows_done) struct file_rows rows = { 0 };
    AUTO(buf_done) struct buf json = { .max = 8192 };
    AUTO(buf_done) struct buf words = { .max = 4096 };
    struct shard_file_row row;
    AUTO(file_step_done) struct file_step file = { 0 };
    bool open;

    if (!load(step, &rows, &row, &file, &open, err))
        return false;
    if (!open)
        return step_end(step, err);
    ingest_failure_words(cause, &words, &json);
    if (!buf_check(&json, "error of a file", err))
        return false;
    file.error_json = buf_cstr(&json);
    file.words = buf_cstr(&words);
    return db_transaction(step->db, end_file, &file, err);
}
