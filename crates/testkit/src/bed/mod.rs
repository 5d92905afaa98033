//! A disposable Debian server in a container, and the clean machine beside it from which it is looked at.
//!
//! Everything lives in pid, mount and network namespaces of its own, checked before anything acts. The first process
//! of those namespaces reads a pipe that this process holds: however a test ends, the pipe closes and the kernel
//! removes all of it. Folders and control groups are removed on drop, or by the next start.

mod reaper;
mod shell;
mod trees;

pub use shell::{Output, quoted};
pub use trees::laid_over;
pub(crate) use trees::made;
pub use trees::{Release, tree};

use crate::{binaries, report::Report};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// One victim, booted or only a tree, with its keeper.
#[derive(Debug)]
pub struct Bed {
    work: PathBuf,
    groups: Vec<PathBuf>,
    outer: Child,
    keeper: u32,
    leader: Option<u32>,
}

impl Bed {
    /// A booted server of this release, reachable by ssh from its keeper as `srv`.
    pub fn booted(release: Release) -> Self {
        Self::booted_on(&tree(release))
    }

    /// A booted server on a root tree, which stays untouched below an overlay.
    pub fn booted_on(tree: &Path) -> Self {
        Self::start(tree, true)
    }

    /// The tree of this release, writable in an overlay, not running.
    pub fn still(release: Release) -> Self {
        Self::start(&tree(release), false)
    }

    /// A tree in an overlay, not running.
    pub fn still_on(tree: &Path) -> Self {
        Self::start(tree, false)
    }

    fn start(tree: &Path, boot: bool) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        reaper::reap();
        let name =
            format!("{}{}-{}", reaper::PREFIX, std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let work = std::env::temp_dir().join(&name);
        for folder in ["upper", "work", "root", "home/.ssh"] {
            fs::create_dir_all(work.join(folder)).expect("the temporary folder is writable");
        }
        let mut groups = Vec::new();
        if boot {
            groups = reaper::hierarchies().into_iter().map(|folder| folder.join(&name)).collect();
            groups.iter().for_each(|group| fs::create_dir_all(group).expect("control groups are writable"));
            keys(&work, tree);
        }
        fs::copy(binaries::calma(), work.join("home/calma")).expect("calma is built");
        let own =
            |kind: &str| fs::read_link(format!("/proc/self/ns/{kind}")).expect("namespaces are visible");
        let names: Vec<_> = groups.iter().map(|group| group.display().to_string()).collect();
        let mut outer = Command::new("unshare")
            .args(["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", "bash", "-c"])
            .args([include_str!("boot.sh"), "bed"])
            .args([tree, &work])
            .args([name.as_str(), if boot { "1" } else { "0" }, names.join(" ").as_str()])
            .env("CALMA_OUTER_NET", own("net"))
            .env("CALMA_OUTER_MNT", own("mnt"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("unshare runs");
        let mut line = String::new();
        let stdout = outer.stdout.as_mut().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("the keeper says that it is ready");
        let keeper = children(outer.id()).first().copied().unwrap_or_default();
        let mut bed = Self { work, groups, outer, keeper, leader: None };
        assert_eq!(line.trim(), "ready", "the bed did not start");
        if boot {
            bed.wait_until_up();
        }
        bed
    }

    /// Restarts the booted server: the same files, everything that ran gone.
    pub fn reboot(&mut self) {
        let old = self.leader();
        let _ = self.run("systemctl reboot");
        let _ = self.keeper(&["ssh", "-O", "exit", "mux"]);
        let until = Instant::now() + Duration::from_secs(60);
        while Path::new(&format!("/proc/{old}/root")).exists() {
            assert!(Instant::now() < until, "the container does not end");
            std::thread::sleep(Duration::from_millis(30));
        }
        self.leader = None;
        let groups: Vec<_> = self.groups.iter().map(|group| quoted(&group.display().to_string())).collect();
        // As in boot.sh. Whoever starts it ends, so that the keeper becomes its parent.
        let script = format!(
            "( for group in {}; do echo 0 >\"$group/cgroup.procs\"; done; exec env SYSTEMD_SECCOMP=0 SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 \
             setsid systemd-nspawn --boot --register=no --keep-unit --capability=all --console=pipe \
             --network-namespace-path=/run/netns/srv -M srv -D {} ) </dev/null >>{} 2>&1 &",
            groups.join(" "),
            quoted(&self.tree().display().to_string()),
            quoted(&self.work.join("console").display().to_string())
        );
        assert!(self.keeper(&["bash", "-c", &script]).ok());
        self.wait_until_up();
    }

    fn wait_until_up(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(leader) = self.find_leader() {
                let output = Command::new("nsenter")
                    .args(["-t", &leader.to_string(), "-m", "-u", "-i", "-n", "-p", "-C"])
                    .args(["systemctl", "is-system-running", "--wait"])
                    .output()
                    .expect("nsenter runs");
                let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                if state == "running" || state == "degraded" {
                    self.leader = Some(leader);
                    break;
                }
            }
            let console = || fs::read_to_string(self.work.join("console")).unwrap_or_default();
            assert!(Instant::now() < until, "the container did not boot:\n{}", console());
            std::thread::sleep(Duration::from_millis(30));
        }
        while !self.keeper(&["ssh", "mux", "true"]).ok() {
            assert!(
                Instant::now() < until,
                "ssh does not answer: {}",
                self.keeper(&["ssh", "-v", "mux", "true"])
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn find_leader(&self) -> Option<u32> {
        let nspawn = children(self.keeper);
        let below = nspawn.into_iter().flat_map(children);
        below
            .into_iter()
            .find(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|c| c == "systemd\n"))
    }

    /// The container's first process, by its pid outside.
    pub fn leader(&self) -> u32 {
        self.leader.expect("a booted bed")
    }

    /// Where a path of the victim is to be found from here.
    pub fn path(&self, path: &str) -> PathBuf {
        let root = match self.leader {
            Some(leader) => PathBuf::from(format!("/proc/{leader}/root")),
            None => PathBuf::from(format!("/proc/{}/root{}", self.keeper, self.tree().display())),
        };
        within(&root, path)
    }

    /// The victim's tree as the keeper names it (for `--root`).
    pub fn tree(&self) -> PathBuf {
        self.work.join("root")
    }

    /// A folder of the keeper for cases and other output, by its name here and there.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// Writes a file into the victim.
    pub fn put(&self, path: &str, bytes: &[u8], mode: u32) {
        let to = self.path(path);
        fs::create_dir_all(to.parent().expect("a path with a folder"))
            .unwrap_or_else(|e| panic!("{path}: {e}"));
        let _ = fs::remove_file(&to);
        fs::write(&to, bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
        fs::set_permissions(&to, fs::Permissions::from_mode(mode)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// Gives a file of the victim to an account.
    pub fn own(&self, path: &str, uid: u32, gid: u32, mode: u32) {
        let to = self.path(path);
        chown(&to, Some(uid), Some(gid)).unwrap_or_else(|e| panic!("{path}: {e}"));
        fs::set_permissions(&to, fs::Permissions::from_mode(mode)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// Makes a symbolic link in the victim.
    pub fn link(&self, path: &str, target: &str) {
        let to = self.path(path);
        fs::create_dir_all(to.parent().expect("a path with a folder"))
            .unwrap_or_else(|e| panic!("{path}: {e}"));
        let _ = fs::remove_file(&to);
        symlink(target, &to).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// Runs a program on the keeper, in its namespaces.
    pub fn keeper(&self, args: &[&str]) -> Output {
        Output::of(&mut self.keeper_command(args))
    }

    /// A program on the keeper, not started yet.
    pub fn keeper_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.keeper.to_string(), "-m", "-n", "-p"])
            .arg(format!("--wd={}", self.work.display()));
        command.arg("--").args(args).stdin(Stdio::null()).env("HOME", "/root").env_remove("SSH_AUTH_SOCK");
        command
    }

    /// Runs a shell script inside the victim as root, over ssh.
    pub fn run(&self, script: &str) -> Output {
        self.keeper(&["ssh", "mux", script])
    }

    /// Starts a command inside the victim that goes on; its pid there.
    pub fn live(&self, command: &str) -> u64 {
        let script = format!("setsid sh -c {} </dev/null >/dev/null 2>&1 & echo $!", quoted(command));
        let output = self.run(&script);
        output.text().trim().parse().unwrap_or_else(|e| panic!("{command}: {e}: {output}"))
    }

    /// Runs calma inside the victim as root.
    pub fn calma(&self, args: &[&str]) -> Output {
        self.install("/root/calma");
        self.run(&format!("/root/calma {}", args.iter().map(|arg| quoted(arg)).collect::<Vec<_>>().join(" ")))
    }

    /// Runs calma inside the victim as an account without rights.
    pub fn calma_as(&self, account: &str, args: &[&str]) -> Output {
        self.install("/run/calma-test/calma");
        let line: Vec<_> = args.iter().map(|arg| quoted(arg)).collect();
        let inner = format!("cd /tmp && exec /run/calma-test/calma {}", line.join(" "));
        self.run(&format!("runuser -u {account} -- sh -c {}", quoted(&inner)))
    }

    /// Runs calma on the keeper: `at srv …`, `--root …`, `case verify …`.
    pub fn calma_from_keeper(&self, args: &[&str]) -> Output {
        Output::of(&mut self.calma_from_keeper_command(args))
    }

    /// The same, not started yet.
    pub fn calma_from_keeper_command(&self, args: &[&str]) -> Command {
        let calma = self.work.join("home/calma");
        let mut all = vec![calma.to_str().expect("a plain path")];
        all.extend_from_slice(args);
        self.keeper_command(&all)
    }

    /// Triage inside the victim, as JSON lines.
    pub fn triage(&self, more: &[&str]) -> Report {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let case = format!("/run/calma-test/case-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut args = vec!["triage", "--json", "--case", &case];
        args.extend_from_slice(more);
        self.calma(&args).report()
    }

    /// Triage of the victim's tree from the keeper, as JSON lines.
    pub fn triage_root(&self, more: &[&str]) -> Report {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let case = self.work.join(format!("case-root-{number}")).display().to_string();
        let tree = self.tree().display().to_string();
        let mut args = vec!["triage", "--json", "--root", &tree, "--case", &case];
        args.extend_from_slice(more);
        self.calma_from_keeper(&args).report()
    }

    fn install(&self, path: &str) {
        if !self.path(path).exists() {
            let bytes = fs::read(binaries::calma()).expect("calma is built");
            self.put(path, &bytes, 0o755);
        }
        let _ = self.run("mkdir -p /run/calma-test && chmod 755 /run/calma-test");
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        drop(self.outer.stdin.take());
        let until = Instant::now() + Duration::from_secs(10);
        while matches!(self.outer.try_wait(), Ok(None)) {
            if Instant::now() > until {
                let _ = self.outer.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.groups.iter().for_each(|group| reaper::remove(group));
        if std::env::var_os("CALMA_KEEP").is_none() {
            reaper::remove(&self.work);
        }
    }
}

/// A fresh key for the keeper, known to the victim's root, and the ssh settings for both ways of connecting.
fn keys(work: &Path, tree: &Path) {
    let ssh = work.join("home/.ssh");
    let key = ssh.join("id_ed25519");
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "keeper", "-f"])
        .arg(&key)
        .status();
    assert!(status.is_ok_and(|status| status.success()), "ssh-keygen makes a key");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o700)).expect("own folder");
    let config = "Host srv mux\n HostName 10.77.0.2\n User root\n StrictHostKeyChecking no\n LogLevel ERROR\n \
                  UserKnownHostsFile /dev/null\n BatchMode yes\n ConnectTimeout 5\n\
                  Host mux\n ControlMaster auto\n ControlPersist 600\n ControlPath ~/.ssh/mux-%r\n";
    fs::write(ssh.join("config"), config).expect("own folder");
    let to = work.join("upper/root/.ssh");
    fs::create_dir_all(&to).expect("own folder");
    let times = fs::metadata(tree.join("root")).expect("a root tree");
    fs::set_permissions(work.join("upper/root"), times.permissions()).expect("own folder");
    fs::set_permissions(&to, fs::Permissions::from_mode(0o700)).expect("own folder");
    fs::copy(ssh.join("id_ed25519.pub"), to.join("authorized_keys")).expect("own folder");
    fs::set_permissions(to.join("authorized_keys"), fs::Permissions::from_mode(0o600)).expect("own folder");
}

/// The children of a process, by their pids here.
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// A path below a root, with the links on the way followed as the victim would: an absolute one (`/var/lock` is
/// `/run/lock` there) leads from here to this machine's own folders.
fn within(root: &Path, path: &str) -> PathBuf {
    let mut left: Vec<String> =
        path.split('/').rev().filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let (mut at, mut links) = (root.to_path_buf(), 0);
    while let Some(part) = left.pop() {
        if part == ".." || part == "." {
            // `at` holds no links, so the folder above it is the one of its name; above the root is the root.
            if part == ".." && at != root {
                at.pop();
            }
            continue;
        }
        match fs::read_link(at.join(&part)) {
            Ok(target) if !left.is_empty() => {
                links += 1;
                assert!(links < 40, "{path}: a loop of links");
                let target = target.into_os_string().into_string().expect("links of the tree are UTF-8");
                if target.starts_with('/') {
                    at = root.to_path_buf();
                }
                left.extend(target.split('/').rev().filter(|part| !part.is_empty()).map(str::to_owned));
            }
            _ => at.push(part),
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_victim_stay_in_its_tree() {
        let root = std::env::temp_dir().join(format!("calma-within-{}", std::process::id()));
        fs::create_dir_all(root.join("run/lock")).unwrap();
        fs::create_dir_all(root.join("var")).unwrap();
        symlink("/run/lock", root.join("var/lock")).unwrap();
        symlink("../../../run", root.join("var/run")).unwrap();
        symlink("/etc/passwd", root.join("run/last")).unwrap();
        for (path, inside) in [
            ("/var/lock/a/b", "run/lock/a/b"),
            ("/var/run/lock/x", "run/lock/x"),
            ("/run/last", "run/last"),
            ("/not/there", "not/there"),
        ] {
            assert_eq!(within(&root, path), root.join(inside), "{path}");
        }
        fs::remove_dir_all(&root).unwrap();
    }
}
