/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: an Active hears any router solicitation. The first byte says whether the sender has an
 * address. Held: what is answered is answered within 3.5 s of the last advertisement or half a second, and
 * nothing else moves the timer.
 */
#include <libha/vrrp_ra.h>

#include <stdlib.h>
#include <sys/socket.h>

#define S UINT64_C(1000000000)
#define T0 (1000 * S)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct ha_vrrp_ra_opts o = {
	    .size = sizeof(o),
	    .address = {.family = AF_INET6, .bytes = {0xfe, 0x80, [15] = 1}},
	    .vrid = 51,
	};
	struct ha_ip source = {.family = AF_INET6};
	uint8_t frame[HA_VRRP_RA_FRAME_SIZE];
	struct ha_vrrp_ra *r;
	uint64_t before, after;
	bool answered;

	if (!len || ha_vrrp_ra_new(&o, &r) < 0)
		return 0;
	if (data[0] & 1)
		source = (struct ha_ip){.family = AF_INET6, .bytes = {0xfe, 0x80, [15] = 9}};
	ha_vrrp_ra_start(r, T0);
	if (ha_vrrp_ra_tick(r, T0, frame, sizeof(frame)) <= 0)
		abort();
	before = ha_vrrp_ra_deadline(r);
	answered = ha_vrrp_ra_solicited(r, T0 + S, &source, 255, data + 1, len - 1);
	after = ha_vrrp_ra_deadline(r);
	if (answered ? after > T0 + 7 * S / 2 || after < T0 + 3 * S : after != before)
		abort();
	ha_vrrp_ra_free(r);
	return 0;
}
