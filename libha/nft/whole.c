/* SPDX-License-Identifier: MIT */
#include "nft/whole.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

#include "nft/ask.h"
#include "nft/digest.h"

int nft_whole_open(struct nft_whole *w, const char *table, const char *comment,
		   const struct ha_nl_transport *transport)
{
	int r;

	if (!nft_table_name_ok(table))
		return -EINVAL;
	*w = (struct nft_whole){.comment = comment};
	memcpy(w->table, table, strlen(table));
	r = nl_channel_open(&w->channel, NETLINK_NETFILTER, transport, 0);
	if (r < 0)
		return r == -EPROTONOSUPPORT ? -EOPNOTSUPP : r;
	r = nft_probe(&w->channel, &w->batch);
	if (r < 0) {
		nl_channel_give_back(&w->channel);
		nft_whole_close(w);
	}
	return r;
}

void nft_whole_close(struct nft_whole *w)
{
	nl_batch_fini(&w->batch);
	nl_channel_close(&w->channel);
}

static void keep_error(void *userdata, size_t index, int error, const char *text)
{
	int *ret = userdata;

	if (!*ret)
		*ret = error;
}

static struct nft_ruleset begin(struct nft_whole *w)
{
	struct nft_ruleset r = {.batch = &w->batch, .table = w->table};

	nl_batch_reset(&w->batch);
	nft_put_begin(&r);
	return r;
}

static void build(struct nft_whole *w, bool there, nft_whole_put *put, const void *userdata)
{
	struct nft_ruleset r = begin(w);

	if (there)
		nft_put_delete_table(&r);
	if (put) {
		put(&r, w->comment, userdata);
		nft_seal_begin(&r);
	}
	nft_put_end(&r);
}

static int transact(struct nft_whole *w)
{
	int error = 0, result = nl_transaction(&w->channel, &w->batch, keep_error, &error);

	return result > 0 ? error : result;
}

static int replace(struct nft_whole *w, bool there, nft_whole_put *put, const void *userdata)
{
	build(w, there, put, userdata);
	return transact(w);
}

static int change_in_place(struct nft_whole *w, nft_whole_change *change, const void *userdata)
{
	struct nft_ruleset r = begin(w);

	change(&r, userdata);
	nft_put_end(&r);
	return transact(w);
}

static uint64_t digest_of(struct nft_whole *w, nft_whole_put *put, const void *userdata)
{
	build(w, false, put, userdata);
	return nft_digest_bytes(NFT_DIGEST_BEGIN, w->batch.buf, w->batch.len);
}

static bool shows(struct nft_whole *w, uint64_t what)
{
	uint64_t shown;

	return !nft_digest_table(&w->channel, &w->batch, NFPROTO_INET, w->table, &shown) && shown == what;
}

/* Nobody changed anything of nf_tables, or not this table. */
static bool is_untouched(struct nft_whole *w)
{
	uint32_t generation;

	if (nft_ask_generation(&w->channel, &w->batch, &generation) < 0)
		return false;
	if (generation == w->generation)
		return true;
	if (!shows(w, w->seal.shown))
		return false;
	w->generation =
	    generation; /* of before the look: a change meanwhile is seen by the next one */
	return true;
}

/* What is there was left by another process, which said what it is: nobody was at it since. */
static void adopt(struct nft_whole *w)
{
	w->known = w->adopted = !nft_ask_generation(&w->channel, &w->batch, &w->generation) &&
				nft_seal_read(&w->channel, &w->batch, w->table, &w->seal) > 0 && shows(w, w->seal.shown);
}

/* A transaction more. Without it a successor makes the table anew. */
static void seal(struct nft_whole *w)
{
	struct nft_ruleset r = begin(w);

	nft_seal_put(&r, &w->seal);
	nft_put_end(&r);
	if (!transact(w))
		w->generation++;
}

/* `before`: the generation then. Somebody may have come between: then it is not known, and made anew the next time. */
static void look(struct nft_whole *w, uint64_t put, uint32_t before)
{
	uint32_t after;

	w->seal.put = put;
	w->known = !nft_digest_table(&w->channel, &w->batch, NFPROTO_INET, w->table, &w->seal.shown) &&
		   !nft_ask_generation(&w->channel, &w->batch, &after) && after == before + 1;
	w->adopted = false;
	w->generation = before + 1;
	if (w->known)
		seal(w);
}

/* What a change in place gets when somebody else came between. */
static bool is_other_table(int error)
{
	return error == -ENOENT || error == -EEXIST;
}

static int put_there(struct nft_whole *w, bool there, nft_whole_put *put, nft_whole_change *change, const void *userdata)
{
	if (change) {
		int r = change_in_place(w, change, userdata);

		if (!is_other_table(r))
			return r;
	}
	return replace(w, there, put, userdata);
}

int nft_whole_set(struct nft_whole *w, nft_whole_put *put, nft_whole_change *change, const void *userdata)
{
	struct nft_table table;
	int there = nft_ask_table(&w->channel, &w->batch, NFPROTO_INET, w->table, &table), r;
	uint64_t want = put ? digest_of(w, put, userdata) : 0;
	bool counted, same;
	uint32_t before;

	w->known &= put != NULL; /* one that comes back is somebody else's */
	if (there < 0 || (!there && !put))
		return there;
	if (w->batch.error)
		return w->batch.error;
	if (there && strcmp(table.comment, w->comment) != 0)
		return put ? -EEXIST : 0;
	if (there && put && !w->known)
		adopt(w);
	same = there && !table.dormant && w->known && (change || w->seal.put == want) && is_untouched(w);
	if (same && w->seal.put == want) {
		w->adopted = false;
		return 0;
	}
	before = w->generation; /* when it was looked at: what came since was not seen */
	counted = put && (same || !nft_ask_generation(&w->channel, &w->batch, &before));
	w->known = false;
	r = put_there(w, there, put, same && !w->adopted ? change : NULL, userdata);
	if (!r && counted)
		look(w, want, before);
	return r;
}
