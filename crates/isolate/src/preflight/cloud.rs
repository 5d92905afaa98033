//! Clouds that replace a server that does not answer: autoscaling, managed groups, health checks, the provider's agents.

use super::sight::holds;
use super::{Concern, Known, Sight, Weight, running};
use crate::external::{Provider, provider};

/// Who asks a web server whether it lives, by the words in its log.
const CHECKERS: &[(&str, &str)] = &[
    ("ELB-HealthChecker", "an Amazon load balancer"),
    ("GoogleHC", "a Google load balancer"),
    ("Load Balancer Agent", "an Azure load balancer"),
    ("Amazon-Route53-Health-Check-Service", "Amazon's name service"),
    ("kube-probe/", "a Kubernetes node"),
    ("Consul Health Check", "Consul"),
    ("hcloud", "a Hetzner load balancer"),
    ("UptimeRobot", "an uptime service"),
];

/// Logs of web servers.
const LOGS: &[&str] = &[
    "/var/log/nginx/access.log",
    "/var/log/apache2/access.log",
    "/var/log/httpd/access_log",
    "/var/log/haproxy.log",
    "/var/log/caddy/access.log",
];

/// Agents of providers.
const AGENTS: &[Known] = &[
    Known {
        programs: &["amazon-ssm-agent", "ssm-agent-worker"],
        weight: Weight::Breaks,
        what: "Amazon's Systems Manager agent runs",
        consequence: "commands and sessions through it end, and automation may act on an instance it no longer reaches",
        outside: "take the instance out of maintenance windows and automations; have the serial console ready",
    },
    Known {
        programs: &["google_guest_agent", "google-guest-agent", "GCEGuestAgent"],
        weight: Weight::Note,
        what: "Google's guest agent runs",
        consequence: "ssh keys given in the console no longer arrive",
        outside: "enable the serial console with a local password, or use your own key",
    },
    Known {
        programs: &["waagent", "WALinuxAgent"],
        weight: Weight::Breaks,
        what: "Azure's guest agent runs",
        consequence: "it reports no longer; extensions and backups fail, and automatic repair of a scale set may replace the VM",
        outside: "set automatic repairs of the scale set to disabled, and protect the instance from scale-in",
    },
    Known {
        programs: &["ecs-agent", "amazon-ecs-agent", "agent-ecs"],
        weight: Weight::Destroys,
        what: "a container agent of Amazon ECS runs",
        consequence: "the cluster starts the tasks elsewhere and stops them here: containers and their files are removed",
        outside: "aws ecs update-container-instances-state --status DRAINING only after the containers are kept",
    },
    Known {
        programs: &["codedeploy-agent"],
        weight: Weight::Note,
        what: "a deployment agent runs",
        consequence: "a deployment that needs this server fails, and may roll back on others",
        outside: "stop deployments to this group",
    },
];

pub(super) fn check(sight: &Sight<'_>, concerns: &mut Vec<Concern>) {
    running(sight, AGENTS, concerns);
    let (provider, place) = provider(sight.host);
    let outside = match provider {
        Some(Provider::Amazon) => {
            "aws autoscaling describe-auto-scaling-instances --instance-ids ID; if it is in a group: aws autoscaling \
             enter-standby --should-decrement-desired-capacity …; then aws ec2 modify-instance-attribute \
             --disable-api-termination, and snapshot its volumes"
        }
        Some(Provider::Google) => {
            "gcloud compute instances describe NAME (created-by); if it is in a managed group: gcloud compute \
             instance-groups managed abandon-instances …; then --deletion-protection, and snapshot its disks"
        }
        Some(Provider::Azure) => {
            "if it is in a scale set: az vmss update --set automaticRepairsPolicy.enabled=false and --protect-from-scale-in; \
             a CanNotDelete lock; snapshot its disks"
        }
        Some(Provider::OpenStack) => {
            "if Heat, Senlin or Masakari watch it: openstack segment host update --on_maintenance True SEGMENT HOST; openstack server lock; \
             snapshot"
        }
        _ => "",
    };
    if !outside.is_empty() {
        let name = provider.map_or("a cloud", Provider::name);
        concerns.push(Concern::new(
            Weight::Destroys,
            format!("this is a virtual machine at {name}"),
            place,
            "if it belongs to a group that replaces members that do not answer, it is ended and its disk deleted within minutes",
            outside,
        ));
    }
    for (log, who) in health_checkers(sight) {
        concerns.push(Concern::new(
            Weight::Destroys,
            format!("{who} asks this server whether it lives"),
            log,
            "it finds it dead, sends users elsewhere, and whoever listens to it may restart or replace the server",
            "take the server out of the pool by hand first, with automatic replacement suspended",
        ));
    }
    for data in ["/var/lib/cloud/instance/user-data.txt", "/var/lib/cloud/instance/scripts/part-001"] {
        let Some(bytes) = sight.file(data) else { continue };
        if ["cfn-signal", "bootstrap.sh", "ECS_CLUSTER", "nodeadm"].iter().any(|word| holds(&bytes, word)) {
            concerns.push(Concern::new(
                Weight::Destroys,
                "its first-boot script belongs to a group of servers that are made and unmade by a machine",
                data,
                "such servers are usually replaced when they do not answer",
                "suspend the group's replacing of members, or take this one out of the group",
            ));
        }
    }
}

/// Who asks a web server here whether it lives: the log, and who.
pub fn health_checkers(sight: &Sight<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for log in LOGS {
        let Some(bytes) = sight.file(log) else { continue };
        let who = CHECKERS.iter().filter(|(word, _)| holds(&bytes, word));
        found.extend(who.map(|(_, who)| ((*log).to_owned(), (*who).to_owned())));
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::preflight::tests::{process, table};
    use calma_host::Mem;

    #[test]
    fn clouds_that_replace_servers_are_named_with_the_step_outside() {
        let vendor = |name: &str| Mem::running().file("/sys/class/dmi/id/sys_vendor", name);
        let log = |line: &str| Mem::running().file("/var/log/nginx/access.log", line);
        table(vec![
            (vendor("Amazon EC2\n"), &["Destroys", "Amazon", "enter-standby", "sys_vendor"]),
            (
                vendor("Google\n").file("/sys/class/dmi/id/product_name", "Google Compute Engine\n"),
                &["abandon-instances"],
            ),
            (vendor("Dell Inc.\n"), &[]),
            (vendor("QEMU\n"), &[]),
            (process(Mem::running(), 4, "/usr/bin/amazon-ssm-agent", &[]), &["Systems Manager", "pid 4"]),
            (
                process(Mem::running(), 4, "/usr/bin/python3", &["/usr/sbin/waagent"]),
                &["Azure's guest agent"],
            ),
            (
                log("10.0.0.1 - - \"GET / HTTP/1.1\" 200 \"-\" \"ELB-HealthChecker/2.0\"\n"),
                &["Amazon load balancer"],
            ),
            (log("10.0.0.1 - - \"GET /healthz HTTP/1.1\" 200 \"-\" \"Mozilla/5.0\"\n"), &[]),
            (
                Mem::running()
                    .file("/var/lib/cloud/instance/user-data.txt", "#!/bin/bash\n/etc/eks/bootstrap.sh c\n"),
                &["made and unmade"],
            ),
            (Mem::running().file("/var/lib/cloud/instance/user-data.txt", "#cloud-config\nusers: []\n"), &[]),
        ]);
    }
}
