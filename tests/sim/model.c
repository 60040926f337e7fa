/* SPDX-License-Identifier: MIT */
#include "model.h"

#define MODEL_MS UINT64_C(1000000)

static void sends(struct model *m, int priority)
{
	if (m->n_sent < MODEL_SENDS)
		m->sent[m->n_sent] = priority;
	m->n_sent++;
}

/* RFC 9568 6.1: ((256 - Priority) * Active_Adver_Interval) / 256. RFC 3768 6.1: (256 - Priority) / 256 s. */
static uint64_t skew_time(const struct model *m)
{
	uint64_t of = m->version == 2 ? 1000 * MODEL_MS : m->active_interval_ns;

	return (uint64_t)(256 - m->priority) * of / 256;
}

/* RFC 9568 6.1: 3 * Active_Adver_Interval + Skew_Time; keepalived's down_timer_adverts is the 3. */
static uint64_t active_down_interval(const struct model *m)
{
	return m->adverts * m->active_interval_ns + skew_time(m);
}

static void no_timers(struct model *m)
{
	m->adver_timer = m->active_down_timer = MODEL_NEVER;
	m->waited = false;
}

static void to_backup(struct model *m, uint64_t now)
{
	no_timers(m);
	m->active_down_timer = now + active_down_interval(m);
	m->state = MODEL_BACKUP;
}

static void to_active(struct model *m, uint64_t now)
{
	no_timers(m);
	sends(m, m->priority);
	m->active_interval_ns = m->interval_ns; /* as Active it goes by its own */
	m->adver_timer = now + m->interval_ns;
	m->state = MODEL_ACTIVE;
}

/* 6.4.1: 255 is Active at once, everybody else listens. */
static void begin(struct model *m, uint64_t now)
{
	m->active_interval_ns = m->interval_ns;
	if (m->faulty) { /* not of the RFC: something that it needs is missing */
		no_timers(m);
		m->state = MODEL_FAULT;
	} else if (m->priority == 255) {
		to_active(m, now);
	} else {
		to_backup(m, now);
	}
}

void model_startup(struct model *m, uint64_t now)
{
	m->n_sent = 0;
	if (m->state == MODEL_INITIALIZE)
		begin(m, now);
}

/* Shutdown in 6.4.2 and 6.4.3. */
void model_shutdown(struct model *m)
{
	m->n_sent = 0;
	if (m->state == MODEL_ACTIVE)
		sends(m, 0);
	no_timers(m);
	m->state = MODEL_INITIALIZE;
}

/* An advertisement in 6.4.2. */
static void backup_hears(struct model *m, uint64_t now, const struct model_advert *a)
{
	if (a->priority == 0) {
		/* "Set the timer to Skew_Time"; but a second 0 must not push it out again. */
		if (now + skew_time(m) < m->active_down_timer)
			m->active_down_timer = now + skew_time(m);
	} else if ((!m->preempt && m->priority != 255) || a->priority >= m->priority) {
		m->active_interval_ns = a->interval_ns;
		to_backup(m, now);
	}
	/* else: discarded */
}

/* An advertisement in 6.4.3. The limit of one answer in 10 ms is not of the RFC. */
static void active_hears(struct model *m, uint64_t now, const struct model_advert *a)
{
	bool may_answer = now >= m->quiet_until;

	if (a->priority == 0) {
		if (!may_answer)
			return;
		sends(m, m->priority);
		m->quiet_until = now + 10 * MODEL_MS;
		m->adver_timer = now + m->interval_ns;
	} else if (a->priority > m->priority || (a->priority == m->priority && a->from_higher)) {
		if (m->last_advert) /* not of the RFC: so that the winner learns of us */
			sends(m, m->priority);
		m->active_interval_ns = a->interval_ns;
		to_backup(m, now);
	} else if (m->reply && may_answer) { /* discard it and send one immediately */
		sends(m, m->priority);
		m->quiet_until = now + 10 * MODEL_MS;
	}
}

void model_hears(struct model *m, uint64_t now, const struct model_advert *a)
{
	m->n_sent = 0;
	if (m->state == MODEL_BACKUP)
		backup_hears(m, now, a);
	else if (m->state == MODEL_ACTIVE)
		active_hears(m, now, a);
}

/*
 * 6.4.2: the Active_Down_Timer fires: Active. 6.4.3: the Adver_Timer fires: send and set it again, counted from
 * when it was due unless a whole interval was lost. Not of the RFC: who slept, a Backup more than half an
 * interval past its timer, an Active so long that another one may have come, listens for one interval, once.
 */
static bool another_may_be_active(const struct model *m, uint64_t late)
{
	return late > (m->adverts > 1 ? m->adverts - 1 : 1) * m->interval_ns;
}

void model_timer(struct model *m, uint64_t now)
{
	m->n_sent = 0;
	if (m->state == MODEL_BACKUP && now >= m->active_down_timer) {
		uint64_t late = now - m->active_down_timer;

		if (late > m->active_interval_ns / 2 && !m->waited) {
			m->waited = true;
			m->active_down_timer = now + m->active_interval_ns;
		} else {
			to_active(m, now);
		}
	} else if (m->state == MODEL_ACTIVE && now >= m->adver_timer) {
		uint64_t late = now - m->adver_timer;

		if (another_may_be_active(m, late) && !m->waited) {
			m->waited = true;
			m->adver_timer = now + m->interval_ns;
			return;
		}
		m->waited = false;
		sends(m, m->priority);
		m->adver_timer = (late < m->interval_ns ? m->adver_timer : now) + m->interval_ns;
	}
}

/* Skew_Time follows the priority; a timer that runs keeps its start. */
void model_priority(struct model *m, uint64_t now, int priority)
{
	uint64_t before = skew_time(m);

	m->n_sent = 0;
	m->priority = priority;
	if (m->state != MODEL_BACKUP || m->waited || m->active_down_timer <= now)
		return;
	m->active_down_timer += skew_time(m) - before; /* may wrap on the way down */
	if (m->active_down_timer < now)
		m->active_down_timer = now;
}

void model_fault(struct model *m, uint64_t now, bool faulty)
{
	m->n_sent = 0;
	if (m->faulty == faulty)
		return;
	m->faulty = faulty;
	if (m->state == MODEL_INITIALIZE)
		return;
	if (!faulty) {
		begin(m, now);
		return;
	}
	if (m->state == MODEL_ACTIVE)
		sends(m, 0);
	no_timers(m);
	m->state = MODEL_FAULT;
}

uint64_t model_deadline(const struct model *m)
{
	return m->adver_timer < m->active_down_timer ? m->adver_timer : m->active_down_timer;
}
