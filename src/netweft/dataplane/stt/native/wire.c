/* Headers and checksums.  Bytes of the network are read with memcpy or one by one: nothing is aligned. */
#include "stt.h"

#include <arpa/inet.h>
#include <string.h>

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }
static void put16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}
static void put32(uint8_t *at, uint32_t value) {
    put16(at, (uint16_t)(value >> 16));
    put16(at + 2, (uint16_t)value);
}

/* RFC 1071, in the byte order of the network; may be continued after an even number of bytes. */
uint32_t stt_sum(const void *data, size_t length, uint32_t sum) {
    const uint8_t *at = data;
    uint64_t wide = 0;
    uint64_t word;
    for (; length >= 8; at += 8, length -= 8) {
        memcpy(&word, at, 8);
        wide += (word & 0xffffffff) + (word >> 32);
    }
    if (length >= 4) {
        uint32_t half;
        memcpy(&half, at, 4);
        wide += half;
        at += 4, length -= 4;
    }
    if (length) {
        uint32_t rest = 0;
        memcpy(&rest, at, length);
        wide += rest;
    }
    wide = (wide & 0xffff) + ((wide >> 16) & 0xffff) + ((wide >> 32) & 0xffff) + (wide >> 48);
    wide = (wide & 0xffff) + (wide >> 16);
    wide = (wide & 0xffff) + (wide >> 16);
    return sum + ntohs((uint16_t)wide);
}

uint16_t stt_fold(uint32_t sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)(sum + (sum >> 16));
}

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

int stt_is_ipv4(const struct stt_address *address) { return memcmp(address->bytes, mapped, 12) == 0; }

uint32_t stt_pseudo_sum(const struct stt_address *source, const struct stt_address *destination, uint32_t length,
                        uint8_t protocol) {
    size_t skip = stt_is_ipv4(destination) ? 12 : 0;
    uint32_t sum = stt_sum(source->bytes + skip, 16 - skip, protocol + (length >> 16) + (length & 0xffff));
    return stt_sum(destination->bytes + skip, 16 - skip, sum);
}

uint32_t stt_hash(const struct stt_address *address) {
    uint32_t hash = 0x811c9dc5u;
    for (int i = 0; i < 16; i++)
        hash = (hash ^ address->bytes[i]) * 0x01000193u;
    return hash ^ hash >> 15;
}

static void set_ipv4(struct stt_address *address, const uint8_t *at) {
    memcpy(address->bytes, mapped, 12);
    memcpy(address->bytes + 12, at, 4);
}

/* packet: from its IP header on.  checked: somebody else has looked at its checksum. */
enum stt_verdict stt_parse(const uint8_t *packet, size_t length, int checked, struct stt_segment *segment) {
    const uint8_t *tcp;
    size_t rest, header;
    if (length < 40)
        return STT_NOT_OURS;
    if (packet[0] >> 4 == 4) {
        header = (size_t)(packet[0] & 15) * 4;
        size_t whole = get16(packet + 2);
        if (header < 20 || packet[9] != 6 || get16(packet + 6) & 0x3fff)
            return STT_NOT_OURS; /* fragments among them: whoever speaks STT makes none */
        if (whole > length || whole < header + STT_TCP_HEADER)
            return STT_MALFORMED;
        set_ipv4(&segment->source, packet + 12);
        set_ipv4(&segment->destination, packet + 16);
        segment->ecn = packet[1] & 3;
        tcp = packet + header;
        rest = whole - header;
    } else {
        if (packet[0] >> 4 != 6 || packet[6] != 6 || length < 60)
            return STT_NOT_OURS;
        rest = get16(packet + 4);
        if (rest + 40 > length || rest < STT_TCP_HEADER)
            return STT_MALFORMED;
        memcpy(segment->source.bytes, packet + 8, 16);
        memcpy(segment->destination.bytes, packet + 24, 16);
        segment->ecn = packet[1] >> 4 & 3;
        tcp = packet + 40;
    }
    if (get16(tcp + 2) != STT_PORT)
        return STT_NOT_OURS;
    if (tcp[13] & 7) /* FIN, SYN, RST: somebody speaks TCP to this port */
        return STT_NOT_OURS;
    header = (size_t)(tcp[12] >> 4) * 4;
    if (header < STT_TCP_HEADER || header >= rest)
        return STT_MALFORMED;
    if (!checked) {
        uint32_t sum = stt_pseudo_sum(&segment->source, &segment->destination, (uint32_t)rest, 6);
        if (stt_fold(stt_sum(tcp, rest, sum)) != 0xffff)
            return STT_BAD_CHECKSUM;
    }
    segment->source_port = get16(tcp);
    segment->total = get16(tcp + 4);
    segment->offset = get16(tcp + 6);
    segment->frame_id = get32(tcp + 8);
    segment->length = (uint16_t)(rest - header);
    segment->payload = tcp + header;
    if ((uint32_t)segment->offset + segment->length > segment->total || segment->total <= STT_HEADER + 14)
        return STT_MALFORMED;
    return STT_WHOLE;
}

enum stt_verdict stt_parse_frame(const uint8_t *data, size_t length, uint8_t ecn, struct stt_frame *frame) {
    if (length < STT_HEADER + 14)
        return STT_MALFORMED;
    if (data[0] != 0)
        return STT_OTHER_VERSION;
    frame->flags = data[1];
    frame->l4_offset = data[2];
    frame->mss = get16(data + 4);
    frame->vlan = get16(data + 6);
    frame->key = (uint64_t)get32(data + 8) << 32 | get32(data + 12);
    frame->data = data + STT_HEADER;
    frame->length = (uint32_t)(length - STT_HEADER);
    frame->ecn = ecn;
    if (frame->flags & STT_CSUM_PARTIAL) {
        uint32_t needs = frame->l4_offset + (frame->flags & STT_TCP ? 20u : 8u);
        if (frame->l4_offset < 14 + 20 || needs > frame->length)
            return STT_MALFORMED;
        if (frame->mss && (frame->mss < STT_LEAST_MSS || !(frame->flags & STT_TCP)))
            return STT_MALFORMED; /* one frame would become a thousand packets */
    } else {
        frame->mss = 0;
    }
    return STT_WHOLE;
}

/* IP and all that is before the frame, of one packet however long it is: who sends it cuts it.  The TCP-like header's
 * checksum is of the pseudo header only.  Returns how many bytes were written. */
size_t stt_write_outer(uint8_t *out, const struct stt_address *source, const struct stt_address *destination,
                       uint16_t source_port, uint8_t tos, uint32_t frame_id, const struct stt_frame *frame) {
    uint32_t total = STT_HEADER + frame->length, transport = STT_TCP_HEADER + total;
    uint8_t *tcp;
    if (stt_is_ipv4(destination)) {
        memset(out, 0, 20);
        out[0] = 0x45;
        out[1] = tos;
        put16(out + 2, (uint16_t)(20 + transport));
        out[6] = 0x40; /* don't fragment */
        out[8] = 64;
        out[9] = 6;
        memcpy(out + 12, source->bytes + 12, 4);
        memcpy(out + 16, destination->bytes + 12, 4);
        put16(out + 10, (uint16_t)~stt_fold(stt_sum(out, 20, 0)));
        tcp = out + 20;
    } else {
        put32(out, 6u << 28 | (uint32_t)tos << 20 | (source_port & 0xffffu));
        put16(out + 4, (uint16_t)transport);
        out[6] = 6;
        out[7] = 64;
        memcpy(out + 8, source->bytes, 16);
        memcpy(out + 24, destination->bytes, 16);
        tcp = out + 40;
    }
    memset(tcp, 0, STT_TCP_HEADER + STT_HEADER);
    put16(tcp, source_port);
    put16(tcp + 2, STT_PORT);
    put16(tcp + 4, (uint16_t)total);
    put32(tcp + 8, frame_id);
    tcp[12] = STT_TCP_HEADER / 4 << 4;
    tcp[13] = 0x18; /* ACK, PSH */
    put16(tcp + 14, 0xffff);
    put16(tcp + 16, stt_fold(stt_pseudo_sum(source, destination, transport, 6)));
    uint8_t *header = tcp + STT_TCP_HEADER;
    header[1] = frame->flags;
    header[2] = frame->l4_offset;
    put16(header + 4, frame->mss);
    put16(header + 6, frame->vlan);
    put32(header + 8, (uint32_t)(frame->key >> 32));
    put32(header + 12, (uint32_t)frame->key);
    return (size_t)(header + STT_HEADER - out);
}

static uint32_t mix(uint32_t hash, const uint8_t *at, size_t length) {
    for (; length; at++, length--)
        hash = (hash ^ *at) * 0x01000193u;
    return hash;
}

void stt_dissect(const uint8_t *frame, size_t length, struct stt_layers *layers) {
    memset(layers, 0, sizeof *layers);
    if (length < 14)
        return;
    size_t at = 12;
    while ((get16(frame + at) == 0x8100 || get16(frame + at) == 0x88a8) && at + 6 <= length)
        at += 4;
    layers->type = get16(frame + at);
    layers->l3 = (uint16_t)(at + 2);
    const uint8_t *ip = frame + layers->l3;
    size_t rest = length - layers->l3;
    uint32_t hash = 0x811c9dc5u;
    if (layers->type == 0x0800 && rest >= 20 && ip[0] >> 4 == 4) {
        size_t header = (size_t)(ip[0] & 15) * 4;
        layers->tos = ip[1];
        layers->protocol = ip[9];
        hash = mix(hash, ip + 12, 8);
        if (header >= 20 && header <= rest && !(get16(ip + 6) & 0x3fff))
            layers->l4 = (uint16_t)(layers->l3 + header);
    } else if (layers->type == 0x86dd && rest >= 40 && ip[0] >> 4 == 6) {
        layers->tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
        layers->protocol = ip[6];
        hash = mix(hash, ip + 8, 32);
        layers->l4 = (uint16_t)(layers->l3 + 40);
    } else {
        hash = mix(hash, frame, 12);
        layers->l3 = 0;
    }
    hash = mix(hash, &layers->protocol, 1);
    if (layers->l4 && (layers->protocol == 6 || layers->protocol == 17) && layers->l4 + 4u <= length)
        hash = mix(hash, frame + layers->l4, 4);
    layers->hash = hash ^ hash >> 16;
}

/* RFC 6040: what the outer header says of congestion, said by the inner one. */
enum stt_verdict stt_decapsulate_ecn(uint8_t *frame, size_t length, uint8_t outer) {
    if (outer != 3)
        return STT_WHOLE;
    struct stt_layers layers;
    stt_dissect(frame, length, &layers);
    if (!layers.l3)
        return STT_WHOLE;
    if ((layers.tos & 3) == 0)
        return STT_CE_DROPPED;
    uint8_t *ip = frame + layers.l3;
    if (layers.type == 0x0800) {
        uint16_t before = get16(ip);
        ip[1] |= 3;
        uint32_t sum = (uint16_t)~get16(ip + 10) + (uint32_t)(uint16_t)~before + get16(ip); /* RFC 1624 */
        put16(ip + 10, (uint16_t)~stt_fold(sum));
    } else {
        ip[1] |= 3 << 4;
    }
    return STT_WHOLE;
}
