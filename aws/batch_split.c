#include "aws/batch_output.h"

#include <string.h>

#define THINKING_OPEN SPAN_LIT("<thinking>")
#define THINKING_CLOSE SPAN_LIT("</thinking>")
#define ANSWER_OPEN SPAN_LIT("<answer>")
#define ANSWER_CLOSE SPAN_LIT("</answer>")

/* Where the tags stand in the text, as offsets. */
struct layout {
    size_t before_end;  /* the text before the first thinking block ends here */
    size_t after_start; /* the text after the last thinking block starts here */
    bool has_thinking;
    bool has_answer;
    struct span thinking; /* inside of the first block */
    struct span answer;   /* inside of the first <answer> that is not inside a thinking block */
};

static size_t find_from(struct span text, size_t from, struct span what)
{
    const char *hit = NULL;

    if (from >= text.len)
        return text.len;
    hit = memmem(text.ptr + from, text.len - from, what.ptr, what.len);
    return hit ? (size_t)(hit - text.ptr) : text.len;
}

static struct span slice(struct span text, size_t from, size_t to)
{
    return span_head(span_tail(text, from), to - from);
}

/* Takes the block whose inside starts at `inside`; gives where reading goes on. */
static size_t take_thinking(struct span text, size_t open_at, size_t inside, struct layout *l)
{
    size_t close = find_from(text, inside, THINKING_CLOSE);
    size_t next = close + THINKING_CLOSE.len;

    if (close == text.len) { /* left open: it ends where the answer begins, else with the text */
        close = find_from(text, inside, ANSWER_OPEN);
        next = close;
    }
    if (!l->has_thinking) {
        l->has_thinking = true;
        l->before_end = open_at;
        l->thinking = slice(text, inside, close);
    }
    l->after_start = next;
    return next;
}

static size_t take_answer(struct span text, size_t inside, struct layout *l)
{
    size_t close = find_from(text, inside, ANSWER_CLOSE);

    if (!l->has_answer) {
        l->has_answer = true;
        l->answer = slice(text, inside, close);
    }
    return close == text.len ? close : close + ANSWER_CLOSE.len;
}

static struct layout layout_of(struct span text)
{
    struct layout l = { 0 };
    size_t at = find_from(text, 0, SPAN_LIT("<"));

    /* With one of each in hand nothing more is wanted, and a hostile text cannot make the searches quadratic. */
    while (at < text.len && !(l.has_thinking && l.has_answer)) {
        struct span rest = span_tail(text, at);

        if (span_starts(rest, THINKING_OPEN))
            at = take_thinking(text, at, at + THINKING_OPEN.len, &l);
        else if (span_starts(rest, ANSWER_OPEN))
            at = take_answer(text, at + ANSWER_OPEN.len, &l);
        else
            at++;
        at = find_from(text, at, SPAN_LIT("<"));
    }
    return l;
}

/* The text without its thinking must be one piece, because the summary borrows: what follows the last block, or, where
 * nothing follows it, what comes before the first. Nova thinks first, so in practice this is the whole rest. */
static struct span without_thinking(struct span text, const struct layout *l)
{
    struct span after = { 0 };

    if (!l->has_thinking)
        return span_trim(text);
    after = span_trim(span_tail(text, l->after_start));
    return after.len > 0 ? after : span_trim(span_head(text, l->before_end));
}

void batch_split_answer(struct span text, struct span *summary, struct span *thinking)
{
    struct layout outer = layout_of(text);

    *thinking = span_trim(outer.thinking);
    if (outer.has_answer) {
        struct layout inner = layout_of(outer.answer);

        *summary = without_thinking(outer.answer, &inner);
        if (!outer.has_thinking)
            *thinking = span_trim(inner.thinking);
        return;
    }
    *summary = without_thinking(text, &outer);
}
