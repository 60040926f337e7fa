/* SPDX-License-Identifier: MIT */
/* "Why is this instance BACKUP?", "why is this server down?": sentences from what is known, and what to do. */
#ifndef VIPD_EXPLAIN_H
#define VIPD_EXPLAIN_H

#include "control/report.h"

/* An array of sentences; NULL when memory is short. */
json_t *explain_instance(const struct supervisor *s, const struct conf_instance *i, size_t index);
/* A sync group: its own state and its members'. */
json_t *explain_group(const struct supervisor *s, const struct conf_group *g, size_t index);
/* A vrrp_script, and who tracks it. */
json_t *explain_script(const struct supervisor *s, const struct conf_vrrp_script *t);
json_t *explain_virtual(const struct supervisor *s, const struct conf_virtual *v,
			const struct report_at *at);
/* `real` and `check`: its own first ones in arrays of all. */
json_t *explain_real(const struct supervisor *s, const struct conf_virtual *v, uint32_t index,
		     const struct conf_real *r, size_t real, size_t check);

#endif
