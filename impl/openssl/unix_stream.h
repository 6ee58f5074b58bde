/*
 * A unix stream socket on which every wait ends at a moment. Moments are milliseconds of the monotonic clock.
 * No signal is ever raised (SIGPIPE), and the descriptor is not inherited by a program that the host executes.
 */
#ifndef AZIOT_UNIX_STREAM_H
#define AZIOT_UNIX_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The moment now. */
int64_t monotonic_ms(void);

/* Sleeps for `ms` milliseconds, signals notwithstanding. */
void pause_ms(int64_t ms);

/* Connects to the socket at `path` (absolute). Returns the descriptor, or -1 and errno as connect(2) sets it. */
int unix_stream_connect(const char *path);

/* Sends all bytes, in one write where the kernel takes them. Returns false and sets errno; ETIMEDOUT at `until`. */
bool unix_stream_send(int stream, const char *bytes, size_t count, int64_t until);

/* Receives up to `count` bytes. Returns 0 at the end of the stream, -1 and errno on failure; ETIMEDOUT at `until`. */
ssize_t unix_stream_receive(int stream, char *bytes, size_t count, int64_t until);

#endif
