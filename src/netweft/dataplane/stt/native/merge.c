/* A VM's TCP segments, one after the other, into one large frame: what a NIC's LRO does, for interfaces that give
 * frames of the MTU's size only (Open vSwitch's userspace datapath).  Payloads stay where they were received.
 *
 * Merged is only what the other end will cut into the very same packets again, and what has the right checksum, since
 * it gets a new one there.
 */
#include "stt.h"

#include <string.h>

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }
static void put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

#define ACK 0x10
#define PSH 0x08

static size_t header_of(const uint8_t *frame, const struct stt_layers *layers) {
    return layers->l4 + (size_t)(frame[layers->l4 + 12] >> 4) * 4;
}

static uint32_t pseudo_sum(const uint8_t *frame, const struct stt_layers *layers, uint32_t length) {
    const uint8_t *ip = frame + layers->l3;
    uint32_t sum = 6 + (length >> 16) + (length & 0xffff);
    return layers->type == 0x0800 ? stt_sum(ip + 12, 8, sum) : stt_sum(ip + 8, 32, sum);
}

/* Of TCP: one plain packet, as long as it says, with nothing but these flags. */
static int is_plain(const uint8_t *frame, size_t length, const struct stt_layers *layers, uint8_t flags) {
    const uint8_t *ip = frame + layers->l3, *tcp = frame + layers->l4;
    size_t header = header_of(frame, layers);
    if (header < layers->l4 + 20u || header > length || (tcp[13] & ~flags) != ACK || tcp[12] & 15)
        return 0;
    if (layers->type == 0x0800)
        return layers->l4 - layers->l3 == 20 && get16(ip + 6) == 0x4000 && get16(ip + 2) == length - layers->l3;
    return get16(ip + 4) == length - layers->l4;
}

static int has_right_checksums(const uint8_t *frame, size_t length, const struct stt_layers *layers) {
    if (layers->type == 0x0800 && stt_fold(stt_sum(frame + layers->l3, 20, 0)) != 0xffff)
        return 0;
    size_t transport = length - layers->l4;
    uint32_t sum = pseudo_sum(frame, layers, (uint32_t)transport);
    return stt_fold(stt_sum(frame + layers->l4, transport, sum)) == 0xffff;
}

int stt_is_mergeable(const uint8_t *frame, size_t length, const struct stt_layers *layers) {
    if (!layers->l4 || layers->protocol != 6 || layers->l4 + 20u >= length)
        return 0;
    return is_plain(frame, length, layers, PSH) && header_of(frame, layers) < length &&
           has_right_checksums(frame, length, layers);
}

/* Nothing but an acknowledgement, with no options but timestamps: SACK says more than the next one may. */
int stt_is_ack(const uint8_t *frame, size_t length, const struct stt_layers *layers) {
    if (!layers->l4 || layers->protocol != 6 || layers->l4 + 20u > length || !is_plain(frame, length, layers, 0))
        return 0;
    const uint8_t *options = frame + layers->l4 + 20;
    size_t size = header_of(frame, layers) - layers->l4 - 20;
    int known = !size || (size == 12 && get32(options) == 0x0101080au); /* NOP, NOP, timestamps */
    return known && header_of(frame, layers) == length && length <= STT_MOST_HEADER &&
           has_right_checksums(frame, length, layers);
}

/* layers may be the frame's own. */
void stt_begin(struct stt_sent *sent, const uint8_t *frame, size_t length, const struct stt_layers *layers,
               int mergeable) {
    size_t header = mergeable ? header_of(frame, layers) : 0;
    if (mergeable) {
        memcpy(sent->header, frame, header);
        sent->payload_each = (uint32_t)(length - header);
        sent->next_sequence = get32(frame + layers->l4 + 4) + sent->payload_each;
    }
    sent->acks = 0;
    sent->closed = !mergeable || length - header < STT_LEAST_MSS;
    sent->pushed = mergeable && (frame[layers->l4 + 13] & PSH);
    if (&sent->layers != layers)
        sent->layers = *layers;
    sent->header_length = (uint16_t)header;
    sent->length = (uint32_t)length;
    sent->parts = 1;
    sent->part[0].data = frame + header;
    sent->part[0].length = (uint32_t)(length - header);
}

void stt_begin_ack(struct stt_sent *sent, const uint8_t *frame, size_t length, const struct stt_layers *layers) {
    memcpy(sent->header, frame, length);
    if (&sent->layers != layers)
        sent->layers = *layers;
    sent->header_length = (uint16_t)length;
    sent->length = (uint32_t)length;
    sent->parts = 1, sent->closed = 0, sent->pushed = 0, sent->acks = 1;
    sent->part[0].data = frame;
    sent->part[0].length = 0;
}

/* Of one that can be merged with others; the frame is TCP. */
int stt_same_flow(const struct stt_sent *sent, const uint8_t *frame, const struct stt_layers *layers) {
    const struct stt_layers *has = &sent->layers;
    if (has->hash != layers->hash || has->type != layers->type || has->l3 != layers->l3)
        return 0;
    size_t addresses = layers->type == 0x0800 ? 12 : 8, all = layers->type == 0x0800 ? 8 : 32;
    return !memcmp(sent->header + has->l3 + addresses, frame + layers->l3 + addresses, all) &&
           !memcmp(sent->header + has->l4, frame + layers->l4, 4);
}

static int same_headers(const struct stt_sent *sent, const uint8_t *frame, const struct stt_layers *layers) {
    const uint8_t *has = sent->header, *ip = frame + layers->l3, *tcp = frame + layers->l4;
    const uint8_t *has_ip = has + layers->l3, *has_tcp = has + layers->l4;
    if (memcmp(has, frame, layers->l3))
        return 0;
    if (layers->type == 0x0800 ? has_ip[1] != ip[1] || has_ip[8] != ip[8]
                               : memcmp(has_ip, ip, 4) || has_ip[7] != ip[7])
        return 0;
    size_t options = header_of(frame, layers) - layers->l4 - 20;
    return !memcmp(has_tcp + 8, tcp + 8, 5) && !memcmp(has_tcp + 14, tcp + 14, 2) && /* ack, length; window */
           !memcmp(has_tcp + 18, tcp + 18, 2 + options);
}

/* Of one that is mergeable and of the same flow.  Returns whether it is in there now. */
int stt_merge(struct stt_sent *sent, const uint8_t *frame, size_t length, const struct stt_layers *layers) {
    if (sent->closed || sent->parts == STT_MOST_PARTS || !same_headers(sent, frame, layers))
        return 0;
    const uint8_t *tcp = frame + layers->l4;
    uint32_t payload = (uint32_t)(length - sent->header_length);
    if (header_of(frame, layers) != sent->header_length || payload > sent->payload_each ||
        get32(tcp + 4) != sent->next_sequence || sent->length + payload > STT_MOST_FRAME)
        return 0;
    sent->part[sent->parts].data = frame + sent->header_length;
    sent->part[sent->parts].length = payload;
    sent->parts++;
    sent->length += payload;
    sent->next_sequence += payload;
    sent->header[layers->l4 + 13] |= tcp[13] & PSH;
    sent->pushed = (tcp[13] & PSH) != 0;
    sent->closed = payload < sent->payload_each;
    return 1;
}

/* An acknowledgement that acknowledges more than the one before stands for both, as behind a NIC that merges what it
 * receives (RFC 3449, 5.2.2); its window is the newer one.  Twice the same one, or another sequence: both are sent. */
int stt_merge_ack(struct stt_sent *sent, const uint8_t *frame, size_t length, const struct stt_layers *layers) {
    const uint8_t *ip = frame + layers->l3, *tcp = frame + layers->l4;
    const uint8_t *has_ip = sent->header + layers->l3, *has_tcp = sent->header + layers->l4;
    if (!sent->acks || sent->acks == STT_MOST_ACKS || length != sent->length || memcmp(sent->header, frame, layers->l3))
        return 0;
    if (layers->type == 0x0800 ? has_ip[1] != ip[1] || has_ip[8] != ip[8]
                               : memcmp(has_ip, ip, 4) || has_ip[7] != ip[7])
        return 0;
    int is_further = (int32_t)(get32(tcp + 8) - get32(has_tcp + 8)) > 0;
    if (!is_further || memcmp(has_tcp + 4, tcp + 4, 4) || memcmp(has_tcp + 12, tcp + 12, 2) ||
        memcmp(has_tcp + 18, tcp + 18, 2))
        return 0;
    memcpy(sent->header, frame, length);
    sent->acks++;
    return 1;
}

void stt_finish(struct stt_sent *sent) {
    if (sent->parts < 2)
        return;
    uint8_t *ip = sent->header + sent->layers.l3, *tcp = sent->header + sent->layers.l4;
    int is_ipv4 = sent->layers.type == 0x0800;
    uint32_t transport = sent->length - sent->layers.l4;
    if (is_ipv4) {
        put16(ip + 2, sent->length - sent->layers.l3);
        put16(ip + 10, 0);
        put16(ip + 10, (uint16_t)~stt_fold(stt_sum(ip, 20, 0)));
    } else {
        put16(ip + 4, transport);
    }
    put16(tcp + 16, stt_fold(pseudo_sum(sent->header, &sent->layers, transport)));
    sent->offload.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    sent->offload.csum_start = sent->layers.l4;
    sent->offload.csum_offset = 16;
    sent->offload.gso_type = is_ipv4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    sent->offload.gso_size = (uint16_t)sent->payload_each;
    sent->offload.hdr_len = sent->header_length;
}
