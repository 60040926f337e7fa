/* SPDX-License-Identifier: MIT */
/*
 * What a lying kernel says of IPVS: each reader gets the input as a message's body, with the property that a
 * sync daemon and timeouts written again read the same.
 */
#include <assert.h>
#include <string.h>

#include "ipvs/codec.h"
#include "ipvs/config_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sync_survives(const struct ha_ipvs_sync *s)
{
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));
	struct ha_ipvs_sync again;

	if (ipvs_codec_check_sync(s) < 0)
		return;
	ipvs_codec_put_sync(&w, s);
	assert(!w.bad && ipvs_codec_read_sync(reader_of(buf, writer_len(&w)), &again));
	/* The name may be followed by anything behind its NUL. */
	assert(!strcmp(s->interface, again.interface) && s->role == again.role &&
	       s->sync_id == again.sync_id && s->max_len == again.max_len &&
	       s->port == again.port && s->ttl == again.ttl &&
	       !ha_ip_compare(&s->group, &again.group));
}

static void timeouts_survive(const struct ha_ipvs_timeouts *t)
{
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof(buf));
	struct ha_ipvs_timeouts again;

	ipvs_codec_put_timeouts(&w, t);
	assert(!w.bad && ipvs_codec_read_timeouts(reader_of(buf, writer_len(&w)), &again));
	assert(!memcmp(t, &again, sizeof(again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct reader body = reader_of(data, size);
	struct ipvs_service service;
	struct ipvs_dest dest;
	struct ha_ipvs_sync sync;
	struct ha_ipvs_timeouts timeouts;
	uint32_t version, table;

	if (ipvs_codec_read_service(body, &service)) {
		assert(memchr(service.scheduler, 0, sizeof(service.scheduler)));
		assert(memchr(service.engine, 0, sizeof(service.engine)));
		ipvs_codec_read_dest(body, &service.o, &dest);
	}
	ipvs_codec_read_info(body, &version, &table);
	if (ipvs_codec_read_sync(body, &sync))
		sync_survives(&sync);
	if (ipvs_codec_read_timeouts(body, &timeouts))
		timeouts_survive(&timeouts);
	return 0;
}
