/*
 * Ends the process it is preloaded into with SIGKILL before or after one write to the file system.
 *
 * KILL_BELOW  absolute path of a folder: only what happens below it counts
 * KILL_ARM    path of a file: once it is there, the number in it says at which event the process ends; each call that changes
 *             something is two events, one before and one after (0: before the first, 1: after the first, …)
 * KILL_LOG    path of a file that gets one line an event: `before write /path`
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int events;
static atomic_int last_event = -1;

/* The number in the arm file, or -1 where there is none yet. System calls are made directly: the functions are ours. */
static int armed_at(void) {
    if (last_event >= 0) return last_event;
    const char *path = getenv("KILL_ARM");
    char text[16] = "";
    int file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (file < 0) return -1;
    ssize_t length = syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    if (length <= 0) return -1;
    last_event = atoi(text);
    return last_event;
}

static int is_below(const char *path) {
    const char *folder = getenv("KILL_BELOW");
    size_t length = folder ? strlen(folder) : 0;
    return length > 0 && strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* The file of a descriptor; empty where it is none. */
static void path_of(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
}

static void event(const char *when, const char *what, const char *path) {
    int last = armed_at();
    if (last < 0) return;
    int number = atomic_fetch_add(&events, 1);
    const char *log = getenv("KILL_LOG");
    int file = log ? (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (file >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%s %s %s\n", when, what, path);
        syscall(SYS_write, file, line, length);
        syscall(SYS_close, file);
    }
    if (number < last) return;
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Calls the real function between the two events; errno is its own. */
#define BETWEEN(type, what, path, call)  \
    do {                                 \
        if (!is_below(path)) return call; \
        event("before", what, path);     \
        type result = call;              \
        int code = errno;                \
        event("after", what, path);      \
        errno = code;                    \
        return result;                   \
    } while (0)

#define ON_DESCRIPTOR(type, what, descriptor, call) \
    do {                                            \
        char path[PATH_MAX];                        \
        path_of(descriptor, path);                  \
        BETWEEN(type, what, path, call);            \
    } while (0)

ssize_t write(int file, const void *bytes, size_t length) {
    ON_DESCRIPTOR(ssize_t, "write", file, REAL(write)(file, bytes, length));
}

ssize_t writev(int file, const struct iovec *pieces, int count) {
    ON_DESCRIPTOR(ssize_t, "write", file, REAL(writev)(file, pieces, count));
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t offset) {
    ON_DESCRIPTOR(ssize_t, "write", file, REAL(pwrite64)(file, bytes, length, offset));
}

int fsync(int file) { ON_DESCRIPTOR(int, "fsync", file, REAL(fsync)(file)); }

int fdatasync(int file) { ON_DESCRIPTOR(int, "fsync", file, REAL(fdatasync)(file)); }

int ftruncate64(int file, off64_t length) { ON_DESCRIPTOR(int, "truncate", file, REAL(ftruncate64)(file, length)); }

int fchmod(int file, mode_t mode) { ON_DESCRIPTOR(int, "chmod", file, REAL(fchmod)(file, mode)); }

int rename(const char *from, const char *to) { BETWEEN(int, "rename", to, REAL(rename)(from, to)); }

int unlink(const char *path) { BETWEEN(int, "unlink", path, REAL(unlink)(path)); }

int mkdir(const char *path, mode_t mode) { BETWEEN(int, "mkdir", path, REAL(mkdir)(path, mode)); }

static int creates(int flags) { return (flags & (O_CREAT | O_TRUNC)) != 0; }

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (!creates(flags)) return REAL(open)(path, flags, mode);
    BETWEEN(int, "create", path, REAL(open)(path, flags, mode));
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (!creates(flags)) return REAL(open64)(path, flags, mode);
    BETWEEN(int, "create", path, REAL(open64)(path, flags, mode));
}
