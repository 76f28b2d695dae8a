#include "server/work/doctor_inside.h"

#include "aws/s3.h"
#include "server/base/clock.h"
#include "server/base/mem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { CHECK_MS = 5000, TOTAL_MS = 25000 };

struct doctor {
    struct doctor_settings settings;
    struct aws *aws;
    atomic_flag is_running;
};

struct doctor_check *doctor_add(struct doctor_report *report, const char *name, const char *fmt, ...)
{
    struct doctor_check *check =
        &report->checks[report->count < DOCTOR_MAX_CHECKS ? report->count : DOCTOR_MAX_CHECKS - 1];
    va_list args;

    report->count += report->count < DOCTOR_MAX_CHECKS;
    *check = (struct doctor_check){ .name = name };
    va_start(args, fmt);
    vsnprintf(check->sentence, sizeof check->sentence, fmt, args);
    va_end(args);
    return check;
}

void doctor_mark(struct doctor_check *check, enum doctor_state state, const char *fmt, ...)
{
    va_list args;

    check->state = state;
    va_start(args, fmt);
    vsnprintf(check->remedy, sizeof check->remedy, fmt, args);
    va_end(args);
}

bool doctor_has_problem(const struct doctor_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->checks[i].state == DOCTOR_PROBLEM)
            return true;
    return false;
}

struct doctor *doctor_new(const struct doctor_settings *settings, struct aws *aws, struct err *err)
{
    struct doctor *doctor = mem_alloc(1, sizeof *doctor);

    if (!doctor) {
        err_memory(err, HERE);
        return NULL;
    }
    doctor->settings = *settings;
    doctor->aws = aws;
    if (doctor->settings.check_ms <= 0)
        doctor->settings.check_ms = CHECK_MS;
    if (doctor->settings.total_ms <= 0)
        doctor->settings.total_ms = TOTAL_MS;
    atomic_flag_clear(&doctor->is_running);
    return doctor;
}

void doctor_free(struct doctor *doctor)
{
    mem_free(doctor);
}

/* ---- one check ---- */

bool doctor_may_try(struct examination *x, const struct attempt *attempt)
{
    const char *first = x->blocked_by ? x->blocked_by : x->unreachable_since[attempt->service];
    const int64_t now_ms = clock_mono_ms();
    struct doctor_check *check;

    if (!first && now_ms < x->until_ms) {
        const int64_t end_ms = now_ms + x->check_ms;

        aws_client_until(x->client, end_ms < x->until_ms ? end_ms : x->until_ms);
        return true;
    }
    if (first)
        check = doctor_add(x->report, attempt->name, "Not tried: it would meet what `%s` met.", first);
    else
        check = doctor_add(x->report, attempt->name, "Not tried: the checks before it took all the time there is.");
    doctor_mark(check, DOCTOR_CANNOT_KNOW, "%s", first ? "Cure that first." : "Run the check again.");
    return false;
}

/* AWS's own words, where there are any, behind the cause. */
static void put_cause(struct doctor_check *check, const struct attempt *attempt, const struct cure *cure,
                      const struct err *err)
{
    struct span said = span_of(err->upstream_message);

    if (said.len && said.ptr[said.len - 1] == '.')
        said.len--;
    if (err->upstream_code[0])
        snprintf(check->sentence, sizeof check->sentence, "%.400s failed: %s (AWS: %s: %.*s).", attempt->tried,
                 cure->cause, err->upstream_code, SPAN_ARG(said));
    else
        snprintf(check->sentence, sizeof check->sentence, "%.400s failed: %s.", attempt->tried, cure->cause);
}

static void put_statement(struct examination *x, const struct attempt *attempt, struct doctor_check *check)
{
    AUTO(buf_done) struct buf text = { .max = sizeof check->statement - 1 };
    const char *own = iam_action_of(attempt->operation);

    /* an action that AWS named of another service (kms:Decrypt) is about a resource that is not known here */
    if (!own || strcmp(own, check->action) != 0)
        return;
    if (attempt->where)
        iam_statement_at(x->settings->region, check->action, attempt->where, attempt->of_bucket, &text);
    else
        iam_statement(&x->facts, check->action, attempt->place, &text);
    if (buf_ok(&text))
        snprintf(check->statement, sizeof check->statement, "%s", buf_cstr(&text));
}

struct doctor_check *doctor_failed(struct examination *x, const struct attempt *attempt, const struct err *err)
{
    struct doctor_check *check = doctor_add(x->report, attempt->name, "%s", "");
    struct cure cure;

    if (err->kind == ERR_CANCELLED) { /* by our own clock, or the service stops */
        snprintf(check->sentence, sizeof check->sentence, "%.400s took longer than %lld s, and was given up.",
                 attempt->tried, (long long)(x->check_ms / 1000));
        doctor_mark(check, DOCTOR_PROBLEM,
                    "Look at the network: name resolution, firewall, VPC endpoint, and the proxy (HTTPS_PROXY, "
                    "NO_PROXY).");
        x->unreachable_since[attempt->service] = attempt->name;
        return check;
    }
    if (!cure_find(err, attempt->operation, &cure)) {
        snprintf(check->sentence, sizeof check->sentence, "%.400s failed: %s", attempt->tried, err->what);
        doctor_mark(check, err->retryable ? DOCTOR_CANNOT_KNOW : DOCTOR_PROBLEM, "%s",
                    err->retryable ? "AWS is in trouble or has too much to do: try again later." : "");
        return check;
    }
    put_cause(check, attempt, &cure, err);
    doctor_mark(check, DOCTOR_PROBLEM, "%s", cure.remedy);
    snprintf(check->action, sizeof check->action, "%s", cure.action);
    put_statement(x, attempt, check);
    if (err->transport)
        x->unreachable_since[attempt->service] = attempt->name;
    else if (cure.is_everywhere)
        x->blocked_by = attempt->name;
    return check;
}

/* ---- the whole ---- */

/* "s3://bucket/path" as a location whose prefix ends in a slash. */
static void locate(const char *uri, const char *owner, char prefix[1100], struct iam_location *out)
{
    struct err ignored = { 0 };
    struct span path = { 0 };

    if (!uri[0] || !s3_parse_uri(span_of(uri), &out->bucket, &path, &ignored)) {
        *out = (struct iam_location){ 0 };
        return;
    }
    snprintf(prefix, 1100, "%.*s%s", SPAN_ARG(path), path.len ? "/" : "");
    out->prefix = span_of(prefix);
    out->owner = span_of(owner);
}

static void check_settings(struct examination *x)
{
    const char *missing = x->settings->missing_settings;
    struct doctor_check *check;

    if (!missing[0]) {
        (void)doctor_add(x->report, "settings", "All settings that jobs need are there.");
        return;
    }
    check = doctor_add(x->report, "settings", "Jobs cannot be launched yet: %s must be set.", missing);
    doctor_mark(check, DOCTOR_PROBLEM, "Set what is named; vidbatchd --help says what each is.");
}

static void examine(struct examination *x, const struct doctor_place *places, size_t count)
{
    const struct doctor_settings *s = x->settings;
    char staging[1100], output[1100], account[IAM_ACCOUNT_SIZE];

    locate(s->staging_uri, s->bucket_owner, staging, &x->facts.staging);
    locate(s->output_uri, s->bucket_owner, output, &x->facts.output);
    x->facts.region = s->region;
    x->facts.role_arn = s->role_arn;
    x->facts.models[0] = s->model_id;
    x->facts.model_count = 1;
    x->facts.known = s->models;
    check_settings(x);
    (void)doctor_add(x->report, "region", "The service works in Region %s (from %s; partition %s).", s->region,
                     s->region_origin, iam_partition(s->region));
    doctor_caller(x);
    x->facts.account = x->identity.account[0] ? x->identity.account : IAM_NO_ACCOUNT;
    if (iam_account_of(s->role_arn, account))
        x->facts.account = account;
    doctor_bedrock(x);
    if (x->facts.staging.bucket.len)
        doctor_staging(x);
    if (x->facts.output.bucket.len)
        doctor_output(x);
    for (size_t i = 0; i < count && i < DOCTOR_MAX_PLACES; i++) {
        const struct iam_location where = { places[i].bucket, places[i].prefix, places[i].owner };

        doctor_prefix(x, &where);
    }
    doctor_clock(x);
}

bool doctor_examine(struct doctor *doctor, const struct doctor_place *places, size_t place_count,
                    struct doctor_report *report, struct err *err)
{
    struct examination *x;

    if (atomic_flag_test_and_set(&doctor->is_running)) {
        err_set(err, ERR_BUSY, true, HERE, "a check is under way, and there is one at a time; try again in a moment");
        return err_code(err, "check_running");
    }
    x = mem_alloc(1, sizeof *x);
    if (x) {
        *x = (struct examination){ .settings = &doctor->settings,
                                   .aws = doctor->aws,
                                   .client = aws_client_new(doctor->aws, err),
                                   .report = report,
                                   .until_ms = clock_mono_ms() + doctor->settings.total_ms,
                                   .check_ms = doctor->settings.check_ms };
        if (x->client)
            examine(x, places, place_count);
    } else {
        err_memory(err, HERE);
    }
    atomic_flag_clear(&doctor->is_running);
    if (!x || !x->client) {
        mem_free(x);
        return false;
    }
    aws_client_free(x->client);
    mem_free(x);
    return true;
}
