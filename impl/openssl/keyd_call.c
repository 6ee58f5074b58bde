#include "keyd_call.h"

#include "json.h"

#include <stdio.h>
#include <string.h>

#define API_VERSION "2021-05-01"

void keyd_request_begin(struct text *out, const char *method, const char *path, size_t body_length)
{
    char length[64];
    text_append_string(out, method);
    text_append_string(out, " ");
    text_append_string(out, path);
    text_append_string(out, "?api-version=" API_VERSION " HTTP/1.1\r\nhost: keyd.sock\r\n");
    if (body_length > 0) {
        snprintf(length, sizeof length, "content-length: %zu\r\n", body_length);
        text_append_string(out, length);
        text_append_string(out, "content-type: application/json\r\n");
    }
    text_append_string(out, "\r\n");
}

/* Sets keyd's own message as the error: printable, and never with a key handle in it. */
static void set_refusal(const char *name, int status, const struct text *body, bool is_json, struct keyd_error *error)
{
    struct text message = {0};
    if (!is_json || json_read_string_member(body->bytes, body->length, "message", &message) != JSON_MEMBER_FOUND
        || message.failed || strstr(message.bytes, "sr=") != NULL) {
        keyd_error_set(error, KEYD_REFUSED, "keyd answered %s with status %d", name, status);
    } else {
        for (size_t i = 0; i < message.length; i++)
            if ((unsigned char)message.bytes[i] < 0x20 && message.bytes[i] != '\n')
                message.bytes[i] = ' ';
        keyd_error_set(error, KEYD_REFUSED, "%s", message.bytes);
    }
    text_free(&message);
}

char *keyd_call(const char *socket_path, const struct keyd_limits *limits, const struct keyd_request *request,
                const char *member, struct keyd_error *error)
{
    struct text body = {0};
    struct text value = {0};
    bool is_json = false;
    if (request->bytes.failed) {
        keyd_error_set(error, KEYD_NO_MEMORY, "out of memory");
        return NULL;
    }
    int status = keyd_exchange(socket_path, limits, request, &body, &is_json, error);
    text_append(&body, "", 0);
    bool good = false;
    if (status == 0)
        good = false;
    else if (body.failed)
        keyd_error_set(error, KEYD_NO_MEMORY, "out of memory");
    else if (status >= 400)
        set_refusal(request->name, status, &body, is_json, error);
    else if (json_read_string_member(body.bytes, body.length, member, &value) != JSON_MEMBER_FOUND)
        keyd_error_set(error, KEYD_BAD_ANSWER, "the answer of keyd to %s is not a JSON object with the text \"%s\"",
                       request->name, member);
    else
        good = true;
    char *answer = NULL;
    if (good && (answer = text_take(&value)) == NULL)
        keyd_error_set(error, KEYD_NO_MEMORY, "out of memory");
    text_free(&body);
    text_free(&value);
    return answer;
}
