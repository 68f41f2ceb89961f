/* How much waits for Open vSwitch behind our interface.
 *
 * Its userspace datapath receives by packet sockets with the kernel's default buffer, some ninety packets: two large
 * frames that are cut there at once fill it, and what comes then is lost though all the way has been paid for.  What
 * waits there is looked at in /proc/net/packet; where nobody has such a socket (the kernel's datapath) nothing waits.
 *
 * A look costs as much as some packets do: so the next one is when there should be room, at the pace of the last time.
 * A quarter of the buffer is still full then, and Open vSwitch is never without work for that.
 */
#define _GNU_SOURCE
#include "stt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM 16384      /* for some 200 sockets: a node with more is not looked at, that would take too long */
#define OVERHEAD 1536   /* of each packet, beside its bytes */
#define LEAST_NS 100000    /* between looks while there is no room */
#define MOST_NS 1000000
#define MOST_PACE_NS 64000
#define MOST_WAIT_NS 30000000 /* in a batch: what waits longer is sent all the same, others behind it wait no more */
#define FIRST_PACE_NS 8000

void stt_queue_open(struct stt_queue *queue, int inner, int32_t interface) {
    socklen_t size = sizeof queue->limit;
    memset(queue, 0, sizeof *queue);
    queue->interface = interface;
    queue->pace_ns = FIRST_PACE_NS;
    queue->file = open("/proc/thread-self/net/packet", O_RDONLY | O_CLOEXEC);
    if (getsockopt(inner, SOL_SOCKET, SO_RCVBUF, &queue->limit, &size) < 0)
        queue->limit = 0;
}

void stt_queue_close(struct stt_queue *queue) {
    if (queue->file >= 0)
        close(queue->file);
}

static const char *skip(const char *at, int words) {
    for (; words; words--) {
        at += strspn(at, " ");
        at += strcspn(at, " \n");
    }
    return at;
}

/* Bytes that the fullest socket on the interface has.  text: of /proc/net/packet, whole lines. */
uint32_t stt_queue_read(const char *text, int32_t interface) {
    uint32_t most = 0;
    for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        const char *at = skip(line + 1, 4); /* sk RefCnt Type Proto Iface R Rmem */
        if (strtol(at, NULL, 10) != interface)
            continue;
        uint32_t waits = (uint32_t)strtoul(skip(at, 2), NULL, 10);
        if (waits > most)
            most = waits;
    }
    return most;
}

static int64_t left(struct stt_queue *queue) {
    char text[ROOM];
    ssize_t length = pread(queue->file, text, sizeof text - 1, 0);
    if (length <= 0 || length == sizeof text - 1)
        return queue->limit;
    text[length] = 0;
    return (int64_t)queue->limit - stt_queue_read(text, queue->interface);
}

static int64_t needs(const struct stt_queue *queue, uint32_t length, uint32_t packets) {
    int64_t bytes = (int64_t)length + (int64_t)packets * OVERHEAD, most = queue->limit * 3 / 4;
    return bytes < most ? bytes : most;
}

/* Whether a frame of so many bytes, cut into so many packets, has room as of the last look; that is taken then. */
int stt_queue_take(struct stt_queue *queue, uint32_t length, uint32_t packets) {
    if (queue->file < 0 || queue->limit <= 0 || !queue->interface)
        return 1;
    int64_t bytes = needs(queue, length, packets);
    if (queue->left < bytes)
        return 0;
    queue->left -= bytes;
    return 1;
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Until so many bytes more should have been taken; what has been taken says how fast that is. */
static void wait_for(struct stt_queue *queue, int64_t missing) {
    uint64_t ns = (uint64_t)missing * queue->pace_ns >> 10, since = now_ns();
    ns = ns < LEAST_NS ? LEAST_NS : ns > MOST_NS ? MOST_NS : ns;
    nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
    int64_t before = queue->left;
    queue->left = left(queue);
    ns = now_ns() - since;
    uint64_t pace = queue->left > before ? (ns << 10) / (uint64_t)(queue->left - before) : 2 * (uint64_t)queue->pace_ns;
    pace = (3 * (uint64_t)queue->pace_ns + pace) / 4;
    queue->pace_ns = (uint32_t)(pace < MOST_PACE_NS ? pace : MOST_PACE_NS);
    queue->waited_ns += ns;
}

/* Until it has room, but not for ever. */
void stt_queue_wait(struct stt_queue *queue, uint32_t length, uint32_t packets) {
    int64_t bytes = needs(queue, length, packets);
    int64_t half = queue->limit / 2, room = half > bytes ? half : bytes;
    queue->left = left(queue);
    if (queue->left < bytes) /* then until some more has room: fewer looks, and more at once for Open vSwitch */
        while (queue->left < room && queue->waited_ns < MOST_WAIT_NS)
            wait_for(queue, room - queue->left);
    queue->left -= bytes;
}
