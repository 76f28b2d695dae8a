/* Table job. Counts and tokens come from the job's shards. */
#ifndef VIDBATCH_SQL_JOB_STORE_H
#define VIDBATCH_SQL_JOB_STORE_H

#include "sql/db.h"

struct job_row { /* texts borrowed from the rows; NULL where SQL NULL */
    int64_t id, prefix_id;
    const char *name, *state, *outcome, *model_id, *prompt, *system;
    bool has_max_tokens, has_temperature, has_top_p, has_top_k;
    int64_t max_tokens, top_k;
    double temperature, top_p;
    const char *select_mode, *staging, *metadata /* JSON */, *error /* JSON */;
    int version;
    int64_t created_ms, started_ms, completed_ms;
    int64_t total, succeeded, failed, missing; /* pending = total - the rest */
    int64_t bedrock_processed;                 /* of shards that Bedrock still runs */
    int64_t input_tokens, output_tokens;
    int shards;
    bool cancel_requested; /* for ever: also after it is ingested again */
    int64_t launched_ms;   /* 0: a plan only */
    int64_t planned_ms, expires_ms;
    bool is_plan; /* asked for as a plan, launched or not */
    int64_t retry_of;
    bool retry_hopeless;
    const char *below_minimum, *preflight, *route;
    bool has_max_cost, has_keep_staging, keep_staging, has_estimate;
    int64_t max_cost_micros;
    int64_t estimated_low_micros, estimated_micros, estimated_high_micros;
    const char *currency;                             /* of the estimates, or NULL */
    const char *waiting;                              /* JSON or NULL */
    const char *import_output_uri, *import_input_uri; /* of an import; the second may be NULL there too */
    int64_t charged_input_tokens,
        charged_output_tokens; /* by Bedrock's manifests, or the stored lines where there are more */
    bool is_charged;           /* that is all: no part runs, and no output is unread */
};
void job_row_read(const struct db_rows *rows, int row, struct job_row *out);

/* Is a job in this state over: completed, failed or cancelled? Pure. */
bool job_state_is_final(const char *state);

struct job_new {
    int64_t prefix_id;
    struct span name, model_id, prompt, system /* ptr NULL: none */, metadata /* JSON; ptr NULL: none */;
    bool has_max_tokens, has_temperature, has_top_p, has_top_k;
    int64_t max_tokens, top_k;
    double temperature, top_p;
    const char *select_mode, *staging;
    unsigned char recipe[32];
    struct span picked;                    /* select_mode "videos": "{1,2}"; ptr NULL: none */
    const char *below_minimum, *preflight; /* NULL: "refuse", "full" */
    bool has_max_cost, has_keep_staging, keep_staging;
    int64_t max_cost_micros;
    int64_t retry_of; /* 0: none */
    bool retry_hopeless;
    bool is_plan;    /* not launched */
    int64_t keep_ms; /* how long a plan is kept */
};
/* Launched at once, unless it is a plan only. */
MUST_CHECK bool job_store_create(struct db *db, const struct job_new *in, int64_t *id, struct err *err);
/* A launched job; a plan only is not found. */
MUST_CHECK bool job_store_get(struct db *db, int64_t id, struct db_rows *rows, struct job_row *out, struct err *err);
/* A plan too. */
MUST_CHECK bool job_store_get_any(struct db *db, int64_t id, struct db_rows *rows, struct job_row *out,
                                  struct err *err);
/* Ids of the launched retries of a job, oldest first: column 0. */
MUST_CHECK bool job_store_retries(struct db *db, int64_t id, int limit, struct db_rows *rows, struct err *err);
struct job_filter {
    int64_t before_id;  /* newest first, before this id; 0: from the newest */
    int64_t prefix_id;  /* 0: any */
    const char *state;  /* NULL: any */
    const char *within; /* only of these prefixes, "{1,2}"; NULL: of all ... */
    int64_t key_id;     /* ... and, of imports that have no prefix yet, what this key began */
    int limit;
};
/* Launched ones. */
MUST_CHECK bool job_store_list(struct db *db, const struct job_filter *filter, struct db_rows *rows, struct err *err);
/* Charges the job to a key; 0: to none. */
MUST_CHECK bool job_store_begun_by(struct db *db, int64_t id, int64_t key_id, struct err *err);
/* Moves from one of the `from` states ("{queued,planning}") to `to`; *moved false when it was in none of them. Sets
 * started_at when it leaves queued, completed_at in final states; version + 1. error_json NULL leaves error as it is;
 * outcome NULL likewise. */
MUST_CHECK bool job_store_move(struct db *db, int64_t id, const char *from, const char *to, const char *outcome,
                               const char *error_json, bool *moved, struct err *err);
/* Locks the row (FOR UPDATE) and gives its state. Orders all transactions of one job. */
MUST_CHECK bool job_store_lock(struct db *db, int64_t id, char state[16], struct err *err);
/* In a transaction: orders the plans of a prefix, so that two jobs never take the same new videos. */
MUST_CHECK bool job_store_plan_lock(struct db *db, int64_t prefix_id, struct err *err);
/* Recipe for selecting: 32 bytes. */
MUST_CHECK bool job_store_recipe(struct db *db, int64_t id, unsigned char recipe[32], struct err *err);
/* Launched jobs of a prefix that have not ended. */
MUST_CHECK bool job_store_count_active(struct db *db, int64_t prefix_id, int64_t *count, struct err *err);

#endif
