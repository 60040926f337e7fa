/* SPDX-License-Identifier: MIT */
/*
 * What a lying kernel says of nf_tables and connections: each reader gets the input as a message's body, with the
 * properties that a comment taken for ours is written again the same, and that a flow is asked for as it was told.
 */
#include <assert.h>
#include <string.h>

#include "nft/flow.h"
#include "nft/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void comment_survives(const char *comment)
{
	char scheduler[HA_SERVICE_NAME_SIZE], again[NFT_COMMENT_SIZE];
	struct service_slots slots;
	struct ha_service_opts s;
	uint32_t weight;

	if (nft_comment_read_service(comment, &s, scheduler, &slots)) {
		nft_comment_service(&s, &slots, again);
		assert(!strcmp(comment, again));
	}
	if (nft_comment_read_weight(comment, &weight)) {
		nft_comment_weight(weight, again);
		assert(!strcmp(comment, again));
	}
}

static void flow_survives(const struct flow *f)
{
	struct nl_batch b = {0};
	struct nl_msg msg;
	struct reader r;
	struct nl_nfgen header;
	struct nl_attr a;

	flow_put_delete(&b, f);
	assert(!b.error);
	r = reader_of(b.buf, b.len);
	assert(nl_msg_next(&r, &msg) && nl_nfgen_take(&msg.body, &header));
	assert(nl_attr_next(&msg.body, &a) && reader_left(&a.data) == reader_left(&f->tuple));
	assert(!memcmp(a.data.at, f->tuple.at, reader_left(&a.data)));
	nl_batch_fini(&b);
}

static void walk_elements(struct reader body)
{
	struct reader list;
	struct nft_element e;
	struct ha_service_opts key;
	struct ha_dest_opts dest;

	if (!nft_read_elements(body, &list))
		return;
	while (nft_read_element(&list, &e)) {
		assert(e.key_len && e.key_len <= sizeof(e.key));
		assert(memchr(e.chain, 0, sizeof(e.chain)));
		for (int kind = 0; kind < NFT_N_KINDS; kind++)
			nft_read_key(&e, (enum nft_kind)kind, &key);
		for (unsigned int group = 0; group < NFT_N_GROUPS; group++)
			nft_read_group_key(e.key, e.key_len, group, &key, &dest);
		comment_survives(e.comment);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct reader body = reader_of(data, size);
	char name[NFT_NAME_SIZE], comment[NFT_COMMENT_SIZE];
	struct nft_table table;
	struct flow f;

	if (nft_read_table(body, &table))
		comment_survives(table.comment);
	if (nft_read_rule(body, name, comment))
		comment_survives(comment);
	walk_elements(body);
	if (flow_read(body, &f))
		flow_survives(&f);
	return 0;
}
