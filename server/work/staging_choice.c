#include "server/work/staging_choice.h"

#include "aws/batch_input.h"
#include "aws/bedrock_check.h"
#include "server/base/buf.h"
#include "server/base/text.h"
#include "server/work/folder_look.h"
#include "server/work/stage_place.h"
#include "server/work/step.h"
#include "sql/folder_store.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN = 120, JSONL_NAME = 26 /* vidbatch-, 11 characters, .jsonl */, KEY_MAX = 1024 };

#define KEY_SHOWN(text) SPAN_ARG(text_utf8_head(span_of(text), SHOWN))

#define OBJECTS(n) ((n) == 1 ? "object" : "objects")

/* ---- the survey ---- */

static void keep_key(char out[STAGING_KEY_SIZE], struct span key)
{
    snprintf(out, STAGING_KEY_SIZE, "%.*s", SPAN_ARG(key));
}

/* Some readers of URIs take "." and ".." for steps through folders; in S3 they are names. */
static bool has_dots(struct span key)
{
    for (struct span rest = key; rest.len > 0;) {
        const struct span segment = span_head(rest, span_find(rest, '/'));

        if (span_eq_text(segment, ".") || span_eq_text(segment, ".."))
            return true;
        rest = span_tail(rest, segment.len + 1);
    }
    return false;
}

static void narrow_folder(struct staging_survey *survey, struct span key)
{
    size_t same = 0, folder = 0;

    if (survey->videos == 0)
        keep_key(survey->folder, key);
    for (; same < key.len && survey->folder[same] == key.ptr[same]; same++)
        if (key.ptr[same] == '/')
            folder = same + 1;
    survey->folder[folder] = '\0';
}

void staging_survey_add(struct staging_survey *survey, struct span key, struct span content_type)
{
    const struct video_format *format = video_format_of(key);

    narrow_folder(survey, key);
    survey->videos++;
    if ((!batch_key_is_clean(key) || has_dots(key)) && survey->unclean++ == 0)
        keep_key(survey->unclean_key, key);
    if (!content_type.ptr)
        survey->unknown_type++;
    else if ((!format || !span_eq_nocase(content_type, span_of(format->mime))) && survey->wrong_type++ == 0) {
        keep_key(survey->wrong_type_key, key);
        snprintf(survey->wrong_type_is, sizeof survey->wrong_type_is, "%.*s", SPAN_ARG(content_type));
    }
}

/* ---- the rules ---- */

/* Is the location the folder, inside it or around it? */
static bool overlaps(const char *location, struct span bucket, struct span folder)
{
    AUTO(buf_done) struct buf slashed = { .max = STAGING_URI_SIZE };
    struct span its_bucket, path;

    if (!s3_parse_uri(span_of(location), &its_bucket, &path, NULL) || !span_eq(its_bucket, bucket))
        return false;
    buf_span(&slashed, path);
    if (path.len > 0 && path.ptr[path.len - 1] != '/')
        buf_char(&slashed, '/');
    return span_starts(buf_view(&slashed), folder) || span_starts(folder, buf_view(&slashed));
}

/* Rules that hold whoever asked: true where one is broken, and the words are appended. */
static bool breaks_rule(const struct work_settings *settings, const char *region, const struct staging_ask *ask,
                        const struct staging_survey *survey, struct buf *words)
{
    AUTO(buf_done) struct buf uri = { .max = STAGING_URI_SIZE };
    const struct span folder = span_of(survey->folder);

    buf_fmt(&uri, "s3://%.*s/%s", SPAN_ARG(ask->bucket), survey->folder);
    if (ask->on_demand)
        buf_text(words, "calls on demand are given copies: no Bedrock job is made that could be pointed at the folder");
    else if (ask->shards != 1)
        buf_fmt(words,
                "the videos make %lld Bedrock jobs, and in one folder each would run, and bill, the input of the "
                "others",
                (long long)ask->shards);
    else if (!span_eq_text(ask->bucket_region, region))
        buf_fmt(words, "the bucket is in %.*s, and Bedrock reads only buckets of its own Region, %s",
                SPAN_ARG(ask->bucket_region), region);
    else if (survey->unclean > 0)
        buf_fmt(words,
                "%lld %s characters that Bedrock does not take (letters, digits and -_.!*'() are fine), such as '%.*s'",
                (long long)survey->unclean, survey->unclean == 1 ? "key has" : "keys have",
                KEY_SHOWN(survey->unclean_key));
    else if (!bedrock_is_s3_uri(buf_view(&uri)) || folder.len > KEY_MAX - JSONL_NAME)
        buf_fmt(words, "their folder, '%.*s', is none that Bedrock takes as input", KEY_SHOWN(buf_cstr(&uri)));
    else if (overlaps(settings->staging_uri, ask->bucket, folder))
        buf_fmt(words, "the staging location %s shares the folder s3://%.*s/%.*s with them", settings->staging_uri,
                SPAN_ARG(ask->bucket), KEY_SHOWN(survey->folder));
    else if (overlaps(settings->output_uri, ask->bucket, folder))
        buf_fmt(words, "the output location %s shares the folder s3://%.*s/%.*s with them", settings->output_uri,
                SPAN_ARG(ask->bucket), KEY_SHOWN(survey->folder));
    else if (survey->wrong_type > 0)
        buf_fmt(
            words,
            "the Content-Type of %lld %s is not that of the format, such as '%.*s' of '%.*s'; a copy gets the right "
            "one",
            (long long)survey->wrong_type, OBJECTS(survey->wrong_type), KEY_SHOWN(survey->wrong_type_is),
            KEY_SHOWN(survey->wrong_type_key));
    return words->len > 0;
}

/* What a user may know better than we. */
static bool is_doubtful(const struct work_settings *settings, const struct staging_ask *ask,
                        const struct staging_survey *survey, struct buf *words)
{
    if (survey->folder[0] == '\0')
        buf_text(words, "the only folder that holds all of them is the whole bucket");
    else if (survey->unknown_type > 0)
        buf_fmt(words, "the Content-Type of %lld %s is not known, for the preflight did not look there",
                (long long)survey->unknown_type, OBJECTS(survey->unknown_type));
    else if (!stage_is_bucket_of(settings->staging_uri, ask->bucket) &&
             !stage_is_bucket_of(settings->output_uri, ask->bucket))
        buf_fmt(words,
                "Bedrock's service role is known to reach the buckets of the staging and output locations, not %.*s",
                SPAN_ARG(ask->bucket));
    return words->len > 0;
}

static bool folder_forbids(const struct staging_ask *ask, const struct staging_folder *folder, bool is_auto,
                           struct buf *words)
{
    if (folder->has_foreign)
        buf_fmt(words, "Bedrock would run, and bill, s3://%.*s/%.*s too, which lies in the videos' folder",
                SPAN_ARG(ask->bucket), KEY_SHOWN(folder->foreign_key));
    else if (folder->is_too_large)
        buf_fmt(words,
                "the videos' folder holds more than %d objects: too many to make sure that no .jsonl is among "
                "them",
                FOLDER_PAGES * 1000);
    else if (is_auto && folder->is_held)
        buf_text(words, "another job uses the videos' folder now");
    return words->len > 0;
}

static void praise(const struct staging_ask *ask, const struct staging_survey *survey, struct buf *words)
{
    buf_fmt(words,
            "one Bedrock job, whose %lld videos lie under s3://%.*s/%.*s with keys%s that Bedrock takes, and "
            "no other .jsonl lies there",
            (long long)survey->videos, SPAN_ARG(ask->bucket), KEY_SHOWN(survey->folder),
            survey->unknown_type == 0 ? " and Content-Types" : "");
    if (survey->unknown_type > 0)
        buf_fmt(words, "; the Content-Type of %lld %s was not looked at", (long long)survey->unknown_type,
                OBJECTS(survey->unknown_type));
}

void staging_judge(const struct work_settings *settings, const char *region, const struct staging_ask *ask,
                   const struct staging_survey *survey, const struct staging_folder *folder, struct staging_choice *out)
{
    AUTO(buf_done) struct buf words = { .max = 4096 };
    const bool is_auto = strcmp(ask->wanted, "auto") == 0;

    memset(out, 0, sizeof *out);
    if (strcmp(ask->wanted, "copy") == 0) {
        out->mode = "copy";
        buf_text(&words, "asked for");
    } else if (breaks_rule(settings, region, ask, survey, &words) ||
               (is_auto && is_doubtful(settings, ask, survey, &words)) ||
               (folder && folder_forbids(ask, folder, is_auto, &words))) {
        out->mode = is_auto ? "copy" : NULL;
    } else {
        out->mode = "in_place";
        memcpy(out->folder, survey->folder, sizeof out->folder);
        praise(ask, survey, &words);
    }
    snprintf(out->why, sizeof out->why, "%s", buf_cstr(&words));
}

/* ---- the choice ---- */

/* Looks once, at the folder as it is held now. is_held: by others, whose JSONL will be gone by the time that it is
 * ours.
 */
static bool look_once(struct step *step, const struct staging_ask *ask, struct span key, struct staging_folder *out,
                      struct err *err)
{
    AUTO(db_rows_done) struct db_rows held = { 0 };
    const struct folder_look look = { .client = step->client,
                                      .folder = { ask->bucket, key, ask->bucket_owner },
                                      .held = &held,
                                      .alive = step_is_alive,
                                      .alive_arg = step };

    memset(out, 0, sizeof *out);
    if (!folder_store_holders(step->db, ask->bucket, key, 0, &held, err) || !folder_look(&look, out, err))
        return false;
    out->is_held = held.count > 0;
    return true;
}

bool staging_choose(struct step *step, const struct staging_ask *ask, const struct staging_survey *survey,
                    struct staging_choice *out, struct err *err)
{
    enum { LOOKS = 3 };
    const char *region = aws_region(step->aws);
    struct staging_folder folder = { 0 };

    staging_judge(step->settings, region, ask, survey, NULL, out);
    if (!out->mode || strcmp(out->mode, "in_place") != 0)
        return true;
    /* A JSONL may be that of a job which took the folder after its holders were asked for: then it has a holder now. */
    for (int i = 0; i < LOOKS && (i == 0 || folder.has_foreign); i++)
        if (!look_once(step, ask, span_of(survey->folder), &folder, err))
            return false;
    staging_judge(step->settings, region, ask, survey, &folder, out);
    return true;
}

void staging_folder_uri(const struct work_settings *settings, const struct staging_ask *ask,
                        const struct staging_choice *choice, const char *job, const char *shard,
                        char uri[STAGING_URI_SIZE])
{
    if (strcmp(choice->mode, "in_place") == 0)
        snprintf(uri, STAGING_URI_SIZE, "s3://%.*s/%s", SPAN_ARG(ask->bucket), choice->folder);
    else
        snprintf(uri, STAGING_URI_SIZE, "%s/%s/%s/", settings->staging_uri, job, shard);
}
