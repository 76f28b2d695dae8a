/* Bedrock: the model, the list of jobs, and the service role: of that IAM is asked, and where it does not tell, the
 * jobs are. */
#include "server/work/doctor_inside.h"

#include "aws/bedrock.h"
#include "aws/bedrock_check.h"
#include "server/base/clock.h"
#include "server/work/causes.h"

#include <stdio.h>
#include <string.h>

/* The newest jobs are looked at for what became of this role. */
enum { JOBS_LOOKED_AT = 100 }; /* lack_of() says so */

/* The newest job that shows a thing. */
struct example {
    bool is_there;
    char name[64];
    int64_t submitted_ms;
};

struct evidence {
    const char *role_arn;
    int seen;
    bool is_known;                   /* the list could be looked at */
    struct example trusted, refused; /* only the newer of these two */
    struct example taken;            /* of this service's own */
    struct example worked, failed;   /* only the newer of these two */
    char words[400];                 /* Bedrock's, of the refused or failed one */
    const struct cause *cause;       /* of the failed one */
};

static void take(struct example *example, const struct bedrock_job *job)
{
    example->is_there = true;
    example->submitted_ms = job->submit_time_ms;
    snprintf(example->name, sizeof example->name, "%s", job->name);
}

static bool is_past_validation(const char *status)
{
    static const char *const words[] = { "Scheduled", "InProgress", "Completed", "PartiallyCompleted" };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(status, words[i]) == 0)
            return true;
    return false;
}

/* Why the job failed, where that is known and the role's doing. */
static const struct cause *role_cause(const struct bedrock_job *job)
{
    static const char *const about_roles[] = { "role_not_assumed", "role_may_not_invoke", "role_may_not_read",
                                               "role_may_not_list", "role_not_checked" };
    const struct cause *cause = strcmp(job->status, "Failed") == 0 ? cause_of_job_message(span_of(job->message)) : NULL;

    for (size_t i = 0; cause && i < sizeof about_roles / sizeof about_roles[0]; i++)
        if (strcmp(cause->code, about_roles[i]) == 0)
            return cause;
    return NULL;
}

/* Newest first. */
static bool look(void *arg, const struct bedrock_job *job)
{
    struct evidence *e = arg;
    const struct cause *cause = role_cause(job);
    const bool is_refusal = cause && strcmp(cause->code, "role_not_assumed") == 0;

    if (++e->seen > JOBS_LOOKED_AT)
        return false;
    if (strcmp(job->role_arn, e->role_arn) != 0)
        return true;
    if (!e->trusted.is_there && !e->refused.is_there && (is_refusal || cause || is_past_validation(job->status)))
        take(is_refusal ? &e->refused : &e->trusted, job);
    if (!e->worked.is_there && !e->failed.is_there && (cause || job->succeeded > 0))
        take(cause ? &e->failed : &e->worked, job);
    if (cause && !e->cause && strcmp(e->failed.name, job->name) == 0) {
        e->cause = cause;
        snprintf(e->words, sizeof e->words, "%.399s", job->message);
    }
    if (!e->taken.is_there && strncmp(job->name, "vidbatch-", 9) == 0)
        take(&e->taken, job);
    return true;
}

static void check_model(struct examination *x)
{
    const struct doctor_settings *s = x->settings;
    AUTO(buf_done) struct buf why = { .max = 1024 };
    struct model_terms terms;
    struct doctor_check *check;
    struct err err = { 0 };

    if (!models_terms(s->models, span_of(s->model_id), s->region, &terms, &err)) {
        check = doctor_add(x->report, "model", "Model %.200s is not known here.", s->model_id);
        doctor_mark(check, DOCTOR_PROBLEM,
                    "Set VIDBATCH_MODEL_ID to a model or inference profile that GET /v1/models "
                    "lists.");
        return;
    }
    if (!terms.model) {
        check = doctor_add(x->report, "model", "%.300s is your account's own inference profile.", s->model_id);
        doctor_mark(check, DOCTOR_CANNOT_KNOW,
                    "Which model is behind it, and whether that runs in batch, only a job "
                    "shows.");
        return;
    }
    if (model_refusal(&terms, clock_wall_ms(), &why)) {
        check = doctor_add(x->report, "model", "%.200s cannot be run in batch in %s.", s->model_id, s->region);
        doctor_mark(check, DOCTOR_PROBLEM, "%s", buf_cstr(&why));
        return;
    }
    (void)doctor_add(x->report, "model", "%.200s (%s) runs in batch in %s%s, as far as AWS publishes.", s->model_id,
                     terms.model->name, s->region, terms.is_profile ? " through this inference profile" : "");
}

static void check_jobs(struct examination *x, struct evidence *evidence)
{
    struct attempt attempt = { .name = "bedrock.jobs",
                               .operation = "Bedrock.ListModelInvocationJobs",
                               .service = AWS_BEDROCK,
                               .tried = "Listing Bedrock's batch jobs",
                               .place = IAM_ANY };
    const struct bedrock_list rq = { .max_results = JOBS_LOOKED_AT };
    struct err err = { 0 };

    if (!doctor_may_try(x, &attempt))
        return;
    evidence->is_known = bedrock_list_jobs(x->client, &rq, look, evidence, &err);
    if (evidence->is_known)
        (void)doctor_add(x->report, "bedrock.jobs", "Bedrock answers, and its batch jobs can be listed.");
    else
        (void)doctor_failed(x, &attempt, &err);
}

/* False: there is no role to say more of. */
static bool check_shape(struct examination *x)
{
    const char *arn = x->settings->role_arn;
    const char *const partition = iam_partition(x->settings->region);
    char start[48];
    struct doctor_check *check;

    if (!arn[0]) {
        check = doctor_add(x->report, "role", "No service role is set for Bedrock to read and write S3 with.");
        doctor_mark(
            check, DOCTOR_PROBLEM,
            "Make a role with the policies that vidbatchd iam-policy role and vidbatchd iam-policy trust print, "
            "and set VIDBATCH_ROLE_ARN to its ARN.");
        return false;
    }
    snprintf(start, sizeof start, "arn:%s:iam::", partition);
    if (!bedrock_is_role_arn(span_of(arn)) || strncmp(arn, start, strlen(start)) != 0) {
        check = doctor_add(x->report, "role", "%.300s is no service role of Region %s.", arn, x->settings->region);
        doctor_mark(check, DOCTOR_PROBLEM, "Set VIDBATCH_ROLE_ARN to the role's ARN, %s111122223333:role/name.", start);
        return false;
    }
    check = doctor_add(x->report, "role", "%.500s has the shape of a service role's ARN.", arn);
    if (x->identity.account[0] && !strstr(arn, x->identity.account)) {
        snprintf(check->sentence, sizeof check->sentence, "%.300s is of another account than the service, %s.", arn,
                 x->identity.account);
        doctor_mark(check, DOCTOR_CANNOT_KNOW, "A role of the service's own account is the safe choice.");
    }
    return true;
}

static const char *day_of(const struct example *example, char day[CLOCK_RFC3339_SIZE])
{
    clock_rfc3339(example->submitted_ms, day);
    day[10] = 0;
    return day;
}

static const char *lack_of(const struct evidence *e)
{
    return e->is_known ? "none of the newest 100 jobs tells" : "the list of jobs cannot be looked at";
}

static void check_trust(struct examination *x, const struct evidence *e)
{
    struct iam_silence silence = { "", "" };
    struct doctor_check *check;
    char day[CLOCK_RFC3339_SIZE];

    if (doctor_iam_trust(x, &silence))
        return;
    if (e->trusted.is_there) {
        (void)doctor_add(x->report, "role.trust", "Bedrock could assume the role for job %s of %s.", e->trusted.name,
                         day_of(&e->trusted, day));
        return;
    }
    if (e->refused.is_there) {
        check = doctor_add(x->report, "role.trust", "Bedrock could not assume the role for job %s of %s.",
                           e->refused.name, day_of(&e->refused, day));
        doctor_mark(check, DOCTOR_PROBLEM, "%s", cause_find("role_not_assumed")->remedy);
        return;
    }
    check = doctor_add(x->report, "role.trust", "Whether Bedrock may assume the role shows with the first job; %s%s%s.",
                       lack_of(e), silence.why[0] ? ", and " : "", silence.why);
    doctor_mark(check, DOCTOR_CANNOT_KNOW,
                "Compare the role's trust policy with what vidbatchd iam-policy trust prints.%s", silence.remedy);
}

/* May the role do what a job needs? */
static void check_access(struct examination *x, const struct evidence *e)
{
    struct doctor_check *check;
    char day[CLOCK_RFC3339_SIZE];

    if (e->worked.is_there) {
        (void)doctor_add(x->report, "role.access", "Job %s of %s read, ran and wrote with the role.", e->worked.name,
                         day_of(&e->worked, day));
        return;
    }
    if (e->failed.is_there) {
        check = doctor_add(x->report, "role.access", "Job %s of %s failed for the role: %s (AWS: %s)", e->failed.name,
                           day_of(&e->failed, day), e->cause->rule, e->words);
        doctor_mark(check, DOCTOR_PROBLEM, "%s If that was cured since, the next job shows it.", e->cause->remedy);
        return;
    }
    check = doctor_add(x->report, "role.access",
                       "Whether the role may read, invoke the model and write shows with the first job that ends; %s.",
                       lack_of(e));
    doctor_mark(check, DOCTOR_CANNOT_KNOW, "Compare the role's policy with what vidbatchd iam-policy role prints.");
}

static void check_pass(struct examination *x, const struct evidence *e)
{
    AUTO(buf_done) struct buf text = { .max = 1300 };
    struct iam_silence silence = { "", "" };
    struct doctor_check *check;
    char day[CLOCK_RFC3339_SIZE];

    if (doctor_iam_pass(x, &silence))
        return;
    if (e->taken.is_there) {
        (void)doctor_add(x->report, "role.pass", "Bedrock took the role from vidbatch for job %s of %s.", e->taken.name,
                         day_of(&e->taken, day));
        return;
    }
    check = doctor_add(x->report, "role.pass",
                       "Whether the service may hand the role to Bedrock (iam:PassRole) shows with its first job; "
                       "%s%s%s.",
                       lack_of(e), silence.why[0] ? ", and " : "", silence.why);
    doctor_mark(check, DOCTOR_CANNOT_KNOW, "See that the policy of the service's identity has the statement.%s",
                silence.remedy);
    iam_statement(&x->facts, "iam:PassRole", IAM_ROLE, &text);
    if (buf_ok(&text))
        snprintf(check->statement, sizeof check->statement, "%s", buf_cstr(&text));
}

void doctor_bedrock(struct examination *x)
{
    struct evidence evidence = { .role_arn = x->settings->role_arn };

    check_model(x);
    check_jobs(x, &evidence);
    if (!check_shape(x))
        return;
    check_trust(x, &evidence);
    check_access(x, &evidence);
    check_pass(x, &evidence);
}
