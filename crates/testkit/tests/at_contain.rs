//! `calma at HOST contain` and `undo`: the same intrusion, from the clean machine over a real sshd, as root and through sudo,
//! and with the connection lost at any moment.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

use calma_testkit::bed::{Bed, Output, Release};
use calma_testkit::intrusion::{alive, dump, planted, planted_on};
use calma_testkit::random::Random;
use calma_testkit::skip_without_root;
use calma_testkit::whole_tree::{self, changed, is_written_by_login};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// An account that may become root.
const ADMIN: &str = "useradd -m -s /bin/bash admin && mkdir -p /home/admin/.ssh && cp /root/.ssh/authorized_keys /home/admin/.ssh/ && \
     chown -R admin:admin /home/admin/.ssh && chmod 700 /home/admin/.ssh && \
     echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin && chmod 440 /etc/sudoers.d/admin";

/// calma on the keeper about `account` there.
struct From<'a> {
    bed: &'a Bed,
    host: String,
    sudo: bool,
    case: String,
}

impl<'a> From<'a> {
    fn new(bed: &'a Bed, account: &str) -> Self {
        let case = bed.work().join(format!("case-{account}")).display().to_string();
        Self { bed, host: format!("{account}@srv"), sudo: account != "root", case }
    }

    fn words<'w>(&'w self, command: &'w [&'w str]) -> Vec<&'w str> {
        let mut words = vec!["at", &self.host];
        words.extend(self.sudo.then_some("--sudo"));
        words.extend_from_slice(command);
        words.extend(["--case", &self.case]);
        words
    }

    fn calma(&self, command: &[&str]) -> Output {
        self.bed.calma_from_keeper(&self.words(command))
    }
}

/// Nothing of calma: no process, no file in memory, no lock.
fn left(bed: &Bed) -> String {
    bed.run("pgrep -a calma; pgrep -af '[a]ct-side'; ls -A /dev/shm /run /var/tmp /tmp | grep -i calma; true")
        .text()
}

fn assert_nothing_left(bed: &Bed) {
    let began = Instant::now();
    while !left(bed).is_empty() && began.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(left(bed), "", "calma left something there");
}

fn flat(output: &Output) -> String {
    let said = format!("{} {}", output.text(), String::from_utf8_lossy(&output.err));
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every file there without what can not be given back: the time of a change of metadata.
fn everything(bed: &Bed) -> BTreeMap<String, String> {
    let without = |what: String| {
        let fields: Vec<&str> = what.split(' ').collect();
        let kept: Vec<&str> =
            fields.iter().enumerate().filter(|(number, _)| *number != 6).map(|(_, field)| *field).collect();
        kept.join(" ")
    };
    whole_tree::dump(bed).into_iter().map(|(path, what)| (path, without(what))).collect()
}

/// What the server's own services write while the test runs.
fn of_services(line: &str) -> bool {
    ["/var/lib/systemd/timers", "/run/crond", "/var/spool/cron", "/var/cache/", "/run/nginx"]
        .iter()
        .any(|start| line.starts_with(start))
}

fn contained(release: Release, account: &str) {
    let bed = planted_on(release);
    assert!(bed.run(ADMIN).ok());
    let from = From::new(&bed, account);
    let looked = from.calma(&["triage"]);
    assert_eq!(looked.code, Some(1), "{looked}");
    let (before, all_before) = (dump(&bed), everything(&bed));
    let dry = from.calma(&["contain", "--dry-run"]);
    assert!(dry.ok(), "{dry}");
    assert_eq!(dump(&bed), before, "a dry run changed something");
    let asked = from.calma(&["contain"]);
    assert_eq!(asked.code, Some(4), "without --yes and a terminal nothing is done: {asked}");
    assert_nothing_left(&bed);
    let done = from.calma(&["contain", "--yes"]);
    eprintln!("{done}");
    assert!(done.ok(), "{done}");
    let command = if account == "root" { "calma at root@srv undo" } else { "calma at admin@srv --sudo undo" };
    assert!(flat(&done).contains(command), "{done}");
    assert_eq!(alive(&bed), "", "processes of it are left");
    assert_eq!(
        bed.run("systemctl is-active ssh nginx cron rsyslog").text(),
        "active\nactive\nactive\nactive\n"
    );
    let gone = "ls /etc/cron.d/php-session /etc/systemd/system/php-gc.* /etc/ld.so.preload /etc/profile.d/zz-term.sh \
                /var/tmp/.x/wa /var/tmp/.x/wb /var/www/.ssh/authorized_keys 2>/dev/null; true";
    assert_eq!(bed.run(gone).text(), "");
    assert_nothing_left(&bed);
    // Nothing is different but what the plan named: these files are gone, and their folders are newer.
    let files: Vec<&str> =
        gone.split_whitespace().filter(|word| word.starts_with('/') && !word.contains("/dev/null")).collect();
    let stated = |line: &str| {
        let path = line.split(": ").next().unwrap_or(line);
        let taken = |taken: &&str| {
            let start = taken.trim_end_matches('*');
            path.starts_with(start) || start.rsplit_once('/').is_some_and(|(folder, _)| path == folder)
        };
        files.iter().any(taken)
            || path.starts_with("/etc/systemd/system/timers.target.wants")
            || path == "/var/tmp/.x/libx.so"
    };
    let unstated: Vec<String> = changed(&all_before, &everything(&bed))
        .into_iter()
        .filter(|line| !is_written_by_login(line) && !stated(line) && !of_services(line))
        .collect();
    assert!(unstated.is_empty(), "changed beside the plan: {unstated:#?}");
    bed.run("sleep 62");
    assert_eq!(alive(&bed), "", "it came back");
    let verified = bed.calma_from_keeper(&["case", "verify", "--case", &from.case]);
    assert!(verified.ok(), "{verified}");
    let noted = from.calma(&["note", "ask", "the", "hoster"]);
    assert!(noted.ok(), "{noted}");
    assert!(flat(&from.calma(&["undo"])).contains("ask the hoster"));
    let undone = from.calma(&["undo", "--all", "--yes"]);
    eprintln!("{undone}");
    assert!(undone.ok(), "{undone}");
    let after = dump(&bed);
    let lost: Vec<&str> = before.lines().filter(|line| !after.contains(line)).collect();
    let new: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
    assert!(lost.is_empty() && new.is_empty(), "not as it was:\nbefore {lost:#?}\nafter {new:#?}");
    let unstated: Vec<String> = changed(&all_before, &everything(&bed))
        .into_iter()
        .filter(|line| !is_written_by_login(line) && !of_services(line))
        .collect();
    assert!(unstated.is_empty(), "not as it was: {unstated:#?}");
    assert!(undone.text().contains("cannot come back"), "{undone}");
    let verified = bed.calma_from_keeper(&["case", "verify", "--case", &from.case]);
    assert!(verified.ok(), "{verified}");
    assert_nothing_left(&bed);
}

#[test]
fn contained_and_undone_as_root() {
    if !skip_without_root("contained_and_undone_as_root") {
        contained(Release::Bookworm, "root");
    }
}

/// On the newer release sudo gives its command a terminal of its own, and sshd's sessions are another program.
#[test]
fn contained_and_undone_through_sudo() {
    if !skip_without_root("contained_and_undone_through_sudo") {
        contained(Release::Trixie, "admin");
    }
}

#[test]
fn what_can_not_be_is_refused_with_the_reason() {
    if skip_without_root("what_can_not_be_is_refused_with_the_reason") {
        return;
    }
    let bed = planted();
    assert!(bed.run(ADMIN).ok());
    let root = From::new(&bed, "root");
    let none = root.calma(&["contain", "--yes"]);
    assert!(!none.ok() && flat(&none).contains("no"), "{none}");
    assert_eq!(root.calma(&["triage"]).code, Some(1));
    let several = bed.calma_from_keeper(&["at", "root@srv", "root@other", "contain", "--case", &root.case]);
    assert_eq!(several.code, Some(2), "{several}");
    assert!(flat(&several).contains("only one at a time"), "{several}");
    let before = dump(&bed);
    // Without root's rights nothing can be changed, and it says how.
    let plain = From { sudo: false, ..From::new(&bed, "admin") };
    let plain = From { case: root.case.clone(), ..plain };
    let refused = plain.calma(&["contain", "--yes"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(flat(&refused).contains("--sudo"), "{refused}");
    // Another one changes the host at this moment.
    let holder = bed.live("exec flock /run/calma.lock sleep 300");
    std::thread::sleep(Duration::from_millis(300));
    let second = root.calma(&["contain", "--yes"]);
    assert_eq!(second.code, Some(4), "{second}");
    assert!(flat(&second).contains("another calma"), "{second}");
    bed.run(&format!("pkill -P {holder}; kill {holder}; rm -f /run/calma.lock; true"));
    // Whatever leads to calma's own end there is left alone: here the listener of sshd itself is named.
    let plan = bed.work().join("plan-own").display().to_string();
    assert!(root.calma(&["contain", "--dry-run", "--plan", &plan]).ok());
    let listener = bed.run("pid=$(pgrep -o -x sshd); echo $pid; cut -d' ' -f22 /proc/$pid/stat").text();
    let numbers: Vec<u64> = listener.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let mut value: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&plan).unwrap()).unwrap();
    value["steps"] = serde_json::json!([{
        "number": 1, "action": "freeze", "ticked": true, "story": 1,
        "target": { "tree": { "pid": numbers[0], "started": numbers[1], "name": "sshd" } },
    }]);
    std::fs::write(&plan, value.to_string()).unwrap();
    let own = root.calma(&["contain", "--yes", "--watch", "0", "--plan", &plan]);
    assert_eq!(own.code, Some(5), "{own}");
    assert!(flat(&own).contains("part of your own session"), "{own}");
    assert_eq!(dump(&bed), before, "a refusal changed something");
    assert!(alive(&bed).contains("/var/tmp/.x/wa"));
    assert_nothing_left(&bed);
}

/// ssh of the keeper, or sshd's end of it there, is killed at a random moment of contain or of undo; what is then put right
/// is as if nothing had been cut.
#[test]
fn lost_at_any_moment_nothing_is_half_done() {
    if skip_without_root("lost_at_any_moment_nothing_is_half_done") {
        return;
    }
    let bed = Bed::booted(Release::Bookworm);
    let soak = std::env::var_os("CALMA_SOAK").is_some();
    let rounds = std::env::var("CALMA_CUTS").ok().and_then(|text| text.parse().ok());
    let rounds = rounds.unwrap_or(if soak { 60 } else { 4 });
    let mut random = Random::new(Random::seed(), 7);
    // No timer and no cron here: the state before and after must be comparable while it lasts.
    let plant = "mkdir -p /var/tmp/.x; cp /bin/sleep /var/tmp/.x/kworkerd; cp /bin/sleep /var/tmp/.x/other; \
                 printf '* * * * * root /var/tmp/.x/kworkerd 9\\n' >/etc/cron.d/php-session; \
                 touch -d @1700000000 /etc/cron.d/php-session /var/tmp/.x/* /var/tmp/.x /etc/cron.d; systemctl stop cron; \
                 setsid bash -c 'exec -a \"[kworker/0:2]\" /var/tmp/.x/kworkerd 100000' </dev/null >/dev/null 2>&1 & sleep 1";
    assert!(bed.run(plant).ok());
    let running = || bed.run("ps -eo stat,args | grep '[k]worker/0:2' | grep -c '^S'; true").text();
    let (mut cut, mut open) = (0, 0);
    // How long an uncut run has the machine, doing and undoing: a cut falls into that time, however fast the machine is.
    let mut lasts = [Duration::ZERO; 2];
    for round in 0..=4 * rounds {
        // A few more where none of the cuts came in time.
        if round > rounds && cut > 0 {
            break;
        }
        let case = bed.work().join(format!("case-{round}")).display().to_string();
        let from = From { case, ..From::new(&bed, "root") };
        assert_eq!(from.calma(&["triage"]).code, Some(1));
        let before = dump(&bed);
        assert_eq!(running(), "1\n", "round {round}");
        // Freeze and keep, unhook; what is killed can not come back, so that step is left out.
        let plan = bed.work().join(format!("plan-{round}")).display().to_string();
        assert!(from.calma(&["contain", "--dry-run", "--plan", &plan]).ok());
        let text = std::fs::read_to_string(&plan).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value["steps"].as_array_mut().unwrap().retain(|step| step["action"] != "kill");
        std::fs::write(&plan, value.to_string()).unwrap();
        let spawn = |command: &[&str]| {
            let mut child = bed.calma_from_keeper_command(&from.words(command));
            child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        };
        let taken = || {
            let began = Instant::now();
            while !bed.path("/run/calma.lock").exists() && began.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        let act: Vec<&str> = vec!["contain", "--yes", "--watch", "0", "--plan", &plan];
        if round == 0 {
            for (at, command) in [act.as_slice(), &["undo", "--all", "--yes"]].into_iter().enumerate() {
                let child = spawn(command);
                taken();
                let began = Instant::now();
                let ended = child.wait_with_output().unwrap();
                assert!(ended.status.success(), "uncut: {}", String::from_utf8_lossy(&ended.stderr));
                lasts[at] = began.elapsed();
            }
            continue;
        }
        let during_undo = random.below(2) == 1;
        if during_undo {
            let done = from.calma(&act);
            assert!(done.ok(), "round {round}: {done}");
        }
        let command: Vec<&str> = if during_undo { vec!["undo", "--all", "--yes"] } else { act };
        let whole = usize::try_from(lasts[usize::from(during_undo)].as_millis()).unwrap();
        // The cut itself takes a moment, and the line's end is in the measured time.
        let wait = Duration::from_millis(random.below((whole / 2).max(2)) as u64);
        let there = random.below(2) == 1;
        let what = format!("round {round}: {wait:?}, during undo {during_undo}, cut there {there}");
        let child = spawn(&command);
        // From the moment at which it has the machine, or, now and then, from the very beginning.
        if random.below(5) != 0 {
            taken();
        }
        std::thread::sleep(wait);
        if there {
            // Every session of root, the one through which the test talks too; it is made anew.
            let leader = bed.leader().to_string();
            let sessions = ["-t", &leader, "-m", "-p", "pkill", "-9", "-f", "^sshd.*root@notty"];
            std::process::Command::new("nsenter").args(sessions).status().unwrap();
        } else {
            bed.keeper(&["pkill", "-9", "-f", "^ssh -T"]);
        }
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        cut += u32::from(!ended.status.success());
        assert!(matches!(ended.status.code(), Some(0 | 4 | 5)), "{what}: {said}");
        assert_nothing_left(&bed);
        let half = bed.run("find / -xdev -name '.calma-*' 2>/dev/null; true").text();
        assert_eq!(half, "", "{what}: half-done");
        let way = if random.below(2) == 1 { "--finish" } else { "--take-back" };
        let right = from.calma(&["contain", way]);
        open += u32::from(!right.text().contains("Nothing was left"));
        assert!(right.ok(), "{what} {way}: {right}\n{said}");
        let undone = from.calma(&["undo", "--all", "--yes"]);
        assert!(undone.ok(), "{what} {way}: {undone}");
        let after = dump(&bed);
        let lost: Vec<&str> = before.lines().filter(|line| !after.contains(line)).collect();
        let new: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
        assert!(lost.is_empty() && new.is_empty(), "{what} {way}:\nbefore {lost:#?}\nafter {new:#?}");
        assert_eq!(running(), "1\n", "{what} {way}: it was not thawed");
        let verified = bed.calma_from_keeper(&["case", "verify", "--case", &from.case]);
        assert!(verified.ok(), "{what} {way}: {verified}");
    }
    eprintln!("{rounds} rounds, {cut} cut before the end, {open} with steps in the middle");
    assert!(cut > 0);
}
