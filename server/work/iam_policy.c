#include "server/work/iam_policy.h"

#include "server/base/json_writer.h"
#include "server/base/mem.h"

#include <stdio.h>
#include <string.h>

/* Of all models and prefixes, several places each. */
enum { MAX_ARNS = 512, ARN_MAX_BYTES = 4096 };

struct arns {
    char *items[MAX_ARNS];
    size_t count;
};

static void arns_done(struct arns *arns)
{
    for (size_t i = 0; i < arns->count; i++)
        mem_free(arns->items[i]);
    arns->count = 0;
}

/* Once each. One that does not fit into memory is left out: the policy then allows less, never more. */
static void add(struct arns *arns, const char *fmt, ...) PRINTF(2, 3);
static void add(struct arns *arns, const char *fmt, ...)
{
    AUTO(buf_done) struct buf text = { .max = ARN_MAX_BYTES };
    va_list args;

    va_start(args, fmt);
    buf_vfmt(&text, fmt, args);
    va_end(args);
    if (!buf_ok(&text) || arns->count == MAX_ARNS)
        return;
    for (size_t i = 0; i < arns->count; i++)
        if (strcmp(arns->items[i], buf_cstr(&text)) == 0)
            return;
    arns->items[arns->count] = mem_text(buf_cstr(&text));
    arns->count += arns->items[arns->count] != NULL;
}

/* ---- models ---- */

static const struct {
    const char *geography, *model;
    const char *regions[IAM_MAX_DESTINATIONS - 1];
    const char *sources[4]; /* Regions that are a destination of what they send themselves */
} destinations[] = {
    { "us",
      "amazon.nova-lite-v1:0",
      { "us-east-1", "us-east-2", "us-west-2" },
      { "us-west-1", "ca-central-1", "ca-west-1" } },
    { "us",
      "amazon.nova-pro-v1:0",
      { "us-east-1", "us-east-2", "us-west-2" },
      { "us-west-1", "ca-central-1", "ca-west-1" } },
    { "us",
      "amazon.nova-2-lite-v1:0",
      { "us-east-1", "us-east-2", "us-west-2" },
      { "us-west-1", "ca-central-1", "ca-west-1" } },
    { "eu",
      "amazon.nova-lite-v1:0",
      { "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3" },
      { "eu-south-1", "eu-south-2" } },
    { "eu",
      "amazon.nova-pro-v1:0",
      { "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3" },
      { "eu-south-1", "eu-south-2" } },
    { "eu",
      "amazon.nova-2-lite-v1:0",
      { "eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3" },
      { NULL } },
    { "jp", "amazon.nova-2-lite-v1:0", { "ap-northeast-1", "ap-northeast-3" }, { NULL } },
};

/* What stands behind an ARN's last slash; ids have none. */
static struct span bare_id(struct span model_id)
{
    const char *slash = model_id.len ? memrchr(model_id.ptr, '/', model_id.len) : NULL;

    return slash ? span_tail(model_id, (size_t)(slash - model_id.ptr) + 1) : model_id;
}

/* "us" of "us.amazon.nova-lite-v1:0"; of a model's own id, whose maker comes first, its maker. */
static struct span geography_of(struct span id)
{
    return span_head(id, span_find(id, '.'));
}

void iam_destinations(struct span model_id, const char *region, const char *out[IAM_MAX_DESTINATIONS], size_t *count)
{
    const struct span id = bare_id(model_id);
    const struct span geography = geography_of(id);

    *count = 0;
    for (size_t i = 0; i < sizeof destinations / sizeof destinations[0]; i++) {
        if (!span_eq_text(geography, destinations[i].geography) ||
            !span_eq_text(span_tail(id, geography.len + 1), destinations[i].model))
            continue;
        for (size_t r = 0; r < IAM_MAX_DESTINATIONS - 1 && destinations[i].regions[r]; r++)
            out[(*count)++] = destinations[i].regions[r];
        for (size_t s = 0; s < 4 && destinations[i].sources[s]; s++)
            if (strcmp(destinations[i].sources[s], region) == 0)
                out[(*count)++] = region;
    }
}

static void add_behind_profile(const struct iam_facts *facts, struct span profile, const char *model, struct arns *arns)
{
    const char *const partition = iam_partition(facts->region);
    const char *regions[IAM_MAX_DESTINATIONS];
    size_t count = 0;

    iam_destinations(profile, facts->region, regions, &count);
    for (size_t i = 0; i < count; i++)
        add(arns, "arn:%s:bedrock:%s::foundation-model/%s", partition, regions[i], model);
    if (count == 0)
        add(arns, "arn:%s:bedrock:*::foundation-model/%s", partition, model);
    if (span_eq_text(geography_of(profile), "global"))
        add(arns, "arn:%s:bedrock:::foundation-model/%s", partition, model);
}

/* with_behind: also what a profile sends its requests to. */
static void add_model(const struct iam_facts *facts, const char *model_id, bool with_behind, struct arns *arns)
{
    const char *const partition = iam_partition(facts->region);
    const struct model *model = models_find(facts->known, span_of(model_id));
    const struct span id = bare_id(span_of(model_id));

    if (!model) { /* of the account's own: what it is made of, nobody can know */
        add(arns, "%s", model_id);
        if (with_behind && strstr(model_id, ":application-inference-profile/"))
            add(arns, "arn:%s:bedrock:*::foundation-model/*", partition);
        return;
    }
    if (span_eq_text(id, model->id)) {
        add(arns, "arn:%s:bedrock:%s::foundation-model/%s", partition, facts->region, model->id);
        return;
    }
    add(arns, "arn:%s:bedrock:%s:%s:inference-profile/%.*s", partition, facts->region, facts->account, SPAN_ARG(id));
    if (with_behind)
        add_behind_profile(facts, id, model->id, arns);
}

/* ---- places ---- */

static void add_bucket(const char *region, const struct iam_location *where, struct arns *arns)
{
    if (where->bucket.len)
        add(arns, "arn:%s:s3:::%.*s", iam_partition(region), SPAN_ARG(where->bucket));
}

static void add_objects(const char *region, const struct iam_location *where, struct arns *arns)
{
    if (where->bucket.len)
        add(arns, "arn:%s:s3:::%.*s/%.*s*", iam_partition(region), SPAN_ARG(where->bucket), SPAN_ARG(where->prefix));
}

static void add_jobs(const struct iam_facts *facts, struct arns *arns)
{
    add(arns, "arn:%s:bedrock:%s:%s:model-invocation-job/*", iam_partition(facts->region), facts->region,
        facts->account);
}

static void add_models(const struct iam_facts *facts, bool with_behind, struct arns *arns)
{
    for (size_t i = 0; i < facts->model_count; i++)
        add_model(facts, facts->models[i], with_behind, arns);
}

static void add_place(const struct iam_facts *facts, enum iam_place place, struct arns *arns)
{
    const bool is_videos = place == IAM_VIDEOS || place == IAM_VIDEOS_WRITE;

    if (place == IAM_MODEL_AND_JOBS || place == IAM_MODEL)
        add_models(facts, place == IAM_MODEL, arns);
    if (place == IAM_MODEL_AND_JOBS || place == IAM_JOBS)
        add_jobs(facts, arns);
    if (place == IAM_ANY)
        add(arns, "*");
    if (place == IAM_ROLE && facts->role_arn[0])
        add(arns, "%s", facts->role_arn);
    if (place == IAM_QUEUE && facts->queue_arn && facts->queue_arn[0])
        add(arns, "%s", facts->queue_arn);
    if (place == IAM_STAGING)
        add_objects(facts->region, &facts->staging, arns);
    if (place == IAM_OUTPUT)
        add_objects(facts->region, &facts->output, arns);
    for (size_t i = 0; is_videos && i < facts->video_count; i++)
        add_objects(facts->region, &facts->videos[i], arns);
    if (place != IAM_BUCKETS)
        return;
    add_bucket(facts->region, &facts->staging, arns);
    add_bucket(facts->region, &facts->output, arns);
    for (size_t i = 0; i < facts->video_count; i++)
        add_bucket(facts->region, &facts->videos[i], arns);
}

bool iam_account_of(const char *role_arn, char account[IAM_ACCOUNT_SIZE])
{
    static const char before[] = ":iam::";
    const char *at = strstr(role_arn, before);

    if (!at || strspn(at + sizeof before - 1, "0123456789") != 12)
        return false;
    snprintf(account, IAM_ACCOUNT_SIZE, "%.12s", at + sizeof before - 1);
    return true;
}

/* ---- statements ---- */

static void put_list(struct json_writer *w, const char *name, const char *const *items, size_t count)
{
    json_name(w, name);
    if (count == 1) {
        json_text(w, items[0]);
        return;
    }
    json_begin_array(w);
    for (size_t i = 0; i < count; i++)
        json_text(w, items[i]);
    json_end_array(w);
}

/* Leaves the statement open, for conditions. */
static void open_statement(struct json_writer *w, const char *sid, const char *const *actions, size_t count,
                           const struct arns *arns)
{
    json_begin_object(w);
    if (sid)
        json_put_text(w, "Sid", sid);
    json_put_text(w, "Effect", "Allow");
    put_list(w, "Action", actions, count);
    put_list(w, "Resource", (const char *const *)arns->items, arns->count);
}

/* "Condition": {kind: {key: value}} */
static void put_condition(struct json_writer *w, const char *kind, const char *key, const char *value)
{
    json_name(w, "Condition");
    json_begin_object(w);
    json_name(w, kind);
    json_begin_object(w);
    json_put_text(w, key, value);
    json_end_object(w);
    json_end_object(w);
}

static void put_pass_condition(struct json_writer *w)
{
    put_condition(w, "StringEquals", "iam:PassedToService", "bedrock.amazonaws.com");
}

static void open_policy(struct json_writer *w)
{
    json_begin_object(w);
    json_put_text(w, "Version", "2012-10-17");
    json_name(w, "Statement");
    json_begin_array(w);
}

static void close_policy(struct json_writer *w)
{
    json_end_array(w);
    json_end_object(w);
}

/* The actions of a place, once each. */
static size_t actions_of(enum iam_place place, const char *out[], size_t max)
{
    size_t rows, count = 0;
    const struct iam_action *all = iam_actions(&rows);

    for (size_t i = 0; i < rows; i++) {
        size_t same = 0;

        if (all[i].place != place || !all[i].action)
            continue;
        while (same < count && strcmp(out[same], all[i].action) != 0)
            same++;
        if (same == count && count < max)
            out[count++] = all[i].action;
    }
    return count;
}

static const char *const sids[IAM_PLACES] = {
    [IAM_MODEL_AND_JOBS] = "StartJobs",
    [IAM_JOBS] = "FollowJobs",
    [IAM_ANY] = "ListJobs",
    [IAM_ROLE] = "HandRoleToBedrock",
    [IAM_MODEL] = "InvokeOnDemand",
    [IAM_BUCKETS] = "ListBuckets",
    [IAM_VIDEOS] = "ReadVideos",
    [IAM_VIDEOS_WRITE] = "UploadsAndStagingInPlace",
    [IAM_STAGING] = "Stage",
    [IAM_OUTPUT] = "ReadOutput",
    [IAM_QUEUE] = "ReadEvents",
};

static bool has_key(const struct iam_facts *facts)
{
    return facts->kms_key && strncmp(facts->kms_key, "arn:", 4) == 0;
}

static void put_key(struct json_writer *w, const struct iam_facts *facts, const char *const *actions, size_t count)
{
    AUTO(arns_done) struct arns arns = { 0 };

    add(&arns, "%s", facts->kms_key);
    open_statement(w, "OutputKey", actions, count, &arns);
    json_end_object(w);
}

void iam_policy_caller(const struct iam_facts *facts, struct buf *out)
{
    struct json_writer w = json_writer_on(out);
    const char *actions[16];

    open_policy(&w);
    for (int place = IAM_MODEL_AND_JOBS; place < IAM_PLACES; place++) {
        AUTO(arns_done) struct arns arns = { 0 };
        const size_t count = actions_of((enum iam_place)place, actions, sizeof actions / sizeof actions[0]);

        add_place(facts, (enum iam_place)place, &arns);
        if (!count || !arns.count)
            continue;
        open_statement(&w, sids[place], actions, count, &arns);
        if (place == IAM_ROLE)
            put_pass_condition(&w);
        json_end_object(&w);
    }
    if (has_key(facts))
        put_key(&w, facts, (const char *const[]){ "kms:Decrypt" }, 1);
    close_policy(&w);
}

/* The accounts of the buckets: no others' may be read by the role, whatever their policies say. */
static void put_accounts(struct json_writer *w, const struct iam_facts *facts)
{
    AUTO(arns_done) struct arns accounts = { 0 };

    add(&accounts, "%s", facts->account);
    if (facts->staging.owner.len)
        add(&accounts, "%.*s", SPAN_ARG(facts->staging.owner));
    if (facts->output.owner.len)
        add(&accounts, "%.*s", SPAN_ARG(facts->output.owner));
    for (size_t i = 0; i < facts->video_count; i++)
        if (facts->videos[i].owner.len)
            add(&accounts, "%.*s", SPAN_ARG(facts->videos[i].owner));
    json_name(w, "Condition");
    json_begin_object(w);
    json_name(w, "StringEquals");
    json_begin_object(w);
    put_list(w, "aws:ResourceAccount", (const char *const *)accounts.items, accounts.count);
    json_end_object(w);
    json_end_object(w);
}

static void put_role_objects(struct json_writer *w, const struct iam_facts *facts)
{
    AUTO(arns_done) struct arns data = { 0 };
    AUTO(arns_done) struct arns videos = { 0 };

    add_place(facts, IAM_STAGING, &data);
    add_place(facts, IAM_OUTPUT, &data);
    add_place(facts, IAM_VIDEOS, &videos);
    if (data.count) {
        open_statement(w, "Data", (const char *const[]){ "s3:GetObject", "s3:PutObject" }, 2, &data);
        put_accounts(w, facts);
        json_end_object(w);
    }
    if (videos.count) {
        open_statement(w, "VideosInPlace", (const char *const[]){ "s3:GetObject" }, 1, &videos);
        put_accounts(w, facts);
        json_end_object(w);
    }
}

void iam_policy_role(const struct iam_facts *facts, struct buf *out)
{
    struct json_writer w = json_writer_on(out);
    AUTO(arns_done) struct arns buckets = { 0 };
    AUTO(arns_done) struct arns models = { 0 };

    add_place(facts, IAM_BUCKETS, &buckets);
    add_place(facts, IAM_MODEL, &models);
    open_policy(&w);
    put_role_objects(&w, facts);
    if (buckets.count) {
        open_statement(&w, "List", (const char *const[]){ "s3:ListBucket" }, 1, &buckets);
        json_end_object(&w);
    }
    if (models.count) {
        open_statement(&w, "Invoke", (const char *const[]){ "bedrock:InvokeModel" }, 1, &models);
        json_end_object(&w);
    }
    if (has_key(facts))
        put_key(&w, facts, (const char *const[]){ "kms:GenerateDataKey", "kms:Decrypt" }, 2);
    close_policy(&w);
}

void iam_policy_trust(const struct iam_facts *facts, struct buf *out)
{
    struct json_writer w = json_writer_on(out);
    AUTO(arns_done) struct arns jobs = { 0 };

    add_jobs(facts, &jobs);
    open_policy(&w);
    json_begin_object(&w);
    json_put_text(&w, "Effect", "Allow");
    json_name(&w, "Principal");
    json_begin_object(&w);
    json_put_text(&w, "Service", "bedrock.amazonaws.com");
    json_end_object(&w);
    json_put_text(&w, "Action", "sts:AssumeRole");
    json_name(&w, "Condition");
    json_begin_object(&w);
    json_name(&w, "StringEquals");
    json_begin_object(&w);
    json_put_text(&w, "aws:SourceAccount", facts->account);
    json_end_object(&w);
    json_name(&w, "ArnEquals");
    json_begin_object(&w);
    json_put_text(&w, "aws:SourceArn", jobs.count ? jobs.items[0] : "");
    json_end_object(&w);
    json_end_object(&w);
    json_end_object(&w);
    close_policy(&w);
}

void iam_statement(const struct iam_facts *facts, const char *action, enum iam_place place, struct buf *out)
{
    struct json_writer w = json_writer_on(out);
    AUTO(arns_done) struct arns arns = { 0 };

    add_place(facts, place, &arns);
    if (!arns.count)
        return;
    open_statement(&w, NULL, &action, 1, &arns);
    if (place == IAM_ROLE)
        put_pass_condition(&w);
    json_end_object(&w);
}

void iam_statement_at(const char *region, const char *action, const struct iam_location *where, bool of_bucket,
                      struct buf *out)
{
    struct json_writer w = json_writer_on(out);
    AUTO(arns_done) struct arns arns = { 0 };

    if (of_bucket)
        add_bucket(region, where, &arns);
    else
        add_objects(region, where, &arns);
    if (!arns.count)
        return;
    open_statement(&w, NULL, &action, 1, &arns);
    json_end_object(&w);
}
