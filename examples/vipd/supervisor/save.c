/* SPDX-License-Identifier: MIT */
/*
 * config_save_dir: what was read at the start and at each reload, and what was known before and after it, in files with
 * keepalived's names. For those who look for what a reload did.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "supervisor/state.h"

#define PATH_SIZE 4096

/* In the folder of `c`, which is made when only that is missing. NULL, said: it cannot be written. */
static FILE *open_file(const struct conf *c, const char *base, unsigned number, const char *end,
		       char path[PATH_SIZE])
{
	const char *folder = c->globals.save_dir;
	char said[PATH_SIZE];

	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		log_err("config_save_dir %s: %s", folder, strerror(errno));
	if ((size_t)snprintf(said, sizeof(said), "%s/%s.%d.%u%s", folder, base, (int)getpid(),
			     number, end) >= sizeof(said)) {
		log_err("config_save_dir %s: %s", folder, strerror(ENAMETOOLONG));
		return NULL;
	}
	return dump_open(said, NULL, path, PATH_SIZE);
}

/* The file is read once more: hardly anybody keeps copies, and nobody else shall have to hold its text. */
void save_configuration(struct supervisor *s, const struct conf *c)
{
	struct conf_source source = {.file = s->options->file, .config_id = s->options->config_id};
	struct diag *said;
	struct conf *again = NULL;
	char path[PATH_SIZE];

	if (!c->globals.save_dir)
		return;
	source.copy = open_file(c, "keepalived.conf", s->saves, "", path);
	said = source.copy ? calloc(1, sizeof(*said)) : NULL;
	if (said) {
		conf_load(&source, said, &again);
		diag_fini(said); /* it was said */
		conf_free(again);
	}
	free(said);
	if (source.copy)
		dump_close(source.copy, path);
}

void save_state(struct supervisor *s, const char *when)
{
	char path[PATH_SIZE];
	FILE *f;

	if (!s->conf->globals.save_dir)
		return;
	f = s->options->vrrp ? open_file(s->conf, "keepalived_vrrp", s->saves, when, path) : NULL;
	if (f) {
		dump_vrrp_to(f, s);
		dump_close(f, path);
	}
	f = s->options->check && s->conf->n_virtuals
		? open_file(s->conf, "keepalived_check", s->saves, when, path)
		: NULL;
	if (f) {
		dump_check_to(f, s);
		dump_close(f, path);
	}
}
