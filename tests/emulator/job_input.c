#include "tests/emulator/job_input.h"

#include "server/base/mem.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void job_input_done(struct job_input *input)
{
    for (size_t i = 0; i < input->file_count; i++) {
        struct input_file *f = &input->files[i];
        if (f->bytes)
            munmap((void *)(uintptr_t)f->bytes, (size_t)f->object->size);
        object_unref(f->object);
        mem_free(f->name);
    }
    mem_free(input->files);
    mem_free(input->lines);
    memset(input, 0, sizeof *input);
}

struct collecting {
    struct job_input *input;
    size_t folder_len; /* of the folder's name with its slash */
};

static void add_file(struct job_input *input, const struct object *object, struct span name)
{
    struct input_file *f = NULL;

    input->files = emu_resize(input->files, input->file_count + 1, sizeof *f);
    f = &input->files[input->file_count++];
    memset(f, 0, sizeof *f);
    f->object = object_ref((struct object *)(uintptr_t)object);
    f->name = emu_copy(name);
}

static void collect(void *arg, const struct store_entry *entry)
{
    struct collecting *c = arg;

    if (entry->object && span_ends(entry->key, SPAN_LIT(".jsonl")))
        add_file(c->input, entry->object, span_tail(entry->key, c->folder_len));
}

static void find_files(struct job *job, struct job_input *out)
{
    struct store *store = job->emu->store;
    struct span bucket = span_of(job->input.bucket);
    struct span prefix = span_of(job->input.prefix);
    struct collecting c = { out, 0 };
    AUTO(buf_done) struct buf folder = { 0 };
    struct store_walk walk = { .max = INT64_MAX };

    out->is_folder = !span_ends(prefix, SPAN_LIT(".jsonl"));
    if (!out->is_folder) {
        AUTO(object_unref_auto) struct object *object = store_get(store, bucket, prefix);
        size_t at = prefix.len;
        while (at > 0 && prefix.ptr[at - 1] != '/')
            at--;
        if (object)
            add_file(out, object, span_tail(prefix, at));
        return;
    }
    buf_init(&folder, 0);
    buf_span(&folder, prefix);
    if (prefix.len > 0)
        buf_char(&folder, '/');
    c.folder_len = folder.len;
    walk.prefix = (struct span){ buf_cstr(&folder), folder.len };
    (void)store_each(store, bucket, &walk, collect, &c);
}

static void add_line(struct job_input *input, uint32_t file, struct span text)
{
    if (input->line_count == input->line_cap) {
        input->line_cap = input->line_cap ? input->line_cap * 2 : 1024;
        input->lines = emu_resize(input->lines, input->line_cap, sizeof *input->lines);
    }
    input->lines[input->line_count++] = (struct input_line){ file, text };
}

static void map_file(struct input_file *f)
{
    int fd = blob_open(f->object->blob);
    void *at = mmap(NULL, (size_t)f->object->size, PROT_READ, MAP_PRIVATE, fd, 0);

    if (at == MAP_FAILED)
        emu_die("mapping an input file");
    close(fd);
    f->bytes = at;
}

/* One JSON object per line with nothing but recordId and modelInput's presence looked at later. */
static bool is_object(struct span line)
{
    json_t *json = json_loadb(line.ptr, line.len, 0, NULL);
    bool ok = json_is_object(json);

    json_decref(json);
    return ok;
}

/* Stops early when the emulator does: the job is over then anyway. */
static bool cut_lines(const struct job *job, struct job_input *input, uint32_t index, struct buf *why)
{
    struct input_file *f = &input->files[index];
    struct span rest = { "", 0 };
    int64_t number = 0;

    f->first = input->line_count;
    if (f->object->size > 0) {
        map_file(f);
        rest = (struct span){ f->bytes, (size_t)f->object->size };
    }
    while (rest.len > 0 && !jobs_are_stopping(job->emu->jobs)) {
        const char *feed = memchr(rest.ptr, '\n', rest.len);
        struct span line = span_head(rest, feed ? (size_t)(feed - rest.ptr) : rest.len);
        rest = span_tail(rest, line.len + 1);
        number++;
        if (!is_object(line)) {
            buf_fmt(why, "Input file %s is not in the JSONL format: line %" PRId64 " is not a JSON object", f->name,
                    number);
            return false;
        }
        add_line(input, index, line);
    }
    f->count = input->line_count - f->first;
    return true;
}

static bool check_sizes(struct job *job, const struct job_input *input, struct buf *why)
{
    int64_t total = 0;

    if (input->file_count == 0)
        buf_fmt(why, "No JSONL input file was found at %s", job->input_uri);
    for (size_t i = 0; i < input->file_count; i++) {
        int64_t size = input->files[i].object->size;
        total += size;
        if (size > job->emu->config.max_file_bytes)
            buf_fmt(why, "Batch job input file size (%" PRId64 ") exceeds the maximum of: %" PRId64, size,
                    job->emu->config.max_file_bytes);
    }
    if (why->len == 0 && total > job->emu->config.max_job_bytes)
        buf_fmt(why, "Batch job input size (%" PRId64 ") exceeds the maximum of: %" PRId64, total,
                job->emu->config.max_job_bytes);
    return why->len == 0;
}

bool job_input_read(struct job *job, struct job_input *out, struct buf *why)
{
    const struct emu_config *config = &job->emu->config;

    find_files(job, out);
    if (!check_sizes(job, out, why))
        return false;
    for (size_t i = 0; i < out->file_count; i++)
        if (!cut_lines(job, out, (uint32_t)i, why))
            return false;
    if ((int64_t)out->line_count < config->min_records)
        buf_fmt(why, "Batch job contains less records (%zu) than the required minimum of: %" PRId64, out->line_count,
                config->min_records);
    else if ((int64_t)out->line_count > config->max_records)
        buf_fmt(why, "Batch job contains more records (%zu) than the allowed maximum of: %" PRId64, out->line_count,
                config->max_records);
    return why->len == 0;
}
