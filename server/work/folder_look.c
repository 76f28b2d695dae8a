#include "server/work/folder_look.h"

#include "server/base/text.h"

#include <stdio.h>

static bool is_jsonl(struct span key)
{
    static const struct span suffix = { ".jsonl", 6 };

    return key.len >= suffix.len && span_eq_nocase(span_tail(key, key.len - suffix.len), suffix);
}

static bool is_known(const struct folder_look *look, struct span key)
{
    for (int i = 0; look->held && i < look->held->count; i++)
        if (span_eq(key, db_span(look->held, i, 1)))
            return true;
    return span_eq(key, look->own_key);
}

/* True: the look is over. */
static bool has_foreign(const struct folder_look *look, const struct s3_page *page, struct staging_folder *out)
{
    for (size_t i = 0; i < page->object_count; i++) {
        const struct s3_object *object = &page->objects[i];

        if (is_jsonl(object->key)) {
            if (is_known(look, object->key))
                continue;
            out->has_foreign = true;
            snprintf(out->foreign_key, sizeof out->foreign_key, "%.*s", SPAN_ARG(object->key));
            return true;
        }
        if (look->each)
            look->each(look->each_arg, object);
    }
    return false;
}

bool folder_look(const struct folder_look *look, struct staging_folder *out, struct err *err)
{
    AUTO(s3_page_done) struct s3_page page = { 0 };
    AUTO(buf_done) struct buf token = { .max = 8192 };
    struct s3_list_request rq = { .bucket = look->folder.bucket,
                                  .prefix = look->folder.key,
                                  .owner = look->folder.owner };

    for (int pages = 0; pages < FOLDER_PAGES; pages++) {
        if (!look->alive(look->alive_arg)) {
            err_set(err, ERR_CANCELLED, true, HERE, "the look into a folder was interrupted");
            return err_code(err, "stopping");
        }
        if (!s3_list_page(look->client, &rq, &page, err))
            return false;
        if (has_foreign(look, &page, out) || !page.is_truncated)
            return true;
        buf_reset(&token);
        buf_span(&token, buf_view(&page.next_token));
        if (!buf_check(&token, "a listing's token", err))
            return false;
        rq.token = buf_view(&token);
    }
    out->is_too_large = true;
    return true;
}

bool folder_is_ours(const struct staging_folder *found, struct err *err)
{
    if (found->has_foreign)
        err_set(err, ERR_CONFLICT, false, HERE,
                "'%.*s' lies in the videos' folder, and Bedrock would run, and bill, it too: move it away, or launch "
                "the job with \"staging\": \"copy\"",
                SPAN_ARG(text_utf8_head(span_of(found->foreign_key), 150)));
    else if (found->is_too_large)
        err_set(err, ERR_CONFLICT, false, HERE,
                "the videos' folder holds more than %d objects now: too many to make sure that no .jsonl is among "
                "them; launch the job with \"staging\": \"copy\"",
                FOLDER_PAGES * 1000);
    else
        return true;
    return err_code(err, "foreign_jsonl");
}
