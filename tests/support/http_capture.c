#include "tests/support/http_capture.h"

#include "server/base/buf.h"
#include "server/base/json_writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4 * 1024 * 1024 };

static void add_line(const struct http_seen *seen, struct buf *line)
{
    struct json_writer w = json_writer_on(line);

    json_begin_object(&w);
    json_put_text(&w, "event", "request");
    json_put_text(&w, "op", "Bedrock.?");
    json_put_text(&w, "method", seen->method);
    json_put_text(&w, "target", seen->target);
    json_put_span(&w, "agent", http_seen_header(seen, "user-agent"));
    json_put_span(&w, "content_type", http_seen_header(seen, "content-type"));
    json_put_span(&w, "body", (struct span){ seen->body ? seen->body : "", seen->body_len });
    json_end_object(&w);
    buf_char(line, '\n');
}

void http_capture(const struct http_seen *seen)
{
    AUTO(buf_done) struct buf line = { 0 };
    const char *path = getenv("VIDBATCH_CAPTURE");
    struct span authorization = http_seen_header(seen, "authorization");
    int fd;

    if (!path || !authorization.len || !memmem(authorization.ptr, authorization.len, "/bedrock/", strlen("/bedrock/")))
        return;
    buf_init(&line, LINE_MAX_BYTES);
    add_line(seen, &line);
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    /* Less than all is a broken line, which the reader notices. */
    if (fd < 0 || !buf_ok(&line) || write(fd, line.data, line.len) != (ssize_t)line.len)
        abort();
    close(fd);
}
