#include "keyd_exchange.h"

#include "http_answer.h"
#include "unix_stream.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Once keyd has begun to answer it has all it needs: the answer is one small write. */
enum { REST_OF_ANSWER_MS = 5000 };

enum {
    FIRST_PAUSE_MS = 20,
    LONGEST_PAUSE_MS = 500,
    LONGEST_BUSY_PAUSE_S = 5,
};

enum attempt {
    ATTEMPT_ANSWERED,
    ATTEMPT_FAILED, /* final: `error` is set */
    ATTEMPT_ABSENT, /* nobody listens: keyd is stopped, or restarting */
    ATTEMPT_CLOSED, /* keyd closed before the first byte: over its limit of connections, or restarting */
    ATTEMPT_FULL,   /* the kernel's line of connections to keyd is full */
    ATTEMPT_BUSY,   /* 503 as text: too many connections */
};

/* Between half and one and a half of `ms`, so that many waiting clients do not come back in step. */
static int64_t jitter(int64_t ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t mixed = (uint64_t)now.tv_nsec * 6364136223846793005u + (uint64_t)getpid() * 1442695040888963407u;
    return ms / 2 + (int64_t)((mixed >> 33) % (uint64_t)(ms + 1));
}

static enum attempt fail_answer(const struct keyd_request *request, const char *problem, struct keyd_error *error)
{
    keyd_error_set(error, KEYD_BAD_ANSWER, "the answer of keyd to %s cannot be used: %s", request->name, problem);
    return ATTEMPT_FAILED;
}

static enum attempt fail_timeout(const struct keyd_request *request, const char *socket_path, struct keyd_error *error)
{
    keyd_error_set(error, KEYD_TIMEOUT, "keyd at %s did not answer %s in time; is it stopped or overloaded?",
                   socket_path, request->name);
    return ATTEMPT_FAILED;
}

static enum attempt open_stream(const char *socket_path, int *stream, struct keyd_error *error)
{
    *stream = unix_stream_connect(socket_path);
    if (*stream >= 0)
        return ATTEMPT_ANSWERED;
    int reason = errno;
    if (reason == EAGAIN)
        return ATTEMPT_FULL;
    keyd_error_set(error, KEYD_UNREACHABLE, "cannot connect to keyd at %s: %s%s", socket_path, strerror(reason),
                   reason == EACCES ? "; the caller must be in group aziotks" : "");
    return reason == ECONNREFUSED || reason == ENOENT ? ATTEMPT_ABSENT : ATTEMPT_FAILED;
}

/* Receives until the answer is complete. `received` holds head and body. */
static enum attempt receive_answer(int stream, const char *socket_path, const struct keyd_request *request,
                                   int64_t until, struct text *received, struct http_answer *answer,
                                   struct keyd_error *error)
{
    enum http_head head = HTTP_HEAD_INCOMPLETE;
    for (;;) {
        char piece[4096];
        ssize_t got = unix_stream_receive(stream, piece, sizeof piece, until);
        if (got < 0 && errno == ETIMEDOUT)
            return fail_timeout(request, socket_path, error);
        if (got <= 0) {
            if (received->length == 0)
                return ATTEMPT_CLOSED;
            if (head == HTTP_HEAD_COMPLETE && !answer->has_length && got == 0)
                return ATTEMPT_ANSWERED;
            return fail_answer(request, "keyd closed the connection in the middle of it", error);
        }
        if (received->length == 0)
            until = monotonic_ms() + REST_OF_ANSWER_MS;
        text_append(received, piece, (size_t)got);
        explicit_bzero(piece, (size_t)got);
        if (received->failed) {
            keyd_error_set(error, KEYD_NO_MEMORY, "out of memory");
            return ATTEMPT_FAILED;
        }
        if (head == HTTP_HEAD_INCOMPLETE) {
            const char *problem = NULL;
            head = http_answer_read_head(received->bytes, received->length, answer, &problem);
            if (head == HTTP_HEAD_MALFORMED)
                return fail_answer(request, problem, error);
        }
        if (head == HTTP_HEAD_INCOMPLETE)
            continue;
        size_t arrived = received->length - answer->head_length;
        if (answer->has_length && arrived >= answer->body_length)
            return ATTEMPT_ANSWERED;
        if (arrived > HTTP_MAX_BODY)
            return fail_answer(request, "it is too long", error);
    }
}

static enum attempt attempt_once(const char *socket_path, const struct keyd_request *request, int64_t until,
                                 struct text *received, struct http_answer *answer, struct keyd_error *error)
{
    int stream;
    enum attempt result = open_stream(socket_path, &stream, error);
    if (result != ATTEMPT_ANSWERED)
        return result;
    /* A send may fail because keyd has answered and closed already (503): what it said can still be read. */
    if (!unix_stream_send(stream, request->bytes.bytes, request->bytes.length, until) && errno == ETIMEDOUT)
        result = fail_timeout(request, socket_path, error);
    else
        result = receive_answer(stream, socket_path, request, until, received, answer, error);
    close(stream);
    /* In JSON it is about the key (its token is away), not about the connection: the caller is told at once. */
    return result == ATTEMPT_ANSWERED && answer->status == 503 && !answer->is_json ? ATTEMPT_BUSY : result;
}

/* The moment at which trying again ends, given how the last attempt ended. */
static int64_t give_up_at(enum attempt last, int64_t start, const struct keyd_limits *limits)
{
    if (last == ATTEMPT_ABSENT)
        return start + limits->absent_ms;
    if (last == ATTEMPT_CLOSED && limits->closed_ms < limits->first_byte_ms)
        return start + limits->closed_ms;
    return start + limits->first_byte_ms;
}

static int give_up(enum attempt last, const char *socket_path, const struct keyd_request *request,
                   struct keyd_error *error)
{
    if (last == ATTEMPT_CLOSED)
        keyd_error_set(error, KEYD_BAD_ANSWER, "keyd at %s closes every connection without answering %s; "
                       "it may have too many from this user", socket_path, request->name);
    else if (last == ATTEMPT_BUSY)
        keyd_error_set(error, KEYD_REFUSED, "keyd at %s is too busy to answer %s", socket_path, request->name);
    else if (last == ATTEMPT_FULL)
        fail_timeout(request, socket_path, error);
    return 0;
}

static int64_t pause_after(enum attempt last, int64_t pause, const struct http_answer *answer)
{
    if (last != ATTEMPT_BUSY || answer->retry_after <= 0)
        return pause;
    return 1000 * (answer->retry_after < LONGEST_BUSY_PAUSE_S ? answer->retry_after : LONGEST_BUSY_PAUSE_S);
}

static int finish(const struct keyd_request *request, const struct http_answer *answer, struct text *received,
                  struct text *body, bool *is_json, struct keyd_error *error)
{
    bool good = answer->status == 200 || answer->status == 201;
    if (!good && answer->status < 400) {
        keyd_error_set(error, KEYD_BAD_ANSWER, "keyd answered %s with the unexpected status %d", request->name,
                       answer->status);
        return 0;
    }
    if (good && !answer->is_json) {
        fail_answer(request, "its content-type is not application/json", error);
        return 0;
    }
    size_t arrived = received->length - answer->head_length;
    size_t length = answer->has_length && answer->body_length < arrived ? answer->body_length : arrived;
    text_append(body, received->bytes + answer->head_length, length);
    *is_json = answer->is_json;
    return answer->status;
}

int keyd_exchange(const char *socket_path, const struct keyd_limits *limits, const struct keyd_request *request,
                  struct text *body, bool *is_json, struct keyd_error *error)
{
    int64_t start = monotonic_ms();
    int64_t pause = FIRST_PAUSE_MS;
    for (;;) {
        struct text received = {0};
        struct http_answer answer = {0};
        enum attempt last =
            attempt_once(socket_path, request, start + limits->first_byte_ms, &received, &answer, error);
        int status = 0;
        if (last == ATTEMPT_ANSWERED)
            status = finish(request, &answer, &received, body, is_json, error);
        text_free(&received);
        if (last == ATTEMPT_ANSWERED || last == ATTEMPT_FAILED)
            return status;
        int64_t wait = jitter(pause_after(last, pause, &answer));
        if (monotonic_ms() + wait >= give_up_at(last, start, limits))
            return give_up(last, socket_path, request, error);
        pause_ms(wait);
        pause = pause * 2 < LONGEST_PAUSE_MS ? pause * 2 : LONGEST_PAUSE_MS;
    }
}
