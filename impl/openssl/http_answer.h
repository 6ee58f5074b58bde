/* The head of an HTTP/1.x answer (RFC 9112), read without any effect. */
#ifndef AZIOT_HTTP_ANSWER_H
#define AZIOT_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

enum {
    HTTP_MAX_HEAD = 16 * 1024,
    HTTP_MAX_BODY = 256 * 1024, /* far above any signature, parameter or message of keyd */
};

struct http_answer {
    int status;
    bool is_json;        /* the media type is application/json, parameters such as a charset aside */
    bool has_length;     /* false: the body ends where the connection ends */
    size_t body_length;  /* from content-length */
    size_t head_length;  /* bytes up to and with the empty line */
    int retry_after;     /* seconds, 0 when the answer names none */
};

enum http_head {
    HTTP_HEAD_COMPLETE,
    HTTP_HEAD_INCOMPLETE,
    HTTP_HEAD_MALFORMED,
};

/* Reads the head out of what has arrived so far. `*problem` says why it is malformed (a constant text). */
enum http_head http_answer_read_head(const char *bytes, size_t length, struct http_answer *answer,
                                     const char **problem);

#endif
