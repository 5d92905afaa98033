//! Clusters whose other members act when this one falls silent.

use super::sight::holds;
use super::{Concern, Known, Sight, Weight, running};

const TABLE: &[Known] = &[
    Known {
        programs: &["pacemakerd", "corosync", "pacemaker-controld"],
        weight: Weight::Destroys,
        what: "it is a node of a Pacemaker cluster",
        consequence: "the other nodes fence it: its power is cut, memory and whatever was not on disk are gone, and its services start elsewhere",
        outside: "on another node: pcs property set maintenance-mode=true and pcs property set stonith-enabled=false",
    },
    Known {
        programs: &["sbd"],
        weight: Weight::Destroys,
        what: "a fencing daemon (sbd) runs",
        consequence: "it resets this machine by its own watchdog when the cluster or its disk is out of reach",
        outside: "put the cluster into maintenance mode, and stop sbd on all nodes before cutting",
    },
    Known {
        programs: &["keepalived"],
        weight: Weight::Breaks,
        what: "it shares an address with others (keepalived, VRRP)",
        consequence: "the shared address moves to the next machine, which may be compromised in the same way",
        outside: "decide which machine takes over: lower this one's priority, and look at the others first",
    },
    Known {
        programs: &["patroni"],
        weight: Weight::Destroys,
        what: "it is a member of a Patroni cluster (PostgreSQL)",
        consequence: "another member takes over, and this one's database is rewound or copied anew when it comes back: evidence in it is lost",
        outside: "patronictl pause --wait on another member",
    },
    Known {
        programs: &["repmgrd"],
        weight: Weight::Breaks,
        what: "it is watched by repmgr (PostgreSQL)",
        consequence: "a standby is promoted, and two servers believe to be the first when this one returns",
        outside: "repmgr service pause on another member",
    },
    Known {
        programs: &["etcd"],
        weight: Weight::Breaks,
        what: "it is a member of an etcd cluster",
        consequence: "with one member less the cluster may have no majority, and everything that asks it stops",
        outside: "etcdctl endpoint status --cluster on another member; remove this member only if the rest is a majority",
    },
    Known {
        programs: &["ceph-osd", "ceph-mon", "ceph-mgr", "ceph-mds"],
        weight: Weight::Breaks,
        what: "it serves Ceph storage",
        consequence: "after ten minutes its disks count as lost and all their data is copied between the others",
        outside: "ceph osd set noout, and see that the remaining monitors are a majority",
    },
    Known {
        programs: &["glusterd", "glusterfsd"],
        weight: Weight::Breaks,
        what: "it serves GlusterFS storage",
        consequence: "volumes without another copy stop; those with one heal when it returns, and may carry its files over",
        outside: "gluster volume heal VOLUME info on another server; keep this one from healing when it returns",
    },
    Known {
        programs: &["consul"],
        weight: Weight::Breaks,
        what: "it is a member of a Consul cluster",
        consequence: "its services are marked critical and taken out, some for good (deregister_critical_service_after)",
        outside: "consul maint -enable on this node, seen from another",
    },
    Known {
        programs: &["nomad"],
        weight: Weight::Destroys,
        what: "it runs jobs for Nomad",
        consequence: "the jobs start elsewhere and are stopped here when it returns; their folders are removed",
        outside: "nomad node eligibility -disable NODE; keep the allocations' folders first",
    },
    Known {
        programs: &["redis-sentinel", "rabbitmq-server", "zookeeper"],
        weight: Weight::Breaks,
        what: "it is a member of a cluster (Redis Sentinel, RabbitMQ or ZooKeeper)",
        consequence: "another member takes over, or there is no majority",
        outside: "look at the other members first, and see that the rest is a majority",
    },
];

pub(super) fn check(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    running(sight, TABLE, concerns);
    galera(sight, concerns);
    if sight.there("/proc/drbd") || sight.there("/sys/kernel/debug/drbd") {
        concerns.push(Concern::new(
            Weight::Breaks,
            "its disks are mirrored over the network (DRBD)",
            "/proc/drbd",
            "the two sides part; whoever is chosen later overwrites the other",
            "drbdadm disconnect on the other side, so that neither resynchronises by itself",
        ));
    }
    if sight.there("/var/lib/docker/swarm/docker-state.json") {
        concerns.push(Concern::new(
            Weight::Destroys,
            "it is a node of a Docker swarm",
            "/var/lib/docker/swarm",
            "its tasks start elsewhere, and their containers here are removed when it returns",
            "docker node update --availability pause NODE on a manager",
        ));
    }
}

/// Galera has no program of its own: a setting of the database server tells.
fn galera(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    if !sight.running.iter().any(|process| process.is(&["mysqld", "mariadbd"])) {
        return;
    }
    let folders = ["/etc/mysql", "/etc/mysql/conf.d", "/etc/mysql/mariadb.conf.d", "/etc/my.cnf.d", "/etc"];
    for (path, bytes) in folders.iter().flat_map(|folder| sight.files(folder, ".cnf")) {
        let set = bytes.split(|byte| *byte == b'\n').any(|line| {
            let line = line.trim_ascii();
            line.starts_with(b"wsrep_cluster_address")
                && holds(line, "gcomm://")
                && !line.ends_with(b"gcomm://")
        });
        if set {
            concerns.push(Concern::new(
                Weight::Destroys,
                "its database is a member of a Galera cluster",
                path,
                "it leaves the cluster, and when it returns its whole database may be copied anew from another: evidence in it is lost",
                "SHOW STATUS LIKE 'wsrep_cluster_size' on another member; keep a copy of the data folder before it returns",
            ));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::preflight::tests::{process, table};
    use calma_host::Mem;

    #[test]
    fn members_of_clusters_are_known_by_what_runs() {
        let run = |program: &str| process(Mem::running(), 4, program, &[]);
        let galera =
            |line: &str| run("/usr/sbin/mariadbd").file("/etc/mysql/mariadb.conf.d/60-galera.cnf", line);
        table(vec![
            (run("/usr/sbin/corosync"), &["Destroys", "maintenance-mode=true"]),
            (run("/usr/sbin/keepalived"), &["VRRP"]),
            (
                process(Mem::running(), 4, "/usr/bin/python3", &["/usr/bin/patroni", "/etc/p.yml"]),
                &["patronictl pause"],
            ),
            (run("/usr/bin/etcd"), &["majority"]),
            (run("/usr/bin/ceph-osd"), &["noout"]),
            (run("/usr/bin/etcdctl"), &[]),
            (run("/usr/sbin/mariadbd"), &[]),
            (galera("[galera]\nwsrep_cluster_address = gcomm://a,b,c\n"), &["Galera", "60-galera.cnf"]),
            (galera("#wsrep_cluster_address = gcomm://a,b,c\n"), &[]),
            (Mem::running().file("/var/lib/docker/swarm/docker-state.json", "{}"), &["swarm"]),
        ]);
    }
}
