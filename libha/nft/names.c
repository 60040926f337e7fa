/* SPDX-License-Identifier: MIT */
#include <netinet/in.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nft/names.h"
#include "nl/msg.h"

/* Type 0 is the comment for tables, rules and set elements alike. */
#define USERDATA_COMMENT 0

static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : "sctp";
}

static const char *family_name(uint8_t family)
{
	return family == AF_INET6 ? "ipv6" : "ipv4";
}

/* nft(8) reads names of letters, digits, '/', '-', '_' and '.': a colon becomes '_'. */
static void address_name(const struct ha_ip *ip, char ret[HA_IP_TEXT_SIZE])
{
	if (ha_ip_format(ip, ret, HA_IP_TEXT_SIZE) < 0)
		*ret = '\0';
	for (; *ret; ret++)
		if (*ret == ':')
			*ret = '_';
}

static void put_service_name(struct writer *w, const struct ha_service_opts *s)
{
	char address[HA_IP_TEXT_SIZE], text[NFT_NAME_SIZE];

	if (s->fwmark) {
		snprintf(text, sizeof(text), "mark-%s-%u", family_name(s->address.family),
			 s->fwmark);
	} else {
		address_name(&s->address, address);
		snprintf(text, sizeof(text), "%s-%s-%u", protocol_name(s->protocol), address,
			 s->port);
	}
	write_bytes(w, text, strlen(text));
}

/* `prefix`, the service's name and, unless NULL, the destination's. */
static void put_name(const char *prefix, const struct ha_service_opts *s,
		     const struct ha_dest_opts *d, char ret[NFT_NAME_SIZE])
{
	char address[HA_IP_TEXT_SIZE], text[HA_IP_TEXT_SIZE + 8];
	struct writer w = writer_of(ret, NFT_NAME_SIZE);

	write_bytes(&w, prefix, strlen(prefix));
	put_service_name(&w, s);
	if (d) {
		address_name(&d->address, address);
		snprintf(text, sizeof(text), "-%s-%u", address, d->port);
		write_bytes(&w, text, strlen(text));
	}
	write_u8(&w, '\0');
	if (w.bad)
		*ret = '\0';
}

void nft_name_chain(const struct ha_service_opts *s, char ret[NFT_NAME_SIZE])
{
	put_name("", s, NULL, ret);
}

void nft_name_slots(const struct ha_service_opts *s, char ret[NFT_NAME_SIZE])
{
	put_name("slots-", s, NULL, ret);
}

void nft_name_dest(const struct ha_service_opts *s, const struct ha_dest_opts *d,
		   char ret[NFT_NAME_SIZE])
{
	put_name("", s, d, ret);
}

void nft_name_clients(const struct ha_service_opts *s, const struct ha_dest_opts *d,
		      char ret[NFT_NAME_SIZE])
{
	put_name("clients-", s, d, ret);
}

#define KEY_TEXT_SIZE (HA_IP_TEXT_SIZE + 16)

static void key_text(const struct ha_service_opts *s, char ret[KEY_TEXT_SIZE])
{
	char address[HA_IP_TEXT_SIZE] = "";

	if (s->fwmark) {
		snprintf(ret, KEY_TEXT_SIZE, "mark %s %u", family_name(s->address.family),
			 s->fwmark);
		return;
	}
	if (ha_ip_format(&s->address, address, sizeof(address)) < 0)
		*address = '\0';
	snprintf(ret, KEY_TEXT_SIZE, "%s %s %u", protocol_name(s->protocol), address, s->port);
}

void nft_comment_service(const struct ha_service_opts *s, const struct service_slots *slots,
			 char ret[NFT_COMMENT_SIZE])
{
	char key[KEY_TEXT_SIZE], table[40] = "";

	key_text(s, key);
	if (s->flags & HA_SERVICE_SLOTS)
		snprintf(table, sizeof(table), " slots %u %016" PRIx64, slots->n, slots->digest);
	snprintf(ret, NFT_COMMENT_SIZE, "service %s %s 0x%x %u/%u%s", key, s->scheduler, s->flags,
		 s->persistence_s, s->persistence_prefix, table);
}

void nft_comment_weight(uint32_t weight, char ret[NFT_COMMENT_SIZE])
{
	snprintf(ret, NFT_COMMENT_SIZE, "weight %u", weight);
}

/* ---- Reading ---- */

/* The words of a comment, each ended by a blank or the end. */
struct words {
	const char *at;
	bool bad;
};

static void word(struct words *w, char *ret, size_t cap)
{
	size_t len = 0;

	while (w->at[len] && w->at[len] != ' ')
		len++;
	*ret = '\0';
	if (!len || len >= cap) {
		w->bad = true;
		return;
	}
	memcpy(ret, w->at, len);
	ret[len] = '\0';
	w->at += len;
	if (*w->at)
		w->at++;
}

static uint32_t number_text(struct words *w, const char *text, int base, uint32_t max)
{
	unsigned long n;
	char *end;

	if (*text < '0' || *text > '9') {
		w->bad = true;
		return 0;
	}
	n = strtoul(text, &end, base);
	if (*end || n > max) {
		w->bad = true;
		return 0;
	}
	return (uint32_t)n;
}

static uint32_t number(struct words *w, int base, uint32_t max)
{
	char text[16];

	word(w, text, sizeof(text));
	return number_text(w, text, base, max);
}

static void read_persistence(struct words *w, struct ha_service_opts *ret)
{
	char text[24], *slash;

	word(w, text, sizeof(text));
	slash = strchr(text, '/');
	if (!slash) {
		w->bad = true;
		return;
	}
	*slash = '\0';
	ret->persistence_s = number_text(w, text, 10, HA_PERSISTENCE_MAX_S);
	ret->persistence_prefix = (uint8_t)number_text(w, slash + 1, 10, 128);
}

static void read_key(struct words *w, struct ha_service_opts *ret)
{
	char kind[8], address[HA_IP_TEXT_SIZE];

	word(w, kind, sizeof(kind));
	word(w, address, sizeof(address));
	if (!strcmp(kind, "mark")) {
		ret->address.family = !strcmp(address, "ipv6") ? AF_INET6 : AF_INET;
		ret->fwmark = number(w, 10, UINT32_MAX);
		w->bad |= !ret->fwmark;
		return;
	}
	ret->protocol = !strcmp(kind, "tcp")   ? IPPROTO_TCP
			: !strcmp(kind, "udp") ? IPPROTO_UDP
					       : IPPROTO_SCTP;
	w->bad |= ha_ip_parse(address, &ret->address) < 0;
	ret->port = (uint16_t)number(w, 10, UINT16_MAX);
}

static void expect(struct words *w, const char *what)
{
	char text[16];

	word(w, text, sizeof(text));
	w->bad |= strcmp(text, what) != 0;
}

static void read_slots(struct words *w, struct service_slots *ret)
{
	char digest[20];

	expect(w, "slots");
	ret->n = number(w, 10, HA_SLOTS_MAX);
	word(w, digest, sizeof(digest));
	ret->digest = strtoull(digest, NULL, 16);
}

bool nft_comment_read_service(const char *comment, struct ha_service_opts *ret,
			      char scheduler[HA_SERVICE_NAME_SIZE], struct service_slots *ret_slots)
{
	struct words w = {.at = comment};
	char again[NFT_COMMENT_SIZE];

	*ret_slots = (struct service_slots){0};
	*ret = (struct ha_service_opts){.size = sizeof(*ret)};
	expect(&w, "service");
	read_key(&w, ret);
	word(&w, scheduler, HA_SERVICE_NAME_SIZE);
	ret->flags = number(&w, 16, HA_SERVICE_FLAGS);
	read_persistence(&w, ret);
	ret->scheduler = scheduler;
	if (ret->flags & HA_SERVICE_SLOTS)
		read_slots(&w, ret_slots);
	if (w.bad || *w.at)
		return false;
	nft_comment_service(ret, ret_slots, again); /* the one way to write it */
	return !strcmp(comment, again);
}

bool nft_comment_read_weight(const char *comment, uint32_t *ret)
{
	struct words w = {.at = comment};
	char again[NFT_COMMENT_SIZE];

	expect(&w, "weight");
	*ret = number(&w, 10, HA_WEIGHT_MAX);
	if (w.bad || *w.at)
		return false;
	nft_comment_weight(*ret, again);
	return !strcmp(comment, again);
}

void nft_comment_put(struct writer *w, uint16_t attribute, const char *comment)
{
	uint8_t bytes[2 + NFT_COMMENT_SIZE] = {USERDATA_COMMENT};
	size_t len = strnlen(comment, NFT_COMMENT_SIZE - 1) + 1;

	bytes[1] = (uint8_t)len;
	memcpy(bytes + 2, comment, len - 1);
	nl_attr_put(w, attribute, bytes, 2 + len);
}

bool nft_comment_take(struct reader userdata, char ret[NFT_COMMENT_SIZE])
{
	while (reader_left(&userdata)) {
		uint8_t type = read_u8(&userdata), len = read_u8(&userdata);
		const uint8_t *text = read_bytes(&userdata, len);

		if (userdata.bad)
			return false;
		if (type != USERDATA_COMMENT)
			continue;
		if (!len || len > NFT_COMMENT_SIZE || text[len - 1])
			return false;
		memcpy(ret, text, len);
		return true;
	}
	return false;
}
