/* SPDX-License-Identifier: MIT */
/* The naive model beside the engine: the same accepted events, and after each the same answer. */
#include "world.h"

#include <sys/socket.h>

/* Groups and preempt delay are not in the RFC's tables, and not in the model. */
void lockstep_init(struct router *r)
{
	const struct world *w = r->node->w;
	const struct vr_plan *vr = &w->plan.vr[r->vr];

	r->model = (struct model){
	    .on = !vr->group && !vr->preempt_delay_ns,
	    .version = r->part.version,
	    .preempt = !r->part.no_preempt,
	    .last_advert = vr->last_advert,
	    .reply = !vr->no_reply,
	    .interval_ns = r->part.interval_cs * NS_PER_CS,
	    .active_interval_ns = r->part.interval_cs * NS_PER_CS,
	    .adverts = vr->down_timer_adverts,
	    .priority = r->part.priority,
	    .adver_timer = MODEL_NEVER,
	    .active_down_timer = MODEL_NEVER,
	};
}

static struct model_advert read_advert(const struct router *r, const struct packet *p)
{
	const uint8_t *b = network_message(r->node->w, r->vr, p);
	unsigned cs = b[0] >> 4 == 2 ? b[5] * 100u : (b[4] & 15u) << 8 | b[5];

	return (struct model_advert){
	    .priority = b[2],
	    .interval_ns = cs * NS_PER_CS,
	    .from_higher = ha_ip_compare(&p->meta.source, &r->source) > 0,
	};
}

static void compare(struct router *r)
{
	static const enum ha_vrrp_state same[] = {
	    [MODEL_INITIALIZE] = HA_VRRP_INITIALIZE,
	    [MODEL_BACKUP] = HA_VRRP_BACKUP,
	    [MODEL_ACTIVE] = HA_VRRP_ACTIVE,
	    [MODEL_FAULT] = HA_VRRP_FAULT,
	};
	struct ha_vrrp_status s = {.size = sizeof(s)};
	const struct model *m = &r->model;
	struct world *w = r->node->w;

	ha_vrrp_status(r->v, &s);
	if (s.state != same[m->state])
		broken(w, I_MODEL, "node %u vr %u is %s, the model %s", r->node->id, r->vr,
		       ha_vrrp_state_name(s.state), ha_vrrp_state_name(same[m->state]));
	else if (s.state != HA_VRRP_FAULT &&
		 s.timer_ns != model_deadline(m)) /* a thawed one has one */
		broken(w, I_MODEL, "node %u vr %u: its timer and the model's are %.6f ms apart",
		       r->node->id, r->vr,
		       (double)(int64_t)(s.timer_ns - model_deadline(m)) / (double)MS);
	else if ((int)r->n_sent != m->n_sent)
		broken(w, I_MODEL, "node %u vr %u sent %u adverts, the model %d", r->node->id,
		       r->vr, r->n_sent, m->n_sent);
	else
		for (unsigned i = 0; i < r->n_sent && i < MODEL_SENDS; i++)
			if (r->sent[i] >= 0 && r->sent[i] != m->sent[i])
				broken(w, I_MODEL, "node %u vr %u sent priority %d, the model %d",
				       r->node->id, r->vr, r->sent[i], m->sent[i]);
}

void lockstep(struct router *r, enum cause cause, const struct packet *p)
{
	uint64_t now = local_ns(r->node, r->node->w->now_ns);
	struct ha_vrrp_status s = {.size = sizeof(s)};
	struct model *m = &r->model;
	struct model_advert a;

	if (!m->on)
		return;
	m->n_sent = 0;
	switch (cause) {
	case CAUSE_STARTUP:
		model_startup(m, now);
		break;
	case CAUSE_SHUTDOWN:
		model_shutdown(m);
		break;
	case CAUSE_TIMER:
		model_timer(m, now);
		break;
	case CAUSE_ADVERT:
		a = read_advert(r, p);
		model_hears(m, now, &a);
		break;
	case CAUSE_PRIORITY:
	case CAUSE_FAULT:
	case CAUSE_RECOVER:
		ha_vrrp_status(r->v, &s);
		if (cause == CAUSE_PRIORITY)
			model_priority(m, now, s.priority);
		else
			model_fault(m, now, s.faults != 0);
		break;
	default: /* nothing that the model should notice */
		break;
	}
	compare(r);
}
