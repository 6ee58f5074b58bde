/* A request to keyd whose answer is one text: its head, and what is made of the answer. */
#ifndef AZIOT_KEYD_CALL_H
#define AZIOT_KEYD_CALL_H

#include "keyd_exchange.h"

/* Appends the head of a request to `out`; the caller appends a JSON body of `body_length` bytes, or 0. */
void keyd_request_begin(struct text *out, const char *method, const char *path, size_t body_length);

/*
 * Sends the request and returns the string member `member` of the JSON answer as a new string, to be freed by the
 * caller; or NULL with `error` set, to keyd's own message where keyd refuses.
 */
char *keyd_call(const char *socket_path, const struct keyd_limits *limits, const struct keyd_request *request,
                const char *member, struct keyd_error *error);

#endif
