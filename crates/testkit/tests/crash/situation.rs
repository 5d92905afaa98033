//! A small machine on which every action of calma but one has something to do, below /mnt/v in namespaces of the test's own.

use calma_host::ground::{process, processes};
use calma_record::step::{Plan, ProcessName, SocketName, Step, Target};
use calma_testkit::alone::sh;
use calma_testkit::dump::dump;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where it stands.
pub(crate) const AT: &str = "/mnt/v";
const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";

/// The tree: what a server has, with owners, times, attributes and flags that are easily lost.
const TREE: &str = r#"
set -e; cd /mnt/v
mkdir -p tree/cron.d tree/systemd/system tree/bin tree/hidden tree/over etc/alternatives etc/modprobe.d
printf '# mine\n0 3 * * * root backup\n* * * * * root /tmp/.x\n' >tree/crontab; chown 5:6 tree/crontab; chmod 640 tree/crontab
printf 'a\nevil\nb\n' >tree/profile; ln tree/profile tree/profile-too; python3 -c 'import os; os.setxattr("tree/profile", "trusted.label", b"kept")'
printf '* * * * * root /tmp/.x\n' >tree/cron.d/php
printf '[Service]\nExecStart=/tmp/.x\n' >tree/systemd/system/php.service
for n in 1 2 3 4 5; do head -c $((n * 30000)) /dev/zero | tr '\0' $n >tree/bin/f$n; done
chmod 4755 tree/bin/f1; chown 33:33 tree/bin/f2; ln tree/bin/f3 tree/hidden/f3; truncate -s 2M tree/bin/f4
ln -s /no/such/place tree/bin/link; : >tree/bin/empty
printf 'root:*:19000:0:99999:7:::\neve:$y$x:19000:0:99999:7:::\n' >etc/shadow; chmod 640 etc/shadow
printf 'root:x:0:\nsudo:x:27:ann,eve\n' >etc/group; printf 'root:*::\nsudo:*::ann,eve\n' >etc/gshadow
ln -s /tmp/.x/editor etc/alternatives/editor
find tree etc -exec touch -h -d '2001-09-09 01:46:40.123456789' {} +
chattr +i tree/bin/f5
mount --bind etc /etc
mount --bind tree/over tree/hidden; mount -o remount,bind,ro,nosuid tree/hidden
"#;

/// Holds both ends of a connection and tells their ports.
const HOLDER: &str = "import socket,time,os
l=socket.create_server((\"127.0.0.1\",0)); a=socket.create_connection(l.getsockname()); b=l.accept()[0]
open(\"/mnt/port.new\",\"w\").write(\"%d %d\" % (a.getsockname()[1], l.getsockname()[1])); os.rename(\"/mnt/port.new\",\"/mnt/port\")
time.sleep(100000)";

/// The machine with what lives on it.
pub(crate) struct Machine {
    pub(crate) doomed: Child,
    pub(crate) frozen: Child,
    session: Child,
    holder: Child,
    /// The two ends of the connection that it holds.
    ends: (String, String),
    pub(crate) plan: Plan,
    before: State,
}

/// What is compared.
#[derive(Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) files: Vec<String>,
    live: Vec<String>,
}

/// Takes everything of an earlier round away.
pub(crate) fn clear() {
    sh(
        "while umount -l /etc 2>/dev/null; do :; done; while umount -l /mnt/v/tree/hidden 2>/dev/null; do :; done; \
        chattr -R -i /mnt/v/tree 2>/dev/null; rm -rf /mnt/v/tree /mnt/v/etc /mnt/v/case /mnt/v/plan; true",
    );
}

fn spawn(script: &str) -> Child {
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

fn name(child: &Child) -> ProcessName {
    process(child.id()).unwrap().identity()
}

/// How many living processes there are in a session, and how many of them are stopped.
fn session(leader: u32) -> (usize, usize) {
    let all = processes().unwrap();
    let its: Vec<_> = all.iter().filter(|line| line.session == leader && !line.is_gone()).collect();
    (its.len(), its.iter().filter(|line| line.is_stopped()).count())
}

/// Waits until a session has so many processes.
fn settled(child: &Child, count: usize) {
    let began = Instant::now();
    while session(child.id()).0 < count {
        assert!(began.elapsed() < Duration::from_secs(20), "a victim did not start");
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Machine {
    pub(crate) fn build() -> Self {
        sh(TREE);
        std::fs::write(FORWARD, "1").unwrap();
        let doomed = spawn("sleep 1000 & sleep 1000 & wait");
        let frozen = spawn("sleep 1000 & wait");
        let session = spawn("echo 4711 >/proc/self/loginuid; sleep 1000 & wait");
        // Not held by the test itself, which is part of calma's own session here.
        let _ = std::fs::remove_file("/mnt/port");
        let holder = spawn(&format!("exec python3 -c '{HOLDER}'"));
        let began = Instant::now();
        while !Path::new("/mnt/port").exists() {
            assert!(began.elapsed() < Duration::from_secs(20), "nobody holds a connection");
            std::thread::sleep(Duration::from_millis(2));
        }
        let text = std::fs::read_to_string("/mnt/port").unwrap();
        let (local, remote) = text.split_once(' ').unwrap();
        let ends = (format!("127.0.0.1:{local}"), format!("127.0.0.1:{remote}"));
        settled(&doomed, 3);
        settled(&frozen, 2);
        settled(&session, 2);
        let before = State { files: Vec::new(), live: Vec::new() };
        let plan =
            Plan { schema: 1, host: "test".into(), boot: calma_host::ground::boot(), ..Plan::default() };
        let mut machine = Self { doomed, frozen, session, holder, ends, plan, before };
        machine.plan.steps = machine.steps();
        machine.before = machine.state();
        machine
    }

    fn steps(&self) -> Vec<Step> {
        let path = |name: &str| format!("{AT}/tree/{name}").as_str().into();
        let file = |name: &str| Target::File { path: path(name), seen: None };
        let line = |name: &str, line: &str| Target::Line {
            path: path(name),
            line: line.into(),
            instead: None,
            seen: None,
        };
        let (doomed, frozen) = (Target::Tree(name(&self.doomed)), Target::Tree(name(&self.frozen)));
        let (local, remote) = self.ends.clone();
        let mut steps: Vec<(&str, Target)> = vec![
            ("note", Target::Words { text: "what there is no time for".to_owned() }),
            ("freeze", doomed.clone()),
            ("freeze", frozen.clone()),
            ("preserve", doomed.clone()),
            ("preserve", frozen),
            ("lock-account", Target::Account { name: "eve".into() }),
            ("leave-group", Target::Member { account: "eve".into(), group: "sudo".into() }),
            ("end-session", Target::Session { leader: name(&self.session), account: "eve".into() }),
            ("destroy-socket", Target::Socket(SocketName { protocol: "tcp".to_owned(), local, remote })),
            ("unmount", Target::Mount { point: path("hidden") }),
            (
                "set-sysctl",
                Target::Setting { path: FORWARD.into(), value: "0".into(), seen: Some("1".into()) },
            ),
            ("edit-line", line("crontab", "* * * * * root /tmp/.x")),
            ("edit-line", line("profile", "evil")),
            (
                "set-link",
                Target::Link { path: "/etc/alternatives/editor".into(), to: "/bin/sh".into(), seen: None },
            ),
            ("unhook-file", file("cron.d/php")),
            ("unhook-unit", file("systemd/system/php.service")),
            ("block-module", Target::Module { name: "nethelper".into() }),
            ("kill", doomed),
        ];
        for name in ["f1", "f2", "f3", "f4", "f5", "link", "empty"] {
            steps.push(("quarantine", file(&format!("bin/{name}"))));
        }
        let steps = (1..).zip(steps).map(|(number, (action, target))| Step {
            number,
            action: action.to_owned(),
            target,
            story: 1,
            findings: vec!["x".to_owned()],
            ticked: true,
            doubt: String::new(),
        });
        steps.collect()
    }

    /// Files with everything about them, and what lives; what the cards call irreversible or compensable apart.
    pub(crate) fn state(&self) -> State {
        let mut files = dump(&Path::new(AT).join("tree"));
        files.extend(dump(&Path::new(AT).join("etc")));
        let mounts = sh("grep /mnt/v /proc/self/mountinfo | cut -d' ' -f5-6 | sort");
        let live = vec![
            format!("frozen: {:?}", session(self.frozen.id())),
            format!("forward: {}", std::fs::read_to_string(FORWARD).unwrap().trim()),
            mounts,
        ];
        State { files, live }
    }

    /// What differs from the beginning; empty if nothing does.
    pub(crate) fn difference(&self) -> String {
        let now = self.state();
        let files = calma_testkit::dump::difference(&self.before.files, &now.files);
        if now.live == self.before.live {
            files
        } else {
            format!("{files}\nwas {:?}\nis {:?}", self.before.live, now.live)
        }
    }

    /// The files as they were at the beginning.
    pub(crate) fn files_before(&self) -> &[String] {
        &self.before.files
    }

    /// What must hold once everything was done.
    pub(crate) fn assert_contained(&self, what: &str) {
        assert_eq!(session(self.doomed.id()).0, 0, "{what}: killed");
        assert_eq!(session(self.session.id()).0, 0, "{what}: the session ended");
        let (all, stopped) = session(self.frozen.id());
        assert!(all == 2 && stopped == 2, "{what}: frozen {all} {stopped}");
        assert_eq!(std::fs::read_to_string(FORWARD).unwrap().trim(), "0", "{what}");
        let left = sh(
            "cd /mnt/v; find tree/bin tree/cron.d tree/systemd -mindepth 1 ! -type d; grep -c evil tree/profile; \
                       grep -c /tmp/.x tree/crontab; grep -c ann,eve etc/group; ls etc/modprobe.d; readlink etc/alternatives/editor; \
                       cut -d: -f2,8 etc/shadow | tail -1; ls -A tree tree/bin tree/cron.d etc | grep -c '^[.]calma'; true",
        );
        assert_eq!(left, "0\n0\n0\ncalma-nethelper.conf\n/bin/sh\n!$y$x:1\n0\n", "{what}");
        let mounted = sh("grep -c ' /mnt/v/tree/hidden ' /proc/self/mountinfo; true");
        assert_eq!(mounted.trim(), "0", "{what}");
    }

    /// Ends what lives.
    pub(crate) fn end(mut self) {
        for child in [&mut self.doomed, &mut self.frozen, &mut self.session, &mut self.holder] {
            // Its session first: a stopped process ends at once, its children would stay.
            for line in processes().unwrap().iter().filter(|line| line.session == child.id()) {
                let pid = rustix::process::Pid::from_raw(line.pid as i32).unwrap();
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
