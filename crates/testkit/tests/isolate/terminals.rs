//! An administrator in tmux, and one who comes through a jump host: the session is kept, and a new one confirms.

use crate::own::{bed, gets_out, network, reaches, wait_until};
use calma_testkit::bed::{Bed, laid_over};
use calma_testkit::skip_without_root;
use std::io::Write as _;
use std::process::{Child, ChildStdin, Stdio};

/// Somebody who types at a terminal of the server.
struct Typist {
    ssh: Child,
    keys: ChildStdin,
}

impl Typist {
    /// Connects and starts a command at a terminal there.
    fn start(bed: &Bed, words: &[&str]) -> Self {
        let mut command = bed.keeper_command(&[&["ssh", "-tt"], words].concat());
        let mut ssh =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let keys = ssh.stdin.take().unwrap();
        Self { ssh, keys }
    }

    fn types(&mut self, line: &str) {
        self.keys.write_all(format!("{line}\n").as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Whether what is typed still comes in: a file appears.
    fn lives(&mut self, bed: &Bed, name: &str) -> bool {
        self.types(&format!("echo yes >/root/{name}"));
        let path = bed.path(&format!("/root/{name}"));
        (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            path.exists()
        })
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        let _ = self.ssh.kill();
        let _ = self.ssh.wait();
    }
}

/// What a file of the server holds, read from outside: no connection is needed for it.
fn told(bed: &Bed, path: &str) -> String {
    std::fs::read_to_string(bed.path(path)).unwrap_or_default()
}

const ISOLATE: &str = "/root/calma isolate --yes --now --trial 120 --case /root/case >/root/told 2>&1; echo \"exit $?\" >>/root/told";

#[test]
fn in_tmux_the_session_is_kept_and_a_new_one_confirms() {
    if skip_without_root("in_tmux_the_session_is_kept_and_a_new_one_confirms") {
        return;
    }
    let bed = bed();
    laid_over(&bed, "terminals");
    assert!(bed.calma(&["isolate", "--status"]).ok());
    let before = network(&bed);
    let tmux = "LC_ALL=C.UTF-8 TERM=xterm tmux";
    let mut typist = Typist::start(&bed, &["srv", &format!("{tmux} new-session -s work")]);
    wait_until("tmux does not start", 20, || bed.run(&format!("{tmux} has-session -t work")).ok());
    assert!(typist.lives(&bed, "first"));
    // The shell in tmux is no child of the session of ssh.
    typist.types("echo $PPID >/root/parent");
    wait_until("nothing is written", 10, || !told(&bed, "/root/parent").trim().is_empty());
    let parent = bed
        .run("cat /proc/$(cat /root/parent)/comm; awk '/^PPid/{print $2}' /proc/$(cat /root/parent)/status");
    assert_eq!(parent.text(), "tmux: server\n1\n");
    let _ = bed.keeper(&["ssh", "-O", "exit", "mux"]);

    typist.types(ISOLATE);
    wait_until("it is not closed", 30, || told(&bed, "/root/told").contains("exit "));
    eprintln!("{}", told(&bed, "/root/told"));
    assert!(told(&bed, "/root/told").contains("exit 0"));
    assert!(!reaches(&bed, 80) && typist.lives(&bed, "closed"), "the session in tmux was ended");
    let confirmed = bed.keeper(&["ssh", "srv", "/root/calma isolate --confirm --case /root/case"]);
    assert!(confirmed.ok(), "{confirmed}");
    assert!(!reaches(&bed, 80) && typist.lives(&bed, "held"), "the session in tmux was ended");
    // It is left, and found again.
    drop(typist);
    let mut again = Typist::start(&bed, &["srv", &format!("{tmux} attach -d -t work")]);
    assert!(again.lives(&bed, "again"), "tmux is not found again");
    again
        .types("/root/calma release --yes --case /root/case >/root/told 2>&1; echo \"exit $?\" >>/root/told");
    wait_until("it does not open", 30, || told(&bed, "/root/told").contains("exit 0"));
    wait_until("it is not open", 10, || reaches(&bed, 80) && gets_out(&bed));
    assert_eq!(network(&bed), before);
}

/// A host between the keeper and the server, with a server of ssh of its own, and the settings of ssh that lead through it.
fn jump(bed: &Bed) -> Child {
    let tree = bed.tree().display().to_string();
    let wires = "ip netns add jump; ip -n jump link set lo up
        ip link add kj type veth peer name jk netns jump; ip addr add 10.79.0.1/24 dev kj; ip link set kj up
        ip -n jump addr add 10.79.0.2/24 dev jk; ip -n jump link set jk up
        ip -n jump link add js type veth peer name eth1 netns srv; ip -n jump addr add 10.80.0.1/24 dev js; ip -n jump link set js up
        ip -n srv addr add 10.80.0.2/24 dev eth1; ip -n srv link set eth1 up";
    let wired = bed.keeper(&["bash", "-ec", wires]);
    assert!(wired.ok(), "{wired}");
    let settings = "Host jump far\n User root\n StrictHostKeyChecking no\n LogLevel ERROR\n UserKnownHostsFile /dev/null\n BatchMode yes\n\
                    ConnectTimeout 5\nHost jump\n HostName 10.79.0.2\nHost far\n HostName 10.80.0.2\n";
    let config = bed.work().join("home/.ssh/config");
    let old = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{old}{settings}")).unwrap();
    // Its tree is the server's own, with its own mounts.
    let serve = format!(
        "mount --bind /dev {tree}/dev; mkdir -p {tree}/run/sshd; \
         exec chroot {tree} /usr/sbin/sshd -D -o UsePAM=no -o PidFile=none"
    );
    let words = ["nsenter", "--net=/run/netns/jump", "unshare", "--mount", "sh", "-ec", &serve];
    let sshd = bed.keeper_command(&words).spawn().unwrap();
    wait_until("the way through the jump host", 20, || {
        bed.keeper(&["ssh", "-J", "jump", "far", "true"]).ok()
    });
    sshd
}

#[test]
fn through_a_jump_host_the_session_is_kept_and_a_new_one_confirms() {
    if skip_without_root("through_a_jump_host_the_session_is_kept_and_a_new_one_confirms") {
        return;
    }
    let bed = bed();
    let mut sshd = jump(&bed);
    assert!(bed.calma(&["isolate", "--status"]).ok());
    wait_until("the link is up", 20, || {
        let own = bed.run("ip -6 addr show dev eth1; ip link show eth1").text();
        own.contains("fe80:") && !own.contains("tentative") && own.contains("state UP")
    });
    let before = network(&bed);
    let _ = bed.keeper(&["ssh", "-O", "exit", "mux"]);
    let mut typist = Typist::start(&bed, &["-J", "jump", "far", "sh"]);
    assert!(typist.lives(&bed, "first"));
    typist.types(ISOLATE);
    wait_until("it is not closed", 30, || told(&bed, "/root/told").contains("exit "));
    let words = told(&bed, "/root/told");
    eprintln!("{words}");
    // The peer is the jump host, as the server sees it, not the machine behind it.
    assert!(words.contains("10.80.0.1") && words.contains("exit 0"));
    let from_jump = |port: u16| {
        let script = format!("echo >/dev/tcp/10.80.0.2/{port}");
        let words = ["nsenter", "--net=/run/netns/jump", "timeout", "1", "bash", "-c", &script];
        bed.keeper(&words).ok()
    };
    assert!(
        !reaches(&bed, 80) && !reaches(&bed, 22) && !from_jump(80) && from_jump(22),
        "not only its way is open"
    );
    assert!(typist.lives(&bed, "closed"), "the session was ended");
    let anew = ["ssh", "-J", "jump", "far", "/root/calma isolate --confirm --case /root/case"];
    let confirmed = bed.keeper(&anew);
    assert!(confirmed.ok(), "{confirmed}");
    assert!(!reaches(&bed, 22) && !from_jump(80) && from_jump(22) && typist.lives(&bed, "held"));
    let released = bed.keeper(&["ssh", "-J", "jump", "far", "/root/calma release --yes --case /root/case"]);
    assert!(released.ok(), "{released}");
    wait_until("it is not open", 10, || reaches(&bed, 80) && gets_out(&bed) && from_jump(80));
    assert_eq!(network(&bed), before);
    sshd.kill().unwrap();
    sshd.wait().unwrap();
}
