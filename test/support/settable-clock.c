/*
 * Preloaded into a program (LD_PRELOAD), sets its wall clock as many seconds ahead as stand in the
 * file that SETTABLE_CLOCK_FILE names, at every look at the clock. The monotonic clock stays as it
 * is. Written without headers, so that a compiler alone can make it; libfaketime cannot be used,
 * because it does not get along with jemalloc, which Redis uses.
 */

struct timespec { long seconds, nanoseconds; };
struct timeval { long seconds, microseconds; };

extern long syscall(long number, ...);
extern int open(const char *path, int flags, ...);
extern long read(int file, void *into, unsigned long most);
extern int close(int file);
extern char *getenv(const char *name);

#if defined(__aarch64__)
#define CLOCK_GETTIME 113
#else
#define CLOCK_GETTIME 228
#endif
#define REALTIME 0
#define REALTIME_COARSE 5

static long ahead(void) {
  char text[32];
  const char *path = getenv("SETTABLE_CLOCK_FILE");
  int file = path ? open(path, 0) : -1;
  if (file < 0) return 0;
  long bytes = read(file, text, sizeof text);
  close(file);
  long seconds = 0;
  int negative = 0;
  for (long at = 0; at < bytes; at++) {
    if (text[at] == '-') negative = 1;
    if (text[at] >= '0' && text[at] <= '9') seconds = 10 * seconds + (text[at] - '0');
  }
  return negative ? -seconds : seconds;
}

int clock_gettime(int clock, struct timespec *now) {
  long failed = syscall(CLOCK_GETTIME, clock, now);
  if (failed == 0 && (clock == REALTIME || clock == REALTIME_COARSE)) now->seconds += ahead();
  return (int)failed;
}

int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  (void)zone;
  if (clock_gettime(REALTIME, &exact) != 0) return -1;
  now->seconds = exact.seconds;
  now->microseconds = exact.nanoseconds / 1000;
  return 0;
}

long time(long *into) {
  struct timespec exact;
  if (clock_gettime(REALTIME, &exact) != 0) return -1;
  if (into) *into = exact.seconds;
  return exact.seconds;
}
