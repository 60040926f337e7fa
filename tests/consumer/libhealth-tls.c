/* SPDX-License-Identifier: MIT */
/* A stranger's program, C11 and C++17 alike: a check over TLS, made of two libraries. */
#include <libhealth/health.h>
#include <libhealth/tls.h>

#include <netinet/in.h>
#include <string.h>

#undef NDEBUG
#include <assert.h>

int main(void)
{
	struct health_tls_opts t;
	struct health_check_opts o;
	struct health_engine *e;
	struct health_check *c;
	struct health_tls *tls;
	struct sockaddr_in to;
	char why[128];

	memset(&t, 0, sizeof(t));
	t.size = sizeof(t);
	t.ca_file = "/nowhere/ca.pem";
	t.flags = HEALTH_TLS_VERIFY;
	assert(health_tls_new(&t, why, sizeof(why), &tls) < 0 && strstr(why, "/nowhere/ca.pem"));
	t.flags = 0;
	t.sni = "www.example.com";
	assert(health_tls_new(&t, why, sizeof(why), &tls) == 0);
	assert(health_engine_new(NULL, &e) == 0);
	memset(&to, 0, sizeof(to));
	to.sin_family = AF_INET;
	to.sin_port = htons(9);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memset(&o, 0, sizeof(o));
	o.size = sizeof(o);
	o.destination = (const struct sockaddr *)(const void *)&to;
	o.destination_len = sizeof(to);
	o.transport = health_tls_transport(tls);
	assert(health_check_add(e, &o, NULL, &c) == 0);
	health_tls_free(tls); /* the check keeps it */
	health_engine_free(e);
	return 0;
}
