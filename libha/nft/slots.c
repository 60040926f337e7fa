/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nft/slots.h"

struct share {
	const struct ha_dest *dest;
	uint64_t n; /* slots */
};

/* One slot before sorting: where it would lie if time were continuous. */
struct place {
	uint64_t at;
	uint32_t turn; /* tie break: the order of destinations */
	const struct ha_dest *dest;
};

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* The destinations that get connections, with their weights in lowest terms; the sum of those. */
static uint64_t weigh(const struct ha_service *s, struct share *shares, size_t *ret_n)
{
	bool weighted = strcmp(s->o.scheduler, "rr") != 0;
	uint64_t divisor = 0, sum = 0;
	size_t n = 0;

	for (const struct ha_dest *d = NULL; (d = ha_dest_next(s, d));) {
		if (!d->o.weight)
			continue;
		shares[n++] = (struct share){d, weighted ? d->o.weight : 1};
		divisor = gcd(shares[n - 1].n, divisor);
	}
	for (size_t i = 0; i < n; i++) {
		shares[i].n /= divisor;
		sum += shares[i].n;
	}
	*ret_n = n;
	return sum;
}

/* Of "fo" the first of the greatest weight is left. */
static size_t keep_greatest(struct share *shares, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (shares[i].dest->o.weight > shares[best].dest->o.weight)
			best = i;
	shares[0] = (struct share){shares[best].dest, 1};
	return n ? 1 : 0;
}

/* Too many slots: to the nearest share of NFT_SLOTS_EXACT, at least one. The new sum. */
static uint64_t round_shares(struct share *shares, size_t n, uint64_t sum)
{
	uint64_t rounded = 0;

	for (size_t i = 0; i < n; i++) {
		shares[i].n = (shares[i].n * NFT_SLOTS_EXACT + sum / 2) / sum;
		if (!shares[i].n)
			shares[i].n = 1;
		rounded += shares[i].n;
	}
	return rounded;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *p = a, *q = b;

	if (p->at != q->at)
		return p->at < q->at ? -1 : 1;
	return p->turn < q->turn ? -1 : p->turn > q->turn;
}

/* Slot j of k lies at (2j + 1) / 2k of the round. */
static void spread(const struct share *shares, size_t n, struct place *places)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		for (uint64_t j = 0; j < shares[i].n; j++)
			places[at++] = (struct place){((2 * j + 1) << 32) / shares[i].n,
						      (uint32_t)i, shares[i].dest};
	qsort(places, at, sizeof(*places), compare_places);
}

/* The caller's own table. */
static int copy_slots(const struct ha_service *s, const struct ha_dest ***ret_slots,
		      uint32_t *ret_n)
{
	const struct ha_dest **dests = mem_array(ha_dest_count(s) + 1, sizeof(*dests));
	const struct ha_dest **slots = mem_array(s->slots.n + 1, sizeof(*slots));
	size_t n = 0;

	if (!dests || !slots) {
		mem_free(dests);
		mem_free(slots);
		return -ENOMEM;
	}
	for (const struct ha_dest *d = NULL; (d = ha_dest_next(s, d));)
		dests[n++] = d;
	for (uint32_t i = 0; i < s->slots.n; i++)
		slots[i] = dests[s->slots.dests[i]];
	mem_free(dests);
	*ret_slots = slots;
	*ret_n = s->slots.n;
	return 0;
}

/* Who gets how many slots, and how many that makes. The caller frees *ret_shares. */
static int share_slots(const struct ha_service *s, struct share **ret_shares, size_t *ret_n,
		       uint64_t *ret_sum)
{
	struct share *shares = mem_array(ha_dest_count(s) + 1, sizeof(*shares));

	if (!shares)
		return -ENOMEM;
	*ret_sum = weigh(s, shares, ret_n);
	if (!strcmp(s->o.scheduler, "fo"))
		*ret_sum = *ret_n = keep_greatest(shares, *ret_n);
	if (*ret_sum > NFT_SLOTS_EXACT && *ret_sum > *ret_n)
		*ret_sum = round_shares(shares, *ret_n, *ret_sum);
	*ret_shares = shares;
	return 0;
}

static int spread_slots(const struct ha_service *s, const struct ha_dest ***ret_slots,
			uint32_t *ret_n)
{
	const struct ha_dest **slots = NULL;
	struct place *places = NULL;
	struct share *shares;
	uint64_t sum;
	size_t n;
	int r = share_slots(s, &shares, &n, &sum);

	if (r < 0)
		return r;
	if (sum) {
		r = -ENOMEM;
		places = mem_array(sum, sizeof(*places));
		slots = mem_array(sum, sizeof(*slots));
		if (!places || !slots)
			goto out;
		spread(shares, n, places);
		for (size_t i = 0; i < sum; i++)
			slots[i] = places[i].dest;
	}
	*ret_slots = slots;
	*ret_n = (uint32_t)sum;
	slots = NULL;
	r = 0;
out:
	mem_free(slots);
	mem_free(places);
	mem_free(shares);
	return r;
}

int nft_slots(const struct ha_service *s, const struct ha_dest ***ret_slots, uint32_t *ret_n)
{
	return s->o.flags & HA_SERVICE_SLOTS ? copy_slots(s, ret_slots, ret_n)
					     : spread_slots(s, ret_slots, ret_n);
}

int nft_slots_count(const struct ha_service *s, uint32_t *ret)
{
	struct share *shares;
	uint64_t sum;
	size_t n;
	int r;

	if (s->o.flags & HA_SERVICE_SLOTS) {
		*ret = s->slots.n;
		return 0;
	}
	r = share_slots(s, &shares, &n, &sum);
	if (r < 0)
		return r;
	mem_free(shares);
	*ret = (uint32_t)sum;
	return 0;
}
