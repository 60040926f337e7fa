/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: vipd reads any keepalived.conf. Held: what is left of it the libraries take, every
 * finding has its place, twice gives the same. Includes are left out: they would read files of this
 * machine.
 */
#include <stdlib.h>

#include <libha/service.h>
#include <libha/vrrp.h>

#include "conf/conf.h"
#include "findings.h"
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
	static struct diag found[2];
	struct conf_source source = {.config_id = "fuzz", .random_seed = 1};
	struct memory_file f;
	struct conf *c[2];

	if (memmem(data, len, "include", 7))
		return 0;
	f = memory_file_open(data, len);
	source.file = f.path;
	for (int i = 0; i < 2; i++) {
		if (!conf_load(&source, &found[i], &c[i]))
			check_model(c[i]);
		conf_scripts_insecure(c[i], &found[i]);
	}
	findings_are_placed(&found[0], f.path, data, len);
	findings_are_equal(&found[0], &found[1]);
	for (int i = 0; i < 2; i++) {
		diag_fini(&found[i]);
		conf_free(c[i]);
	}
	close(f.fd);
	return 0;
}
