#include "handlers/key_input.h"

#include "handlers/common.h"
#include "handlers/grant.h"
#include "server/base/clock.h"
#include "server/base/money.h"
#include "server/work/links.h"
#include "server/work/models.h"

void key_input_done(struct key_input *in)
{
    buf_done(&in->scopes.json);
    buf_done(&in->prefixes.json);
    buf_done(&in->models.json);
}

/* ---- one value ---- */

static const char *add(struct key_list *list, struct span item)
{
    if (list->count == KEY_LIST_ITEMS)
        return "It may have at most 32 items.";
    if (list->count++ == 0)
        buf_init(&list->json, KEY_LIST_BYTES);
    buf_text(&list->json, list->count == 1 ? "[\"" : ",\"");
    json_escape(&list->json, item);
    buf_char(&list->json, '"');
    return NULL;
}

const char *key_input_name(struct key_input *in, struct span name)
{
    if (name.len < 1 || name.len > KEY_NAME_BYTES || text_has_control(name))
        return "It must have 1 to 100 bytes and no control characters.";
    in->row.name = name;
    return NULL;
}

const char *key_input_scope(struct key_input *in, struct span scope)
{
    in->is_admin = in->is_admin || scope_bits(scope) == SCOPE_ALL;
    return scope_bits(scope) ? add(&in->scopes, scope) : "A scope is read, run or admin.";
}

const char *key_input_prefix(struct key_input *in, struct span uri)
{
    static const char rule[] =
        "It must be s3://bucket/ or s3://bucket/path/, with the slash at its end, at most 1024 bytes.";
    struct span rest;

    if (uri.len > KEY_ITEM_BYTES || !span_starts(uri, SPAN_LIT("s3://")) || !span_ends(uri, SPAN_LIT("/")) ||
        text_has_control(uri))
        return rule;
    rest = span_tail(uri, 5);
    return links_bucket_name_ok(span_head(rest, span_find(rest, '/'))) ? add(&in->prefixes, uri) : rule;
}

const char *key_input_model(struct key_input *in, struct span model_id)
{
    return model_id.len <= KEY_ITEM_BYTES && models_id_ok(model_id)
               ? add(&in->models, model_id)
               : "It must be the id or ARN of a model or of an inference profile.";
}

const char *key_input_budget(struct key_input *in, struct span amount)
{
    int64_t micros = 0;

    if (!money_parse(amount, &micros) || micros == 0)
        return "It must be an amount above zero with at most six decimals, such as \"250\" or \"99.50\".";
    in->row.has_budget = true;
    in->row.monthly_budget_micros = micros;
    return NULL;
}

const char *key_input_expiry(struct key_input *in, struct span time, int64_t now_ms)
{
    int64_t at_ms = 0;

    if (!clock_parse_rfc3339(time, &at_ms) || at_ms <= now_ms)
        return "It must be a time to come in RFC 3339 form, such as 2027-01-31T00:00:00Z.";
    in->row.expires_ms = at_ms;
    return NULL;
}

static bool end_list(struct key_list *list, struct span *out)
{
    if (list->count == 0)
        return true;
    buf_char(&list->json, ']');
    *out = buf_view(&list->json);
    return buf_ok(&list->json);
}

const char *key_input_end(struct key_input *in)
{
    if (!end_list(&in->scopes, &in->row.scopes) || !end_list(&in->prefixes, &in->row.prefixes) ||
        !end_list(&in->models, &in->row.models))
        return "There is no memory for it.";
    /* It could make itself another key without them. */
    if (in->is_admin && (in->row.prefixes.ptr || in->row.models.ptr || in->row.has_budget))
        return "A key with the scope admin can't be held to prefixes, models or a budget: it could make itself one "
               "without. Take the scopes read and run for it.";
    return NULL;
}

/* ---- a request's body ---- */

static void read_list(struct fields *f, const char *name, bool required, struct key_input *in,
                      const char *(*take)(struct key_input *, struct span))
{
    json_t *list = fields_member(f, name, required, JSON_ARRAY);

    if (list && json_array_size(list) == 0)
        fields_refuse(f, name, "It must have at least one item%s.", required ? "" : "; leave it out for no limit");
    for (size_t i = 0; list && i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const struct span text = { json_string_value(item), json_string_length(item) };
        const char *rule = text.ptr ? take(in, text) : "It must be a text.";

        if (rule) {
            fields_refuse(f, name, "Item %zu: %s", i, rule);
            return;
        }
    }
}

static const char *take_expiry(struct key_input *in, struct span text)
{
    return key_input_expiry(in, text, clock_wall_ms());
}

static void read_text(struct fields *f, const char *name, bool required, struct key_input *in,
                      const char *(*take)(struct key_input *, struct span))
{
    struct span text;
    const char *rule = NULL;

    if (fields_text(f, name, required, 1, KEY_ITEM_BYTES, &text))
        rule = take(in, text);
    if (rule)
        fields_refuse(f, name, "%s", rule);
}

bool key_input_read(struct request *rq, struct reply *rp, struct key_input *in)
{
    json_t *body = rq_json(rq, rp);
    const char *rule = NULL;
    struct fields f;

    if (!body)
        return false;
    fields_begin(&f, rq, rp, body);
    read_text(&f, "name", true, in, key_input_name);
    read_list(&f, "scopes", true, in, key_input_scope);
    read_list(&f, "prefixes", false, in, key_input_prefix);
    read_list(&f, "models", false, in, key_input_model);
    read_text(&f, "monthly_budget", false, in, key_input_budget);
    read_text(&f, "expires_at", false, in, take_expiry);
    rule = key_input_end(in);
    if (rule)
        fields_refuse(&f, "scopes", "%s", rule);
    return fields_end(&f);
}
