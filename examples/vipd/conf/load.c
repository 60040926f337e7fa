/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/memory.h"
#include "conf/tree.h"
#include "conf/words.h"

static void set_defaults(struct conf *c)
{
	c->globals = (struct conf_globals){
	    .version = CONF_UNSET,
	    .json_version = 1,
	    .umask = CONF_UNSET,
	    .garp = CONF_GARP_UNSET,
	    .down_timer_adverts = CONF_UNSET,
	    .vrrp = {.rt_priority = CONF_UNSET, .auto_delay_us = 1000000},
	    .checker = {.auto_delay_us = 1000000},
	    .rx_multiplier = 3,
	    .child_wait_s = 5,
	    .nft = {.priority = CONF_NFT_PRIORITY},
	    .nft_marks = {.priority = CONF_NFT_PRIORITY},
	    .first_mark = 1000,
	    .sync = {.id = CONF_UNSET},
	    .startup = {.timeout_ms = 10000},
	    .shutdown = {.timeout_ms = 10000},
	    .mail = {.timeout_ms = 30000,
		     .all = CONF_UNSET,
		     .vrrp = CONF_UNSET,
		     .checker = CONF_UNSET},
	};
}

static void take_statements(void *userdata, const struct conf_node *first)
{
	struct conf_parse *p = userdata;

	if (p->copy)
		conf_tree_write(first, p->copy);
	conf_walk(p, first, &conf_root, p->conf);
}

static int load(struct conf_parse *p, const struct conf_source *source, bool repair,
		bool *ret_lacks)
{
	struct diag_place whole = {.file = conf_strdup(p->memory, source->file)};
	const struct conf_tree_opts o = {.source = source,
					 .root = &conf_root,
					 .repair = repair,
					 .fn = take_statements,
					 .userdata = p};
	struct conf_tree_end end = {0};
	int e = conf_tree_read(p->memory, p->scratch, &o, p->diag, &end);

	*ret_lacks = end.lacks;
	p->conf->ends_within = end.within;
	if (e < 0) {
		diag_add(p->diag, DIAG_ERROR, &whole,
			 "cannot read the configuration: %s. Name another one with -f FILE",
			 strerror(-e));
		return e;
	}
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

static int read_once(const struct conf_source *source, bool repair, struct diag *d,
		     struct conf **ret, bool *ret_lacks)
{
	struct conf *c = calloc(1, sizeof(*c));
	struct conf_memory memory = {0}, scratch = {.parent = &memory}, passing = scratch;
	struct conf_parse p = {.memory = &memory,
			       .scratch = &scratch,
			       .passing = &passing,
			       .conf = c,
			       .diag = d,
			       .copy = source->copy};
	jmp_buf failed;
	int e;

	*ret = c;
	*ret_lacks = false;
	if (!c)
		return -ENOMEM;
	p.instances_end = &c->instances;
	p.groups_end = &c->groups;
	p.scripts_end = &c->scripts;
	p.watches_end = &c->watches;
	p.virtuals_end = &c->virtuals;
	p.groups_of_services_end = &c->virtual_groups;
	p.garp_groups_end = &c->garp_groups;
	if (setjmp(failed)) {
		c->memory = memory.chunks;
		conf_chunks_free(scratch.chunks);
		conf_chunks_free(passing.chunks);
		return say_no_memory(source, &memory, d);
	}
	memory.on_failure = &failed;
	set_defaults(c);
	e = load(&p, source, repair, ret_lacks);
	c->memory = memory.chunks;
	conf_chunks_free(scratch.chunks);
	conf_chunks_free(passing.chunks);
	return e;
}

static void forget_findings(struct diag *d, const struct diag *before)
{
	while (d->n > before->n)
		free(d->message[--d->n].text);
	memcpy(d->count, before->count, sizeof(d->count));
}

/* Hardly any file lacks a brace: only that one is read twice. */
int conf_load(const struct conf_source *source, struct diag *d, struct conf **ret)
{
	const struct diag before = *d;
	bool lacks;
	int e = read_once(source, false, d, ret, &lacks);

	if (!lacks)
		return e;
	conf_free(*ret);
	forget_findings(d, &before);
	if (source->copy) {
		rewind(source->copy);
		if (ftruncate(fileno(source->copy), 0) < 0)
			return -errno;
	}
	return read_once(source, true, d, ret, &lacks);
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	conf_chunks_free(c->memory);
	free(c);
}
