/* Segments back into frames.
 *
 * A frame is known by who sends it, to which address, and its id.  Its memory is taken when its first segment comes,
 * whichever that is.  What overlaps with what is there already is dropped, as Open vSwitch did; the frame waits on.
 * There is a limit for all, and one for those of each source: who sends beginnings only, loses his own.
 */
#include "stt.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024
#define SOURCES 256
#define MOST_RANGES 48
#define LEAST_COUNTED 2048 /* of each frame: many small ones would make lists too long to walk for each packet */
#define SHARE 4 /* of all memory one source may have this part */

struct range {
    uint16_t start, end;
};

struct waiting {
    struct waiting *next;            /* in its bucket */
    struct waiting *older, *younger; /* of all */
    struct stt_address source, destination;
    uint32_t frame_id;
    uint64_t since_ms;
    uint16_t total, received;
    uint16_t bucket;
    uint8_t source_bucket, ecn;
    uint8_t ranges;
    struct range range[MOST_RANGES]; /* in order, none touches another */
    uint8_t data[];
};

struct stt_reassembly {
    struct waiting *bucket[BUCKETS];
    struct waiting *oldest, *youngest;
    struct waiting *done; /* given out, until they are released */
    size_t bytes, most;
    size_t by_source[SOURCES];
    uint32_t expire_ms;
    struct stt_counters *counters;
};

struct stt_reassembly *stt_reassembly_new(size_t most_bytes, uint32_t expire_ms, struct stt_counters *counters) {
    struct stt_reassembly *all = calloc(1, sizeof *all);
    if (all) {
        all->most = most_bytes;
        all->expire_ms = expire_ms;
        all->counters = counters;
    }
    return all;
}

static size_t counted(uint16_t total) {
    size_t size = sizeof(struct waiting) + total;
    return size < LEAST_COUNTED ? LEAST_COUNTED : size;
}

static void take_out(struct stt_reassembly *all, struct waiting *one) {
    struct waiting **at = &all->bucket[one->bucket];
    while (*at != one)
        at = &(*at)->next;
    *at = one->next;
    *(one->older ? &one->older->younger : &all->oldest) = one->younger;
    *(one->younger ? &one->younger->older : &all->youngest) = one->older;
    all->bytes -= counted(one->total);
    all->by_source[one->source_bucket] -= counted(one->total);
}

static void forget(struct stt_reassembly *all, struct waiting *one) {
    take_out(all, one);
    free(one);
}

void stt_reassembly_free(struct stt_reassembly *all) {
    if (!all)
        return;
    while (all->oldest)
        forget(all, all->oldest);
    stt_release(all);
    free(all);
}

void stt_release(struct stt_reassembly *all) {
    while (all->done) {
        struct waiting *next = all->done->next;
        free(all->done);
        all->done = next;
    }
}

size_t stt_reassembly_bytes(const struct stt_reassembly *all) { return all->bytes; }

static struct waiting *find(struct stt_reassembly *all, const struct stt_segment *segment, uint16_t bucket) {
    struct waiting *one = all->bucket[bucket];
    while (one && (one->frame_id != segment->frame_id || memcmp(&one->source, &segment->source, 16) ||
                   memcmp(&one->destination, &segment->destination, 16)))
        one = one->next;
    return one;
}

static void make_room(struct stt_reassembly *all, size_t needed, uint8_t source) {
    struct waiting *one = all->oldest;
    while (one && all->by_source[source] + needed > all->most / SHARE) {
        struct waiting *next = one->younger;
        if (one->source_bucket == source) {
            all->counters->no_memory++;
            forget(all, one);
        }
        one = next;
    }
    while (all->oldest && all->bytes + needed > all->most) {
        all->counters->no_memory++;
        forget(all, all->oldest);
    }
}

static struct waiting *begin(struct stt_reassembly *all, const struct stt_segment *segment, uint16_t bucket,
                             uint8_t source, uint64_t now_ms) {
    size_t needed = counted(segment->total);
    make_room(all, needed, source);
    if (all->by_source[source] + needed > all->most / SHARE || all->bytes + needed > all->most)
        return NULL;
    struct waiting *one = malloc(sizeof *one + segment->total);
    if (!one)
        return NULL;
    memset(one, 0, sizeof *one);
    one->source = segment->source;
    one->destination = segment->destination;
    one->frame_id = segment->frame_id;
    one->total = segment->total;
    one->since_ms = now_ms;
    one->bucket = bucket;
    one->source_bucket = source;
    one->next = all->bucket[bucket];
    all->bucket[bucket] = one;
    one->older = all->youngest;
    *(all->youngest ? &all->youngest->younger : &all->oldest) = one;
    all->youngest = one;
    all->bytes += needed;
    all->by_source[source] += needed;
    return one;
}

/* 0: it overlaps; -1: there are too many holes. */
static int note(struct waiting *one, uint16_t start, uint16_t end) {
    int at = one->ranges; /* most come in order: looked for from the end */
    while (at && one->range[at - 1].start >= start)
        at--;
    struct range *before = at ? &one->range[at - 1] : NULL;
    struct range *after = at < one->ranges ? &one->range[at] : NULL;
    if ((before && before->end > start) || (after && after->start < end))
        return 0;
    int joins_before = before && before->end == start, joins_after = after && after->start == end;
    if (joins_before && joins_after) {
        before->end = after->end;
        memmove(after, after + 1, (size_t)(one->ranges - at - 1) * sizeof *after);
        one->ranges--;
    } else if (joins_before) {
        before->end = end;
    } else if (joins_after) {
        after->start = start;
    } else {
        if (one->ranges == MOST_RANGES)
            return -1;
        memmove(&one->range[at + 1], &one->range[at], (size_t)(one->ranges - at) * sizeof *one->range);
        one->range[at] = (struct range){start, end};
        one->ranges++;
    }
    return 1;
}

enum stt_verdict stt_reassemble(struct stt_reassembly *all, const struct stt_segment *segment, uint64_t now_ms,
                                const uint8_t **data, uint8_t *ecn) {
    while (all->oldest && now_ms - all->oldest->since_ms > all->expire_ms) {
        all->counters->expired++;
        forget(all, all->oldest);
    }
    if (segment->length == segment->total) {
        *data = segment->payload;
        *ecn = segment->ecn;
        return STT_WHOLE;
    }
    uint32_t hash = stt_hash(&segment->source);
    uint16_t bucket = (uint16_t)((hash ^ segment->frame_id ^ segment->frame_id >> 10) % BUCKETS);
    uint8_t source = (uint8_t)(hash >> 8);
    struct waiting *one = find(all, segment, bucket);
    if (!one)
        one = begin(all, segment, bucket, source, now_ms);
    if (!one)
        return STT_NO_MEMORY;
    if (one->total != segment->total)
        return STT_MALFORMED;
    int noted = note(one, segment->offset, (uint16_t)(segment->offset + segment->length));
    if (noted < 0) {
        forget(all, one);
        return STT_NO_MEMORY;
    }
    if (!noted)
        return STT_OVERLAP;
    memcpy(one->data + segment->offset, segment->payload, segment->length);
    one->received = (uint16_t)(one->received + segment->length);
    if (segment->ecn == 3 || one->received == segment->length)
        one->ecn = segment->ecn; /* of any that says so, else the first one's */
    if (one->received < one->total)
        return STT_WAITS;
    take_out(all, one);
    one->next = all->done;
    all->done = one;
    *data = one->data;
    *ecn = one->ecn;
    return STT_WHOLE;
}
