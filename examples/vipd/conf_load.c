/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <libha/service.h>

#include "conf.h"
#include "conf_memory.h"
#include "conf_tree.h"
#include "conf_words.h"

static void set_defaults(struct conf *c)
{
	c->globals = (struct conf_globals){
	    .version = CONF_UNSET,
	    .json_version = 1,
	    .garp = {CONF_UNSET, CONF_UNSET, CONF_UNSET, CONF_UNSET, CONF_UNSET},
	    .down_timer_adverts = CONF_UNSET,
	    .vrrp = {.rt_priority = CONF_UNSET},
	    .sync = {.id = CONF_UNSET},
	    .startup = {.timeout_ms = 10000},
	    .shutdown = {.timeout_ms = 10000},
	    .mail = {.timeout_ms = 30000,
		     .all = CONF_UNSET,
		     .vrrp = CONF_UNSET,
		     .checker = CONF_UNSET},
	};
}

static int load(struct conf_parse *p, const struct conf_source *source)
{
	struct conf_node *tree = NULL;
	struct diag_place whole = {.file = conf_strdup(p->memory, source->file)};
	int e = conf_tree_read(p->memory, p->scratch, source, &conf_root, p->diag, &tree);

	if (e < 0) {
		diag_add(p->diag, DIAG_ERROR, &whole,
			 "cannot read the configuration: %s. Name another one with -f FILE",
			 strerror(-e));
		return e;
	}
	conf_walk(p, tree, &conf_root, p->conf);
	conf_check(p);
	return 0;
}

static int say_no_memory(const struct conf_source *source, const struct conf_memory *m,
			 struct diag *d)
{
	if (!m->too_large) {
		diag_add(d, DIAG_ERROR, NULL, "out of memory while reading the configuration");
		return -ENOMEM;
	}
	diag_add(d, DIAG_ERROR, &(struct diag_place){source->file, m->at.line, 0},
		 "the configuration is too large: it needs more than %zu MiB",
		 conf_memory_limit(m) >> 20);
	return -EFBIG;
}

int conf_load(const struct conf_source *source, struct diag *d, struct conf **ret)
{
	struct conf *c = calloc(1, sizeof(*c));
	struct conf_memory memory = {0}, scratch = {.parent = &memory};
	struct conf_parse p = {.memory = &memory, .scratch = &scratch, .conf = c, .diag = d};
	jmp_buf failed;
	int e;

	*ret = c;
	if (!c)
		return -ENOMEM;
	p.instances_end = &c->instances;
	p.groups_end = &c->groups;
	p.scripts_end = &c->scripts;
	p.watches_end = &c->watches;
	p.virtuals_end = &c->virtuals;
	p.groups_of_services_end = &c->virtual_groups;
	p.garp_groups_end = &c->garp_groups;
	if (ha_service_table_new(&p.services) < 0 || setjmp(failed)) {
		c->memory = memory.chunks;
		conf_chunks_free(scratch.chunks);
		ha_service_table_free(p.services);
		return say_no_memory(source, &memory, d);
	}
	memory.on_failure = &failed;
	set_defaults(c);
	e = load(&p, source);
	c->memory = memory.chunks;
	conf_chunks_free(scratch.chunks);
	ha_service_table_free(p.services);
	return e;
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	conf_chunks_free(c->memory);
	free(c);
}
