/* Reads the values of a document of models: outside bytes where an operator's file is read. Every member is optional
 * here; what must be there is judged when all documents lie over each other (models_judge). */
#include "server/work/models_reading.h"

#include "server/base/mem.h"
#include "server/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t reading_enter(struct reading *rd, const char *name)
{
    const size_t before = rd->path.len;

    buf_fmt(&rd->path, "%s%s", before && name[0] != '[' ? "." : "", name);
    return before;
}

size_t reading_enter_item(struct reading *rd, size_t index)
{
    const size_t before = rd->path.len;

    buf_fmt(&rd->path, "[%zu]", index);
    return before;
}

void reading_leave(struct reading *rd, size_t before)
{
    buf_cut(&rd->path, before);
}

bool reading_wrong(struct reading *rd, const char *rule)
{
    return err_set(rd->err, ERR_INPUT, false, HERE, "%s", rule);
}

bool reading_null(struct reading *rd, bool *yes)
{
    enum json_kind kind = JSON_KIND_NULL;

    if (!json_peek(&rd->json, &kind, rd->err))
        return false;
    *yes = kind == JSON_KIND_NULL;
    return !*yes || json_skip_value(&rd->json, rd->err);
}

bool reading_text(struct reading *rd, char **out)
{
    AUTO(buf_done) struct buf text = { .max = MAX_TEXT_BYTES };

    if (*out)
        return reading_wrong(rd, "is given twice");
    if (!json_take_string(&rd->json, &text, rd->err))
        return false;
    *out = mem_text(buf_cstr(&text));
    return *out ? true : err_memory(rd->err, HERE);
}

/* The value as it is written. The reader's window is the whole text, so offsets are places in it. */
static bool read_object_text(struct reading *rd, char **out)
{
    enum json_kind kind = JSON_KIND_NULL;
    const char *start = NULL;

    if (*out)
        return reading_wrong(rd, "is given twice");
    if (!json_peek(&rd->json, &kind, rd->err))
        return false;
    if (kind != JSON_KIND_OBJECT)
        return reading_wrong(rd, "must be an object");
    start = rd->json.at;
    if (!json_check_value(&rd->json, rd->err))
        return false;
    *out = mem_span((struct span){ start, (size_t)(rd->json.at - start) });
    return *out ? true : err_memory(rd->err, HERE);
}

/* "12.50" as 12500000 millionths; at most six decimals. */
static bool parse_decimal(struct span text, int64_t *out)
{
    const size_t dot = span_find(text, '.');
    const struct span whole = span_head(text, dot);
    const struct span part = span_tail(text, dot + 1);
    int64_t n = 0;

    if (whole.len == 0 || whole.len > 9 || part.len > 6 || (dot < text.len && part.len == 0))
        return false;
    for (size_t i = 0; i < whole.len + 6; i++) {
        const char c = i < whole.len ? whole.ptr[i] : i - whole.len < part.len ? part.ptr[i - whole.len] : '0';
        if (c < '0' || c > '9')
            return false;
        n = n * 10 + (c - '0');
    }
    *out = n;
    return true;
}

static bool out_of_range(struct reading *rd, const struct number_fact *fact)
{
    char least[MODEL_DECIMAL_BYTES], most[MODEL_DECIMAL_BYTES];

    if (fact->form == NUMBER_COUNT)
        return err_set(rd->err, ERR_INPUT, false, HERE, "must be a whole number from %" PRId64 " to %" PRId64 "%s",
                       fact->least, fact->most, fact->may_be_null ? ", or null" : "");
    model_decimal(fact->least, 0, least);
    model_decimal(fact->most, 0, most);
    return err_set(rd->err, ERR_INPUT, false, HERE,
                   "must be a decimal number with at most six decimals from %s to %s, as text (\"0.06\")%s", least,
                   most, fact->may_be_null ? ", or null" : "");
}

static bool take_number(struct reading *rd, const struct number_fact *fact, int64_t *n)
{
    AUTO(buf_done) struct buf text = { .max = MAX_NAME_BYTES };
    enum json_kind kind = JSON_KIND_NULL;

    if (!json_peek(&rd->json, &kind, rd->err))
        return false;
    if (kind == JSON_KIND_NULL && fact->may_be_null) {
        *n = fact->when_null;
        return json_skip_value(&rd->json, rd->err);
    }
    if (kind != (fact->form == NUMBER_COUNT ? JSON_KIND_NUMBER : JSON_KIND_STRING))
        return out_of_range(rd, fact);
    if (fact->form == NUMBER_COUNT) {
        const char *start = rd->json.at;

        if (!json_take_i64(&rd->json, n, rd->err))
            return false;
        if (memchr(start, '.', (size_t)(rd->json.at - start)) || memchr(start, 'e', (size_t)(rd->json.at - start)) ||
            memchr(start, 'E', (size_t)(rd->json.at - start)))
            return out_of_range(rd, fact);
    } else if (!json_take_string(&rd->json, &text, rd->err)) {
        return false;
    } else if (!parse_decimal(buf_view(&text), n)) {
        return out_of_range(rd, fact);
    }
    return (*n >= fact->least && *n <= fact->most) || out_of_range(rd, fact);
}

static bool read_number(struct reading *rd, const struct number_fact *fact, struct number *number)
{
    if (number->origin)
        return reading_wrong(rd, "is given twice");
    if (!take_number(rd, fact, &number->n))
        return false;
    number->origin = rd->origin;
    number->rank = rd->rank;
    return true;
}

bool reading_date(struct reading *rd, char **out)
{
    if (!reading_text(rd, out))
        return false;
    return model_date_age_days(*out, 0) >= 0 || reading_wrong(rd, "must be a date: 2026, 2026-10 or 2026-10-31");
}

static bool read_word(struct reading *rd, const struct word_fact *fact, struct word *word)
{
    word->rank = rd->rank;
    if (fact->is_json)
        return read_object_text(rd, &word->text);
    return strcmp(fact->name, "date") == 0 ? reading_date(rd, &word->text) : reading_text(rd, &word->text);
}

static bool read_scope_member(struct reading *rd, struct scope *scope, const char *section, const char *name)
{
    for (int i = 0; i < MODEL_NUMBERS; i++)
        if (strcmp(number_facts[i].section, section) == 0 && strcmp(number_facts[i].name, name) == 0)
            return read_number(rd, &number_facts[i], &scope->numbers[i]);
    for (int i = 0; i < MODEL_WORDS; i++)
        if (strcmp(word_facts[i].section, section) == 0 && strcmp(word_facts[i].name, name) == 0)
            return read_word(rd, &word_facts[i], &scope->words[i]);
    return reading_wrong(rd, "is not a member that is known");
}

/* Prices speak of their own source: what stood there before does not hold for them. */
static bool own_price_words(struct reading *rd, struct scope *scope)
{
    static const enum model_word words[] = { WORD_PRICE_SOURCE, WORD_PRICE_DATE, WORD_PRICE_REGION };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct word *word = &scope->words[words[i]];

        if (word->text)
            continue;
        word->text = mem_text("");
        word->rank = rd->rank;
        if (!word->text)
            return err_memory(rd->err, HERE);
    }
    return true;
}

static bool read_section(struct reading *rd, struct scope *scope, const char *section)
{
    AUTO(buf_done) struct buf name = { .max = MAX_NAME_BYTES };
    bool done = false;

    if (!json_enter_object(&rd->json, rd->err))
        return false;
    while (json_next_name(&rd->json, &name, &done, rd->err)) {
        size_t at = 0;

        if (done)
            return strcmp(section, "prices") != 0 || own_price_words(rd, scope);
        at = reading_enter(rd, buf_cstr(&name));
        if (!read_scope_member(rd, scope, section, buf_cstr(&name)))
            return false;
        reading_leave(rd, at);
    }
    return false;
}

bool reading_section(struct reading *rd, struct scope *scope, const char *name, uint32_t *seen, bool *known)
{
    for (int i = 0; i < MODEL_NUMBERS; i++) {
        if (strcmp(number_facts[i].section, name) != 0)
            continue;
        *known = true;
        if (*seen & (1U << i))
            return reading_wrong(rd, "is given twice");
        *seen |= 1U << i;
        return read_section(rd, scope, number_facts[i].section);
    }
    *known = false;
    return true;
}

bool reading_names(struct reading *rd, struct names *names)
{
    bool done = false;

    if (names->items)
        return reading_wrong(rd, "is given twice");
    names->items = mem_alloc(MAX_NAMES, sizeof *names->items);
    if (!names->items)
        return err_memory(rd->err, HERE);
    if (!json_enter_array(&rd->json, rd->err))
        return false;
    while (json_next_item(&rd->json, &done, rd->err)) {
        size_t at = 0;

        if (done)
            return true;
        if (names->count == MAX_NAMES)
            return err_set(rd->err, ERR_INPUT, false, HERE, "has more than %d items", MAX_NAMES);
        at = reading_enter_item(rd, names->count);
        if (!reading_text(rd, &names->items[names->count]))
            return false;
        names->count++;
        reading_leave(rd, at);
    }
    return false;
}
