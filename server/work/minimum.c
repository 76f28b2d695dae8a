#include "server/work/minimum.h"

const char *minimum_refusal(int64_t selected, int64_t eligible, int64_t minimum, struct buf *words)
{
    if (selected >= minimum)
        return NULL;
    if (eligible == 0) {
        buf_text(words, "The prefix holds no video that can be run: check its bucket, prefix and suffixes, and GET its "
                        "videos with eligible=false for the "
                        "reasons.");
        return "no_eligible_videos";
    }
    if (selected == 0) {
        buf_fmt(words,
                "All %lld eligible videos have a summary by this very prompt, model and parameters: to run them again, "
                "ask with \"select\": \"all\".",
                (long long)eligible);
        return "no_new_videos";
    }
    buf_fmt(words, "%lld videos would be run, but a Bedrock batch job takes at least %lld: add %lld more",
            (long long)selected, (long long)minimum, (long long)(minimum - selected));
    if (selected < eligible)
        buf_fmt(words, ", or take all %lld eligible ones with \"select\": \"all\"", (long long)eligible);
    buf_char(words, '.');
    return "below_minimum";
}
