//! Actions on the running kernel and on sessions, in namespaces of their own: a setting of the network, a connection, the old
//! freezer, a login session.
#![allow(
    clippy::disallowed_methods,
    clippy::zombie_processes,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use calma_host::ground::{Group, process, processes, socket};
use calma_record::step::{SocketName, Target, Way};
use common::{Stage, isolated};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn shell(script: &str) -> Child {
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", script]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

fn wait_for(what: &str, until: impl Fn() -> bool) {
    let began = Instant::now();
    while !until() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_setting_is_put_back() {
    isolated("a_setting_is_put_back", || {
        let path = "/proc/sys/net/ipv4/ip_forward";
        let now = || std::fs::read_to_string(path).unwrap().trim().to_owned();
        std::fs::write(path, "1").unwrap();
        let target =
            |value: &str| Target::Setting { path: path.into(), value: value.into(), seen: Some("1".into()) };
        let mut stage = Stage::new("set-sysctl", target("0"));
        stage.prepare().unwrap();
        assert_eq!(now(), "1", "preparing changed something");
        stage.crash(Way::Do, 0);
        stage.revert();
        stage.holds(Way::Undo);
        stage.apply();
        stage.apply();
        stage.holds(Way::Do);
        stage.fails(Way::Undo);
        assert_eq!(now(), "0");
        stage.crash(Way::Undo, 0);
        stage.revert();
        stage.holds(Way::Undo);
        assert_eq!(now(), "1");
        assert!(Stage::new("set-sysctl", target("1")).prepare().unwrap_err().why.contains("already"));
        // Changed by someone else in between, either way.
        std::fs::write(path, "0").unwrap();
        assert!(Stage::new("set-sysctl", target("0")).prepare().unwrap_err().why.contains("another value"));
        std::fs::write("/proc/sys/net/ipv4/tcp_fin_timeout", "60").unwrap();
        let timeout = "/proc/sys/net/ipv4/tcp_fin_timeout";
        let third = Target::Setting { path: timeout.into(), value: "30".into(), seen: None };
        let mut stage = Stage::new("set-sysctl", third);
        stage.prepare().unwrap();
        std::fs::write(timeout, "45").unwrap();
        assert!(stage.try_apply().unwrap_err().0.contains("another value"));
        assert_eq!(std::fs::read_to_string(timeout).unwrap().trim(), "45");
        for place in ["/etc/passwd", "/proc/sys/../../etc/passwd", "/proc/sysrq-trigger", "/sys/power/state"]
        {
            let target = Target::Setting { path: place.into(), value: "1".into(), seen: None };
            assert!(Stage::new("set-sysctl", target).prepare().is_err(), "{place}");
        }
    });
}

#[test]
fn one_connection_is_ended_and_its_neighbour_goes_on() {
    isolated("one_connection_is_ended_and_its_neighbour_goes_on", || {
        use std::io::{Read as _, Write as _};
        assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connect = || {
            let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (here, listener.accept().unwrap().0)
        };
        let name = |stream: &TcpStream| SocketName {
            protocol: "tcp".to_owned(),
            local: stream.local_addr().unwrap().to_string(),
            remote: stream.peer_addr().unwrap().to_string(),
        };
        let ((mut one, _one_there), (mut two, mut two_there)) = (connect(), connect());
        // Held by calma itself (this process stands for it here), it is refused.
        let own = Stage::new("destroy-socket", Target::Socket(name(&one))).prepare().unwrap_err();
        assert!(own.why.contains("calma itself"), "{own:?}");
        let mut stage = Stage::new("destroy-socket", Target::Socket(name(&one)));
        stage.keep_off.processes.clear();
        stage.prepare().unwrap();
        stage.crash(Way::Do, 0);
        assert!(socket(&name(&one)).unwrap().is_some(), "not yet");
        stage.apply();
        stage.holds(Way::Do);
        assert!(one.read(&mut [0; 1]).is_err(), "its holder hears that it was aborted");
        two.write_all(b"x").unwrap();
        two_there.read_exact(&mut [0; 1]).unwrap();
        stage.apply();
        assert!(stage.revert().0.says.contains("does not come back"));
        let gone = Stage::new("destroy-socket", Target::Socket(name(&two))).prepare();
        assert!(gone.is_err() || two.peer_addr().is_ok());
        let waits = SocketName {
            protocol: "tcp".to_owned(),
            local: listener.local_addr().unwrap().to_string(),
            remote: "0.0.0.0:0".to_owned(),
        };
        let refusal = Stage::new("destroy-socket", Target::Socket(waits)).prepare().unwrap_err();
        assert!(refusal.why.contains("waits for connections"), "{refusal:?}");
    });
}

/// A control group of version 1's freezer, gone when dropped.
struct OldGroup(PathBuf);

impl Drop for OldGroup {
    fn drop(&mut self) {
        let _ = std::fs::write(self.0.join("freezer.state"), "THAWED");
        for _ in 0..200 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_group_of_the_old_freezer_is_frozen_as_a_whole() {
    isolated("a_group_of_the_old_freezer_is_frozen_as_a_whole", || {
        let top = Path::new("/sys/fs/cgroup/freezer");
        if !top.join("cgroup.procs").exists() {
            eprintln!("skipped: this machine has no freezer of version 1");
            return;
        }
        let outside = std::env::var("CALMA_TEST_INSIDE").unwrap_or_default().len();
        let group = OldGroup(top.join(
            format!("calma-test-{outside}-{:?}", Instant::now()).replace([' ', '{', '}', ':', ','], ""),
        ));
        std::fs::create_dir(&group.0).unwrap();
        let place = group.0.join("cgroup.procs");
        let mut victim = shell(&format!("echo 0 >{}; while :; do sleep 0.01; done", place.display()));
        wait_for("it enters the group", || std::fs::read_to_string(&place).unwrap().lines().count() > 0);
        let found = Group::of(victim.id()).unwrap();
        assert_eq!((found.frozen(), found.asked_to_freeze()), (Some(false), Some(false)), "{found:?}");
        let mut stage = Stage::new("freeze", Target::Tree(process(victim.id()).unwrap().identity()));
        stage.prepare().unwrap();
        assert!(stage.undo.value().to_string().contains("freezer"), "{:?}", stage.undo);
        stage.apply();
        stage.holds(Way::Do);
        assert_eq!(found.frozen(), Some(true));
        let members = || std::fs::read_to_string(&place).unwrap();
        let frozen = members();
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(members(), frozen, "nothing new is started");
        stage.revert();
        stage.holds(Way::Undo);
        assert_eq!(found.frozen(), Some(false));
        wait_for("it goes on", || members() != frozen);
        // A frozen process of version 1 ends only when it is thawed.
        let mut stage = Stage::new("freeze", Target::Tree(process(victim.id()).unwrap().identity()));
        stage.prepare().unwrap();
        stage.apply();
        assert_eq!(found.frozen(), Some(true));
        let mut kill = Stage::new("kill", Target::Tree(process(victim.id()).unwrap().identity()));
        kill.prepare().unwrap();
        kill.apply();
        kill.holds(Way::Do);
        victim.wait().unwrap();
    });
}

#[test]
fn a_session_is_ended_with_what_it_left_behind() {
    isolated("a_session_is_ended_with_what_it_left_behind", || {
        // A login gives its processes a number; what is left in the background keeps it.
        let leader = shell(
            "echo 4711 >/proc/self/loginuid || exit 1; setsid sh -c 'setsid sleep 1000 & exit 0'; sleep 1000 & wait",
        );
        let other = shell("echo 4712 >/proc/self/loginuid || exit 1; sleep 1000 & wait");
        let marked = |uid: &str| -> Vec<u32> {
            let all = processes().unwrap().into_iter().filter(|line| !line.is_gone());
            let its = |pid: &u32| {
                std::fs::read_to_string(format!("/proc/{pid}/loginuid")).is_ok_and(|text| text == uid)
            };
            all.map(|line| line.pid).filter(its).collect()
        };
        wait_for("they start", || marked("4711").len() == 3 && marked("4712").len() == 2);
        let name = process(leader.id()).unwrap().identity();
        let target = Target::Session { leader: name, account: "eve".into() };
        let mut stage = Stage::new("end-session", target);
        stage.prepare().unwrap();
        stage.crash(Way::Do, 1);
        stage.apply();
        stage.holds(Way::Do);
        assert!(marked("4711").is_empty(), "{:?}", marked("4711"));
        assert_eq!(marked("4712").len(), 2, "the other session goes on");
        assert!(stage.revert().0.says.contains("cannot come back"));
        let me = process(std::process::id()).unwrap().identity();
        let own = Target::Session { leader: me, account: "root".into() };
        assert!(Stage::new("end-session", own).prepare().is_err());
        let _ = (leader, other);
    });
}

#[test]
fn a_database_is_asked_to_stop_first() {
    isolated("a_database_is_asked_to_stop_first", || {
        // A program of that name where servers stand, over an empty folder of this mount namespace.
        let done = Command::new("sh")
            .args(["-c", "mount -t tmpfs none /usr/local/sbin && cp /bin/sleep /usr/local/sbin/mariadbd"])
            .status()
            .unwrap();
        assert!(done.success());
        let victim = Command::new("/usr/local/sbin/mariadbd").arg("1000").spawn().unwrap();
        wait_for("it starts", || {
            std::fs::read_link(format!("/proc/{}/exe", victim.id())).is_ok_and(|to| to.ends_with("mariadbd"))
        });
        let target = || Target::Tree(process(victim.id()).unwrap().identity());
        for action in ["freeze", "kill"] {
            let refusal = Stage::new(action, target()).prepare().unwrap_err();
            assert!(
                refusal.why.contains("mariadbd") && refusal.instead.contains("shutdown"),
                "{action}: {refusal:?}"
            );
        }
        Stage::new("preserve", target()).prepare().unwrap();
        let mut stage = Stage::new("kill", target());
        stage.keep_off.databases = false;
        stage.prepare().unwrap();
        stage.apply();
        stage.holds(Way::Do);
    });
}
