/* What is said of a new key, by a client or on the command line: the rules for its parts. */
#ifndef VIDBATCH_HANDLERS_KEY_INPUT_H
#define VIDBATCH_HANDLERS_KEY_INPUT_H

#include "server/base/buf.h"
#include "server/http/http.h"
#include "sql/key_store.h"

#include <stdbool.h>

enum {
    KEY_NAME_BYTES = 100,
    KEY_LIST_ITEMS = 32,
    KEY_ITEM_BYTES = 1024,
    KEY_LIST_BYTES = KEY_LIST_ITEMS * (KEY_ITEM_BYTES * 6 + 4)
};

/* Lists grow item by item as JSON; key_input_end closes them. Zeroed memory will do. */
struct key_list {
    struct buf json;
    int count;
};
struct key_input {
    struct key_new row; /* id and hash are the caller's business; texts borrowed, from the lists too */
    struct key_list scopes, prefixes, models;
    bool is_admin;
};
void key_input_done(struct key_input *in);
/* These take one value. NULL: it is good; else the rule that it breaks. Static text. */
const char *key_input_name(struct key_input *in, struct span name);
const char *key_input_scope(struct key_input *in, struct span scope);
const char *key_input_prefix(struct key_input *in, struct span uri);
const char *key_input_model(struct key_input *in, struct span model_id);
const char *key_input_budget(struct key_input *in, struct span amount);
const char *key_input_expiry(struct key_input *in, struct span time, int64_t now_ms);
/* When all was said. NULL, or the rule over several of them, or that there is no memory. */
const char *key_input_end(struct key_input *in);

/* The body of POST /v1/keys. False: the problem is filled. */
MUST_CHECK bool key_input_read(struct request *rq, struct reply *rp, struct key_input *in);

#endif
