/*
 * Writes down, in order, what a process does to the files below TASKWRIGHT_TRACE_UNDER, for machines without strace:
 * cc -shared -fPIC -o recorder.so recorder.c -ldl, then LD_PRELOAD=recorder.so TASKWRIGHT_TRACE=file node ...
 *
 * A record: kind (1 byte), length of the path (4), path, offset or size (8), length of the data (4), data. Numbers are
 * little-endian. Kinds: O open with O_CREAT, W write at an offset, A write at the end, S sync, T truncate, U unlink.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -2;
static const char *under;

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

static void record(char kind, const char *path, int64_t number, const void *data, uint32_t length) {
  pthread_mutex_lock(&lock);
  if (out == -2) {
    const char *file = getenv("TASKWRIGHT_TRACE");
    under = getenv("TASKWRIGHT_TRACE_UNDER");
    out = file && under ? REAL(open)(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
  }
  if (out >= 0 && strncmp(path, under, strlen(under)) == 0) {
    uint32_t size = (uint32_t)strlen(path);
    struct iovec parts[] = {{&kind, 1}, {&size, 4}, {(void *)path, size}, {&number, 8}, {&length, 4}, {(void *)data, length}};
    if (writev(out, parts, 6) < 0) perror("recorder");
  }
  pthread_mutex_unlock(&lock);
}

static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return path[0] == '/';
}

static void record_fd(char kind, int fd, int64_t number, const void *data, uint32_t length) {
  char path[PATH_MAX];
  if (fd != out && path_of(fd, path)) record(kind, path, number, data, length);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  ssize_t done = REAL(pwrite64)(fd, data, length, offset);
  if (done > 0) record_fd('W', fd, offset, data, (uint32_t)done);
  return done;
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
  ssize_t done = REAL(pwrite)(fd, data, length, offset);
  if (done > 0) record_fd('W', fd, offset, data, (uint32_t)done);
  return done;
}
ssize_t write(int fd, const void *data, size_t length) {
  ssize_t done = REAL(write)(fd, data, length);
  if (done > 0) record_fd('A', fd, 0, data, (uint32_t)done);
  return done;
}
int fsync(int fd) {
  int done = REAL(fsync)(fd);
  if (done == 0) record_fd('S', fd, 0, "", 0);
  return done;
}
int fdatasync(int fd) {
  int done = REAL(fdatasync)(fd);
  if (done == 0) record_fd('S', fd, 0, "", 0);
  return done;
}
int ftruncate64(int fd, off64_t size) {
  int done = REAL(ftruncate64)(fd, size);
  if (done == 0) record_fd('T', fd, size, "", 0);
  return done;
}
int ftruncate(int fd, off_t size) {
  int done = REAL(ftruncate)(fd, size);
  if (done == 0) record_fd('T', fd, size, "", 0);
  return done;
}
int unlink(const char *path) {
  int done = REAL(unlink)(path);
  if (done == 0) record('U', path, 0, "", 0);
  return done;
}

#define OPEN(name)                                        \
  int name(const char *path, int flags, ...) {            \
    mode_t mode = 0;                                      \
    if (flags & O_CREAT) {                                \
      va_list rest;                                       \
      va_start(rest, flags);                              \
      mode = va_arg(rest, mode_t);                        \
      va_end(rest);                                       \
    }                                                     \
    int fd = REAL(name)(path, flags, mode);               \
    if (fd >= 0 && (flags & O_CREAT)) record_fd('O', fd, 0, "", 0); \
    return fd;                                            \
  }
OPEN(open)
OPEN(open64)
