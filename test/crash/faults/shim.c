/*
 * Stands between a process and its files and clock: cc -shared -fPIC -o shim.so shim.c -ldl, then LD_PRELOAD=shim.so.
 *
 * TASKWRIGHT_TRACE=FILE TASKWRIGHT_TRACE_UNDER=PREFIX writes down, in order, what is done to the files below PREFIX, for
 * machines without strace. A record: kind (1 byte), length of the path (4), path, offset or size (8), length of the
 * data (4), data. Numbers are little-endian. Kinds: O open with O_CREAT, W write at an offset, A write at the end,
 * S sync, T truncate, U unlink.
 *
 * TASKWRIGHT_FAULTS=FILE TASKWRIGHT_FAULTS_UNDER=PREFIX has calls on the files below PREFIX fail as FILE says, and the
 * wall clock read wrong. FILE is a `struct control` that both sides have mapped or read: it can change at any moment,
 * and what it counted is there after the process was killed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

/* --- faults ------------------------------------------------------------------------------------------------------ */

enum { NONE, KILL, KILL_HALF, FAIL, DELAY };
enum { WRITE = 1, SYNC = 2, TRUNCATE = 4, UNLINK = 8 };

/* The same as in shim.ts: eight numbers of 64 bits. */
struct control {
  int64_t mode;
  int64_t calls;     /* which calls are meant */
  int64_t countdown; /* the fault comes at so many-th of them, counted from now */
  int64_t times;     /* and at so many in a row; -1: until it is taken away */
  int64_t argument;  /* FAIL: the error number; DELAY: microseconds */
  int64_t fired;
  int64_t seen;    /* calls of all kinds */
  int64_t skewMs; /* the wall clock reads so much more */
};

static struct control *control;
static const char *faultsUnder;

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("TASKWRIGHT_FAULTS");
  faultsUnder = getenv("TASKWRIGHT_FAULTS_UNDER");
  if (!file || !faultsUnder) return;
  int fd = REAL(open)(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *place = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (place != MAP_FAILED) control = place;
  REAL(close)(fd);
}

/* 0: the call goes on. Otherwise -1, and errno is set. */
static int strike(int kind, const char *path, int fd, const void *data, size_t length, off64_t offset) {
  if (!control || strncmp(path, faultsUnder, strlen(faultsUnder)) != 0) return 0;
  __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST);
  if (control->mode == NONE || !(control->calls & kind)) return 0;
  if (__atomic_sub_fetch(&control->countdown, 1, __ATOMIC_SEQ_CST) > 0) return 0;
  if (control->times == 0) return 0;
  if (control->times > 0) control->times--;
  __atomic_add_fetch(&control->fired, 1, __ATOMIC_SEQ_CST);
  switch (control->mode) {
    case KILL_HALF:
      if (kind == WRITE && length > 1 && REAL(pwrite64)(fd, data, length / 2, offset) < 0) perror("shim");
    /* fallthrough */
    case KILL:
      kill(getpid(), SIGKILL);
      for (;;) pause();
    case FAIL:
      errno = (int)control->argument;
      return -1;
    case DELAY:
      usleep((useconds_t)control->argument);
      return 0;
  }
  return 0;
}

static int path_of(int fd, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return path[0] == '/';
}

static int strike_fd(int kind, int fd, const void *data, size_t length, off64_t offset) {
  char path[PATH_MAX];
  return control && path_of(fd, path) ? strike(kind, path, fd, data, length, offset) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int done = REAL(clock_gettime)(clock, now);
  if (done == 0 && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += control->skewMs / 1000;
  return done;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  int done = REAL(gettimeofday)(now, zone);
  if (done == 0 && control && now) now->tv_sec += control->skewMs / 1000;
  return done;
}

/* --- the record -------------------------------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -2;
static const char *under;

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
    if (writev(out, parts, 6) < 0) perror("shim");
  }
  pthread_mutex_unlock(&lock);
}

static void record_fd(char kind, int fd, int64_t number, const void *data, uint32_t length) {
  char path[PATH_MAX];
  if (out != -1 && fd != out && path_of(fd, path)) record(kind, path, number, data, length);
}

/* --- the calls --------------------------------------------------------------------------------------------------- */

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  if (strike_fd(WRITE, fd, data, length, offset) < 0) return -1;
  ssize_t done = REAL(pwrite64)(fd, data, length, offset);
  if (done > 0) record_fd('W', fd, offset, data, (uint32_t)done);
  return done;
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
  if (strike_fd(WRITE, fd, data, length, offset) < 0) return -1;
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
  if (strike_fd(SYNC, fd, NULL, 0, 0) < 0) return -1;
  int done = REAL(fsync)(fd);
  if (done == 0) record_fd('S', fd, 0, "", 0);
  return done;
}
int fdatasync(int fd) {
  if (strike_fd(SYNC, fd, NULL, 0, 0) < 0) return -1;
  int done = REAL(fdatasync)(fd);
  if (done == 0) record_fd('S', fd, 0, "", 0);
  return done;
}
int ftruncate64(int fd, off64_t size) {
  if (strike_fd(TRUNCATE, fd, NULL, 0, 0) < 0) return -1;
  int done = REAL(ftruncate64)(fd, size);
  if (done == 0) record_fd('T', fd, size, "", 0);
  return done;
}
int ftruncate(int fd, off_t size) {
  if (strike_fd(TRUNCATE, fd, NULL, 0, 0) < 0) return -1;
  int done = REAL(ftruncate)(fd, size);
  if (done == 0) record_fd('T', fd, size, "", 0);
  return done;
}
int unlink(const char *path) {
  if (strike(UNLINK, path, -1, NULL, 0, 0) < 0) return -1;
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
