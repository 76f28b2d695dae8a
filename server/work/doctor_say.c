/* What the doctor found, as JSON and as text. */
#include "server/work/doctor.h"

#include <string.h>

static const char *const words[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_PROBLEM] = "problem", [DOCTOR_CANNOT_KNOW] = "can't know"
};
static const char *const json_words[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_PROBLEM] = "problem", [DOCTOR_CANNOT_KNOW] = "cannot_know"
};

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

void doctor_json(const struct doctor_report *report, struct json_writer *w)
{
    json_put_text(w, "result", doctor_has_problem(report) ? "problem" : "ok");
    json_name(w, "checks");
    json_begin_array(w);
    for (size_t i = 0; i < report->count; i++) {
        const struct doctor_check *check = &report->checks[i];

        json_begin_object(w);
        json_put_text(w, "name", check->name);
        json_put_text(w, "state", json_words[check->state]);
        json_put_text(w, "sentence", check->sentence);
        json_put_text(w, "remedy", or_null(check->remedy));
        json_put_text(w, "action", or_null(check->action));
        if (check->statement[0])
            json_put_raw(w, "statement", span_of(check->statement));
        else
            json_put_null(w, "statement");
        json_end_object(w);
    }
    json_end_array(w);
}

void doctor_text(const struct doctor_report *report, struct buf *out)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct doctor_check *check = &report->checks[i];

        buf_fmt(out, "%-10s  %-15s  %s\n", words[check->state], check->name, check->sentence);
        if (check->remedy[0])
            buf_fmt(out, "%29s%s\n", "", check->remedy);
        if (check->statement[0])
            buf_fmt(out, "%29sStatement: %s\n", "", check->statement);
    }
}
