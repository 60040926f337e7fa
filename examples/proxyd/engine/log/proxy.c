/* SPDX-License-Identifier: MIT */
/* What becomes of proxies, in HAProxy's words, to the daemon's log and to those of the section. Control thread. */
#include <stdio.h>
#include <string.h>

#include "engine/control.h"
#include "engine/counters.h"
#include "engine/worker.h"
#include "log.h"
#include "loop.h"

void proxy_tell(const struct set *set, const struct cfg_proxy *p, int level, const char *text)
{
	const struct cfg_logs *logs[2] = {p->set.logs, p->set.log_global ? &set->cfg->global.logs : NULL};

	log_msg(level, "%s", text);
	for (size_t i = 0; i < 2; i++)
		if (logs[i])
			session_log_prepare(logs[i]);
	log_to_all(set->engine->log_fd, p, set->cfg, logs, &(struct log_message){.level = level, .line = text_of(text, strlen(text))});
}

void frontend_tell_paused(const struct frontend *f, bool paused)
{
	char text[CFG_NAME_MAX + 64];

	snprintf(text, sizeof(text), "%s %s %s.", paused ? "Paused" : "Resumed", f->proxy->kind == CFG_LISTEN ? "proxy" : "frontend", f->name);
	proxy_tell(f->set, f->proxy, LOG_WARNING, text);
}

static uint64_t sessions_of(const struct tally *t)
{
	struct tally_sum sum;

	tally_read(t, loop_clock_ns(), &sum);
	return sum.n[COUNT_SESSIONS];
}

static void tell_stopped(const struct set *set, const struct cfg_proxy *p, const struct frontend *f, const struct backend *b)
{
	char text[CFG_NAME_MAX + 128];

	snprintf(text, sizeof(text), "Proxy %s stopped (cumulated conns: FE: %llu, BE: %llu).", p->name,
		 (unsigned long long)(f ? sessions_of(f->gate->tally) : 0), (unsigned long long)(b ? sessions_of(b->pool->tally) : 0));
	proxy_tell(set, p, LOG_WARNING, text);
}

void frontend_tell_stopped(const struct frontend *f)
{
	const struct backend *own = f->backend && f->backend->proxy == f->proxy ? f->backend : NULL;

	tell_stopped(f->set, f->proxy, f, own);
}

/* Both arrays are in the order of the file. */
void proxies_tell_stopped(const struct set *set)
{
	const struct cfg_proxy *p;
	size_t i = 0, k = 0;

	STAILQ_FOREACH (p, &set->cfg->proxies, next) {
		const struct frontend *f = i < set->n_frontends && set->frontend[i].proxy == p ? &set->frontend[i++] : NULL;
		const struct backend *b = k < set->n_backends && set->backend[k].proxy == p ? &set->backend[k++] : NULL;

		if ((f || b) && !(f && f->gate->shut))
			tell_stopped(set, p, f, b);
	}
}
