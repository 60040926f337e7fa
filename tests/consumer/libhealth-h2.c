/* SPDX-License-Identifier: MIT */
/* A stranger's program, C11 and C++17 alike: a gRPC probe, made of two libraries. */
#include <libhealth/h2.h>

#include <string.h>

#undef NDEBUG
#include <assert.h>

int main(void)
{
	struct health_grpc_opts o;
	struct health_probe *p;

	memset(&o, 0, sizeof(o));
	o.size = sizeof(o);
	o.service = "shop.Cart";
	assert(health_probe_new(health_probe_grpc(), &o, &p) == 0);
	assert(strcmp(health_probe_name(p), "grpc") == 0);
	health_probe_free(p);
	assert(health_probe_new(health_probe_h2(), NULL, &p) == 0);
	health_probe_free(p);
	return 0;
}
