#include "aws/role_trust.h"

#include "server/base/attr.h"

#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Does it fit? In this order "all of them" is the least, and "any of them" the most. */
enum fit { FIT_NO, FIT_MAYBE, FIT_YES };

static const char service[] = "bedrock.amazonaws.com";
static const char action[] = "sts:assumerole"; /* actions know no letter case */

enum { ID_LENGTH = 12, JOB_ARN_SIZE = 256 };
static const char unknown = '\1'; /* a letter or digit of a job's ARN that nobody knows yet */

struct judging {
    const struct trust_facts *facts;
    char job_arn[JOB_ARN_SIZE];
    /* of the statement that came nearest to an answer: how near, and what it lacks */
    int nearest;
    char lack[300];
    char doubt[300]; /* the first thing that cannot be judged */
};

static void unref(json_t **value)
{
    json_decref(*value);
}

static enum fit least(enum fit a, enum fit b)
{
    return a < b ? a : b;
}

static enum fit most(enum fit a, enum fit b)
{
    return a > b ? a : b;
}

/* Keeps the first. Gives FIT_MAYBE. */
static enum fit doubt(struct judging *j, const char *fmt, ...) PRINTF(2, 3);
static enum fit doubt(struct judging *j, const char *fmt, ...)
{
    va_list args;

    if (j->doubt[0])
        return FIT_MAYBE;
    va_start(args, fmt);
    vsnprintf(j->doubt, sizeof j->doubt, fmt, args);
    va_end(args);
    return FIT_MAYBE;
}

/* ---- wildcards ---- */

/* '*' stands for any characters, '?' for one. may: an unknown character is whatever the pattern wants. */
static bool matches(struct span pattern, struct span text, bool may)
{
    size_t p = 0, t = 0, star = pattern.len, resume = 0;

    while (t < text.len) {
        const bool is_left = p < pattern.len;

        if (is_left && pattern.ptr[p] == '*') {
            star = p++;
            resume = t;
        } else if (is_left && (pattern.ptr[p] == '?' || pattern.ptr[p] == text.ptr[t] ||
                               (may && text.ptr[t] == unknown && isalnum((unsigned char)pattern.ptr[p])))) {
            p++;
            t++;
        } else if (star < pattern.len) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

static enum fit fits_pattern(struct span pattern, struct span text)
{
    if (matches(pattern, text, false))
        return FIT_YES;
    return matches(pattern, text, true) ? FIT_MAYBE : FIT_NO;
}

static enum fit fits_exactly(struct span value, struct span text)
{
    if (value.len != text.len)
        return FIT_NO;
    for (size_t i = 0; i < text.len; i++)
        if (value.ptr[i] != text.ptr[i] && !(text.ptr[i] == unknown && isalnum((unsigned char)value.ptr[i])))
            return FIT_NO;
    return memchr(text.ptr, unknown, text.len) ? FIT_MAYBE : FIT_YES;
}

/* Part by part: a wildcard does not reach over a colon, but in the last of the six. */
static enum fit fits_arn(struct span pattern, struct span arn)
{
    enum fit fit = FIT_YES;

    for (int part = 0; part < 5; part++) {
        const size_t p = span_find(pattern, ':'), a = span_find(arn, ':');

        if (p == pattern.len)
            return FIT_MAYBE; /* too few parts: not an ARN's pattern as AWS describes it */
        fit = least(fit, fits_pattern(span_head(pattern, p), span_head(arn, a)));
        pattern = span_tail(pattern, p + 1);
        arn = span_tail(arn, a + 1);
    }
    return least(fit, fits_pattern(pattern, arn));
}

/* ---- elements that are a text or a list of texts ---- */

static size_t count_of(const json_t *value)
{
    return json_is_array(value) ? json_array_size(value) : 1;
}

static bool text_at(const json_t *value, size_t i, struct span *out)
{
    const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;

    if (!json_is_string(item))
        return false;
    *out = (struct span){ json_string_value(item), json_string_length(item) };
    return true;
}

/* ---- principal and action ---- */

static enum fit fits_principal(struct judging *j, const json_t *statement)
{
    const json_t *principal = json_object_get(statement, "Principal");
    const json_t *services = json_object_get(principal, "Service");
    enum fit fit = FIT_NO;
    struct span text;

    if (json_object_get(statement, "NotPrincipal"))
        return doubt(j, "it has NotPrincipal, which is not judged here");
    if (!json_is_object(principal))
        return doubt(j, "its Principal is not a list of services");
    for (size_t i = 0; services && i < count_of(services); i++) {
        if (!text_at(services, i, &text) || span_find(text, '*') < text.len)
            fit = most(fit, doubt(j, "a Principal.Service is not the plain name of a service"));
        else if (span_eq_text(text, service))
            return FIT_YES;
    }
    services = json_object_get(principal, "AWS");
    for (size_t i = 0; services && i < count_of(services); i++)
        if (text_at(services, i, &text) && span_eq_text(text, "*"))
            fit = most(fit, doubt(j, "a Principal names everybody"));
    return fit;
}

static enum fit fits_action(struct judging *j, const json_t *statement)
{
    const json_t *actions = json_object_get(statement, "Action");
    enum fit fit = FIT_NO;

    if (json_object_get(statement, "NotAction"))
        return doubt(j, "it has NotAction, which is not judged here");
    if (!actions)
        return doubt(j, "a statement has no Action");
    for (size_t i = 0; i < count_of(actions); i++) {
        char lower[128];
        struct span text;

        if (!text_at(actions, i, &text) || text.len > sizeof lower) {
            fit = most(fit, doubt(j, "an Action is not the name of one"));
            continue;
        }
        for (size_t c = 0; c < text.len; c++)
            lower[c] = (char)tolower((unsigned char)text.ptr[c]);
        fit = most(fit, fits_pattern((struct span){ lower, text.len }, (struct span){ action, sizeof action - 1 }));
    }
    return fit;
}

/* ---- conditions ---- */

enum operator{ IS_OTHER, IS_EQUAL, IS_LIKE, IS_ARN };

static enum operator operator_of(const char *name)
{
    static const struct {
        const char *name;
        enum operator is;
    } known[] = {
        { "StringEquals", IS_EQUAL }, { "StringLike", IS_LIKE }, { "ArnEquals", IS_ARN }, { "ArnLike", IS_ARN }
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcasecmp(name, known[i].name) == 0)
            return known[i].is;
    return IS_OTHER;
}

static enum fit fits_value(enum operator is, struct span value, struct span fact)
{
    if (is == IS_EQUAL)
        return fits_exactly(value, fact);
    return is == IS_ARN ? fits_arn(value, fact) : fits_pattern(value, fact);
}

static void put_lack(struct judging *j, int near, const char *key, const json_t *values)
{
    struct span first = { 0 };
    const bool is_account = strcasecmp(key, "aws:SourceAccount") == 0;

    if (near <= j->nearest) /* the first of equals */
        return;
    j->nearest = near;
    if (!text_at(values, 0, &first))
        first = SPAN_LIT("something else");
    first = span_head(first, 120);
    if (is_account)
        snprintf(j->lack, sizeof j->lack, "its condition on aws:SourceAccount wants %.*s, and the account is %s",
                 SPAN_ARG(first), j->facts->account);
    else
        snprintf(j->lack, sizeof j->lack,
                 "its condition on aws:SourceArn wants %.*s, which no batch job of account %s in %s is",
                 SPAN_ARG(first), j->facts->account, j->facts->region);
}

/* One key: any of its values will do. */
static enum fit fits_key(struct judging *j, enum operator is, const char *key, const json_t *values)
{
    const bool is_arn = strcasecmp(key, "aws:SourceArn") == 0;
    const struct span fact = span_of(is_arn ? j->job_arn : j->facts->account);
    enum fit fit = FIT_NO;

    if ((!is_arn && strcasecmp(key, "aws:SourceAccount") != 0) || (!is_arn && is == IS_ARN))
        return doubt(j, "its condition on %.100s is not judged here", key);
    if (count_of(values) == 0)
        return doubt(j, "its condition on %.100s has no value", key);
    for (size_t i = 0; i < count_of(values); i++) {
        struct span value;
        enum fit one = FIT_MAYBE;

        if (text_at(values, i, &value) && !memmem(value.ptr, value.len, "${", 2))
            one = fits_value(is, value, fact);
        fit = most(fit, one);
    }
    if (fit == FIT_MAYBE)
        return doubt(j, "its condition on %.100s has a value that only some jobs meet, or none can judge", key);
    return fit;
}

/* All must hold. near: how near the statement came with principal and action. */
static enum fit fits_conditions(struct judging *j, json_t *statement, bool is_allow)
{
    json_t *conditions = json_object_get(statement, "Condition");
    const char *name, *key;
    json_t *keys, *values;
    enum fit fit = FIT_YES;

    if (conditions && !json_is_object(conditions))
        return doubt(j, "its Condition is not an object");
    json_object_foreach(conditions, name, keys)
    {
        const enum operator is = operator_of(name);

        if (is == IS_OTHER || !json_is_object(keys)) {
            fit = least(fit, doubt(j, "its condition %.100s is not judged here", name));
            continue;
        }
        json_object_foreach(keys, key, values)
        {
            const enum fit one = fits_key(j, is, key, values);

            fit = least(fit, one);
            if (one == FIT_NO && is_allow)
                put_lack(j, 2, key, values);
        }
    }
    return fit;
}

/* ---- statements ---- */

static void put_near(struct judging *j, int near, const char *lack)
{
    if (near <= j->nearest) /* the first of equals */
        return;
    j->nearest = near;
    snprintf(j->lack, sizeof j->lack, "%s", lack);
}

/* Does the statement speak of Bedrock's assuming the role for such a job? */
static enum fit fits_statement(struct judging *j, json_t *statement, bool is_allow)
{
    const enum fit principal = fits_principal(j, statement);
    enum fit fit;

    if (principal == FIT_NO)
        return FIT_NO;
    fit = least(principal, fits_action(j, statement));
    if (fit == FIT_NO && is_allow)
        put_near(j, 1, "it names bedrock.amazonaws.com, but not for sts:AssumeRole");
    return fit == FIT_NO ? FIT_NO : least(fit, fits_conditions(j, statement, is_allow));
}

/* What doubts a statement raised that does not fit anyway are none. */
static enum fit judge_statement(struct judging *j, json_t *statement, bool *is_allow)
{
    const char *effect = json_string_value(json_object_get(statement, "Effect"));
    const bool had_doubt = j->doubt[0] != 0;
    enum fit fit;

    *is_allow = effect && strcmp(effect, "Allow") == 0;
    if (!*is_allow && (!effect || strcmp(effect, "Deny") != 0)) {
        *is_allow = true;
        return doubt(j, "a statement has no Effect of Allow or Deny");
    }
    fit = fits_statement(j, statement, *is_allow);
    if (fit == FIT_NO && !had_doubt)
        j->doubt[0] = 0;
    return fit;
}

static void conclude(const struct judging *j, enum fit allowed, enum fit denied, struct trust_verdict *out)
{
    const char *why = j->doubt;

    out->state = TRUST_UNKNOWN;
    if (denied == FIT_YES) {
        out->state = TRUST_REFUSES;
        why = "a statement denies it to Bedrock";
    } else if (allowed == FIT_NO) {
        out->state = TRUST_REFUSES;
        why = j->lack;
    } else if (allowed == FIT_YES && denied == FIT_NO) {
        out->state = TRUST_ALLOWS;
        why = "";
    }
    snprintf(out->why, sizeof out->why, "%s", why);
}

void trust_judge(struct span document, const struct trust_facts *facts, struct trust_verdict *out)
{
    AUTO(unref) json_t *root = NULL;
    struct judging j = { .facts = facts, .lack = "no statement of it allows bedrock.amazonaws.com anything" };
    enum fit allowed = FIT_NO, denied = FIT_NO;
    json_t *statements;

    *out = (struct trust_verdict){ .state = TRUST_UNKNOWN };
    if (document.len > TRUST_MAX_BYTES) {
        snprintf(out->why, sizeof out->why, "it is longer than 64 KiB");
        return;
    }
    root = document.len ? json_loadb(document.ptr, document.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    statements = json_object_get(root, "Statement");
    if (!json_is_object(statements) && !json_is_array(statements)) {
        snprintf(out->why, sizeof out->why, "it cannot be read as a policy");
        return;
    }
    snprintf(j.job_arn, sizeof j.job_arn, "arn:%s:bedrock:%.40s:%.20s:model-invocation-job/%.*s", facts->partition,
             facts->region, facts->account, (int)ID_LENGTH, "\1\1\1\1\1\1\1\1\1\1\1\1");
    for (size_t i = 0; i < count_of(statements); i++) {
        bool is_allow = false;
        const enum fit fit =
            judge_statement(&j, json_is_array(statements) ? json_array_get(statements, i) : statements, &is_allow);

        if (is_allow)
            allowed = most(allowed, fit);
        else
            denied = most(denied, fit);
    }
    conclude(&j, allowed, denied, out);
}
