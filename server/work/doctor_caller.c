/* Who the service is to AWS: credentials, identity, and the clock that signatures depend on. */
#include "server/work/doctor_inside.h"

#include "server/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* AWS refuses signatures that are more than 15 minutes off; beyond 4, clients correct themselves (the rule of the
 * SDKs). */
static const int64_t clock_limit_ms = 4 * 60 * 1000;

static void check_credentials(struct examination *x)
{
    const int64_t left_ms = x->until_ms - clock_mono_ms();
    struct creds creds = { 0 };
    struct err err = { 0 };
    struct doctor_check *check;
    char until[CLOCK_RFC3339_SIZE];
    size_t len;

    if (!aws_credentials_within(x->aws, left_ms > 0 ? left_ms : 0, &creds, &err)) {
        x->blocked_by = "credentials";
        check = doctor_add(x->report, "credentials", "There are no usable AWS credentials: %s", err.what);
        doctor_mark(check, DOCTOR_PROBLEM, "%s",
                    strcmp(err_code_of(&err), "no_credentials") == 0
                        ? "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role gives "
                          "them (ECS, EKS, EC2)."
                        : "Correct what it names: the provider that is configured first must work, others are not "
                          "tried.");
        return;
    }
    len = strlen(creds.access_key_id);
    if (creds.expires_at_s)
        clock_rfc3339(creds.expires_at_s * 1000, until);
    check = doctor_add(x->report, "credentials", "They come from: %s (key id ...%s), and %s%s.", creds.provider,
                       creds.access_key_id + (len > 4 ? len - 4 : len),
                       creds.expires_at_s ? "are valid until " : "do not expire", creds.expires_at_s ? until : "");
    if (creds.expires_at_s && creds.expires_at_s <= aws_now_s(x->aws))
        doctor_mark(check, DOCTOR_PROBLEM,
                    "They have expired. Get new ones; a role, a web identity or a profile that fetches them renews "
                    "them by itself.");
    creds_wipe(&creds);
}

static void check_identity(struct examination *x)
{
    struct attempt attempt = { .name = "identity",
                               .operation = "STS.GetCallerIdentity",
                               .service = AWS_STS,
                               .tried = "Asking STS who the service is" };
    struct err err = { 0 };
    struct doctor_check *check;

    if (!doctor_may_try(x, &attempt))
        return;
    if (aws_identity_get(x->client, &x->identity, &err)) {
        (void)doctor_add(x->report, "identity", "The service is %s, account %s.", x->identity.arn, x->identity.account);
        return;
    }
    check = doctor_failed(x, &attempt, &err);
    /* Nothing but this check needs STS: where it cannot be reached, the service may work all the same. */
    if (!x->blocked_by)
        check->state = DOCTOR_CANNOT_KNOW;
}

static void put_gap(int64_t gap_ms, char out[40])
{
    const int64_t ms = llabs(gap_ms);

    if (ms < 60 * 1000)
        snprintf(out, 40, "%lld s", (long long)((ms + 500) / 1000));
    else if (ms < 2 * 3600 * (int64_t)1000)
        snprintf(out, 40, "%lld minutes", (long long)((ms + 30000) / 60000));
    else
        snprintf(out, 40, "%lld hours", (long long)((ms + 1800000) / 3600000));
}

void doctor_judge_clock(struct doctor_report *report, bool is_known, int64_t gap_ms)
{
    struct doctor_check *check;
    char gap[40];

    if (!is_known) {
        check = doctor_add(report, "clock", "No answer of AWS's has told the time.");
        doctor_mark(check, DOCTOR_CANNOT_KNOW, "Cure what keeps the service from AWS first.");
        return;
    }
    put_gap(gap_ms, gap);
    if (llabs(gap_ms) <= clock_limit_ms) {
        (void)doctor_add(report, "clock", "The clock differs from AWS's by %s.", gap);
        return;
    }
    check = doctor_add(report, "clock", "The clock is %s %s AWS's; AWS refuses what is signed so far off.", gap,
                       gap_ms > 0 ? "behind" : "ahead of");
    doctor_mark(
        check, DOCTOR_PROBLEM,
        "Set the clock, and keep it right by NTP (timedatectl set-ntp true; on a container's host, not inside). "
        "The service corrects what it signs meanwhile, but the times that it stores are wrong.");
}

void doctor_caller(struct examination *x)
{
    check_credentials(x);
    check_identity(x);
}

/* By any answer, a refusal too. */
void doctor_clock(struct examination *x)
{
    int64_t gap_ms = 0;
    const bool is_known = aws_clock_gap(x->aws, &gap_ms);

    doctor_judge_clock(x->report, is_known, gap_ms);
}
