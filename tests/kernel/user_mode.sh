#!/bin/busybox sh
# The first program of a User-Mode Linux: a root of its own over the host's folder, in memory, and the checkout into it.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
for word in $(cat /proc/cmdline); do
  case $word in folder=*) folder=${word#*=} ;; lower=*) lower=${word#*=} ;; esac
done
mount -t hostfs -o "$lower" none /lower
mount -t tmpfs -o size=70% tmpfs /over
mkdir /over/upper /over/work
mount -t overlay -o lowerdir=/lower,upperdir=/over/upper,workdir=/over/work overlay /root
mount -t devtmpfs devtmpfs /root/dev
mount -t hostfs -o "$folder" none /root/mnt
tar -x -f /root/mnt/checkout.tar -C /root/netweft
umount /proc
export NETWEFT_CLOCK_STANDS_STILL=1 # while anybody computes: tests/netns/harness.py
exec switch_root /root /bin/bash /netweft/tests/kernel/init.sh /mnt/command
