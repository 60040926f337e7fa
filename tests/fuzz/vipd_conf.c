/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: vipd reads any keepalived.conf. Held: what is left of it the libraries take. Includes
 * are left out: they would read files of this machine.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libha/service.h>
#include <libha/vrrp.h>

#include "conf.h"
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_model(const struct conf *c)
{
	size_t n = 0;

	for (const struct conf_instance *i = c->instances; i; i = i->next, n++) {
		struct model_vrrp m;

		model_vrrp(i, &m);
		if (ha_vrrp_check(&m.opts))
			abort();
	}
	if (n != c->n_instances)
		abort();
	for (const struct conf_virtual *v = c->virtuals; v; v = v->next) {
		struct ha_service_opts s;

		for (size_t l = 0; l < v->n_listen; l++) {
			model_service(v, &v->listen[l], &s);
			if (ha_service_check(&s, NULL, NULL) < 0)
				abort();
		}
		n = 0;
		for (const struct conf_real *r = v->reals; r; r = r->next)
			n++;
		if (n != v->n_reals)
			abort();
	}
	n = 0;
	for (const struct conf_vrrp_script *s = c->misc; s; s = s->next, n++)
		if (!s->name || s->interval_ms <= 0 || s->index != c->n_scripts + n)
			abort();
	if (n != c->n_misc)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct diag d;
	struct conf_source source = {.config_id = "fuzz"};
	char path[64];
	struct conf *c;
	int fd;

	if (memmem(data, len, "include", 7))
		return 0;
	fd = memfd_create("conf", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	source.file = path;
	if (!conf_load(&source, &d, &c))
		check_model(c);
	diag_fini(&d);
	conf_free(c);
	close(fd);
	return 0;
}
