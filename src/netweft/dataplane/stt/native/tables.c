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

int stt_tables_put(struct stt_tables *tables, const uint64_t *key_of, const struct stt_peer *peers, int32_t count) {
    struct stt_peer *copy = calloc((size_t)count + 1, sizeof *copy);
    if (!copy)
        return -ENOMEM;
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
    tables->peers = copy;
    tables->peer_count = count;
    pthread_rwlock_unlock(&tables->lock);
    free(before);
    return 0;
}
