/* SPDX-License-Identifier: MIT */
#include "vrrp/filter.h"

#include <assert.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#define AH_SIZE 24 /* with 96 bits of ICV, as it is sent: another size is of no use to us */
#define PROTOCOL_VRRP 112
#define PROTOCOL_ICMPV6 58
#define NEIGHBOUR_ADVERTISEMENT 136
#define ETHER 14 /* bytes before a packet in a frame */

static void put(struct vrrp_filter *f, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	assert(f->n < VRRP_FILTER_MAX);
	f->at[f->n++] = (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = k};
}

static void load(struct vrrp_filter *f, uint16_t size_and_mode, uint32_t k)
{
	put(f, (uint16_t)(BPF_LD | size_and_mode), k, 0, 0);
}

static void drop(struct vrrp_filter *f)
{
	put(f, BPF_RET | BPF_K, 0, 0, 0);
}

static void drop_unless_equal(struct vrrp_filter *f, uint32_t value)
{
	put(f, BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
	drop(f);
}

static void drop_if_type(struct vrrp_filter *f, uint8_t packet_type)
{
	load(f, BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
	put(f, BPF_JMP | BPF_JEQ | BPF_K, packet_type, 0, 1);
	drop(f);
}

/* The byte is in A: passes if it is in the set. Its upper bits choose the word, its lower ones the bit. */
static void pass_if_in(struct vrrp_filter *f, const struct vrrp_byte_set *set)
{
	unsigned words = 0, done = 0;

	for (unsigned i = 0; i < 8; i++)
		words += set->word[i] != 0;
	put(f, BPF_ST, 0, 0, 0);
	put(f, BPF_ALU | BPF_AND | BPF_K, 31, 0, 0);
	put(f, BPF_MISC | BPF_TAX, 0, 0, 0);
	load(f, BPF_MEM, 0);
	put(f, BPF_ALU | BPF_RSH | BPF_K, 5, 0, 0);
	for (unsigned i = 0; i < 8; i++) {
		if (!set->word[i])
			continue;
		done++;
		put(f, BPF_JMP | BPF_JEQ | BPF_K, i, 0, 2);
		load(f, BPF_IMM, set->word[i]);
		put(f, BPF_JMP | BPF_JA, 3 * (words - done) + 1, 0, 0); /* over the rest */
	}
	drop(f);
	put(f, BPF_ALU | BPF_RSH | BPF_X, 0, 0, 0);
	put(f, BPF_ALU | BPF_AND | BPF_K, 1, 0, 0);
	drop_unless_equal(f, 1);
	put(f, BPF_RET | BPF_K, UINT32_MAX, 0, 0);
}

/* The kernel gives raw sockets of IPv4 the IP header, too; those of IPv6 begin behind it. */
void vrrp_filter_adverts(uint8_t family, bool ah, const struct vrrp_byte_set *vrids,
			 struct vrrp_filter *ret)
{
	uint32_t vrid_at = ah ? AH_SIZE + 1 : 1;

	ret->n = 0;
	drop_if_type(ret, PACKET_LOOPBACK);
	if (family == AF_INET6) {
		load(ret, BPF_B | BPF_ABS, 1);
	} else {
		put(ret, BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0);
		if (ah) {
			load(ret, BPF_B | BPF_IND, 0);
			drop_unless_equal(ret, PROTOCOL_VRRP);
		}
		load(ret, BPF_B | BPF_IND, vrid_at);
	}
	pass_if_in(ret, vrids);
}

void vrrp_filter_sights(uint8_t family, const struct vrrp_byte_set *last_bytes,
			struct vrrp_filter *ret)
{
	ret->n = 0;
	drop_if_type(ret, PACKET_OUTGOING);
	if (family == AF_INET6) {
		load(ret, BPF_B | BPF_ABS, ETHER + 6);
		drop_unless_equal(ret, PROTOCOL_ICMPV6);
		load(ret, BPF_B | BPF_ABS, ETHER + 40);
		drop_unless_equal(ret, NEIGHBOUR_ADVERTISEMENT);
		load(ret, BPF_B | BPF_ABS, ETHER + 40 + 8 + 15); /* target address */
	} else {
		load(ret, BPF_B | BPF_ABS, ETHER + 14 + 3); /* sender protocol address */
	}
	pass_if_in(ret, last_bytes);
}
