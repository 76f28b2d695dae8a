/* A fresh look into a folder that Bedrock shall be pointed at: it runs every .jsonl there, at any depth, whoever put
 * it there (Bedrock user guide, "Format and upload your batch inference data"). */
#ifndef VIDBATCH_WORK_FOLDER_LOOK_H
#define VIDBATCH_WORK_FOLDER_LOOK_H

#include "aws/s3.h"
#include "server/base/attr.h"
#include "server/base/err.h"
#include "server/work/staging_choice.h"
#include "sql/db.h"

#include <stdbool.h>

enum { FOLDER_PAGES = 200 }; /* of 1,000 objects: twice what the largest batch job holds */

struct folder_look {
    struct aws_client *client;
    struct s3_ref folder;       /* key: with its trailing slash, or "" for the bucket */
    struct span own_key;        /* a .jsonl that is not foreign; may be empty */
    const struct db_rows *held; /* rows of folder_store_holders: nor are the JSONL of those; may be NULL */
    bool (*alive)(void *);      /* asked between pages; false ends with ERR_CANCELLED */
    void *alive_arg;
    void (*each)(void *arg, const struct s3_object *object); /* every object but the .jsonl; may be NULL */
    void *each_arg;
};
/* Walks the folder until its end, the first foreign .jsonl (in any letter case), or FOLDER_PAGES pages. Sets
 * out->has_foreign, foreign_key and is_too_large, and nothing else. The client's thread. */
MUST_CHECK bool folder_look(const struct folder_look *look, struct staging_folder *out, struct err *err);
/* True where nothing but ours would be run; else ERR_CONFLICT, code "foreign_jsonl", with the object and the remedy.
 * Pure. */
MUST_CHECK bool folder_is_ours(const struct staging_folder *found, struct err *err);

#endif
