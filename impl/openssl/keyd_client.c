#include "keyd_client.h"

#include "base64.h"
#include "json_string.h"
#include "keyd_call.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SOCKET "/run/aziot/keyd.sock"

/*
 * keyd lets a connection above its limit for one user wait in line for up to 35 s before it serves or refuses it, so
 * a wait shorter than that would break callers that only had to queue. A keyd that closes instead of queueing (the
 * reference) frees a slot within one operation: half of that time is ample. A restart of keyd takes about a second.
 */
enum {
    FIRST_BYTE_MS = 40000,
    CLOSED_MS = 20000,
    RESTART_MS = 1500,
};

enum {
    MAX_IDENTIFIER = 16 * 1024,
    MIN_TIMEOUT_MS = 50,
    MAX_TIMEOUT_MS = 600000,
};

struct keyd_client {
    char *socket_path;
    struct keyd_limits limits;
};

static bool read_timeout(const char *value, int64_t *timeout)
{
    char *end;
    long number = strtol(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || number < MIN_TIMEOUT_MS || number > MAX_TIMEOUT_MS)
        return false;
    *timeout = number;
    return true;
}

struct keyd_client *keyd_client_new(struct keyd_error *error)
{
    const char *path = secure_getenv("AZIOT_KEYD_SOCKET");
    const char *timeout = secure_getenv("AZIOT_KEYD_TIMEOUT_MS");
    struct keyd_limits limits = {.first_byte_ms = FIRST_BYTE_MS, .closed_ms = CLOSED_MS, .absent_ms = 0};
    if (path == NULL || *path == '\0')
        path = DEFAULT_SOCKET;
    if (*path != '/') {
        keyd_error_set(error, KEYD_BAD_INPUT, "AZIOT_KEYD_SOCKET must be an absolute path, and is %.200s", path);
        return NULL;
    }
    if (timeout != NULL && *timeout != '\0' && !read_timeout(timeout, &limits.first_byte_ms)) {
        keyd_error_set(error, KEYD_BAD_INPUT, "AZIOT_KEYD_TIMEOUT_MS must be a number from %d to %d", MIN_TIMEOUT_MS,
                       MAX_TIMEOUT_MS);
        return NULL;
    }
    struct keyd_client *client = malloc(sizeof *client);
    char *socket_path = strdup(path);
    if (client == NULL || socket_path == NULL) {
        keyd_error_set(error, KEYD_NO_MEMORY, "out of memory");
        free(client);
        free(socket_path);
        return NULL;
    }
    *client = (struct keyd_client){.socket_path = socket_path, .limits = limits};
    return client;
}

void keyd_client_free(struct keyd_client *client)
{
    if (client == NULL)
        return;
    free(client->socket_path);
    free(client);
}

static char *post(struct keyd_client *client, const struct keyd_limits *limits, const char *path, struct text *body,
                  const char *member, struct keyd_error *error)
{
    char name[64];
    snprintf(name, sizeof name, "POST %s", path);
    struct keyd_request request = {.name = name};
    keyd_request_begin(&request.bytes, "POST", path, body->length);
    if (body->failed)
        request.bytes.failed = true;
    else
        text_append(&request.bytes, body->bytes, body->length);
    char *answer = keyd_call(client->socket_path, limits, &request, member, error);
    text_free(&request.bytes);
    text_free(body);
    return answer;
}

/* Percent-encodes everything but RFC 3986's unreserved characters. */
static void append_encoded(struct text *out, const char *segment)
{
    for (; *segment != '\0'; segment++) {
        unsigned char byte = (unsigned char)*segment;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9')
                     || strchr("-._~", byte) != NULL;
        char encoded[4];
        snprintf(encoded, sizeof encoded, plain ? "%c" : "%%%02X", byte);
        text_append_string(out, encoded);
    }
}

static char *ask_for_handle(struct keyd_client *client, const char *key_id, struct keyd_error *error)
{
    struct text path = {0};
    struct keyd_request request = {.name = "GET /keypair"};
    text_append_string(&path, "/keypair/");
    append_encoded(&path, key_id);
    if (path.failed)
        request.bytes.failed = true;
    else
        keyd_request_begin(&request.bytes, "GET", path.bytes, 0);
    char *handle = keyd_call(client->socket_path, &client->limits, &request, "keyHandle", error);
    text_free(&request.bytes);
    text_free(&path);
    return handle;
}

char *keyd_client_find_handle(struct keyd_client *client, const char *identifier, struct keyd_error *error)
{
    size_t length = strlen(identifier);
    if (length == 0 || length > MAX_IDENTIFIER) {
        keyd_error_set(error, KEYD_BAD_INPUT, "a key handle or key id must have 1 to %d bytes", MAX_IDENTIFIER);
        return NULL;
    }
    if (strncmp(identifier, "sr=", 3) != 0)
        return ask_for_handle(client, identifier, error);
    char *handle = strdup(identifier);
    if (handle == NULL)
        keyd_error_set(error, KEYD_NO_MEMORY, "out of memory");
    return handle;
}

/* Begins a body with the handle, the object left open. Returns false when the handle cannot be written as JSON. */
static bool begin_body(struct text *body, const char *handle, struct keyd_error *error)
{
    text_append_string(body, "{\"keyHandle\":");
    if (json_append_string(body, handle))
        return true;
    keyd_error_set(error, KEYD_BAD_INPUT, "the key handle is not UTF-8");
    text_free(body);
    return false;
}

char *keyd_client_get_parameter(struct keyd_client *client, const char *handle, const char *name,
                                struct keyd_error *error)
{
    char path[48];
    struct text body = {0};
    if (!begin_body(&body, handle, error))
        return NULL;
    text_append_string(&body, "}");
    snprintf(path, sizeof path, "/parameters/%s", name);
    return post(client, &client->limits, path, &body, "value", error);
}

/* A private operation: keyd was there when the key was loaded, so an absent one is likely to be restarting. */
static struct keyd_bytes operate(struct keyd_client *client, const char *path, struct text *body, const char *member,
                                 struct keyd_error *error)
{
    struct keyd_limits limits = client->limits;
    struct keyd_bytes result = {NULL, 0};
    limits.absent_ms = RESTART_MS;
    char *encoded = post(client, &limits, path, body, member, error);
    if (encoded == NULL)
        return result;
    if (!base64_decode(encoded, strlen(encoded), &result.bytes, &result.length))
        keyd_error_set(error, KEYD_BAD_ANSWER, "the %s in the answer of keyd is not base64", member);
    free(encoded);
    return result;
}

struct keyd_bytes keyd_client_sign_ecdsa(struct keyd_client *client, const char *handle, const uint8_t *digest,
                                         size_t length, struct keyd_error *error)
{
    struct text body = {0};
    if (!begin_body(&body, handle, error))
        return (struct keyd_bytes){NULL, 0};
    text_append_string(&body, ",\"algorithm\":\"ECDSA\",\"parameters\":{\"digest\":\"");
    base64_append(&body, digest, length);
    text_append_string(&body, "\"}}");
    return operate(client, "/sign", &body, "signature", error);
}

struct keyd_bytes keyd_client_encrypt_rsa(struct keyd_client *client, const char *handle, const char *algorithm,
                                          const uint8_t *plaintext, size_t length, struct keyd_error *error)
{
    struct text body = {0};
    if (!begin_body(&body, handle, error))
        return (struct keyd_bytes){NULL, 0};
    text_append_string(&body, ",\"algorithm\":\"");
    text_append_string(&body, algorithm);
    text_append_string(&body, "\",\"plaintext\":\"");
    base64_append(&body, plaintext, length);
    text_append_string(&body, "\"}");
    return operate(client, "/encrypt", &body, "ciphertext", error);
}
