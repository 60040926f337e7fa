/* SPDX-License-Identifier: MIT */
/* The built-in algorithms: one file per family, one line here and one in algos.c. */
#ifndef LIBSCHED_ALGOS_H
#define LIBSCHED_ALGOS_H

#include "libsched/snapshot.h"

extern const struct lb_algo algo_roundrobin;		     /* roundrobin.c */
extern const struct lb_algo algo_leastconn, algo_least_conn; /* a file each */
extern const struct lb_algo algo_rr;			     /* rr.c */
extern const struct lb_algo algo_wrr;			     /* wrr.c */
extern const struct lb_algo algo_lc, algo_wlc;		     /* lc.c */
extern const struct lb_algo algo_sed, algo_nq;		     /* sed.c */
extern const struct lb_algo algo_fo, algo_ovf;		     /* fo.c */
extern const struct lb_algo algo_sh, algo_dh;		     /* sh.c */
extern const struct lb_algo algo_mh;			     /* mh.c */
extern const struct lb_algo algo_lblc, algo_lblcr;	     /* lblc.c */
extern const struct lb_algo algo_static_rr;		     /* static_rr.c */
extern const struct lb_algo algo_first;			     /* first.c */
extern const struct lb_algo algo_random, algo_twos;	     /* random.c */
extern const struct lb_algo algo_maglev;		     /* maglev.c */

extern const struct lb_algo algo_hash, algo_bounded;	   /* hashed.c */
extern const struct lb_algo algo_smooth_wrr;		   /* smooth_wrr.c */
extern const struct lb_algo algo_ip_hash, algo_nginx_hash; /* nginx_hash.c */
extern const struct lb_algo algo_ketama;		   /* nginx_hash.c */
extern const struct lb_algo algo_p2c, algo_jiq;		   /* a file each, as those that follow */
extern const struct lb_algo algo_peak_ewma, algo_prequal;
extern const struct lb_algo algo_anchor, algo_dx, algo_jump;
extern const struct lb_algo algo_f5_round_robin; /* f5.c */
extern const struct lb_algo algo_f5_least_member, algo_f5_least_node;
extern const struct lb_algo algo_f5_ratio_least_member, algo_f5_ratio_least_node;
extern const struct lb_algo algo_f5_weighted_least_member, algo_f5_weighted_least_node;
extern const struct lb_algo algo_f5_least_sessions;
extern const struct lb_algo algo_f5_observed_member, algo_f5_observed_node; /* f5_ratio.c */
extern const struct lb_algo algo_f5_predictive_member, algo_f5_predictive_node;

/* Their usual ways: usual.h. */
extern const struct usual usual_fo, usual_lc, usual_least_member, usual_least_node,
    usual_least_sessions, usual_least_conn, usual_leastconn, usual_maglev, usual_nq, usual_ovf,
    usual_p2c, usual_ratio_least_member, usual_ratio_least_node, usual_roundrobin, usual_rr,
    usual_sed, usual_smooth_wrr, usual_weighted_least_member, usual_weighted_least_node, usual_wlc,
    usual_wrr;

#endif
