/* SPDX-License-Identifier: MIT */
/* A frame of ARP or neighbour discovery: what is read of it, written again, claims the same. */
#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#include "vrrp/announce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ha_vrrp_sighting untouched = {.size = sizeof(untouched)};
	struct ha_vrrp_sighting s = untouched, again = untouched;
	uint8_t frame[VRRP_ANNOUNCE_FRAME_SIZE];
	ssize_t len;

	if (vrrp_announce_read(data, size, &s) < 0) {
		assert(!memcmp(&s, &untouched, sizeof(s)));
		return 0;
	}
	len = vrrp_announce_frame(&s.address, s.mac, true, frame, sizeof(frame));
	assert(len > 0 && !vrrp_announce_read(frame, (size_t)len, &again));
	assert(!ha_ip_compare(&s.address, &again.address) && !memcmp(s.mac, again.mac, 6));
	return 0;
}
