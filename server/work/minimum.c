#include "server/work/minimum.h"

#include <string.h>

static bool is_again(const struct minimum *m)
{
    return strcmp(m->select_mode, "failed") == 0 || strcmp(m->select_mode, "retry") == 0;
}

static const char *refuse_none(const struct minimum *m, struct buf *words)
{
    if (m->eligible == 0 && strcmp(m->select_mode, "videos") == 0) {
        buf_text(words, "None of these videos can be run: GET each of them for its reason.");
        return "no_eligible_videos";
    }
    if (m->eligible == 0 && strcmp(m->select_mode, "retry") != 0) {
        buf_text(words, "The prefix holds no video that can be run: check its bucket, prefix and suffixes, and GET its "
                        "videos with eligible=false for the reasons.");
        return "no_eligible_videos";
    }
    if (m->active > 0) {
        buf_fmt(words,
                "Nothing is left to run: a job that has not ended asks this very question about %lld of the %lld "
                "eligible videos. Wait for it: what it leaves without a summary is new again.",
                (long long)m->active, (long long)m->eligible);
        return is_again(m) ? "no_failed_videos" : "no_new_videos";
    }
    if (is_again(m)) {
        buf_text(words, "No video failed, or has no result, that could be run again: the plan's skipped ones say why. "
                        "To run others, ask with \"select\": \"new\" or \"all\".");
        return "no_failed_videos";
    }
    buf_fmt(words,
            "All %lld eligible videos have a summary by this very prompt, model and parameters: to run them again, "
            "ask with \"select\": \"all\".",
            (long long)m->eligible);
    return "no_new_videos";
}

const char *minimum_refusal(const struct minimum *m, struct buf *words)
{
    if (m->selected > 0 && m->selected >= m->minimum)
        return NULL;
    if (m->selected == 0)
        return refuse_none(m, words);
    buf_fmt(words, "%lld videos would be run, but a Bedrock batch job takes at least %lld: add %lld more",
            (long long)m->selected, (long long)m->minimum, (long long)(m->minimum - m->selected));
    if (m->active > 0)
        buf_fmt(words, ", wait for the job that asks the same about %lld others (what it leaves is new again)",
                (long long)m->active);
    else if (m->selected < m->eligible)
        buf_fmt(words, ", take all %lld eligible ones with \"select\": \"all\"", (long long)m->eligible);
    if (m->waits)
        buf_text(words, ". The job starts by itself when a scan finds them.");
    else if (strcmp(m->select_mode, "videos") == 0 || strcmp(m->select_mode, "retry") == 0)
        buf_text(words, ", or ask with \"below_minimum\": \"on_demand\" (one call a video, at the full price).");
    else
        buf_text(words, ", or ask with \"below_minimum\": \"wait\" (starts when they are there) or \"on_demand\" (one "
                        "call a video, at the full price).");
    return "below_minimum";
}
