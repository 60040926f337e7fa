#!/bin/bash
# Inside user-mode Linux (run-uml): what is tested of libha there, one after the other in one boot, which is dear.
# usage: libha.sh IPVS_APPLY IPVS_CONFIG IPVS_TABLE ENCAP [HELLO_SERVICE]
set -u
here=$(dirname "$(realpath "$0")")
worst=0

part() { # part NAME COMMAND...: the worst is a failure, then what could not run
    local status
    "${@:2}"
    status=$?
    case $status in
    0) echo "$1: ok" ;;
    77) [ "$worst" = 1 ] || worst=77 ;;
    *) echo "$1: failed" && worst=1 ;;
    esac
}
part ipvs-apply "$here/ipvs-apply.sh" "$1" ${5:+"$5"} # the first: it begins without the module
part ipvs-config "$here/ipvs-config.sh" "$2"
part ipvs-traffic "$here/ipvs-traffic.sh" "$3"
modprobe -a ipv6 ila # the kernel does not load the latter by itself
part encap "$4" all
exit "$worst"
