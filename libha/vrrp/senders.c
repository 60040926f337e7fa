/* SPDX-License-Identifier: MIT */
/*
 * Who else speaks for this VRID, from accepted adverts only: what a host shows, the checksum form each
 * uses, and the adverts that did not come. The one heard longest ago makes room for a new one.
 */
#include "vrrp/object.h"

#include <errno.h>

#include "base/sized.h"

#define MISSED_TO_TELL 2 /* in a row: one is ordinary loss */

static const struct vrrp_sender *find(const struct ha_vrrp *v, const struct ha_ip *address)
{
	for (size_t i = 0; i < HA_VRRP_MAX_SENDERS; i++)
		if (v->sender[i].address.family && ip_equal(&v->sender[i].address, address))
			return &v->sender[i];
	return NULL;
}

static struct vrrp_sender *place_for(struct ha_vrrp *v, const struct ha_ip *address)
{
	struct vrrp_sender *s = (struct vrrp_sender *)(uintptr_t)find(v, address);

	if (s)
		return s;
	s = &v->sender[0]; /* free ones were last heard at 0 */
	for (size_t i = 1; i < HA_VRRP_MAX_SENDERS; i++)
		if (v->sender[i].last_ns < s->last_ns)
			s = &v->sender[i];
	*s = (struct vrrp_sender){.address = *address, .first_ns = v->now_ns};
	return s;
}

void vrrp_senders_note(struct ha_vrrp *v, const struct vrrp_heard *heard)
{
	const struct vrrp_advert *adv = &heard->advert;
	struct vrrp_sender *s = place_for(v, &heard->meta->source);

	s->priority = adv->priority;
	s->version = adv->version;
	s->interval_cs = adv->interval_cs;
	s->checksum = adv->checksum;
	s->last_ns = v->now_ns;
	s->adverts++;
	s->sequence = heard->sequence;
}

/* Version 3 was heard from it not long ago, so its version 2 says nothing new (RFC 9568 8.4). */
bool vrrp_senders_speaks3(const struct ha_vrrp *v, const struct ha_ip *address)
{
	const struct vrrp_sender *s = find(v, address);

	return s && s->version == 3 &&
	       v->now_ns - s->last_ns <=
		   v->opts.down_timer_adverts * s->interval_cs * VRRP_NS_PER_CS;
}

uint64_t vrrp_senders_sequence(const struct ha_vrrp *v, const struct ha_ip *address)
{
	const struct vrrp_sender *s = find(v, address);

	return s ? s->sequence : 0;
}

/* What a thawed router must not take again. */
void vrrp_senders_restore(struct ha_vrrp *v, const struct ha_ip *address, uint64_t sequence)
{
	struct vrrp_sender *s = place_for(v, address);

	s->sequence = sequence;
	s->last_ns = v->now_ns;
}

/* Before the timer is set anew by an advert of the Active that is waited for. */
void vrrp_senders_missed(struct ha_vrrp *v, const struct vrrp_heard *heard)
{
	uint64_t interval_ns = v->active_interval_cs * VRRP_NS_PER_CS, gap_ns, missed;
	struct vrrp_sender *s = place_for(v, &heard->meta->source);

	if (!ip_equal(&v->active, &heard->meta->source) || v->timer != VRRP_TIMER_DOWN)
		return;
	gap_ns = v->now_ns - v->timer_start_ns;
	if (gap_ns > s->longest_ns)
		s->longest_ns = gap_ns;
	missed = gap_ns > interval_ns ? (gap_ns + interval_ns / 2) / interval_ns - 1 : 0;
	s->missed += missed;
	if (missed > s->missed_in_row)
		s->missed_in_row = missed > UINT8_MAX ? UINT8_MAX : (uint8_t)missed;
	if (missed >= MISSED_TO_TELL)
		vrrp_push_remark(v, HA_VRRP_REMARK_MISSED, heard->meta);
}

/* The form to send in: a peer's own one; for the group, that of the Active heard last. */
enum ha_vrrp_checksum vrrp_senders_checksum(const struct ha_vrrp *v, const struct ha_ip *peer)
{
	const struct vrrp_sender *s = NULL;

	if (!v->opts.learn_checksum)
		return v->opts.checksum;
	if (peer)
		s = find(v, peer);
	for (size_t i = 0; !peer && i < HA_VRRP_MAX_SENDERS; i++)
		if (v->sender[i].address.family && (!s || v->sender[i].last_ns > s->last_ns))
			s = &v->sender[i];
	return s ? s->checksum : v->opts.checksum;
}

int ha_vrrp_sender(const struct ha_vrrp *v, unsigned index, struct ha_vrrp_sender *ret)
{
	const struct vrrp_sender *s = NULL;

	if (!v)
		return -EINVAL;
	for (size_t i = 0; i < HA_VRRP_MAX_SENDERS && !s; i++)
		if (v->sender[i].address.family && !index--)
			s = &v->sender[i];
	if (!s)
		return -ENOENT;
	const struct ha_vrrp_sender out = {
	    .address = s->address,
	    .priority = s->priority,
	    .version = s->version,
	    .checksum = s->checksum,
	    .interval_cs = s->interval_cs,
	    .first_ns = s->first_ns,
	    .last_ns = s->last_ns,
	    .adverts = s->adverts,
	    .missed = s->missed,
	    .longest_ns = s->longest_ns,
	    .missed_in_row = s->missed_in_row,
	};
	return sized_out(ret, &out, sizeof(out));
}
