/* SPDX-License-Identifier: MIT */
/* Services from a few words, so that tests read as tables. Include after cmocka.h. */
#ifndef TEST_SERVICE_WORDS_H
#define TEST_SERVICE_WORDS_H

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libha/service.h>

/* "tcp 192.0.2.1 80 wrr 300/24", "udp …", "fwmark 7 rr"; the persistence may be missing. */
static struct ha_service_opts service_of(const char *text)
{
	static char schedulers[64][HA_SERVICE_NAME_SIZE];
	static unsigned int turn;
	char *scheduler = schedulers[turn++ % 64];
	struct ha_service_opts o = {.size = sizeof(o), .scheduler = scheduler};
	char kind[8], address[64];
	unsigned int port, timeout = 0, prefix = 0;

	if (sscanf(text, "fwmark %u %15s %u/%u", &o.fwmark, scheduler, &timeout, &prefix) < 2) {
		assert_true(sscanf(text, "%7s %63s %u %15s %u/%u", kind, address, &port, scheduler,
				   &timeout, &prefix) >= 4);
		assert_int_equal(ha_ip_parse(address, &o.address), 0);
		o.protocol = !strcmp(kind, "udp") ? IPPROTO_UDP : IPPROTO_TCP;
		o.port = (uint16_t)port;
	}
	o.persistence_s = timeout;
	o.persistence_prefix = (uint8_t)prefix;
	return o;
}

/* "10.0.0.1 80 NAT 3", also DR and TUN. */
static struct ha_dest_opts dest_of(const char *text)
{
	struct ha_dest_opts o = {.size = sizeof(o)};
	char address[64], forward[8];
	unsigned int port;

	assert_int_equal(sscanf(text, "%63s %u %7s %u", address, &port, forward, &o.weight), 4);
	assert_int_equal(ha_ip_parse(address, &o.address), 0);
	o.port = (uint16_t)port;
	o.forward = !strcmp(forward, "DR")    ? HA_FORWARD_DR
		    : !strcmp(forward, "TUN") ? HA_FORWARD_TUN
					      : HA_FORWARD_NAT;
	return o;
}

/* Adds lines of "service" and, indented by a blank, its destinations, parted by newlines. */
static int table_fill(struct ha_service_table *t, const char *lines)
{
	char *text = strdup(lines), *save = NULL;
	struct ha_service *s = NULL;
	int r = 0;

	for (char *line = strtok_r(text, "\n", &save); line && !r;
	     line = strtok_r(NULL, "\n", &save)) {
		if (*line == ' ') {
			struct ha_dest_opts d = dest_of(line + 1);

			r = ha_dest_set(s, &d, NULL);
		} else {
			struct ha_service_opts o = service_of(line);

			r = ha_service_add(t, &o, &s);
		}
	}
	free(text);
	return r;
}

__attribute__((unused)) static struct ha_service_table *table_of(const char *lines)
{
	struct ha_service_table *t;

	assert_int_equal(ha_service_table_new(&t), 0);
	assert_int_equal(table_fill(t, lines), 0);
	return t;
}

#endif
