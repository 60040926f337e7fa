/* SPDX-License-Identifier: MIT */
/* ICMP and half-open by their bytes: which packet is the answer, and whose it is. The sockets: tests/netns/health.c. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <libhealth/probe_net.h>

#include "dialogue.h"

#define NONCE UINT64_C(0x0102030405060708) /* its low half is the sequence number of a SYN */

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

static _Alignas(max_align_t) char memory[HEALTH_PROBE_STATE_MAX];
static struct health_probe *probe;
static struct dialogue d;
static struct health_probe_io io;

/* From 192.0.2.1:40000 to 192.0.2.9:80. */
static void begin(const struct health_probe_ops *ops, uint16_t family)
{
	static struct sockaddr_in local = {.sin_family = AF_INET}, remote = {.sin_family = AF_INET};

	local.sin_port = htons(40000);
	remote.sin_port = htons(80);
	inet_pton(AF_INET, "192.0.2.1", &local.sin_addr);
	inet_pton(AF_INET, "192.0.2.9", &remote.sin_addr);
	assert_int_equal(health_probe_new(ops, NULL, &probe), 0);
	dialogue_init(&d, probe, memory);
	d.family = family;
	d.nonce = NONCE;
	d.local = (struct sockaddr *)&local;
	d.remote = (struct sockaddr *)&remote;
	assert_int_equal(dialogue_open(&d, 1, &io), HEALTH_STEP_MORE);
}

static void end(void)
{
	dialogue_fini(&d);
	health_probe_free(probe);
}

static enum health_step hear(const void *packet, size_t len)
{
	return dialogue_received(&d, packet, len, 1, &io);
}

/* RFC 1071, slow and obvious. */
static uint16_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* ---- half-open ---- */

static void a_syn_has_ports_sequence_size_and_sum(void **state)
{
	static const uint8_t golden[] = {
	    0x9c, 0x40, 0, 80, /* ports */
	    5,	  6,	7, 8,  /* sequence */
	    0,	  0,	0, 0,  /* acknowledges nothing */
	    0x60, SYN,	4, 0,  /* 24 bytes of header, window 1024 */
	};
	static const uint8_t mss[] = {2, 4, 536 >> 8, 536 & 0xff};
	const uint8_t pseudo[] = {192, 0, 2, 1, 192, 0, 2, 9, 0, IPPROTO_TCP, 0, 24};
	const uint8_t *syn;

	begin(health_probe_half_open(), AF_INET6); /* no IP header in what is heard */
	syn = io.send;
	assert_int_equal(io.send_len, 24);
	assert_memory_equal(syn, golden, sizeof(golden));
	assert_memory_equal(syn + 20, mss, sizeof(mss));
	assert_int_equal(sum_of(syn, 24, sum_of(pseudo, sizeof(pseudo), 0)), 0xffff);
	end();
}

/* What the server would answer: change what you like. */
static const uint8_t syn_ack[20] = {0, 80, 0x9c, 0x40, 9, 9, 9, 9, 5, 6, 7, 9, 0x50, SYN | ACK};

static void only_an_answer_to_this_syn_counts(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {
	    {0, 1},  {1, 81},  {2, 0},	  {3, 0x41}, {8, 0},
	    {11, 8}, {11, 10}, {13, SYN}, {13, RST}, {13, ACK},
	};
	uint8_t packet[20];

	begin(health_probe_half_open(), AF_INET6);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		memcpy(packet, syn_ack, sizeof(packet));
		packet[wrong[i].at] = wrong[i].value;
		assert_int_equal(hear(packet, sizeof(packet)), HEALTH_STEP_MORE);
	}
	assert_int_equal(hear(syn_ack, 13), HEALTH_STEP_MORE); /* its flags are cut off */
	assert_int_equal(hear(syn_ack, sizeof(syn_ack)), HEALTH_STEP_DONE);
	assert_int_equal(io.verdict, HEALTH_OK);
	assert_int_equal(io.code, HEALTH_CODE_L4OK);
	end();
}

static void a_reset_is_a_refusal_and_silence_a_timeout(void **state)
{
	uint8_t packet[24 + 20] = {0x46}; /* IPv4: its header comes along, here with an option */

	memcpy(packet + 24, syn_ack, sizeof(syn_ack));
	packet[24 + 13] = RST | ACK;
	begin(health_probe_half_open(), AF_INET);
	assert_int_equal(hear(packet, sizeof(packet)), HEALTH_STEP_DONE);
	assert_int_equal(io.verdict, HEALTH_FAIL);
	assert_int_equal(io.code, HEALTH_CODE_L4CON);
	end();
	begin(health_probe_half_open(), AF_INET);
	dialogue_timeout(&d, 2, &io);
	assert_int_equal(io.verdict, HEALTH_FAIL);
	assert_int_equal(io.code, HEALTH_CODE_L4TOUT);
	end();
}

/* ---- ICMP ---- */

static void an_echo_has_a_token_of_its_own(void **state)
{
	uint8_t first[8 + HEALTH_ICMP_PAYLOAD_DEFAULT];

	begin(health_probe_icmp(), AF_INET);
	assert_int_equal(io.send_len, sizeof(first));
	memcpy(first, io.send, sizeof(first));
	assert_int_equal(first[0], 8);
	assert_int_equal(first[1], 0);
	assert_int_equal(sum_of(first, sizeof(first), 0), 0xffff);
	d.nonce++;
	assert_int_equal(dialogue_open(&d, 1, &io), HEALTH_STEP_MORE);
	assert_memory_not_equal(first + 8, (const uint8_t *)io.send + 8, 8);
	end();
}

/* Requests of this host, and replies to another check, are heard as well. */
static void only_the_echo_of_this_check_counts(void **state)
{
	static const struct {
		uint16_t family;
		uint8_t request, reply;
	} rows[] = {{AF_INET, 8, 0}, {AF_INET6, 128, 129}};

	for (size_t i = 0; i < 2; i++) {
		uint8_t packet[8 + HEALTH_ICMP_PAYLOAD_DEFAULT];

		begin(health_probe_icmp(), rows[i].family);
		memcpy(packet, io.send, sizeof(packet));
		assert_int_equal(packet[0], rows[i].request);
		assert_int_equal(hear(packet, sizeof(packet)), HEALTH_STEP_MORE);
		packet[0] = rows[!i].reply; /* of the other family */
		assert_int_equal(hear(packet, sizeof(packet)), HEALTH_STEP_MORE);
		packet[0] = rows[i].reply;
		packet[15]++;
		assert_int_equal(hear(packet, sizeof(packet)), HEALTH_STEP_MORE);
		packet[15]--;
		assert_int_equal(hear(packet, 15), HEALTH_STEP_MORE);
		assert_int_equal(hear(packet, sizeof(packet)), HEALTH_STEP_DONE);
		assert_int_equal(io.verdict, HEALTH_OK);
		assert_int_equal(io.code, HEALTH_CODE_L4OK);
		end();
	}
}

static void the_size_of_an_echo_has_limits(void **state)
{
	struct health_icmp_opts o = {.size = sizeof(o)};

	o.payload_bytes = 7;
	assert_int_equal(health_probe_new(health_probe_icmp(), &o, &probe), -EINVAL);
	o.payload_bytes = HEALTH_ICMP_PAYLOAD_MAX + 1;
	assert_int_equal(health_probe_new(health_probe_icmp(), &o, &probe), -EINVAL);
	o.payload_bytes = 8;
	assert_int_equal(health_probe_new(health_probe_icmp(), &o, &probe), 0);
	health_probe_free(probe);
	o.payload_bytes = HEALTH_ICMP_PAYLOAD_MAX;
	assert_int_equal(health_probe_new(health_probe_icmp(), &o, &probe), 0);
	health_probe_free(probe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_syn_has_ports_sequence_size_and_sum),
	    cmocka_unit_test(only_an_answer_to_this_syn_counts),
	    cmocka_unit_test(a_reset_is_a_refusal_and_silence_a_timeout),
	    cmocka_unit_test(an_echo_has_a_token_of_its_own),
	    cmocka_unit_test(only_the_echo_of_this_check_counts),
	    cmocka_unit_test(the_size_of_an_echo_has_limits),
	};

	return cmocka_run_group_tests_name("health/probe_net", tests, NULL, NULL);
}
