/* Which networks and peers there are: read by both loops for each batch, replaced as a whole. */
#include "stt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLACES (4 * STT_VLANS)

struct stt_tables *stt_tables_new(void) {
    struct stt_tables *tables = calloc(1, sizeof *tables);
    if (!tables)
        return NULL;
    pthread_rwlockattr_t kind; /* the loops would never let anybody write */
    pthread_rwlockattr_init(&kind);
    pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&tables->lock, &kind);
    pthread_rwlockattr_destroy(&kind);
    memset(tables->first, 0xff, sizeof tables->first);
    return tables;
}

void stt_tables_free(struct stt_tables *tables) {
    if (!tables)
        return;
    pthread_rwlock_destroy(&tables->lock);
    free(tables->peers);
    free(tables->known);
    free(tables);
}

static uint32_t place_of(uint64_t key) { return (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32) % PLACES; }

uint16_t stt_vlan_of(const struct stt_tables *tables, uint64_t key) {
    uint32_t at = place_of(key);
    while (tables->vlan_of[at].vlan) {
        if (tables->vlan_of[at].key == key)
            return tables->vlan_of[at].vlan;
        at = (at + 1) % PLACES;
    }
    return 0;
}

static const struct stt_address nobody;

/* Where it is, or would be. */
static struct stt_address *place_in(struct stt_address *known, uint32_t mask, const struct stt_address *address) {
    uint32_t at = stt_hash(address) & mask;
    while (memcmp(&known[at], &nobody, sizeof nobody) && memcmp(&known[at], address, sizeof nobody))
        at = (at + 1) & mask;
    return &known[at];
}

int stt_is_peer(const struct stt_tables *tables, const struct stt_address *address) {
    return tables->known && memcmp(address, &nobody, sizeof nobody) &&
           !memcmp(place_in(tables->known, tables->known_mask, address), address, sizeof nobody);
}

int stt_tables_put(struct stt_tables *tables, const uint64_t *key_of, const struct stt_peer *peers, int32_t count) {
    struct stt_peer *copy = calloc((size_t)count + 1, sizeof *copy);
    uint32_t places = 2; /* twice as many as there are, so that one is empty */
    while (places < 2 * (uint32_t)count)
        places *= 2;
    struct stt_address *known = calloc(places, sizeof *known);
    if (!copy || !known) {
        free(copy);
        free(known);
        return -ENOMEM;
    }
    for (int32_t i = 0; i < count; i++)
        *place_in(known, places - 1, &peers[i].address) = peers[i].address;
    if (count)
        memcpy(copy, peers, (size_t)count * sizeof *copy);
    pthread_rwlock_wrlock(&tables->lock);
    memcpy(tables->key_of, key_of, sizeof tables->key_of);
    memset(tables->vlan_of, 0, sizeof tables->vlan_of);
    for (uint16_t vlan = 1; vlan < STT_VLANS - 1; vlan++) {
        if (!key_of[vlan])
            continue;
        uint32_t at = place_of(key_of[vlan]);
        while (tables->vlan_of[at].vlan)
            at = (at + 1) % PLACES;
        tables->vlan_of[at].key = key_of[vlan];
        tables->vlan_of[at].vlan = vlan;
    }
    memset(tables->first, 0xff, sizeof tables->first);
    for (int32_t i = 0; i < count; i++) {
        copy[i].next = tables->first[copy[i].slot % STT_VLANS];
        tables->first[copy[i].slot % STT_VLANS] = i;
    }
    struct stt_peer *before = tables->peers;
    struct stt_address *known_before = tables->known;
    tables->peers = copy;
    tables->known = known;
    tables->known_mask = places - 1;
    tables->peer_count = count;
    pthread_rwlock_unlock(&tables->lock);
    free(before);
    free(known_before);
    return 0;
}
