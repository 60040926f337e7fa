/* SPDX-License-Identifier: MIT */
/* Names of HAProxy's that are not here (yet): so that they are told from a slip of the pen. */
#include <string.h>

#include "rules/expr.h"

/* clang-format off */
static const char *const fetches[] = {
    "acl",
    "capture.res.ver",
    "cur_server_timeout",
    "cur_tunnel_timeout",
    "distcc_body",
    "distcc_param",
    "dst_conn",
    "dst_is_local",
    "fc_conn_err",
    "fc_conn_err_str",
    "fc_dst_is_local",
    "fc_src_is_local",
    "last_rule_file",
    "last_rule_line",
    "prio_class",
    "prio_offset",
    "req.timer",
    "res.body",
    "res.body_len",
    "res.body_size",
    "res.cache_hit",
    "res.cache_name",
    "res.comp",
    "res.comp_algo",
    "sc1_clr_gpc",
    "server_id",
    "so_id",
    "so_name",
    "src_is_local",
    "srv_hdr",
    "ssl_bc_err_str",
    "ssl_fc_cipherlist_bin",
    "ssl_fc_cipherlist_hex",
    "ssl_fc_cipherlist_str",
    "ssl_fc_cipherlist_xxh",
    "ssl_fc_client_early_traffic_secret",
    "ssl_fc_client_handshake_traffic_secret",
    "ssl_fc_client_traffic_secret_0",
    "ssl_fc_early_exporter_secret",
    "ssl_fc_ecformats_bin",
    "ssl_fc_eclist_bin",
    "ssl_fc_err_str",
    "ssl_fc_exporter_secret",
    "ssl_fc_extlist_bin",
    "ssl_fc_protocol_hello_id",
    "ssl_fc_server_handshake_traffic_secret",
    "ssl_fc_server_traffic_secret_0",
    "ssl_s_chain_der",
    "stopping",
    "string",
    NULL,
};

static const char *const convs[] = {
    "when",
    "xxh3",
    "xxh32",
    NULL,
};
/* clang-format on */

static bool has(const char *const *names, struct text name)
{
	for (; *names; names++)
		if (strlen(*names) == name.len && !strncmp(*names, name.at, name.len))
			return true;
	return false;
}

bool fetch_is_known(struct text name)
{
	return has(fetches, name);
}

bool conv_is_known(struct text name)
{
	return has(convs, name);
}
