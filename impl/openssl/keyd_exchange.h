/* One request to keyd and its answer, over a connection of its own, with every wait bounded. */
#ifndef AZIOT_KEYD_EXCHANGE_H
#define AZIOT_KEYD_EXCHANGE_H

#include "keyd_error.h"
#include "text.h"

#include <stdint.h>

struct keyd_limits {
    int64_t first_byte_ms; /* from the first connect to the first byte of an answer, retries and keyd's line included */
    int64_t closed_ms;     /* how long to try again when keyd closes without a byte */
    int64_t absent_ms;     /* how long to try again when nobody listens; 0 fails at once */
};

struct keyd_request {
    const char *name; /* for messages: method and path without identifiers, such as `POST /sign` */
    struct text bytes;
};

/*
 * Sends the request until keyd answers it, and appends the body of the answer to `body`.
 * Requests must be repeatable: an unanswered one is sent again.
 * Returns the HTTP status (200, 201, or 400 to 599, these with `*is_json` telling whether the body is JSON),
 * or 0 with `error` set.
 */
int keyd_exchange(const char *socket_path, const struct keyd_limits *limits, const struct keyd_request *request,
                  struct text *body, bool *is_json, struct keyd_error *error);

#endif
