/* The JSONL: one line a video, streamed. Bedrock reads a copy, or in place the video itself. */
#include "aws/batch_input.h"
#include "aws/s3.h"
#include "server/base/buf.h"
#include "server/base/id.h"
#include "server/work/lines.h"
#include "server/work/stage.h"

enum { LINE_PAGE = 5000 };

static bool write_page(struct stage *stage, const struct batch_input *input, struct s3_writer *writer,
                       const struct db_rows *rows, struct err *err)
{
    AUTO(buf_done) struct buf uri = { .max = STAGING_URI_SIZE };
    char copy[STAGING_KEY_SIZE];

    for (int i = 0; i < rows->count; i++) {
        struct record_source source;
        const struct video_format *format;
        char digits[ID_SIZE];

        record_source_read(rows, i, &source);
        format = video_format_of(span_of(source.key));
        if (source.has_summary || !format)
            continue;
        stage_name_copy(&stage->place, &source, copy);
        buf_reset(&uri);
        buf_text(&uri, "s3://");
        buf_span(&uri, stage->place.bucket);
        buf_char(&uri, '/');
        buf_text(&uri, stage->place.in_place ? source.key : copy);
        id_format(ID_RECORD, source.id, digits);
        batch_input_line(input, s3_writer_out(writer), digits, format->format, buf_view(&uri));
        if (!s3_writer_wrote(writer, err))
            return false;
        stage->lines++;
    }
    return true;
}

static void writer_free(struct s3_writer **writer)
{
    s3_writer_free(*writer);
}

static bool write_lines(struct stage *stage, const struct batch_input *input, const struct s3_ref *ref, struct err *err)
{
    AUTO(writer_free) struct s3_writer *writer = NULL;
    int64_t after = 0;
    bool more = true;

    if (!s3_writer_new(stage->step->client, ref, "application/x-ndjson", 0, &writer, err))
        return false;
    while (more) {
        AUTO(db_rows_done) struct db_rows rows = { 0 };
        struct record_source last;

        if (!step_alive(stage->step, err) ||
            !record_store_sources(stage->step->db, stage->shard.id, after, LINE_PAGE, &rows, err) ||
            !write_page(stage, input, writer, &rows, err))
            return false;
        more = rows.count > 0;
        if (more) {
            record_source_read(&rows, rows.count - 1, &last);
            after = last.id;
        }
    }
    return s3_writer_finish(writer, &stage->input_bytes, err);
}

bool stage_write_lines(struct stage *stage, struct err *err)
{
    AUTO(lines_free) struct batch_input *input = NULL;
    const struct s3_ref ref = { stage->place.bucket, span_of(stage->place.input_key), stage->place.owner };
    int aborted = 0;

    input = lines_new(&stage->job, stage->place.owner, err);
    return input && s3_abort_uploads(stage->step->client, &ref, &aborted, err) && write_lines(stage, input, &ref, err);
}
