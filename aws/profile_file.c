#include "aws/profile_file.h"

#include "server/base/buf.h"
#include "server/base/mem.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FILE_BYTES = 1 << 20 };

struct parsing {
    struct profile_file *file;
    enum profile_file_kind kind;
    const char *name;
    int line;
    bool has_section; /* a section header has been seen */
    enum profile_section section;
    struct span profile; /* name of the present section; empty: none of ours, its lines are only checked */
    struct span key;     /* last key that was not nested */
    size_t key_indent;
    size_t last;    /* index of its entry, or SIZE_MAX */
    bool is_nested; /* its value is empty: indented lines are its children */
    struct err *err;
};

void profile_file_done(struct profile_file *file)
{
    if (file->text)
        OPENSSL_cleanse(file->text, strlen(file->text));
    mem_free(file->text);
    mem_free(file->entries);
    *file = (struct profile_file){ 0 };
}

static bool refuse(const struct parsing *p, const char *why)
{
    err_set(p->err, ERR_INPUT, false, HERE, "%s, line %d: %s", p->name, p->line, why);
    return err_code(p->err, "bad_profile_file");
}

static bool add_entry(struct parsing *p, const struct profile_entry *entry)
{
    struct profile_file *file = p->file;

    if (file->count == file->capacity) {
        size_t capacity = file->capacity ? file->capacity * 2 : 32;
        struct profile_entry *grown = mem_resize(file->entries, capacity, sizeof(*grown));

        if (!grown)
            return err_memory(p->err, HERE);
        file->entries = grown;
        file->capacity = capacity;
    }
    file->entries[file->count++] = *entry;
    return true;
}

/* Drops a comment: '#' or ';' after white space. */
static struct span drop_comment(struct span value)
{
    for (size_t i = 1; i < value.len; i++)
        if ((value.ptr[i] == '#' || value.ptr[i] == ';') && (value.ptr[i - 1] == ' ' || value.ptr[i - 1] == '\t'))
            return span_trim(span_head(value, i));
    return value;
}

static struct span unquote(struct span name)
{
    if (name.len >= 2 && (name.ptr[0] == '"' || name.ptr[0] == '\'') && name.ptr[name.len - 1] == name.ptr[0])
        return span_head(span_tail(name, 1), name.len - 2);
    return name;
}

/* Which sort of section, and its name: "default" or "profile NAME" and the like in the config file, anything in the
 * credentials file. An empty name: a section that means nothing to us. */
static struct span name_of_section(enum profile_file_kind kind, struct span text, enum profile_section *section)
{
    static const struct {
        struct span word;
        enum profile_section section;
    } sorts[] = { { SPAN_LIT("profile"), PROFILE_SECTION },
                  { SPAN_LIT("sso-session"), PROFILE_SSO_SESSION },
                  { SPAN_LIT("services"), PROFILE_SERVICES } };

    *section = PROFILE_SECTION;
    if (kind == PROFILE_CREDENTIALS)
        return unquote(text);
    if (span_eq_text(text, "default"))
        return text;
    for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
        struct span rest = span_tail(text, sorts[i].word.len);

        *section = sorts[i].section;
        if (span_starts(text, sorts[i].word) && rest.len && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t'))
            return unquote(span_trim(rest));
    }
    return (struct span){ 0 };
}

static bool read_section(struct parsing *p, struct span line)
{
    size_t close = span_find(line, ']');
    struct span after = span_trim(span_tail(line, close + 1));
    struct span section = span_trim(span_tail(span_head(line, close), 1));

    if (close == line.len)
        return refuse(p, "a section starts with '[' and has no ']'");
    if (after.len && after.ptr[0] != '#' && after.ptr[0] != ';')
        return refuse(p, "something follows the ']' of a section");
    if (!section.len)
        return refuse(p, "a section has no name");
    p->has_section = true;
    p->profile = name_of_section(p->kind, section, &p->section);
    p->key = (struct span){ 0 };
    p->last = SIZE_MAX;
    return !p->profile.len || add_entry(p, &(struct profile_entry){ .section = p->section, .profile = p->profile });
}

/* An indented line below a key: a nested pair when the key's own value is empty, else the value's continuation. */
static bool read_indented(struct parsing *p, struct span line)
{
    size_t equals = span_find(line, '=');
    struct profile_entry entry = { .section = p->section, .profile = p->profile, .key = p->key };
    struct span *value;

    if (!p->is_nested) {
        if (p->last != SIZE_MAX) {
            value = &p->file->entries[p->last].value;
            value->len = (size_t)(line.ptr + line.len - value->ptr);
        }
        return true;
    }
    if (equals == line.len)
        return refuse(p, "a nested line has no '='");
    entry.subkey = span_trim(span_head(line, equals));
    entry.value = drop_comment(span_trim(span_tail(line, equals + 1)));
    if (!entry.subkey.len)
        return refuse(p, "there is no name before '='");
    return !p->profile.len || add_entry(p, &entry);
}

static bool read_pair(struct parsing *p, struct span line, size_t indent)
{
    size_t equals = span_find(line, '=');
    struct profile_entry entry = { .section = p->section, .profile = p->profile };

    if (equals == line.len)
        return refuse(p, "neither a section, nor a comment, nor key = value");
    entry.key = span_trim(span_head(line, equals));
    entry.value = span_trim(span_tail(line, equals + 1));
    if (!entry.key.len)
        return refuse(p, "there is no name before '='");
    if (entry.value.len && (entry.value.ptr[0] == '#' || entry.value.ptr[0] == ';'))
        entry.value.len = 0;
    entry.value = drop_comment(entry.value);
    p->key = entry.key;
    p->key_indent = indent;
    p->is_nested = entry.value.len == 0;
    p->last = SIZE_MAX;
    if (!p->profile.len)
        return true;
    if (!add_entry(p, &entry))
        return false;
    p->last = p->file->count - 1;
    return true;
}

static bool read_line(struct parsing *p, struct span raw)
{
    struct span line = span_trim(raw);
    size_t indent = line.len ? (size_t)(line.ptr - raw.ptr) : 0;

    if (!line.len || line.ptr[0] == '#' || line.ptr[0] == ';')
        return true;
    if (memchr(line.ptr, '\0', line.len))
        return refuse(p, "it holds a NUL byte");
    if (line.ptr[0] == '[' && !(p->key.len && indent > p->key_indent))
        return read_section(p, line);
    if (!p->has_section)
        return refuse(p, "key = value before the first section");
    if (p->key.len && indent > p->key_indent)
        return read_indented(p, line);
    return read_pair(p, line, indent);
}

static bool parse(struct parsing *p, struct span text)
{
    if (span_starts(text, SPAN_LIT("\xEF\xBB\xBF")))
        text = span_tail(text, 3);
    while (text.len) {
        size_t end = span_find(text, '\n');

        p->line++;
        if (!read_line(p, span_head(text, end)))
            return false;
        text = span_tail(text, end + 1);
    }
    return true;
}

bool profile_file_parse(struct span text, enum profile_file_kind kind, const char *name, struct profile_file *out,
                        struct err *err)
{
    AUTO(profile_file_done) struct profile_file file = { 0 };
    struct parsing p = { .file = &file, .kind = kind, .name = name, .last = SIZE_MAX, .err = err };

    if (text.len > MAX_FILE_BYTES)
        return refuse(&p, "the file is larger than 1 MiB");
    file.text = mem_span(text);
    if (!file.text)
        return err_memory(err, HERE);
    if (!parse(&p, (struct span){ file.text, text.len }))
        return false;
    *out = file;
    file = (struct profile_file){ 0 };
    return true;
}

const struct profile_entry *profile_file_find(const struct profile_file *file, enum profile_section section,
                                              struct span name, const char *key, const char *subkey)
{
    for (size_t i = file->count; i-- > 0;) {
        const struct profile_entry *entry = &file->entries[i];

        if (entry->section == section && span_eq(entry->profile, name) && entry->key.len &&
            span_eq_nocase(entry->key, span_of(key)) && span_eq_nocase(entry->subkey, span_of(subkey)))
            return entry;
    }
    return NULL;
}

bool profile_file_has(const struct profile_file *file, enum profile_section section, struct span name)
{
    for (size_t i = 0; i < file->count; i++)
        if (file->entries[i].section == section && span_eq(file->entries[i].profile, name))
            return true;
    return false;
}

/* ---- both files ---- */

void profile_done(struct profile *p)
{
    profile_file_done(&p->config);
    profile_file_done(&p->credentials);
    mem_free(p->name);
    *p = (struct profile){ 0 };
}

static void close_file(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}

static bool load_file(const char *path, enum profile_file_kind kind, struct profile_file *out, struct err *err)
{
    AUTO(close_file) FILE *file = NULL;
    AUTO(buf_wipe) struct buf text = { 0 };
    size_t got;

    buf_init(&text, MAX_FILE_BYTES + 4096);
    if (!path || !path[0])
        return true;
    file = fopen(path, "re");
    if (!file && (errno == ENOENT || errno == ENOTDIR))
        return true;
    if (!file)
        return err_set(err, ERR_INPUT, false, HERE, "cannot open %s: %s", path, strerror(errno));
    do {
        char *room = text.len <= MAX_FILE_BYTES ? buf_room(&text, 4096) : NULL;

        if (!room)
            break;
        got = fread(room, 1, 4096, file);
        buf_grew(&text, got);
    } while (got);
    if (!buf_check(&text, path, err))
        return false;
    if (ferror(file))
        return err_set(err, ERR_INPUT, false, HERE, "cannot read %s: %s", path, strerror(errno));
    return profile_file_parse(buf_view(&text), kind, path, out, err);
}

bool profile_load(const char *config_path, const char *credentials_path, const char *name, struct profile *out,
                  struct err *err)
{
    AUTO(profile_done) struct profile p = { 0 };

    p.name = mem_text(name && name[0] ? name : "default");
    if (!p.name)
        return err_memory(err, HERE);
    if (!load_file(config_path, PROFILE_CONFIG, &p.config, err) ||
        !load_file(credentials_path, PROFILE_CREDENTIALS, &p.credentials, err))
        return false;
    p.is_found = profile_has(&p, PROFILE_SECTION, span_of(p.name));
    *out = p;
    memset(&p, 0, sizeof(p)); /* moved: the cleanup finds nothing */
    return true;
}

struct span profile_get_in(const struct profile *p, enum profile_section section, struct span name, const char *key,
                           const char *subkey)
{
    const struct profile_entry *entry = profile_file_find(&p->credentials, section, name, key, subkey);

    if (!entry)
        entry = profile_file_find(&p->config, section, name, key, subkey);
    return entry ? entry->value : (struct span){ 0 };
}

struct span profile_get(const struct profile *p, const char *key, const char *subkey)
{
    return profile_get_in(p, PROFILE_SECTION, span_of(p->name), key, subkey);
}

bool profile_has(const struct profile *p, enum profile_section section, struct span name)
{
    return profile_file_has(&p->config, section, name) || profile_file_has(&p->credentials, section, name);
}
