#include "unix_stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pause_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

int unix_stream_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, length);
    int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (stream < 0)
        return -1;
    /* A non-blocking connect to a unix socket is never "in progress": it is done, refused, or EAGAIN (line full). */
    if (connect(stream, (const struct sockaddr *)&address, sizeof address) == 0)
        return stream;
    int reason = errno;
    close(stream);
    errno = reason;
    return -1;
}

static bool wait_for(int stream, short events, int64_t until)
{
    for (;;) {
        int64_t left = until - monotonic_ms();
        if (left <= 0) {
            errno = ETIMEDOUT;
            return false;
        }
        struct pollfd wanted = {.fd = stream, .events = events};
        int ready = poll(&wanted, 1, left > INT_MAX ? INT_MAX : (int)left);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

bool unix_stream_send(int stream, const char *bytes, size_t count, int64_t until)
{
    while (count > 0) {
        ssize_t sent = send(stream, bytes, count, MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes += sent;
            count -= (size_t)sent;
        } else if (errno == EAGAIN) {
            if (!wait_for(stream, POLLOUT, until))
                return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

ssize_t unix_stream_receive(int stream, char *bytes, size_t count, int64_t until)
{
    for (;;) {
        ssize_t got = recv(stream, bytes, count, 0);
        if (got >= 0 || (errno != EAGAIN && errno != EINTR))
            return got;
        if (errno == EAGAIN && !wait_for(stream, POLLIN, until))
            return -1;
    }
}
