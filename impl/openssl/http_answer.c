#include "http_answer.h"

#include <string.h>
#include <strings.h>

/* One line or field value: not NUL-terminated. */
struct span {
    const char *start;
    size_t length;
};

static struct span trim(struct span span)
{
    while (span.length > 0 && (*span.start == ' ' || *span.start == '\t')) {
        span.start++;
        span.length--;
    }
    while (span.length > 0 && (span.start[span.length - 1] == ' ' || span.start[span.length - 1] == '\t'))
        span.length--;
    return span;
}

static bool is_word(struct span span, const char *word)
{
    return span.length == strlen(word) && strncasecmp(span.start, word, span.length) == 0;
}

/* Reads decimal digits and nothing else, up to `most`. */
static bool read_number(struct span span, size_t most, size_t *number)
{
    *number = 0;
    for (size_t i = 0; i < span.length; i++) {
        char digit = span.start[i];
        if (digit < '0' || digit > '9')
            return false;
        *number = *number * 10 + (size_t)(digit - '0');
        if (*number > most)
            return false;
    }
    return span.length > 0;
}

/* `HTTP/1.x SSS reason` */
static const char *read_status_line(struct span line, struct http_answer *answer)
{
    size_t status;
    if (line.length < 12 || memcmp(line.start, "HTTP/1.", 7) != 0 || line.start[8] != ' '
        || (line.start[7] != '0' && line.start[7] != '1') || (line.length > 12 && line.start[12] != ' '))
        return "it does not begin with an HTTP/1.1 status line";
    if (!read_number((struct span){line.start + 9, 3}, 599, &status) || status < 100)
        return "its status is not a number from 100 to 599";
    answer->status = (int)status;
    return NULL;
}

static const char *read_content_length(struct span value, struct http_answer *answer)
{
    size_t length;
    if (!read_number(value, HTTP_MAX_BODY, &length))
        return "its content-length is not a number, or too large";
    if (answer->has_length && answer->body_length != length)
        return "it has two different content-lengths";
    answer->has_length = true;
    answer->body_length = length;
    return NULL;
}

static bool is_json_type(struct span value)
{
    const char *parameters = memchr(value.start, ';', value.length);
    if (parameters != NULL)
        value.length = (size_t)(parameters - value.start);
    return is_word(trim(value), "application/json");
}

static const char *read_field(struct span line, struct http_answer *answer)
{
    const char *colon = memchr(line.start, ':', line.length);
    if (colon == NULL || colon == line.start || *line.start == ' ' || *line.start == '\t' || colon[-1] == ' ')
        return "a header line is malformed";
    struct span name = {line.start, (size_t)(colon - line.start)};
    struct span value = trim((struct span){colon + 1, line.length - name.length - 1});
    size_t seconds;
    if (is_word(name, "content-length"))
        return read_content_length(value, answer);
    if (is_word(name, "transfer-encoding"))
        return "it has a transfer-encoding, which this client does not read";
    if (is_word(name, "content-type"))
        answer->is_json = is_json_type(value);
    else if (is_word(name, "retry-after") && read_number(value, 3600, &seconds))
        answer->retry_after = (int)seconds;
    return NULL;
}

enum http_head http_answer_read_head(const char *bytes, size_t length, struct http_answer *answer,
                                     const char **problem)
{
    size_t at = 0;
    *answer = (struct http_answer){0};
    for (bool first = true;; first = false) {
        const char *end = memchr(bytes + at, '\n', length - at);
        if (end == NULL) {
            *problem = "its head is too long";
            return length > HTTP_MAX_HEAD ? HTTP_HEAD_MALFORMED : HTTP_HEAD_INCOMPLETE;
        }
        struct span line = {bytes + at, (size_t)(end - bytes) - at};
        at = (size_t)(end - bytes) + 1;
        if (line.length == 0 || line.start[line.length - 1] != '\r') {
            *problem = "a line of its head does not end in CR LF";
            return HTTP_HEAD_MALFORMED;
        }
        line.length--;
        if (line.length == 0 && !first) {
            answer->head_length = at;
            return HTTP_HEAD_COMPLETE;
        }
        *problem = first ? read_status_line(line, answer) : read_field(line, answer);
        if (*problem != NULL)
            return HTTP_HEAD_MALFORMED;
    }
}
