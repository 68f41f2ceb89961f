/* STT (draft-davie-stt-08) as Open vSwitch up to 2.17 spoke it: what the files of this folder share.
 *
 *   wire.c        headers: outer IP, the TCP-like one, STT's own; checksums
 *   reassembly.c  segments back into frames
 *   merge.c       a VM's TCP segments, one after the other, into one large frame; of its acknowledgements the last
 *   queue.c       how much Open vSwitch has not taken yet
 *   tables.c      networks and peers, replaced as a whole while frames pass
 *   to_peers.c    from Open vSwitch to other nodes
 *   from_peers.c  and back
 *
 * No Python in here: it is loaded by ctypes, which lets go of the interpreter's lock during each call.
 */
#ifndef NETWEFT_STT_H
#define NETWEFT_STT_H

#include <linux/virtio_net.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define STT_PORT 7471
#define STT_TCP_HEADER 20
#define STT_HEADER 18 /* with the two bytes that align what is inside */
#define STT_MOST_OUTER (14 + 40 + STT_TCP_HEADER + STT_HEADER)
#define STT_MOST_FRAME (65535 - 20 - STT_TCP_HEADER - STT_HEADER)
#define STT_LEAST_MSS 64

#define STT_CSUM_VERIFIED 1
#define STT_CSUM_PARTIAL 2
#define STT_IPV4 4
#define STT_TCP 8

#define STT_VLANS 4096

struct stt_address { /* IPv4 as ::ffff:a.b.c.d */
    uint8_t bytes[16];
};

/* Of one packet of the underlay. */
struct stt_segment {
    struct stt_address source, destination;
    uint32_t frame_id;
    uint16_t total, offset, length; /* total: of the frame with STT's header */
    uint16_t source_port;
    uint8_t ecn;
    const uint8_t *payload;
};

/* What STT's header says of a frame. */
struct stt_frame {
    uint64_t key;
    uint16_t mss, vlan; /* vlan: as in the header, with the bit that says it is there */
    uint8_t flags, l4_offset, ecn;
    uint32_t length;
    const uint8_t *data;
};

enum stt_verdict {
    STT_WAITS = 0,
    STT_WHOLE = 1,
    /* why a segment or a frame was dropped */
    STT_NOT_OURS = -1,    /* no STT */
    STT_MALFORMED = -2,   /* lengths and offsets that contradict each other */
    STT_BAD_CHECKSUM = -3,
    STT_OVERLAP = -4,     /* a duplicate among them */
    STT_NO_MEMORY = -5,
    STT_OTHER_VERSION = -6,
    STT_CE_DROPPED = -7,  /* RFC 6040: congestion was experienced, and the inner packet does not know the word */
};

/* Counters, in this order; the names are in native.py. */
struct stt_counters {
    uint64_t sent_frames, sent_bytes, merged_segments, merged_acks, received_frames, received_bytes, received_segments;
    uint64_t no_network_out, no_peer, unresolved, too_long, send_failed;
    uint64_t no_network_in, malformed, bad_checksum, overlaps, expired, no_memory, ce_dropped, deliver_failed, strangers;
};

/* wire.c */
uint32_t stt_sum(const void *data, size_t length, uint32_t sum);
uint16_t stt_fold(uint32_t sum);
uint32_t stt_pseudo_sum(const struct stt_address *source, const struct stt_address *destination, uint32_t length,
                        uint8_t protocol);
int stt_is_ipv4(const struct stt_address *address);
uint32_t stt_hash(const struct stt_address *address);
enum stt_verdict stt_parse(const uint8_t *packet, size_t length, int checked, struct stt_segment *segment);
enum stt_verdict stt_parse_frame(const uint8_t *data, size_t length, uint8_t ecn, struct stt_frame *frame);
size_t stt_write_outer(uint8_t *out, const struct stt_address *source, const struct stt_address *destination,
                       uint16_t source_port, uint8_t tos, uint32_t frame_id, const struct stt_frame *frame);
enum stt_verdict stt_decapsulate_ecn(uint8_t *frame, size_t length, uint8_t outer);

/* Where the parts of an Ethernet frame are; 0: there is none.  l4 is 0 for fragments, too. */
struct stt_layers {
    uint16_t l3, l4, type;
    uint8_t protocol, tos;
    uint32_t hash;
};
void stt_dissect(const uint8_t *frame, size_t length, struct stt_layers *layers);

/* reassembly.c */
struct stt_reassembly;
struct stt_reassembly *stt_reassembly_new(size_t most_bytes, uint32_t expire_ms, struct stt_counters *counters);
void stt_reassembly_free(struct stt_reassembly *all);
size_t stt_reassembly_bytes(const struct stt_reassembly *all);
void stt_release(struct stt_reassembly *all); /* whole frames are not needed any more */
/* STT_WHOLE: *data is valid as long as the segment's packet, and until the next `stt_release`. */
enum stt_verdict stt_reassemble(struct stt_reassembly *all, const struct stt_segment *segment, uint64_t now_ms,
                                const uint8_t **data, uint8_t *ecn);

/* tables.c */
struct stt_peer { /* as Python gives it */
    struct stt_address address, own;
    uint8_t mac[6], own_mac[6];
    uint16_t slot, mtu;
    int32_t interface; /* 0: nobody knows yet by which it is reached */
    int32_t next;      /* with the same slot; filled in here */
};

struct stt_tables {
    pthread_rwlock_t lock;
    uint64_t key_of[STT_VLANS];
    struct {
        uint64_t key;
        uint16_t vlan;
    } vlan_of[4 * STT_VLANS];
    int32_t first[STT_VLANS];
    struct stt_peer *peers;
    int32_t peer_count;
    struct stt_address *known; /* of peers, by hash; an empty place is all zeros */
    uint32_t known_mask;
};
struct stt_tables *stt_tables_new(void);
void stt_tables_free(struct stt_tables *tables);
int stt_tables_put(struct stt_tables *tables, const uint64_t *key_of, const struct stt_peer *peers, int32_t count);
uint16_t stt_vlan_of(const struct stt_tables *tables, uint64_t key);
int stt_is_peer(const struct stt_tables *tables, const struct stt_address *address);

/* merge.c */
#define STT_MOST_PARTS 64
#define STT_FLOWS 8
#define STT_MOST_ACKS 16 /* that one stands for: a sender that grows by acknowledgements is not held up for long */
#define STT_MOST_HEADER 192

struct stt_sent { /* a frame on its way out: its own headers, then payloads where they were received */
    uint16_t slot, local, vlan, header_length; /* vlan: the VM's own tag, as in the header */
    uint8_t header[STT_MOST_HEADER];
    uint32_t length, payload_each, next_sequence;
    int parts, closed, pushed, acks; /* closed: nothing joins it.  pushed: its last segment has PSH.  acks: so many stand
                                        in this one; 0: it has a payload */
    struct stt_layers layers;
    struct {
        const uint8_t *data;
        uint32_t length;
    } part[STT_MOST_PARTS];
    struct virtio_net_hdr offload;
};
int stt_is_mergeable(const uint8_t *frame, size_t length, const struct stt_layers *layers);
void stt_begin(struct stt_sent *sent, const uint8_t *frame, size_t length, const struct stt_layers *layers,
               int mergeable);
int stt_merge(struct stt_sent *sent, const uint8_t *frame, size_t length, const struct stt_layers *layers);
int stt_is_ack(const uint8_t *frame, size_t length, const struct stt_layers *layers);
void stt_begin_ack(struct stt_sent *sent, const uint8_t *frame, size_t length, const struct stt_layers *layers);
int stt_merge_ack(struct stt_sent *sent, const uint8_t *frame, size_t length, const struct stt_layers *layers);
int stt_same_flow(const struct stt_sent *sent, const uint8_t *frame, const struct stt_layers *layers);
void stt_finish(struct stt_sent *sent);

/* queue.c */
struct stt_queue { /* left: bytes that have room, as of the last look.  waited_ns: of this batch.  pace_ns: in which
                      Open vSwitch takes a kilobyte, as it did lately */
    int file;
    int32_t interface;
    int limit;
    uint32_t pace_ns;
    uint64_t waited_ns;
    int64_t left;
};
void stt_queue_open(struct stt_queue *queue, int inner, int32_t interface);
void stt_queue_close(struct stt_queue *queue);
uint32_t stt_queue_read(const char *text, int32_t interface);
int stt_queue_take(struct stt_queue *queue, uint32_t length, uint32_t packets);
void stt_queue_wait(struct stt_queue *queue, uint32_t length, uint32_t packets);

/* to_peers.c, from_peers.c: until `stop` is not 0; returns 0, or -errno */
struct stt_link {
    int inner, outer; /* sockets of both interfaces */
    struct stt_tables *tables;
    struct stt_counters *counters;
    struct stt_address own;
    int32_t dscp; /* of outer headers; -1: the inner packet's */
    volatile int32_t stop;
    uint64_t most_bytes;
    uint32_t expire_ms;
    int32_t overlay; /* the other end of the inner interface: Open vSwitch's */
};
int stt_to_peers(struct stt_link *link);
int stt_from_peers(struct stt_link *link);

#endif
