/* From Open vSwitch to other nodes.
 *
 * A frame comes with two tags: the outer one says to which peers (those with this number: to_peers in
 * services/l2/stt.py), the inner one is the network's local VLAN.  It leaves as one packet, however long it is: the
 * kernel, or the NIC, cuts it as it cuts TCP.
 */
#define _GNU_SOURCE
#include "stt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 192 /* of what is waited for, too: some large frames */
#define MESSAGES 128
#define ROOM (65536 + 64)
#define TAG 4
#define TURN_NS 250000  /* that more of what is sent in bulk is waited for */
#define MOST_TURNS 4    /* where it goes on: one more with each batch */
#define STREAK_NS 2000000 /* from one batch to the next, where it goes on */

struct message {
    struct virtio_net_hdr offload;
    uint8_t header[STT_MOST_OUTER], inner[STT_MOST_HEADER];
    struct sockaddr_ll to;
    struct iovec part[STT_MOST_PARTS + 3];
};

struct sender {
    struct stt_link *link;
    struct stt_sent waiting[STT_FLOWS]; /* of this batch */
    int turn, streak; /* streak: batches of what can be merged, soon after each other */
    uint64_t released_ns;
    struct message message[MESSAGES];
    struct mmsghdr send[MESSAGES];
    int messages;
    uint32_t frame_id;
};

struct receiver {
    uint8_t (*room)[ROOM];
    struct virtio_net_hdr offload[BATCH];
    struct iovec part[BATCH][2];
    uint8_t control[BATCH][CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    struct mmsghdr got[BATCH];
};

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static void flush(struct sender *sender) {
    for (int at = 0; at < sender->messages;) {
        int sent = sendmmsg(sender->link->outer, sender->send + at, (unsigned)(sender->messages - at), 0);
        if (sent > 0) {
            at += sent;
        } else if (errno != EINTR) {
            sender->link->counters->send_failed++;
            at++; /* the rest may be able to */
        }
    }
    sender->messages = 0;
}

static void address(struct message *message, const struct stt_peer *peer) {
    uint16_t type = stt_is_ipv4(&peer->address) ? ETH_P_IP : ETH_P_IPV6;
    memcpy(message->header, peer->mac, 6);
    memcpy(message->header + 6, peer->own_mac, 6);
    message->header[12] = (uint8_t)(type >> 8);
    message->header[13] = (uint8_t)type;
    message->to = (struct sockaddr_ll){.sll_family = AF_PACKET,
                                       .sll_protocol = htons(type),
                                       .sll_ifindex = peer->interface,
                                       .sll_halen = 6};
    memcpy(message->to.sll_addr, peer->mac, 6);
}

static void describe(struct stt_frame *frame, const struct stt_sent *sent, uint64_t key) {
    *frame = (struct stt_frame){.key = key, .vlan = sent->vlan, .length = sent->length};
    if (!(sent->offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        return;
    frame->flags = STT_CSUM_PARTIAL | (sent->layers.type == ETH_P_IP ? STT_IPV4 : 0) |
                   (sent->offload.csum_offset == 16 ? STT_TCP : 0);
    frame->l4_offset = (uint8_t)sent->offload.csum_start;
    frame->mss = sent->offload.gso_type != VIRTIO_NET_HDR_GSO_NONE ? sent->offload.gso_size : 0;
}

/* One packet to one peer. */
static void put(struct sender *sender, const struct stt_sent *sent, const struct stt_peer *peer, uint64_t key) {
    if (sender->messages == MESSAGES)
        flush(sender);
    struct message *message = &sender->message[sender->messages];
    struct stt_frame frame;
    struct stt_link *link = sender->link;
    describe(&frame, sent, key);
    address(message, peer);
    uint8_t tos = (uint8_t)((sent->layers.tos & 3) | (link->dscp < 0 ? sent->layers.tos & 0xfc : link->dscp << 2));
    uint16_t port = (uint16_t)(0x8000 | (sent->layers.hash & 0x7fff));
    size_t header = 14 + stt_write_outer(message->header + 14, &peer->own, &peer->address, port, tos,
                                         sender->frame_id++, &frame);
    size_t ip = stt_is_ipv4(&peer->address) ? 20 : 40, mss = peer->mtu - ip - STT_TCP_HEADER;
    memset(&message->offload, 0, sizeof message->offload);
    message->offload.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    message->offload.csum_start = (uint16_t)(14 + ip);
    message->offload.csum_offset = 16;
    message->offload.hdr_len = (uint16_t)(14 + ip + STT_TCP_HEADER);
    if (STT_HEADER + frame.length > mss) {
        message->offload.gso_type = ip == 20 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
        message->offload.gso_size = (uint16_t)mss;
    }
    int parts = 0;
    message->part[parts++] = (struct iovec){&message->offload, sizeof message->offload};
    message->part[parts++] = (struct iovec){message->header, header};
    if (sent->header_length) {
        memcpy(message->inner, sent->header, sent->header_length); /* its place is needed */
        message->part[parts++] = (struct iovec){message->inner, sent->header_length};
    }
    for (int i = 0; i < sent->parts; i++)
        message->part[parts++] = (struct iovec){(void *)sent->part[i].data, sent->part[i].length};
    sender->send[sender->messages].msg_hdr = (struct msghdr){.msg_name = &message->to,
                                                             .msg_namelen = sizeof message->to,
                                                             .msg_iov = message->part,
                                                             .msg_iovlen = (size_t)parts};
    sender->messages++;
}

/* To every peer with its number. */
static void release(struct sender *sender, struct stt_sent *sent) {
    struct stt_tables *tables = sender->link->tables;
    struct stt_counters *counters = sender->link->counters;
    if (!sent->parts)
        return;
    stt_finish(sent);
    uint64_t key = tables->key_of[sent->local];
    int32_t at = tables->first[sent->slot % STT_VLANS];
    if (at < 0)
        counters->no_peer++;
    for (; at >= 0; at = tables->peers[at].next) {
        const struct stt_peer *peer = &tables->peers[at];
        if (!peer->interface) {
            counters->unresolved++;
            continue;
        }
        put(sender, sent, peer, key);
        counters->sent_frames++;
        counters->sent_bytes += sent->length;
    }
    counters->merged_segments += (uint64_t)(sent->parts > 1 ? sent->parts : 0);
    counters->merged_acks += (uint64_t)(sent->acks > 1 ? sent->acks - 1 : 0);
    sent->parts = 0;
}

static void release_all(struct sender *sender) {
    for (int i = 0; i < STT_FLOWS; i++)
        release(sender, &sender->waiting[i]);
    flush(sender);
}

/* Of the same flow what waits goes first, unless this one can join it. */
static int joins(struct sender *sender, const struct stt_sent *like, const uint8_t *frame, size_t length, int mergeable,
                 int is_ack) {
    for (int i = 0; i < STT_FLOWS; i++) {
        struct stt_sent *sent = &sender->waiting[i];
        if (!sent->parts || sent->slot != like->slot || sent->local != like->local || sent->vlan != like->vlan ||
            !stt_same_flow(sent, frame, &like->layers))
            continue;
        if (is_ack && stt_merge_ack(sent, frame, length, &like->layers))
            return 1;
        if (mergeable && !sent->acks && stt_merge(sent, frame, length, &like->layers)) {
            if (sent->closed)
                release(sender, sent); /* it does not wait for what others send */
            return 1;
        }
        release(sender, sent);
    }
    return 0;
}

/* like: what is known of the frame: where it goes, and its layers. */
static void take(struct sender *sender, const uint8_t *frame, size_t length, struct stt_sent *like,
                 const struct virtio_net_hdr *offload) {
    stt_dissect(frame, length, &like->layers);
    const struct stt_layers *layers = &like->layers;
    int is_tcp = layers->l4 && layers->protocol == 6 && layers->l4 + 20u <= length;
    int mergeable = is_tcp && !offload->flags && stt_is_mergeable(frame, length, layers);
    int is_ack = is_tcp && !offload->flags && stt_is_ack(frame, length, layers);
    if (is_tcp && joins(sender, like, frame, length, mergeable, is_ack))
        return;
    struct stt_sent *sent = like;
    if (mergeable || is_ack) {
        sent = &sender->waiting[sender->turn++ % STT_FLOWS];
        release(sender, sent);
        sent->slot = like->slot, sent->local = like->local, sent->vlan = like->vlan;
    }
    if (is_ack)
        stt_begin_ack(sent, frame, length, layers);
    else
        stt_begin(sent, frame, length, layers, mergeable);
    sent->offload = *offload;
    if (!is_ack && (!mergeable || sent->closed))
        release(sender, sent);
}

static int tag_of(struct msghdr *header) { /* the one that the kernel has taken out; -1: none */
    for (struct cmsghdr *one = CMSG_FIRSTHDR(header); one; one = CMSG_NXTHDR(header, one)) {
        if (one->cmsg_level != SOL_PACKET || one->cmsg_type != PACKET_AUXDATA)
            continue;
        struct tpacket_auxdata said;
        memcpy(&said, CMSG_DATA(one), sizeof said);
        if (said.tp_status & TP_STATUS_VLAN_VALID)
            return said.tp_vlan_tci & 0xfff;
    }
    return -1;
}

static void take_received(struct sender *sender, uint8_t *frame, size_t length, struct virtio_net_hdr offload,
                          int taken_out) {
    struct stt_counters *counters = sender->link->counters;
    int tags[2] = {taken_out, -1}, strip = 0;
    for (int i = taken_out >= 0 ? 1 : 0; i < 2; i++, strip += TAG) {
        if (length < (size_t)(14 + strip + TAG) || get16(frame + 12 + strip) != ETH_P_8021Q)
            return; /* what the kernel itself says on this interface */
        tags[i] = get16(frame + 14 + strip) & 0xfff;
    }
    struct stt_sent like;
    like.vlan = 0;
    if (length >= (size_t)(14 + strip + TAG) && get16(frame + 12 + strip) == ETH_P_8021Q) {
        like.vlan = (uint16_t)(get16(frame + 14 + strip) | 0x1000); /* the VM's own goes into the header */
        strip += TAG;
    }
    memmove(frame + strip, frame, 12);
    frame += strip;
    length -= (size_t)strip;
    int partial = offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
    int can = offload.csum_offset == 16 || offload.csum_offset == 6;
    int gso = offload.gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
    if (length < 14 || length > STT_MOST_FRAME ||
        (partial && (!can || offload.csum_start < 34 + strip || offload.csum_start > 255 + strip)) ||
        (gso && (!partial || (gso != VIRTIO_NET_HDR_GSO_TCPV4 && gso != VIRTIO_NET_HDR_GSO_TCPV6)))) {
        counters->too_long++;
        return;
    }
    if (!sender->link->tables->key_of[tags[1]]) {
        counters->no_network_out++;
        return;
    }
    offload.csum_start = (uint16_t)(offload.csum_start - strip);
    offload.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
    like.slot = (uint16_t)tags[0], like.local = (uint16_t)tags[1];
    take(sender, frame, length, &like, &offload);
}

/* Into the rooms from `from` on.  Returns how many; none came: 0, or -EAGAIN where it was waited for. */
static int receive(struct receiver *receiver, int socket, int from) {
    for (int i = from; i < BATCH; i++) {
        receiver->part[i][0] = (struct iovec){&receiver->offload[i], sizeof receiver->offload[i]};
        receiver->part[i][1] = (struct iovec){receiver->room[i], ROOM};
        receiver->got[i].msg_hdr = (struct msghdr){.msg_iov = receiver->part[i],
                                                   .msg_iovlen = 2,
                                                   .msg_control = receiver->control[i],
                                                   .msg_controllen = sizeof receiver->control[i]};
    }
    int flags = from ? MSG_DONTWAIT : MSG_WAITFORONE;
    int count = recvmmsg(socket, receiver->got + from, (unsigned)(BATCH - from), flags, NULL);
    if (count < 0 && from && (errno == EAGAIN || errno == EINTR))
        return 0;
    return count < 0 ? -errno : count;
}

static void take_batch(struct sender *sender, struct receiver *receiver, int from, int to) {
    for (int i = from; i < to; i++) {
        struct mmsghdr *got = &receiver->got[i];
        if (got->msg_len > sizeof(struct virtio_net_hdr) && !(got->msg_hdr.msg_flags & MSG_TRUNC))
            take_received(sender, receiver->room[i], got->msg_len - sizeof(struct virtio_net_hdr),
                          receiver->offload[i], tag_of(&got->msg_hdr));
    }
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Somebody sends in bulk, or acknowledges it: more of it may be about to come. */
static int is_bulk(const struct sender *sender) {
    for (int i = 0; i < STT_FLOWS; i++) {
        const struct stt_sent *sent = &sender->waiting[i];
        if (sent->parts > 1 || sent->acks)
            return 1;
    }
    return 0;
}

/* Whether that is waited for.  What ends with PSH may be all: it waits only where a transfer goes on. */
static int may_grow(const struct sender *sender) {
    for (int i = 0; i < STT_FLOWS; i++) {
        const struct stt_sent *sent = &sender->waiting[i];
        if (!sent->parts || sent->closed)
            continue;
        int began = sender->streak || sent->parts > 1 || sent->acks > 1;
        if (sent->pushed ? sender->streak > 1 : began)
            return 1;
    }
    return 0;
}

/* in_vain: nothing came in the last turn. */
static void end_batch(struct sender *sender, int was_bulk, int in_vain) {
    release_all(sender);
    sender->released_ns = now_ns();
    if (!was_bulk)
        sender->streak = 0;
    else if (in_vain)
        sender->streak /= 2;
    else if (sender->streak < MOST_TURNS)
        sender->streak++;
}

/* As a NIC waits before it interrupts: fewer and larger frames cost both ends less.  Returns how many came, or -errno. */
static int receive_all(struct sender *sender, struct receiver *receiver) {
    struct stt_link *link = sender->link;
    int count = receive(receiver, link->inner, 0), more = count, was_bulk = 0;
    if (sender->streak && now_ns() - sender->released_ns > STREAK_NS)
        sender->streak = 0;
    for (int turn = 0; more >= 0; turn++) {
        pthread_rwlock_rdlock(&link->tables->lock);
        take_batch(sender, receiver, count - more, count);
        was_bulk |= is_bulk(sender);
        int has_room = count < BATCH && turn <= sender->streak && turn < MOST_TURNS;
        int goes_on = has_room && (more || !turn) && may_grow(sender);
        if (goes_on)
            flush(sender);
        else
            end_batch(sender, was_bulk, turn && !more);
        pthread_rwlock_unlock(&link->tables->lock);
        if (!goes_on)
            return count;
        nanosleep(&(struct timespec){.tv_nsec = TURN_NS}, NULL);
        more = receive(receiver, link->inner, count);
        count += more > 0 ? more : 0;
    }
    return more;
}

int stt_to_peers(struct stt_link *link) {
    struct sender *sender = calloc(1, sizeof *sender);
    struct receiver *receiver = calloc(1, sizeof *receiver);
    int result = -ENOMEM;
    if (receiver)
        receiver->room = malloc((size_t)BATCH * ROOM);
    if (!sender || !receiver || !receiver->room)
        goto out;
    sender->link = link;
    if (getrandom(&sender->frame_id, sizeof sender->frame_id, 0) < 0)
        sender->frame_id = 0;
    result = 0;
    prctl(PR_SET_TIMERSLACK, 1000UL);
    while (!link->stop) {
        int count = receive_all(sender, receiver);
        if (count < 0 && count != -EAGAIN && count != -EINTR) {
            result = count;
            break;
        }
    }
out:
    if (receiver)
        free(receiver->room);
    free(receiver);
    free(sender);
    return result;
}
