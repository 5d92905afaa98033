# Runs as the first process of its own pid, mount and network namespaces. It plays the clean machine ("keeper");
# the victim is a container below it. When standard input ends (the test is gone), it ends, and the kernel
# removes every process, mount and interface with it.
set -euo pipefail
tree=$1 work=$2 name=$3 boot=$4 groups=$5
[ "$$" = 1 ] || { echo "not in a pid namespace of its own"; exit 1; }
[ "$(readlink /proc/self/ns/net)" != "$CALMA_OUTER_NET" ] || { echo "not in a network namespace of its own"; exit 1; }
[ "$(readlink /proc/self/ns/mnt)" != "$CALMA_OUTER_MNT" ] || { echo "not in a mount namespace of its own"; exit 1; }
mount --make-rprivate /
mount -t overlay "$name" -o "lowerdir=$tree,upperdir=$work/upper,workdir=$work/work,index=off,metacopy=off" "$work/root"
mount --bind "$work/home" "$(getent passwd 0 | cut -d: -f6)"
ip link set lo up
if [ "$boot" = 1 ]; then
  mkdir -p /run/netns
  mount -t tmpfs none /run/netns
  ip netns add srv
  ip link add keeper0 type veth peer name eth0 netns srv
  ip addr add 10.77.0.1/24 dev keeper0
  ip link set keeper0 up
  ip -n srv link set lo up
  ip -n srv addr add 10.77.0.2/24 dev eth0
  ip -n srv link set eth0 up
  (
    for group in $groups; do echo 0 >"$group/cgroup.procs"; done
    # Without seccomp bpf() works inside; a unified hierarchy gives freeze and pressure files.
    exec env SYSTEMD_SECCOMP=0 SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --boot --register=no --keep-unit \
      --capability=all --console=pipe --network-namespace-path=/run/netns/srv -M srv -D "$work/root"
  ) </dev/null >"$work/console" 2>&1 &
fi
echo ready
read -r _ || true
