#!/bin/sh
# exits.sh VIPD PROXYD LBCTL: a start that cannot be has one message, with what, where and what to do, and
# the exit code of keepalived or HAProxy.
set -u
vipd=$1 proxyd=$2 lbctl=$3
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0

# expect CODE "TEXT" COMMAND...: one line of output has TEXT.
expect() {
    code=$1 text=$2
    shift 2
    got=$(timeout 20 "$@" 2>&1 </dev/null)
    status=$?
    if [ $status -ne "$code" ] || [ "$(printf '%s\n' "$got" | grep -cF -- "$text")" -ne 1 ]; then
        printf 'FAILED %s\nexit %s, expected %s and once "%s":\n%s\n' "$*" $status "$code" "$text" "$got"
        failed=1
    fi
}

cat >one.cfg <<'END'
defaults
    mode tcp
    timeout connect 1s
    timeout client 1s
    timeout server 1s
listen one
    bind unix@one.sock
    server a 127.0.0.1:1
END
sed 's|unix@one.sock|127.0.0.1:38999 interface none9|' one.cfg >interface.cfg

expect 6 'cannot read the configuration none.conf: No such file or directory. Name another one with -f' \
    "$vipd" -n -l -G -f none.conf
expect 4 'none.conf: error: cannot read the configuration: No such file or directory' "$vipd" -t -f none.conf
expect 4 'Is a directory' "$vipd" -t -f .
printf 'vrrp_instance A {\n interface none9\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.1\n }\n track_interface {\n vrrp.2\n }\n}\n' >absent.conf
printf 'vrrp_instance B {\n interface none9\n use_vmac\n virtual_router_id 2\n virtual_ipaddress {\n 10.0.0.2\n }\n}\n' >>absent.conf
expect 0 'absent.conf:2:12: notice: there is no interface "none9" on this host' "$vipd" -t -f absent.conf
"$vipd" -t -f absent.conf 2>&1 | grep -q 'vrrp\.2' && echo "FAILED: vipd makes vrrp.2 itself" && failed=1
# Which part of a script's path others may change, who owns it, and its mode; the same as JSON.
printf '#!/bin/sh\n' >open.sh
chmod 722 open.sh
cat >open.conf <<END
vrrp_instance VI_1 {
    interface lo
    virtual_router_id 1
    virtual_ipaddress {
        10.0.0.1
    }
    notify_master $PWD/open.sh
}
END
expect 6 "script $PWD/open.sh may be changed by others than root: $PWD/open.sh (owner $(id -u), mode 0722). Use chown root and chmod go-w" \
    "$vipd" -t -f open.conf
sed '1i global_defs { enable_script_security }' open.conf >secure.conf
expect 5 "mode 0722). It is not run, as enable_script_security says. Use chown root and chmod go-w" "$vipd" -t -f secure.conf
"$vipd" -t --json -f open.conf >open.json
python3 - <<'PYTHON' || {
import json
d = json.load(open("open.json"))
f = d["findings"][0]
assert sorted(d) == ["exit_code", "file", "findings", "more", "verdict"] and len(d["findings"]) == 1
assert (d["file"], d["exit_code"], d["more"], type(d["verdict"])) == ("open.conf", 6, 0, str)
assert (f["level"], f["file"], f["line"], f["column"]) == ("warning", "open.conf", 7, 19) and "mode 0722" in f["message"]
PYTHON
    echo "FAILED vipd -t --json"
    cat open.json
    failed=1
}
# Whole findings or an error; of a short text all is written at the end.
printf 'vrrp_instance A {\n interface lo\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n' >lo.conf
expect 1 'vipd: cannot write to "/dev/full": No space left on device' "$vipd" -t/dev/full -f lo.conf
expect 1 'vipd: cannot write to "/dev/full": No space left on device' "$vipd" -t/dev/full --json -f open.conf
expect 1 'vipd: cannot write to "stdout": No space left on device' sh -c '"$0" -t --json -f lo.conf >/dev/full' "$vipd"
expect 1 'cannot write to stdout: No space left on device' sh -c '"$0" -c --json -f one.cfg >/dev/full' "$proxyd"
expect 1 'cannot write to stdout: ' sh -c '"$0" --migrate -f one.cfg >/dev/full' "$proxyd"
expect 1 'none.cfg: error: cannot read this file: No such file or directory' "$proxyd" -c -f none.cfg
expect 1 'no configuration: write proxyd -f FILE' "$proxyd"
expect 1 'cannot write the pid file /dev/full: No space left on device. Name another one with -p' \
    "$proxyd" -f one.cfg -p /dev/full
expect 1 'cannot write the pid file none/x: No such file or directory. Name another one with -p' \
    "$proxyd" -f one.cfg -p none/x
expect 1 'interface.cfg:7:10: cannot listen on 127.0.0.1:38999@none9' "$proxyd" -f interface.cfg
sed 's/^ *bind .*/ bind 192.0.2.77:1/' interface.cfg >foreign.cfg
expect 1 'cannot listen on 192.0.2.77:1: Cannot assign requested address. No interface has this address.' "$proxyd" -f foreign.cfg
printf 'global\n stats socket /tmp/none.sock\n' >socket.cfg
expect 0 'Configuration file is valid' "$proxyd" -c -f socket.cfg
expect 1 'cannot change to none: No such file or directory' "$proxyd" -C none -f one.cfg
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    printf 'vrrp_instance A {\n interface lo\n virtual_router_id 1\n virtual_ipaddress { 10.0.0.1 }\n}\n' >one.conf
    # keepalived locks no file; beside it vipd would take its addresses away.
    cp "$(command -v sleep)" keepalived
    ./keepalived 60 &
    echo $! >beside.pid
    for _ in $(seq 300); do
        case $(readlink /proc/$!/exe) in */keepalived) break ;; esac
        sleep 0.1
    done
    expect 1 "keepalived is running: process $!, by beside.pid. Stop it first" "$vipd" -n -l -G -f one.conf -p beside.pid -r r -c c
    [ "$(cat beside.pid)" = $! ] || failed=1
    kill $!
    expect 4 'run as root, or with CAP_NET_ADMIN and CAP_NET_RAW' \
        setpriv --bounding-set -all --inh-caps -all "$vipd" -n -l -G -f one.conf -p p -r r -c c
fi
expect 2 'there is no command "bogus": lbctl --help lists them' "$lbctl" bogus
expect 2 'there is no command "stats": did you mean status?' "$lbctl" stats
expect 2 'there is no command "sta": did you mean status?' "$lbctl" sta
expect 2 "lbctl: invalid option -- 'x'" "$lbctl" -x
expect 0 'Usage: lbctl [OPTION]... drain ADDRESS:PORT [--in NAME]' "$lbctl" drain --help
expect 2 'write lbctl drain ADDRESS:PORT' "$lbctl" -s none drain
expect 1 'cannot connect to none: No such file or directory. Does vipd run?' "$lbctl" -s none status
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("dead.sock")'
expect 1 'Connection refused. The socket was left by a vipd that is dead: systemctl start vipd' "$lbctl" -s dead.sock status
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    chmod 0600 dead.sock
    expect 1 "Permission denied. The socket is root's: sudo lbctl" setpriv --reuid 65534 --bounding-set -all --inh-caps -all "$lbctl" -s dead.sock status
fi
exit $failed
