#include "aws/s3_list_many.h"

#include "aws/key_space.h"
#include "aws/s3_call.h"
#include "aws/s3_listing.h"
#include "server/base/mem.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { TOKEN_MAX_BYTES = 64 * 1024, NOTED_KEYS = 16 };
/* Cuts behind which there was nothing: so many are forgiven, and one for so many pages. Then the keys are of a kind
 * that guesses do not fit. */
enum { EMPTY_FORGIVEN = 64, PAGES_PER_EMPTY = 2 };

/* So long the taker is watched before it is judged; and a page that takes less is a quick one. */
static const int64_t judge_ns = 400 * 1000 * 1000, quick_page_ns = 10 * 1000 * 1000;

/* A range that is thought to hold up to so many pages is cut in its middle. Beyond, the guess may be wrong by any
 * number of orders of magnitude, and the cut halves these. */
static const double ln_believable = 7.6; /* 2,000 pages */
static const double ln_least = 0.7;      /* two pages: less is not worth a request */

struct range {
    bool is_open, is_asked; /* in use; its next page is on its way */
    bool has_high;
    struct buf low;   /* exclusive: where the next page begins */
    struct buf high;  /* inclusive, if has_high */
    struct buf token; /* of the next page; empty: it begins at low */
    double ln_page;   /* how far a page reaches here, as far as is known */
    int64_t asked_as; /* number of the request */
    struct s3_call call;
};

struct lister {
    const struct s3_list_many *many;
    struct range *ranges;
    int range_count;
    int asked;    /* requests on their way */
    double limit; /* of these, at present */
    bool is_doubling, is_judged, is_taker_late;
    int64_t judged_ns, taken_ns; /* since when the taker is watched; how long it held the listing up since */
    int64_t requests, pages, empty;
    int64_t halved_at; /* throttling of earlier requests has been answered already */
    struct key_space space;
    struct s3_page page;
    struct buf cut;
    struct err failure; /* of a request that could not be built */
    bool is_over;       /* something failed: what still arrives is dropped */
};

static struct span low_of(const struct range *r)
{
    return buf_view(&r->low);
}

static struct span high_of(const struct range *r)
{
    return r->has_high ? buf_view(&r->high) : (struct span){ NULL, 0 };
}

static void set(struct buf *b, struct span text)
{
    buf_reset(b);
    buf_span(b, text);
}

/* ---- cutting ---- */

/* How many pages are ahead in a range, as a logarithm. */
static double ln_pages_ahead(const struct lister *l, const struct range *r)
{
    return key_distance(&l->space, low_of(r), high_of(r)) - r->ln_page;
}

static struct range *longest(const struct lister *l)
{
    struct range *best = NULL;
    double most = ln_least;

    for (int i = 0; i < l->range_count; i++) {
        struct range *r = &l->ranges[i];
        double pages = r->is_open && r->low.len > 0 ? ln_pages_ahead(l, r) : -HUGE_VAL;

        if (pages > most) {
            most = pages;
            best = r;
        }
    }
    return best;
}

static struct range *unused(struct lister *l)
{
    for (int i = 0; i < l->range_count; i++)
        if (!l->ranges[i].is_open)
            return &l->ranges[i];
    return NULL;
}

/* Cuts the longest range: the new one gets what lies behind the cut. NULL: nothing is worth it, or can be cut. */
static struct range *steal(struct lister *l)
{
    struct range *fresh = unused(l), *victim = longest(l);
    double ln_ahead, ln_room;

    if (!fresh || !victim || l->empty > EMPTY_FORGIVEN + l->pages / PAGES_PER_EMPTY)
        return NULL;
    ln_room = key_distance(&l->space, low_of(victim), high_of(victim));
    ln_ahead = ln_room - victim->ln_page < ln_believable ? ln_room - log(2) : (ln_room + victim->ln_page) / 2;
    if (!key_cut(&l->space, low_of(victim), high_of(victim), ln_ahead, &l->cut)) {
        victim->ln_page = ln_room; /* not before its next page */
        return NULL;
    }
    set(&fresh->low, buf_view(&l->cut));
    set(&fresh->high, high_of(victim));
    set(&victim->high, buf_view(&l->cut));
    if (!buf_check(&fresh->low, "a key", &l->failure) || !buf_check(&fresh->high, "a key", &l->failure) ||
        !buf_check(&victim->high, "a key", &l->failure)) {
        l->is_over = true; /* nobody knows any more where the victim ends */
        return NULL;
    }
    buf_reset(&fresh->token);
    fresh->is_open = true;
    fresh->has_high = victim->has_high;
    fresh->ln_page = ln_room - victim->ln_page < ln_believable ? victim->ln_page : ln_ahead;
    victim->has_high = true;
    return fresh;
}

/* ---- asking ---- */

/* The first in the order of keys: the nearer to that order they come, the better for whoever keeps them in it. */
static struct range *ready(struct lister *l)
{
    struct range *first = NULL;

    for (int i = 0; i < l->range_count; i++) {
        struct range *r = &l->ranges[i];

        if (r->is_open && !r->is_asked && (!first || key_compare(low_of(r), low_of(first)) < 0))
            first = r;
    }
    return first;
}

static bool build(struct lister *l, struct range *r, struct err *err)
{
    const struct s3_list_request rq = { .bucket = l->many->bucket,
                                        .prefix = l->many->prefix,
                                        .start_after = low_of(r),
                                        .token = buf_view(&r->token),
                                        .owner = l->many->owner,
                                        .max_keys = l->many->max_keys };

    return buf_check(&r->low, "a key", err) && buf_check(&r->high, "a key", err) && s3_listing_call(&r->call, &rq, err);
}

static bool next(void *arg, struct aws_request *rq, void **item)
{
    struct lister *l = arg;
    struct range *r = NULL;

    if (l->asked >= (int)l->limit || l->failure.kind != ERR_NONE)
        return false;
    r = ready(l);
    if (!r)
        r = steal(l);
    if (!r)
        return false;
    if (!build(l, r, &l->failure)) {
        s3_call_done(&r->call);
        return false;
    }
    r->is_asked = true;
    r->asked_as = l->requests++;
    l->asked++;
    *rq = r->call.rq;
    *item = r;
    return true;
}

static void throttled(void *arg, void *item)
{
    struct lister *l = arg;
    const struct range *r = item;

    l->is_doubling = false;
    if (r->asked_as < l->halved_at)
        return;
    l->limit = l->asked > 2 ? l->asked / 2 : 1;
    l->halved_at = l->requests;
}

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Where the taker is what all wait for, more requests bring nothing but disorder: as many are left as it has time
 * for. */
static void judge_taker(struct lister *l)
{
    const int64_t now = now_ns(), passed = now - l->judged_ns;

    if (passed < judge_ns) {
        /* where pages come this fast one after another, there is time to see whether they are taken as fast */
        if (!l->is_judged)
            l->is_taker_late = passed - l->taken_ns < (l->pages + 1) * quick_page_ns;
        return;
    }
    l->is_judged = true;
    l->is_taker_late = l->taken_ns > passed / 3;
    l->is_doubling &= !l->is_taker_late;
    if (l->taken_ns > passed / 4 * 3) {
        l->limit *= (double)(passed - l->taken_ns) / (double)passed;
        l->limit = l->limit > 1 ? l->limit : 1;
    }
    l->judged_ns = now;
    l->taken_ns = 0;
}

static void speed_up(struct lister *l)
{
    if (l->many->prefers_order)
        judge_taker(l);
    if (l->is_taker_late)
        return;
    l->limit += l->is_doubling ? 1 : 1 / l->limit;
    if (l->limit > l->range_count)
        l->limit = l->range_count;
}

/* ---- taking ---- */

static bool out_of_order(struct err *err)
{
    err_set(err, ERR_UPSTREAM, false, HERE, "S3's listing goes back to keys that it has passed");
    return err_code(err, "listing_goes_back");
}

/* All keys behind low, each behind the one before. */
static bool check_order(const struct s3_page *page, struct span low, struct err *err)
{
    struct span before = low;

    for (size_t i = 0; i < page->object_count; i++) {
        if (before.len > 0 && key_compare(page->objects[i].key, before) <= 0)
            return out_of_order(err);
        before = page->objects[i].key;
    }
    return true;
}

/* How many of the page's keys belong to the range: those behind its end are its neighbour's. */
static size_t count_inside(const struct s3_page *page, const struct range *r)
{
    size_t count = page->object_count;

    while (r->has_high && count > 0 && key_compare(page->objects[count - 1].key, buf_view(&r->high)) > 0)
        count--;
    return count;
}

static void learn(struct lister *l, struct range *r, size_t count)
{
    const struct s3_object *objects = l->page.objects;
    const size_t step = count / NOTED_KEYS + 1;
    double reach;

    for (size_t i = 0; i < count; i += step)
        key_space_note(&l->space, objects[i].key);
    key_space_note(&l->space, objects[count - 1].key);
    /* From the cut on where there was one: the gap before the first key tells how sparse it is here. What was learned
     * fades. */
    reach = key_distance(&l->space, r->low.len > 0 ? low_of(r) : objects[0].key, objects[count - 1].key);
    r->ln_page = r->low.len > 0 && r->ln_page - 1 > reach ? r->ln_page - 1 : reach;
}

static bool give(struct lister *l, const struct s3_stretch *stretch, struct err *err)
{
    const int64_t begun = now_ns();
    const bool ok = l->many->stretch(l->many->arg, stretch, err);

    l->taken_ns += now_ns() - begun;
    return ok;
}

static bool take_page(struct lister *l, struct range *r, struct err *err)
{
    struct s3_page *page = &l->page;
    struct s3_stretch stretch = { .after = low_of(r), .objects = page->objects };
    bool is_end;

    if (page->is_truncated && r->token.len > 0 && span_eq(buf_view(&r->token), buf_view(&page->next_token))) {
        err_set(err, ERR_UPSTREAM, false, HERE, "S3 sent the same continuation token twice");
        return err_code(err, "bad_listing");
    }
    if (!check_order(page, low_of(r), err))
        return false;
    stretch.object_count = count_inside(page, r);
    is_end = !page->is_truncated || stretch.object_count < page->object_count;
    l->pages++;
    l->empty += stretch.object_count == 0;
    set(&r->token, buf_view(&page->next_token));
    if (!is_end && page->object_count == 0) /* S3 may send less than it could */
        return buf_check(&r->token, "a continuation token", err);
    stretch.through = is_end ? high_of(r) : page->objects[page->object_count - 1].key;
    if (!give(l, &stretch, err))
        return false;
    r->is_open = !is_end && !(r->has_high && span_eq(stretch.through, buf_view(&r->high)));
    if (stretch.object_count > 0) {
        learn(l, r, stretch.object_count);
        set(&r->low, page->objects[stretch.object_count - 1].key);
    }
    return buf_check(&r->token, "a continuation token", err);
}

static bool done(void *arg, void *item, const struct aws_response *rs, const struct err *call_err, struct err *err)
{
    struct lister *l = arg;
    struct range *r = item;
    const struct s3_ref prefix = { l->many->bucket, l->many->prefix, l->many->owner };
    bool ok;

    l->asked--;
    r->is_asked = false;
    s3_call_done(&r->call);
    if (l->is_over)
        return true;
    if (call_err) {
        ok = err_pass(err, call_err);
    } else {
        speed_up(l);
        ok = s3_parse_listing(buf_view(&rs->body), &l->page, err) && take_page(l, r, err);
    }
    l->is_over = !ok;
    return ok || s3_name_error(&prefix, err);
}

static bool prepare(struct lister *l, struct err *err)
{
    l->ranges = mem_alloc((size_t)l->range_count, sizeof(*l->ranges));
    if (!l->ranges)
        return err_memory(err, HERE);
    for (int i = 0; i < l->range_count; i++) {
        buf_init(&l->ranges[i].low, S3_KEY_MAX_BYTES);
        buf_init(&l->ranges[i].high, S3_KEY_MAX_BYTES);
        buf_init(&l->ranges[i].token, TOKEN_MAX_BYTES);
    }
    buf_init(&l->cut, S3_KEY_MAX_BYTES);
    key_space_init(&l->space, l->many->prefix.len);
    l->ranges[0].is_open = true;
    return true;
}

static void lister_done(struct lister *l)
{
    for (int i = 0; l->ranges && i < l->range_count; i++) {
        buf_done(&l->ranges[i].low);
        buf_done(&l->ranges[i].high);
        buf_done(&l->ranges[i].token);
    }
    mem_free(l->ranges);
    buf_done(&l->cut);
    s3_page_done(&l->page);
}

bool s3_list_many(struct aws_client *client, const struct s3_list_many *many, struct err *err)
{
    AUTO(lister_done) struct lister l = { .many = many, .limit = 1, .is_doubling = true, .judged_ns = now_ns() };
    struct aws_many calls = { .next = next, .done = done, .throttled = throttled, .arg = &l };

    l.range_count = many->concurrency > 0 ? many->concurrency : S3_LIST_CONCURRENCY;
    if (l.range_count > S3_LIST_MAX_CONCURRENCY)
        l.range_count = S3_LIST_MAX_CONCURRENCY;
    calls.concurrency = l.range_count;
    if (!prepare(&l, err) || !aws_call_many(client, &calls, err))
        return false;
    return l.failure.kind == ERR_NONE || err_pass(err, &l.failure);
}
