/* Inside server/work: one chunk of answers on its way from an output file to the database. */
#ifndef VIDBATCH_WORK_INGEST_H
#define VIDBATCH_WORK_INGEST_H

#include "aws/batch_output.h"
#include "aws/s3.h"
#include "server/work/aside.h"
#include "server/work/step.h"
#include "sql/record_store.h"
#include "sql/shard_store.h"
#include "sql/summary_store.h"
#include "sql/unread_line_store.h"

struct ingest {
    struct step *step;
    struct shard_row shard;
    struct record_key *keys; /* of the shard's records, in id order; stored_round follows what is stored */
    size_t key_count;
    struct source_key *sources; /* of an import: by what the other tool called the records; else NULL */
    bool is_shared;             /* other workers store rows of this shard too, from its other files */
};

/* ---- its records (ingest_keys.c) ---- */
/* Fills keys, and sources where the shard is an import's; ingest_done frees them, also after a failure. */
MUST_CHECK bool ingest_load_keys(struct ingest *ingest, struct err *err);
void ingest_done(struct ingest *ingest);
/* Index of the record that a line names, or key_count: it is none of the shard's. */
size_t ingest_find_key(const struct ingest *ingest, struct span record_id);
/* What another tool's Bedrock job left: its output is where output_uri says, and whose it is, nobody knows. */
bool ingest_is_import(const struct ingest *ingest);
struct span ingest_owner(const struct ingest *ingest); /* of the output bucket, may be empty */

enum { CHUNK_ROWS = 10000, CHUNK_TEXT_BYTES = 6 * 1024 * 1024, CHUNK_FILE_BYTES = 64 * 1024 * 1024 };

struct chunk_row {
    size_t key;  /* index into ingest.keys */
    size_t text; /* where its texts begin in the arena */
    size_t text_len, stop_len, message_len;
    bool is_answer, altered, error_retryable, error_expired, had_row;
    int64_t input_tokens, output_tokens, error_code;
};

struct chunk_unread { /* a line that could not be used */
    int64_t offset, bytes;
    const char *kind;
    char problem[200];
    size_t head, head_len; /* in the arena */
};

struct chunk { /* bounded: rows and bytes, its own and of the file. One is stored while the next is read */
    struct ingest *ingest;
    struct span file;
    struct chunk_row *rows;
    size_t count;
    struct chunk_unread *unread; /* UNREAD_LINES_KEPT at most */
    size_t unread_count;
    struct buf arena;
    int64_t from, to; /* offsets in the file that the chunk covers */
    struct shard_progress progress;
    bool meets_rows; /* some records have a row already: they are merged */
    int64_t now_ms;  /* of the database */
};
MUST_CHECK bool chunk_init(struct chunk *chunk, struct ingest *ingest, struct span file, int64_t offset,
                           struct err *err);
void chunk_done(struct chunk *chunk);
/* Takes a line: a row, or a count of unknown, malformed or duplicate ones, of which the first two are kept too. */
MUST_CHECK bool chunk_add(struct chunk *chunk, const struct batch_output *output, const struct batch_line *line,
                          struct err *err);
bool chunk_is_full(const struct chunk *chunk);
/* The next chunk begins where this one ends; empties it. */
void chunk_begin(struct chunk *chunk, int64_t offset);
/* Stores rows, counters and the new offset in one transaction. An aside_fn: arg is the chunk, which nobody else may
 * touch meanwhile. */
MUST_CHECK bool chunk_store(struct db *db, void *arg, struct err *err);

/* ---- the files of a shard, and its end (ingest.c) ---- */
/* One output file, from where the last attempt stopped. A file that changed while it was read: retryable. */
MUST_CHECK bool ingest_one_file(struct ingest *ingest, const struct s3_ref *ref, struct span etag, int64_t size_bytes,
                                struct err *err);
/* In a transaction that holds the task's fence and the job's lock: every file has ended, so the shard ends; records
 * without a line are missing. */
MUST_CHECK bool ingest_end_shard(struct db *db, struct ingest *ingest, struct err *err);
/* What a shard's, or file's, error says when its output cannot be read. Appends. */
void ingest_failure_words(const struct err *cause, struct buf *words, struct buf *error_json);

#endif
