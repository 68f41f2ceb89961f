/* From other nodes into Open vSwitch: with the network's local VLAN as tag. */
#define _GNU_SOURCE
#include "stt.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define ROOM (65536 + 64)

struct message {
    struct virtio_net_hdr offload;
    uint8_t header[12 + 4 + 4];
    struct iovec part[3];
};

struct receiver {
    struct stt_link *link;
    struct stt_reassembly *reassembly;
    uint8_t (*room)[ROOM];
    struct virtio_net_hdr offload[BATCH];
    struct sockaddr_ll from[BATCH];
    struct iovec part[BATCH][2];
    struct mmsghdr got[BATCH];
    struct message message[BATCH];
    struct mmsghdr send[BATCH];
    int messages;
    struct stt_queue queue;
};

static void put16(uint8_t *at, unsigned value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void send_from(struct receiver *receiver, int at, int to) {
    while (at < to) {
        int sent = sendmmsg(receiver->link->inner, receiver->send + at, (unsigned)(to - at), 0);
        if (sent > 0) {
            at += sent;
        } else if (errno != EINTR) {
            receiver->link->counters->deliver_failed++;
            at++;
        }
    }
}

/* As much at once as has room. */
static void flush(struct receiver *receiver) {
    int at = 0;
    receiver->queue.waited_ns = 0;
    for (int i = 0; i < receiver->messages; i++) {
        const struct message *message = &receiver->message[i];
        uint32_t length = (uint32_t)message->part[2].iov_len, each = message->offload.gso_size;
        uint32_t packets = each ? length / each + 1 : 1;
        if (stt_queue_take(&receiver->queue, length, packets))
            continue;
        send_from(receiver, at, i); /* that the next look sees them */
        at = i;
        stt_queue_wait(&receiver->queue, length, packets);
    }
    send_from(receiver, at, receiver->messages);
    receiver->messages = 0;
}

static void put(struct receiver *receiver, const struct stt_frame *frame, uint16_t vlan) {
    struct message *message = &receiver->message[receiver->messages];
    unsigned tags = 1;
    memcpy(message->header, frame->data, 12);
    put16(message->header + 12, ETH_P_8021Q);
    put16(message->header + 14, vlan);
    if (frame->vlan & 0x1000) {
        put16(message->header + 16, ETH_P_8021Q);
        put16(message->header + 18, frame->vlan & 0xefffu);
        tags = 2;
    }
    memset(&message->offload, 0, sizeof message->offload);
    if (frame->flags & STT_CSUM_PARTIAL) {
        int is_ipv4 = frame->flags & STT_IPV4;
        message->offload.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        message->offload.csum_start = (uint16_t)(frame->l4_offset + 4 * tags);
        message->offload.csum_offset = frame->flags & STT_TCP ? 16 : 6;
        uint32_t header = frame->flags & STT_TCP ? (uint32_t)(frame->data[frame->l4_offset + 12] >> 4) * 4 : 8;
        if (frame->mss && frame->l4_offset + header + frame->mss < frame->length) {
            message->offload.gso_type = is_ipv4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
            message->offload.gso_size = frame->mss;
        }
        message->offload.hdr_len = (uint16_t)(frame->l4_offset + header + 4 * tags);
    }
    message->part[0] = (struct iovec){&message->offload, sizeof message->offload};
    message->part[1] = (struct iovec){message->header, 12 + 4 * tags};
    message->part[2] = (struct iovec){(void *)(frame->data + 12), frame->length - 12};
    receiver->send[receiver->messages].msg_hdr = (struct msghdr){.msg_iov = message->part, .msg_iovlen = 3};
    receiver->messages++;
}

static void count(struct stt_counters *counters, enum stt_verdict verdict) {
    counters->malformed += verdict == STT_MALFORMED || verdict == STT_OTHER_VERSION;
    counters->bad_checksum += verdict == STT_BAD_CHECKSUM;
    counters->overlaps += verdict == STT_OVERLAP;
    counters->no_memory += verdict == STT_NO_MEMORY;
    counters->ce_dropped += verdict == STT_CE_DROPPED;
}

static enum stt_verdict take(struct receiver *receiver, const uint8_t *packet, size_t length, int checked) {
    struct stt_counters *counters = receiver->link->counters;
    struct stt_segment segment;
    struct stt_frame frame;
    const uint8_t *data;
    uint8_t ecn;
    enum stt_verdict verdict = stt_parse(packet, length, checked, &segment);
    if (verdict != STT_WHOLE)
        return verdict;
    if (memcmp(&segment.destination, &receiver->link->own, sizeof segment.destination))
        return STT_NOT_OURS;
    if (!stt_is_peer(receiver->link->tables, &segment.source)) { /* before anything of it takes memory */
        counters->strangers++;
        return STT_NOT_OURS;
    }
    counters->received_segments++;
    verdict = stt_reassemble(receiver->reassembly, &segment, now_ms(), &data, &ecn);
    if (verdict != STT_WHOLE)
        return verdict;
    verdict = stt_parse_frame(data, segment.total, ecn, &frame);
    if (verdict != STT_WHOLE)
        return verdict;
    uint16_t vlan = stt_vlan_of(receiver->link->tables, frame.key);
    if (!vlan) {
        counters->no_network_in++;
        return STT_WHOLE;
    }
    verdict = stt_decapsulate_ecn((uint8_t *)frame.data, frame.length, ecn);
    if (verdict != STT_WHOLE)
        return verdict;
    put(receiver, &frame, vlan);
    counters->received_frames++;
    counters->received_bytes += frame.length;
    return STT_WHOLE;
}

static int receive(struct receiver *receiver) {
    for (int i = 0; i < BATCH; i++) {
        receiver->part[i][0] = (struct iovec){&receiver->offload[i], sizeof receiver->offload[i]};
        receiver->part[i][1] = (struct iovec){receiver->room[i], ROOM};
        receiver->got[i].msg_hdr = (struct msghdr){.msg_iov = receiver->part[i],
                                                   .msg_iovlen = 2,
                                                   .msg_name = &receiver->from[i],
                                                   .msg_namelen = sizeof receiver->from[i]};
    }
    int got = recvmmsg(receiver->link->outer, receiver->got, BATCH, MSG_WAITFORONE, NULL);
    return got < 0 ? -errno : got;
}

static void take_batch(struct receiver *receiver, int got) {
    for (int i = 0; i < got; i++) {
        size_t length = receiver->got[i].msg_len;
        if (length <= sizeof(struct virtio_net_hdr) + 14 || receiver->got[i].msg_hdr.msg_flags & MSG_TRUNC ||
            receiver->from[i].sll_pkttype == PACKET_OUTGOING)
            continue;
        uint8_t flags = receiver->offload[i].flags;
        int checked = flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);
        count(receiver->link->counters,
              take(receiver, receiver->room[i] + 14, length - sizeof(struct virtio_net_hdr) - 14, checked));
    }
    flush(receiver);
    stt_release(receiver->reassembly);
}

int stt_from_peers(struct stt_link *link) {
    struct receiver *receiver = calloc(1, sizeof *receiver);
    int result = -ENOMEM;
    if (receiver) {
        receiver->link = link;
        receiver->room = malloc((size_t)BATCH * ROOM);
        receiver->reassembly = stt_reassembly_new(link->most_bytes, link->expire_ms, link->counters);
    }
    if (!receiver || !receiver->room || !receiver->reassembly)
        goto out;
    result = 0;
    prctl(PR_SET_TIMERSLACK, 1000UL);
    stt_queue_open(&receiver->queue, link->inner, link->overlay);
    while (!link->stop) {
        int got = receive(receiver);
        if (got == -EAGAIN || got == -EINTR)
            continue;
        if (got < 0) {
            result = got;
            break;
        }
        pthread_rwlock_rdlock(&link->tables->lock);
        take_batch(receiver, got);
        pthread_rwlock_unlock(&link->tables->lock);
    }
    stt_queue_close(&receiver->queue);
out:
    if (receiver) {
        free(receiver->room);
        stt_reassembly_free(receiver->reassembly);
    }
    free(receiver);
    return result;
}
