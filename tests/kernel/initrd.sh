#!/bin/busybox sh
# The first program of the machine: the disks' driver, the root, and the checkout into it.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in $(cat /modules/order); do insmod "/modules/$module"; done
mount -t ext4 -o noatime /dev/vda /root
tar -x -f /dev/vdb -C /root/netweft
umount /sys /proc
mount --move /dev /root/dev
exec switch_root /root /bin/bash /netweft/tests/kernel/init.sh
