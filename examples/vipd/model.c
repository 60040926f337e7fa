/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

/* Up to keepalived 1.3.6 the group stood in the pseudo-header, although there were unicast peers. */
static enum ha_vrrp_checksum checksum_of(const struct conf_instance *i)
{
	if (i->bare_checksum == 1)
		return HA_VRRP_CHECKSUM_MESSAGE;
	return i->n_peers && i->old_checksum == 1 ? HA_VRRP_CHECKSUM_PSEUDO_GROUP
						  : HA_VRRP_CHECKSUM_PSEUDO;
}

void model_vrrp(const struct conf_instance *i, struct model_vrrp *ret)
{
	size_t n = i->n_advertised;

	for (size_t a = 0; a < n && a < HA_VRRP_MAX_ADDRESSES; a++)
		ret->address[a] = i->addresses[a].ip;
	ret->opts = (struct ha_vrrp_opts){
	    .size = sizeof(ret->opts),
	    .vrid = (uint8_t)i->vrid,
	    .family = i->family,
	    .version = (uint8_t)i->version,
	    .priority = (uint8_t)i->priority,
	    .advert_interval_cs = (uint16_t)(i->advert_ms / 10),
	    .down_timer_adverts = (uint8_t)i->down_timer_adverts,
	    .no_preempt = i->no_preempt,
	    .preempt_delay_ns = (uint64_t)i->preempt_delay_ms * NS_PER_MS,
	    .no_accept = i->no_accept,
	    .no_reply = i->no_reply,
	    .last_advert = i->last_advert,
	    .any_addresses = i->any_addresses,
	    .deaf_owner = i->deaf_owner,
	    .rival_priority = (uint8_t)i->rival_priority,
	    .source = i->source,
	    .group = i->group_address,
	    .addresses = ret->address,
	    .n_addresses = n,
	    .any_first_address = true,
	    .no_addresses = true,
	    .peers = i->peers,
	    .n_peers = i->n_peers,
	    .peer_ttls = i->peer_ttls,
	    .unicast_ttl = i->unicast_ttl,
	    .checksum = checksum_of(i),
	    .learn_checksum = i->n_peers && i->old_checksum == CONF_UNSET && i->bare_checksum != 1,
	    .auth_pass = i->auth_ah ? NULL : i->auth_pass,
	    .garp_repeat = (uint8_t)i->garp.repeat,
	    .garp_refresh_repeat = (uint8_t)i->garp.refresh_repeat,
	    .garp_lower_repeat = (uint8_t)i->garp.lower_repeat,
	    .garp_delay_ns =
		i->garp.delay_ms ? (uint64_t)i->garp.delay_ms * NS_PER_MS : HA_VRRP_NEVER,
	    .garp_refresh_ns = i->garp.refresh_repeat ? (uint64_t)i->garp.refresh_ms * NS_PER_MS : 0,
	    .garp_lower_delay_ns = (uint64_t)i->garp.lower_delay_ms * NS_PER_MS,
	};
	if (i->auth_ah && i->auth_pass) {
		ret->key =
		    (struct ha_vrrp_key){.secret = i->auth_pass, .len = strlen(i->auth_pass)};
		ret->opts.auth = HA_VRRP_AUTH_AH;
		ret->opts.keys = &ret->key;
		ret->opts.n_keys = 1;
	}
}

void model_bfd(const struct conf_watch *w, struct ha_bfd_opts *ret)
{
	*ret = (struct ha_bfd_opts){
	    .size = sizeof(*ret),
	    .family = w->bfd.peer.family,
	    .multihop = w->bfd.multihop,
	    .passive = w->bfd.passive,
	    .detect_mult = (uint8_t)w->bfd.multiplier,
	    .min_ttl = (uint8_t)(w->bfd.multihop && !w->bfd.max_hops ? 0 : 255 - w->bfd.max_hops),
	    .desired_min_tx_us = w->bfd.tx_us,
	    .required_min_rx_us = w->bfd.rx_us,
	    .idle_tx_us = w->bfd.idle_us,
	    .peer = w->bfd.peer,
	    .local = w->bfd.local,
	};
}

void model_service(const struct conf_virtual *v, const struct conf_listen *l,
		   struct ha_service_opts *ret)
{
	*ret = (struct ha_service_opts){
	    .size = sizeof(*ret),
	    .address = l->ip,
	    .protocol = l->fwmark ? 0 : (uint8_t)v->protocol,
	    .port = l->port,
	    .fwmark = l->fwmark,
	    .scheduler = v->scheduler,
	    .flags = v->flags,
	    .persistence_s = (uint32_t)v->persistence_s,
	    .persistence_prefix = v->persistence_s ? (uint8_t)v->persistence_prefix : 0,
	    .persistence_engine = v->persistence_engine,
	};
}

void model_dest(const struct conf_real *r, uint32_t weight, struct ha_dest_opts *ret)
{
	*ret = (struct ha_dest_opts){
	    .size = sizeof(*ret),
	    .address = r->ip,
	    .port = r->port,
	    .forward = (enum ha_forward)r->opts->forward.method,
	    .tunnel = (enum ha_tunnel)r->opts->forward.tunnel,
	    .tunnel_port = r->opts->forward.tunnel_port,
	    .tunnel_flags = r->opts->forward.tunnel_flags,
	    .weight = weight,
	    .upper_threshold = (uint32_t)r->opts->upper,
	    .lower_threshold = (uint32_t)r->opts->lower,
	};
}

void model_quorum(const struct conf_virtual *v, struct quorum *ret)
{
	*ret = (struct quorum){
	    .quorum = v->quorum,
	    .hysteresis = v->hysteresis,
	    .has_sorry = v->sorry,
	    .sorry_inhibit = v->sorry_inhibit == 1,
	    .sorry_weight = v->sorry ? v->sorry->weight : 0,
	};
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_listen(const struct conf_listen *a, const struct conf_listen *b)
{
	return !ha_ip_compare(&a->ip, &b->ip) && a->port == b->port && a->fwmark == b->fwmark;
}

static bool same_forward(const struct conf_forward *a, const struct conf_forward *b)
{
	return a->method == b->method && a->tunnel == b->tunnel &&
	       a->tunnel_port == b->tunnel_port && a->tunnel_flags == b->tunnel_flags;
}

/* NULL: a sorry server that there is not. */
static bool same_real(const struct conf_real *a, const struct conf_real *b)
{
	const struct conf_real_opts *o, *p;

	if (!a || !b)
		return a == b;
	o = a->opts;
	p = b->opts;
	return !ha_ip_compare(&a->ip, &b->ip) && a->port == b->port && o->upper == p->upper &&
	       o->lower == p->lower && same_forward(&o->forward, &p->forward);
}

bool model_same(const struct conf_virtual *a, const struct conf_virtual *b)
{
	const struct conf_real *r = a->reals, *q = b->reals;

	if (a->n_listen != b->n_listen || a->n_reals != b->n_reals || a->protocol != b->protocol ||
	    a->flags != b->flags || a->persistence_s != b->persistence_s ||
	    a->persistence_prefix != b->persistence_prefix ||
	    !same_text(a->scheduler, b->scheduler) ||
	    !same_text(a->persistence_engine, b->persistence_engine) ||
	    !same_real(a->sorry, b->sorry))
		return false;
	for (size_t l = 0; l < a->n_listen; l++)
		if (!same_listen(&a->listen[l], &b->listen[l]))
			return false;
	for (; r && same_real(r, q); r = r->next)
		q = q->next;
	return !r;
}
