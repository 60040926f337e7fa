/* SPDX-License-Identifier: MIT */
/* Names of HAProxy's that are not here (yet): so that they are told from a slip of the pen. */
#include <string.h>

#include "rules/expr.h"

/* clang-format off */
static const char *const fetches[] = {
    "avg_queue", "be_conn_free", "be_sess_rate", "connslots", "fe_sess_rate", "srv_is_up",
    "srv_queue", "srv_weight", "srv_conn", "srv_id", "bc_dst", 
    "req.body", "req.body_len", "req.body_param",
    "base32+src", "bc_err", "bc_err_str", "bc_http_major", "bc_src", 
    
    "capture.res.ver", "cpu_calls", "cpu_ns_avg", "cpu_ns_tot", "distcc_body", "fc_conn_err",
    "fc_conn_err_str", "fc_pp_authority", "fc_pp_unique_id", "fc_rcvd_proxy", "fc_rtt", "fc_rttvar",
    "fe_req_rate", "last_rule_file", "last_rule_line",
    "lat_ns_avg", "lat_ns_tot", "meth", "nbproc", "proc",
    "req.hdrs", "req.hdrs_bin", 
    
    "req.timer",
    "res.body",
    "res.body_size", "res.cache_hit", "res.cache_name", "res.comp", "res.comp_algo", 
    
    
    
    
    
    "sc_get_gpc",
    
    "sc_inc_gpc", 
    "server_id", "so_id", "so_name", 
    
    
    "src_is_local", 
    "src_updt_conn_cnt", "srv_conn_free", "srv_hdr", "srv_iweight",
    "srv_sess_rate", "srv_uweight",
    "string", "thread",
    "txn.status", "url32+src", "url_ip", "url_port",
    NULL,
};

static const char *const convs[] = {
    "add_item", "aes_gcm_dec", "aes_gcm_enc", "be2dec", "be2hex", "c-http-major", 
    "crc32c", "debug", "digest", "fix_is_valid", "fix_tag_value", "hmac",
    "htonl", "js", "json_query", "jwt_header_query", "jwt_payload_query",
    "jwt_verify", "language", 
    
    "md5", "mqtt_field_value", "mqtt_is_valid", "ms_ltime", "ms_utime",
    "protobuf", "q", "rfc7239_field", "rfc7239_is_valid", "rfc7239_n2nn",
    "rfc7239_n2np", "sha1", "sha2", "srv_queue", 
    "table_expire", 
    
    "table_idle", 
    "ungrpc", "us_ltime", "us_utime", "when", "x509_v_err_str", "xxh3", "xxh32", "xxh64",
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
