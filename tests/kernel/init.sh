#!/bin/bash
# The machine's init: what tests need of a running system; then one command, from the file that is named, or many, from the second
# serial port, as `guest_serial` sends them.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux LANG=C.UTF-8 NETWEFT_NO_REAL_MACHINES=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for folder in /dev/shm /run /tmp; do mount -t tmpfs tmpfs $folder; done
mkdir -p /run/lock /run/netns
hostname kernel
ip link set lo up
sleep 11 # vswitchd counts processors every 10 s of uptime, and before the first time finds none: nobody reads what goes up to it
if [ -n "${1:-}" ]; then
  cd /netweft && bash -c "$(cat "$1")" </dev/null
  echo "netweft: ended with $?"
  exec /bin/busybox poweroff -f
fi
modprobe -a tun openvswitch vport-vxlan vport-geneve vport-gre 8021q
exec 3<>/dev/ttyS1 # before anybody is told: what comes before it is open is lost
stty raw -echo <&3
echo "netweft: this machine is ready"
# commands are no children of the shell that reads them: it would lose what it has read of a line when one ends
while read -r token command; do
  [ -n "$running" ] && kill -9 -"$running" 2>/dev/null
  echo "$token" >&3
  running=$(setsid bash -c 'bash -c "$(echo "$2" | base64 -d)" </dev/null; echo "$1 $?"' sh "$token" "$command" >&3 2>&3 &
    echo $!)
done <&3 &
while :; do wait; sleep 1; done
