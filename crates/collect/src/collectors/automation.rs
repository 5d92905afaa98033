//! Collector: what build systems, configuration management and hosting panels run here by themselves.

use crate::area::{Area, Found};
use crate::startup::{Mechanism, Who};
use crate::{Card, Collector, Context, Flow, Needs, Out, Volatility, settings};
use calma_formats::automation as parse;
use calma_formats::init_jobs::Command;
use calma_host::{FileKind, join};
use std::{sync::Arc, time::Duration};

/// This collector.
pub(super) const COLLECTOR: Collector = Collector {
    card: Card {
        name: "automation",
        doing: "Looking at build systems, configuration management and hosting panels",
        doc: "commands that build runners, configuration management and hosting panels run here",
        volatility: Volatility::OnDisk,
        needs: Needs::Tree,
        patience: Duration::from_secs(40),
    },
    collect,
};

const WHAT: &str = "definitions of build systems, configuration management and hosting panels";
const RUNNER: Area = Area("runner setting");

/// How a file is read.
#[derive(Clone, Copy)]
enum Read {
    /// It is run as a whole, if it may be executed.
    Program,
    /// It is read and done as a whole, executable or not.
    Script,
    /// A shell reads it.
    Sourced,
    /// Commands stand behind these names.
    After(&'static [&'static str]),
    /// Commands of Salt's states and schedules.
    Salt,
    /// A job of Jenkins.
    Jenkins,
}

const fn run(name: &'static str, when: &'static str) -> Mechanism {
    Mechanism { name, when }
}

const BUILD: &str = "with every build";
const OFTEN: &str = "whenever the agent runs, mostly every half hour";
const PANEL: &str = "when the panel does something with an account or a site";

/// Which files, how, and what runs them.
const FILES: &[(&[&str], Read, Mechanism)] = &[
    (
        &[
            "/var/lib/jenkins/init.groovy",
            "/var/lib/jenkins/*.groovy.d/*.groovy",
            "/var/jenkins_home/*.groovy.d/*.groovy",
            "/opt/jenkins/*.groovy.d/*.groovy",
            "/usr/share/jenkins/ref/init.groovy.d/*.groovy",
        ],
        Read::Script,
        run("automation: Jenkins", "whenever Jenkins starts"),
    ),
    (
        &[
            "/var/lib/jenkins/jobs/*/config.xml",
            "/var/lib/jenkins/jobs/*/jobs/*/config.xml",
            "/var/jenkins_home/jobs/*/config.xml",
            "/var/jenkins_home/jobs/*/jobs/*/config.xml",
            "/opt/jenkins/jobs/*/config.xml",
            "/srv/jenkins/jobs/*/config.xml",
        ],
        Read::Jenkins,
        run("automation: Jenkins", "with every build of the job, or as it is planned"),
    ),
    (
        &[
            "/etc/buildkite-agent/hooks/*",
            "/usr/local/etc/buildkite-agent/hooks/*",
            "/var/lib/buildkite-agent/hooks/*",
        ],
        Read::Sourced,
        run("automation: Buildkite", BUILD),
    ),
    (
        &[
            "/home/*/actions-runner/.env",
            "/home/*/actions-runner*/.env",
            "/opt/actions-runner*/.env",
            "/opt/*/actions-runner/.env",
            "/srv/actions-runner*/.env",
            "/actions-runner/.env",
            "/root/actions-runner/.env",
            "/var/lib/actions-runner*/.env",
            "/usr/local/actions-runner/.env",
        ],
        Read::After(&[
            "ACTIONS_RUNNER_HOOK_JOB_STARTED",
            "ACTIONS_RUNNER_HOOK_JOB_COMPLETED",
            "ACTIONS_RUNNER_CONTAINER_HOOKS",
            "BASH_ENV",
            "LD_PRELOAD",
            "NODE_OPTIONS",
        ]),
        run("automation: GitHub's runner", BUILD),
    ),
    (
        &[
            "/home/*/actions-runner/*.sh",
            "/opt/actions-runner*/*.sh",
            "/srv/actions-runner*/*.sh",
            "/root/actions-runner/*.sh",
        ],
        Read::Program,
        run("automation: GitHub's runner", "whenever the runner starts"),
    ),
    (
        &[
            "/etc/drone*",
            "/etc/drone*/*",
            "/etc/woodpecker*",
            "/etc/woodpecker*/*",
            "/etc/act_runner/*",
            "/etc/forgejo-runner/*",
        ],
        Read::After(&[
            "DRONE_RUNNER_VOLUMES",
            "WOODPECKER_BACKEND_DOCKER_VOLUMES",
            "pre_command",
            "post_command",
        ]),
        run("automation: a build runner", BUILD),
    ),
    (
        &["/etc/ansible/facts.d/*.fact", "/usr/local/share/ansible/facts.d/*"],
        Read::Program,
        run("automation: Ansible", "whenever Ansible works on this server, as root"),
    ),
    (
        &["/etc/ansible/ansible.cfg", "/root/.ansible.cfg", "/home/*/.ansible.cfg"],
        Read::After(&["vault_password_file", "ansible_shell_executable", "executable", "remote_tmp"]),
        run("automation: Ansible", "whenever somebody uses Ansible here"),
    ),
    (
        &["/etc/puppet/puppet.conf", "/etc/puppetlabs/puppet/puppet.conf"],
        Read::After(&["prerun_command", "postrun_command", "external_nodes", "diff"]),
        run("automation: Puppet", OFTEN),
    ),
    (
        &[
            "/etc/facter/facts.d/*",
            "/etc/puppetlabs/facter/facts.d/*",
            "/opt/puppetlabs/facter/facts.d/*",
            "/opt/puppetlabs/puppet/cache/facts.d/*",
            "/var/lib/puppet/facts.d/*",
        ],
        Read::Program,
        run("automation: Puppet", OFTEN),
    ),
    (
        &[
            "/etc/chef/*.rb",
            "/etc/chef/client.d/*.rb",
            "/etc/chef/ohai/plugins/*.rb",
            "/etc/cinc/*.rb",
            "/etc/cinc/client.d/*.rb",
        ],
        Read::Script,
        run("automation: Chef", OFTEN),
    ),
    (
        &[
            "/etc/salt/minion",
            "/etc/salt/minion.d/*.conf",
            "/etc/salt/master",
            "/etc/salt/master.d/*.conf",
            "/srv/salt/*.sls",
            "/srv/salt/*/*.sls",
            "/srv/salt/*/*/*.sls",
            "/srv/reactor/*.sls",
        ],
        Read::Salt,
        run("automation: Salt", "as Salt's schedule or states say"),
    ),
    (
        &["/var/cpanel/hooks.yaml", "/var/cpanel/hooks/data/*.yaml"],
        Read::After(&["hook", "rollback", "check"]),
        run("panel: cPanel", PANEL),
    ),
    (
        &[
            "/usr/local/cpanel/scripts/post*",
            "/usr/local/cpanel/scripts/pre*",
            "/scripts/post*",
            "/scripts/pre*",
            "/usr/local/cpanel/hooks/*/*",
            "/var/cpanel/modules-install/*",
        ],
        Read::Program,
        run("panel: cPanel", PANEL),
    ),
    (
        &[
            "/usr/local/psa/admin/plib/modules/*/hooks/*.php",
            "/usr/local/psa/admin/plib/modules/*/plib/hooks/*.php",
            "/usr/local/psa/admin/plib/modules/*/scripts/*.php",
            "/opt/psa/admin/plib/modules/*/hooks/*.php",
        ],
        Read::Script,
        run("panel: Plesk", PANEL),
    ),
    (
        &[
            "/usr/local/psa/bin/hooks/*",
            "/usr/local/psa/admin/sbin/hooks/*",
            "/opt/psa/var/hooks/*",
            "/usr/local/psa/var/hooks/*",
            "/usr/local/psa/event_handlers/*",
        ],
        Read::Program,
        run("panel: Plesk", PANEL),
    ),
    (
        &[
            "/etc/cagefs/*.commands",
            "/etc/cagefs/custom.proxy.commands",
            "/usr/share/cloudlinux/hooks/*",
            "/usr/share/cloudlinux/hooks/*/*",
            "/opt/cpvendor/hooks/*",
            "/etc/cagefs/hooks/*",
        ],
        Read::Program,
        run("panel: CloudLinux", PANEL),
    ),
    (
        &["/opt/cpvendor/etc/integration.ini"],
        Read::After(&[
            "modify_user",
            "modify_domain",
            "modify_package",
            "modify_admin",
            "panel_info",
            "users",
            "packages",
            "domains",
        ]),
        run("panel: CloudLinux", PANEL),
    ),
    (
        &[
            "/usr/local/ispconfig/server/plugins-enabled/*.php",
            "/usr/local/ispconfig/server/mods-enabled/*.php",
            "/usr/local/ispconfig/server/lib/classes/cron.d/*.php",
            "/usr/local/ispconfig/server/conf-custom/*",
        ],
        Read::Script,
        run("panel: ISPConfig", "every minute, as root"),
    ),
    (
        &["/etc/webmin/virtual-server/config", "/etc/usermin/*/config", "/etc/webmin/*/config"],
        Read::After(&[
            "pre_command",
            "post_command",
            "alias_pre_command",
            "alias_post_command",
            "post_save_command",
            "pre_cmd",
            "post_cmd",
            "before_cmd",
            "after_cmd",
            "backup_cmd",
            "apply_cmd",
        ]),
        run("panel: Virtualmin or Webmin", PANEL),
    ),
    (
        &["/etc/webmin/status/services/*.serv"],
        Read::After(&["ondown", "onup", "ontimeout", "cmd"]),
        run("panel: Virtualmin or Webmin", "every few minutes"),
    ),
    (
        &[
            "/usr/local/directadmin/scripts/custom/*.sh",
            "/usr/local/directadmin/scripts/custom/*/*.sh",
            "/usr/local/directadmin/custombuild/custom/hooks/*/*",
            "/usr/local/directadmin/plugins/*/hooks/*",
        ],
        Read::Program,
        run("panel: DirectAdmin", PANEL),
    ),
    (
        &[
            "/usr/local/hestia/data/hooks/*",
            "/usr/local/hestia/install/hooks/*",
            "/usr/local/vesta/data/hooks/*",
            "/etc/hestiacp/hooks/*",
        ],
        Read::Program,
        run("panel: Hestia or Vesta", PANEL),
    ),
    (&["/www/server/cron/*"], Read::Program, run("panel: aaPanel", "as its plan says, as root")),
];

fn collect(context: &Arc<Context>, out: &mut Out) -> Flow {
    let tree = context.host.tree();
    for (patterns, how, mechanism) in FILES {
        for pattern in *patterns {
            for path in settings::glob(tree, pattern.as_bytes()) {
                if tree.meta_followed(&path).is_ok_and(|meta| meta.kind == FileKind::File) {
                    file(context, &path, *how, *mechanism, out)?;
                }
            }
        }
    }
    let mut runners = vec![b"/etc/gitlab-runner/config.toml".to_vec()];
    runners
        .extend(settings::homes(context).iter().map(|home| join(&home.path, b".gitlab-runner/config.toml")));
    for path in runners {
        gitlab(context, &path, out)?;
    }
    out.flow()
}

fn file(context: &Context, path: &[u8], how: Read, mechanism: Mechanism, out: &mut Out) -> Flow {
    let who = Who::root();
    let commands = match how {
        Read::Program => return mechanism.program_as(context, path, &who, out),
        Read::Script => {
            mechanism.script_as(context, path, &who, out)?;
            if !path.ends_with(b".groovy") {
                return out.flow();
            }
            settings::read(context, path, WHAT, out)?.map(|bytes| calma_formats::pipeline::groovy(&bytes))
        }
        Read::Sourced => return mechanism.sourced(context, path, WHAT, out),
        Read::After(names) => {
            settings::read(context, path, WHAT, out)?.map(|bytes| parse::after(&bytes, names))
        }
        Read::Salt => settings::read(context, path, WHAT, out)?.map(|bytes| parse::salt(&bytes)),
        Read::Jenkins => settings::read(context, path, WHAT, out)?.map(|bytes| parse::jenkins(&bytes)),
    };
    // Jenkins and its jobs belong to its own account.
    let who = if matches!(how, Read::Jenkins) { Who::named(context, b"jenkins") } else { who };
    for Command { line, command } in commands.unwrap_or_default() {
        mechanism.command_as(context, path, line, command.as_bytes(), &who, out)?;
    }
    out.flow()
}

/// Scripts and reach of GitLab's runner.
fn gitlab(context: &Context, path: &[u8], out: &mut Out) -> Flow {
    let mechanism = run("automation: GitLab's runner", BUILD);
    let Some(bytes) = settings::read(context, path, WHAT, out)? else { return out.flow() };
    for one in parse::toml(&bytes) {
        let (name, value) = (one.name.as_bytes(), one.value.as_bytes());
        match name {
            b"pre_clone_script"
            | b"pre_get_sources_script"
            | b"post_get_sources_script"
            | b"post_clone_script"
            | b"pre_build_script"
            | b"post_build_script"
            | b"config_exec"
            | b"prepare_exec"
            | b"run_exec"
            | b"cleanup_exec" => {
                mechanism.command_as(context, path, one.line, value, &Who::root(), out)?;
            }
            b"privileged" | b"volumes" | b"network_mode" | b"pid_mode" | b"cap_add" | b"devices" => {
                RUNNER.put(context, path, &Found { line: one.line, name, value, whom: b"" }, out)?;
            }
            // Variables of every build, `["NAME=value", …]`.
            b"environment" => {
                for part in value.split(|b| matches!(b, b'"' | b'\'')).filter(|part| part.contains(&b'=')) {
                    let runs = [
                        &b"BASH_ENV="[..],
                        b"LD_PRELOAD=",
                        b"PATH=",
                        b"GIT_SSH_COMMAND=",
                        b"NODE_OPTIONS=",
                        b"ENV=",
                    ];
                    if runs.iter().any(|name| part.starts_with(name)) {
                        mechanism.command_as(
                            context,
                            path,
                            one.line,
                            &[part, b" make"].concat(),
                            &Who::root(),
                            out,
                        )?;
                    }
                }
            }
            _ => {}
        }
    }
    out.flow()
}
