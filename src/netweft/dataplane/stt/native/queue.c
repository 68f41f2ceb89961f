/* How much waits for Open vSwitch behind our interface.
 *
 * Its userspace datapath receives by packet sockets with the kernel's default buffer, some ninety packets: two large
 * frames that are cut there at once fill it, and what comes then is lost though all the way has been paid for.  What
 * waits there is looked at in /proc/net/packet; where nobody has such a socket (the kernel's datapath) nothing waits.
 */
#define _GNU_SOURCE
#include "stt.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM 16384      /* for some 200 sockets: a node with more is not looked at, that would take too long */
#define OVERHEAD 1536   /* of each packet, beside its bytes */
#define LOOK_NS 100000  /* between looks while there is no room */
#define MOST_LOOKS 300  /* in a batch: what waits longer is sent all the same, and others behind it do not wait more */

void stt_queue_open(struct stt_queue *queue, int inner, int32_t interface) {
    socklen_t size = sizeof queue->limit;
    memset(queue, 0, sizeof *queue);
    queue->interface = interface;
    queue->file = open("/proc/thread-self/net/packet", O_RDONLY | O_CLOEXEC);
    if (getsockopt(inner, SOL_SOCKET, SO_RCVBUF, &queue->limit, &size) < 0)
        queue->limit = 0;
}

void stt_queue_close(struct stt_queue *queue) {
    if (queue->file >= 0)
        close(queue->file);
}

/* Bytes that the fullest socket on the interface has.  text: of /proc/net/packet, whole lines. */
uint32_t stt_queue_read(const char *text, int32_t interface) {
    uint32_t most = 0;
    for (const char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        int on = 0;
        unsigned waits = 0;
        if (sscanf(line + 1, "%*s %*d %*d %*x %d %*d %u", &on, &waits) == 2 && on == interface && waits > most)
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

/* Until it has room, but not for ever. */
void stt_queue_wait(struct stt_queue *queue, uint32_t length, uint32_t packets) {
    int64_t bytes = needs(queue, length, packets);
    while ((queue->left = left(queue)) < bytes && queue->looks < MOST_LOOKS) {
        queue->looks++;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    queue->left -= bytes;
}
