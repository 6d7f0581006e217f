/* Gives every program of a host another time than the machine's: containers share its clock, and no namespace has one of
 * its own for the time of day. To be preloaded; CLOCK_OFFSET is in seconds. libfaketime 0.9.10 does not do: it makes
 * Python's sleep fail (it takes clock_nanosleep's deadline for one of the time of day).
 * What counts seconds since boot stays as it is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static time_t offset;

__attribute__((constructor)) static void read_offset(void)
{
    const char *text = getenv("CLOCK_OFFSET");
    offset = text ? atol(text) : 0;
}

static int is_wall(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

/* The time of day */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && is_wall(clock))
        now->tv_sec += offset;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int result = syscall(SYS_gettimeofday, now, zone);
    if (result == 0)
        now->tv_sec += offset;
    return result;
}

time_t time(time_t *place)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (place)
        *place = now.tv_sec;
    return now.tv_sec;
}

/* Deadlines: the kernel's clock is the machine's. */

static struct timespec kernel_time(const struct timespec *deadline)
{
    struct timespec kernels = *deadline;
    /* A condition's clock is not known here; none has run for thirty years since boot. */
    if (kernels.tv_sec > 1000000000)
        kernels.tv_sec -= offset;
    return kernels;
}

#define ORIGINAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline)
{
    struct timespec kernels = kernel_time(deadline);
    return ORIGINAL(sem_timedwait)(semaphore, &kernels);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline)
{
    struct timespec kernels = kernel_time(deadline);
    return ORIGINAL(pthread_cond_timedwait)(condition, mutex, &kernels);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict deadline)
{
    struct timespec kernels = kernel_time(deadline);
    return ORIGINAL(pthread_mutex_timedlock)(mutex, &kernels);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left)
{
    struct timespec kernels = flags & TIMER_ABSTIME ? kernel_time(wanted) : *wanted;
    return ORIGINAL(clock_nanosleep)(clock, flags, &kernels, left);
}

int timerfd_settime(int timer, int flags, const struct itimerspec *wanted, struct itimerspec *before)
{
    struct itimerspec kernels = *wanted;
    if (flags & TFD_TIMER_ABSTIME)
        kernels.it_value = kernel_time(&wanted->it_value);
    return ORIGINAL(timerfd_settime)(timer, flags, &kernels, before);
}

/* Files have the times that the host's clock gave them. A program with large files asks for the names with 64. */

#define SHIFTED(name, suffix, parameters, ...)                                                                         \
    int name##suffix parameters                                                                                        \
    {                                                                                                                  \
        int result = ORIGINAL(name##suffix)(__VA_ARGS__);                                                              \
        if (result == 0) {                                                                                             \
            status->st_mtim.tv_sec += offset;                                                                          \
            status->st_ctim.tv_sec += offset;                                                                          \
            status->st_atim.tv_sec += offset;                                                                          \
        }                                                                                                              \
        return result;                                                                                                 \
    }

#define STATUS(suffix)                                                                                                 \
    SHIFTED(stat, suffix, (const char *restrict path, struct stat##suffix *restrict status), path, status)             \
    SHIFTED(lstat, suffix, (const char *restrict path, struct stat##suffix *restrict status), path, status)            \
    SHIFTED(fstat, suffix, (int file, struct stat##suffix *status), file, status)                                      \
    SHIFTED(fstatat, suffix,                                                                                           \
            (int directory, const char *restrict path, struct stat##suffix *restrict status, int flags),               \
            directory, path, status, flags)

STATUS()
STATUS(64)
