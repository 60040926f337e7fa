/* SPDX-License-Identifier: MIT */
/* Of keepalived.data: what is tracked, by whom and how it stands, in keepalived's headings and fields. */
#include "supervisor/state.h"

/* keepalived writes 0 where there is none. */
static int weight_of(int32_t weight)
{
	return weight == CONF_NO_WEIGHT ? 0 : weight;
}

static const char *turned(bool reverse)
{
	return reverse ? " reverse" : "";
}

static void dump_watches(FILE *f, const struct conf_instance *i, enum conf_watch_kind kind,
			 const char *title)
{
	bool any = false;

	for (size_t t = 0; t < i->watches.n; t++) {
		const struct conf_track_watch *w = &i->watches.at[t];

		if (w->kind != kind)
			continue;
		if (!any)
			fprintf(f, "   Tracked %s :\n", title);
		any = true;
		fprintf(f, "     %s%s weight %d%s\n", w->name, kind == CONF_WATCH_BFD ? ":" : ",",
			w->weight, turned(w->reverse));
	}
}

void dump_trackers(FILE *f, const struct conf_instance *i)
{
	if (i->n_interfaces)
		fprintf(f, "   Tracked interfaces :\n");
	for (size_t t = 0; t < i->n_interfaces; t++)
		fprintf(f, "     %s weight %d%s\n", i->interfaces[t].name,
			weight_of(i->interfaces[t].weight),
			turned(i->interfaces[t].reverse));
	if (i->n_scripts)
		fprintf(f, "   Tracked scripts :\n");
	for (size_t t = 0; t < i->n_scripts; t++)
		fprintf(f, "     %s weight %d%s\n", i->scripts[t].name,
			weight_of(i->scripts[t].weight), turned(i->scripts[t].reverse));
	dump_watches(f, i, CONF_WATCH_FILE, "files");
	dump_watches(f, i, CONF_WATCH_PROCESS, "processes");
	dump_watches(f, i, CONF_WATCH_BFD, "BFDs");
}

void dump_command(FILE *f, const struct conf_script *script)
{
	for (size_t n = 0; script->argv && script->argv[n]; n++)
		fprintf(f, " '%s'", script->argv[n]);
	fputc('\n', f);
}

static void dump_script_users(FILE *f, const struct supervisor *s, const struct conf_vrrp_script *t)
{
	fprintf(f, "   Tracking instances :\n");
	for (const struct conf_instance *i = s->conf->instances; i; i = i->next)
		for (size_t n = 0; n < i->n_scripts; n++)
			if (i->scripts[n].script == t)
				fprintf(f, "     %s, weight %d%s\n", i->name,
					weight_of(i->scripts[n].weight),
					turned(i->scripts[n].reverse));
}

/* Exporters read "Status" and "State" of this. */
static void dump_script(FILE *f, const struct supervisor *s, const struct conf_vrrp_script *t)
{
	static const char *const status[] = {"INIT", "GOOD", "BAD"};
	uint8_t state = trackers_states(s->trackers)[t->index];

	fprintf(f, " VRRP Script = %s\n   Command =", t->name);
	dump_command(f, &t->script);
	fprintf(f, "   Interval = %g sec\n   Timeout = %g sec\n   Weight = %d%s\n",
		(double)t->interval_ms / 1000, (double)t->timeout_ms / 1000, weight_of(t->weight),
		turned(t->reverse));
	fprintf(f, "   Rise = %d\n   Fall = %d\n   Insecure = %s\n   Status = %s\n", t->rise,
		t->fall, t->off ? "yes" : "no", state < 3 ? status[state] : "?");
	dump_script_users(f, s, t);
	fprintf(f, "   State = %s\n", trackers_runs(s->trackers, t->index) ? "running" : "idle");
}

static void dump_process(FILE *f, const struct supervisor *s, const struct conf_watch *w)
{
	fprintf(f, " VRRP Track process = %s\n   Process = %s\n", w->name, w->process.argv[0]);
	fprintf(f, "   Min processes = %d\n", w->process.quorum);
	if (w->process.quorum_max != CONF_UNSET)
		fprintf(f, "   Max processes = %d\n", w->process.quorum_max);
	fprintf(f, "   Current processes = %u\n   Have quorum = %s\n",
		watches_processes(s->watches, w->index),
		watches_values(s->watches)[w->index] ? "true" : "false");
	fprintf(f, "   Weight = %d%s\n   Terminate delay = %fs\n   Fork delay = %fs\n", w->weight,
		turned(w->reverse), (double)w->process.terminate_ms / 1000,
		(double)w->process.fork_ms / 1000);
	fprintf(f, "   Full command = %s\n", w->process.whole ? "true" : "false");
}

/* The state of a neighbour is vrrp's; the log has it. */
static void dump_watch(FILE *f, const struct supervisor *s, const struct conf_watch *w)
{
	if (w->kind == CONF_WATCH_FILE)
		fprintf(f, " Track file = %s\n   File = %s\n   Status = %d\n   Weight = %d%s\n",
			w->name, w->file.path, watches_values(s->watches)[w->index], w->weight,
			turned(w->reverse));
	else if (w->kind == CONF_WATCH_PROCESS)
		dump_process(f, s, w);
	else
		fprintf(f, " VRRP Track BFD = %s\n   Weight = %d%s\n", w->name, w->weight,
			turned(w->reverse));
	fprintf(f, "   Tracking instances :\n");
	for (const struct conf_instance *i = s->conf->instances; i; i = i->next)
		for (size_t n = 0; n < i->watches.n; n++)
			if (i->watches.at[n].watch == w)
				fprintf(f, "     %s, weight %d%s\n", i->name,
					i->watches.at[n].weight, turned(i->watches.at[n].reverse));
}

void dump_tracked(FILE *f, const struct supervisor *s)
{
	static const char *const title[] = {[CONF_WATCH_FILE] = "Track files",
					    [CONF_WATCH_PROCESS] = "Track processes",
					    [CONF_WATCH_BFD] = "Track BFDs"};

	if (s->conf->scripts)
		fprintf(f, "------< VRRP Scripts >------\n");
	for (const struct conf_vrrp_script *t = s->conf->scripts; t; t = t->next)
		dump_script(f, s, t);
	for (int kind = CONF_WATCH_FILE; kind <= CONF_WATCH_BFD; kind++) {
		bool any = false;

		for (const struct conf_watch *w = s->conf->watches; w; w = w->next) {
			if ((int)w->kind != kind)
				continue;
			if (!any)
				fprintf(f, "------< VRRP %s >------\n", title[kind]);
			any = true;
			dump_watch(f, s, w);
		}
	}
}
