//! Programs at devices, put out of action and back. BPF is used through interfaces of the test's own namespaces alone.

use crate::own::{inside, named, run, script, wires};
use calma_host::Wires;
use calma_host::wires::{Attached, Place, Programs};
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

const XDP: u32 = 6;
const CLASSIFIER: u32 = 3;

/// bpf(2) with an attribute of numbers at byte offsets.
fn bpf(command: libc::c_long, numbers: &[(usize, u64, usize)]) -> i32 {
    let mut attribute = [0_u8; 256];
    for (at, value, length) in numbers {
        attribute[*at..at + length].copy_from_slice(&value.to_ne_bytes()[..*length]);
    }
    // SAFETY: the attribute is a live buffer of that length; addresses in it are of values that outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attribute.as_mut_ptr(), attribute.len()) };
    assert!(result >= 0, "bpf {command}: {}", std::io::Error::last_os_error());
    result as i32
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel just made this descriptor and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// A program whose only answer is this number.
fn program(kind: u32, attach: u32, answer: i32) -> OwnedFd {
    let code: [u64; 2] = [0xb7 | u64::from(answer.cast_unsigned()) << 32, 0x95];
    owned(bpf(
        5,
        &[
            (0, u64::from(kind), 4),
            (4, 2, 4),
            (8, code.as_ptr() as u64, 8),
            (16, c"GPL".as_ptr() as u64, 8),
            (48, u64::from_ne_bytes(*b"answer\0\0"), 8),
            (68, u64::from(attach), 4),
        ],
    ))
}

fn number(fd: &OwnedFd) -> u64 {
    fd.as_raw_fd() as u64
}

/// Runs `work` on a thread in a namespace that `ip netns add` made.
fn within<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    let file = std::fs::File::open(format!("/run/netns/{name}")).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            // SAFETY: setns takes no pointers; the thread ends after the work.
            assert_eq!(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }, 0);
            work()
        });
        thread.join().unwrap()
    })
}

/// Two namespaces on one wire: `a`, where the programs are, and `b`.
fn furnish() -> (UdpSocket, UdpSocket) {
    script(
        "ip netns add a
         ip netns add b
         ip link add w0 netns a type veth peer name w0 netns b
         ip -n a link set w0 address 02:00:00:00:00:0a
         ip -n b link set w0 address 02:00:00:00:00:0b
         ip -n a link set w0 up
         ip -n b link set w0 up
         ip -n a addr add 192.0.2.1/24 dev w0
         ip -n b addr add 192.0.2.2/24 dev w0
         ip -n a neigh add 192.0.2.2 lladdr 02:00:00:00:00:0b dev w0 nud permanent
         ip -n b neigh add 192.0.2.1 lladdr 02:00:00:00:00:0a dev w0 nud permanent
         mkdir /run/bpf
         mount -t bpf none /run/bpf",
    );
    let a = within("a", || UdpSocket::bind("192.0.2.1:9999").unwrap());
    let b = within("b", || UdpSocket::bind("192.0.2.2:9999").unwrap());
    a.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    b.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    (a, b)
}

/// Whether a datagram gets from `b` to `a`, and one from `a` to `b`.
fn passes((a, b): &(UdpSocket, UdpSocket)) -> (bool, bool) {
    b.send_to(b"in", "192.0.2.1:9999").unwrap();
    let came = a.recv(&mut [0; 9]).is_ok();
    let _ = a.send_to(b"out", "192.0.2.2:9999");
    (came, b.recv(&mut [0; 9]).is_ok())
}

fn programs() -> Box<dyn Programs> {
    wires().programs(&named("a")).unwrap()
}

fn pin(program: &OwnedFd, path: &str) {
    let name = std::ffi::CString::new(path).unwrap();
    bpf(6, &[(0, name.as_ptr() as u64, 8), (8, number(program), 4)]);
}

/// What is listed but for descriptors, which differ.
fn rows(list: &[Attached]) -> Vec<(u32, Place, u32, Option<u32>)> {
    list.iter().map(|one| (one.device, one.place.clone(), one.program, one.link)).collect()
}

#[test]
fn xdp_comes_back_in_its_mode() {
    inside("programs::xdp_comes_back_in_its_mode", || {
        let ends = furnish();
        assert_eq!(passes(&ends), (true, true));
        let dropping = program(XDP, 0, 1);
        pin(&dropping, "/run/bpf/x");
        drop(dropping);
        for (mode, flag) in [("xdpgeneric", 2), ("xdpdrv", 4)] {
            run(&format!("ip -n a link set w0 {mode} pinned /run/bpf/x"));
            assert_eq!(passes(&ends), (false, true));
            let shown = run("ip -n a -d link show w0");
            let mut programs = programs();
            let before = programs.list().unwrap();
            assert_eq!(rows(&before).len(), 1);
            assert_eq!((before[0].place.clone(), before[0].link), (Place::Xdp(flag), None));
            assert!(shown.contains(&format!("prog/xdp id {} ", before[0].program)), "{shown}");
            let disarmed = programs.disarm(&before[0]).unwrap();
            assert_eq!(passes(&ends), (true, true));
            assert_eq!(programs.list().unwrap()[0].program, disarmed.stands_in);
            assert!(programs.disarm(&before[0]).is_err(), "another sits there by now");
            programs.rearm(&disarmed).unwrap();
            assert_eq!(passes(&ends), (false, true));
            assert_eq!(run("ip -n a -d link show w0"), shown);
            assert_eq!(rows(&programs.list().unwrap()), rows(&before));
            assert!(programs.rearm(&disarmed).is_err());
            run(&format!("ip -n a link set w0 {mode} off"));
            assert!(programs.list().unwrap().is_empty());
        }
    });
}

#[test]
fn a_program_lives_as_long_as_it_is_held() {
    inside("programs::a_program_lives_as_long_as_it_is_held", || {
        let ends = furnish();
        let dropping = program(XDP, 0, 1);
        pin(&dropping, "/run/bpf/x");
        drop(dropping);
        run("ip -n a link set w0 xdpgeneric pinned /run/bpf/x");
        std::fs::remove_file("/run/bpf/x").unwrap();
        let mut programs = programs();
        let list = programs.list().unwrap();
        let disarmed = programs.disarm(&list[0]).unwrap();
        drop(list);
        std::thread::sleep(Duration::from_millis(200));
        programs.rearm(&disarmed).unwrap();
        assert_eq!(passes(&ends), (false, true));
    });
}

#[test]
fn links_that_hold_programs_stay() {
    inside("programs::links_that_hold_programs_stay", || {
        let ends = furnish();
        let index = 2_u64;
        assert!(run("ip -n a -o link show w0").starts_with("2:"));
        // Before and after the dropping one, and the dropping one held by a link.
        let (first, last) = (program(CLASSIFIER, 0, -1), program(CLASSIFIER, 0, -1));
        let (dropping, xdp) = (program(CLASSIFIER, 0, 2), program(XDP, 37, 1));
        let attach = |program: &OwnedFd, kind: u64| {
            bpf(8, &[(0, index, 4), (4, number(program), 4), (8, kind, 4)]);
        };
        let link = |program: &OwnedFd, kind: u64| {
            owned(bpf(28, &[(0, number(program), 4), (4, index, 4), (8, kind, 4)]))
        };
        let link = within("a", || {
            attach(&first, 47);
            let link = link(&dropping, 47);
            attach(&last, 47);
            attach(&dropping, 46);
            link
        });
        assert_eq!(passes(&ends), (false, false));
        let mut programs = programs();
        let before = programs.list().unwrap();
        println!("{before:?}");
        assert_eq!(before.len(), 4);
        assert_eq!(before.iter().filter(|one| one.link.is_some()).count(), 1);
        let dropping: Vec<_> = before.iter().filter(|one| one.program == before[0].program).collect();
        assert_eq!(dropping.len(), 2);
        let disarmed: Vec<_> = dropping.iter().map(|one| programs.disarm(one).unwrap()).collect();
        assert_eq!(passes(&ends), (true, true));
        let now = programs.list().unwrap();
        let stands_in =
            |at: usize| now[at].program == disarmed[0].stands_in || now[at].program == disarmed[1].stands_in;
        assert!(stands_in(0) && stands_in(2), "{now:?}");
        for at in [1, 3] {
            assert_eq!(rows(&now)[at], rows(&before)[at]);
        }
        assert_eq!(now[2].link, before[2].link);
        disarmed.iter().for_each(|one| programs.rearm(one).unwrap());
        assert_eq!(rows(&programs.list().unwrap()), rows(&before));
        assert_eq!(passes(&ends), (false, false));
        drop(link);
        // A link at XDP.
        let link =
            within("a", || owned(bpf(28, &[(0, number(&xdp), 4), (4, index, 4), (8, 37, 4), (12, 2, 4)])));
        let list = programs.list().unwrap();
        let at = list.iter().find(|one| matches!(one.place, Place::Xdp(_))).unwrap();
        assert!(at.link.is_some(), "{at:?}");
        let disarmed = programs.disarm(at).unwrap();
        let ingress =
            programs.list().unwrap().into_iter().find(|one| one.place == Place::Tcx { ingress: true });
        programs.disarm(&ingress.unwrap()).unwrap();
        assert_eq!(passes(&ends), (true, true));
        programs.rearm(&disarmed).unwrap();
        assert_eq!(passes(&ends), (false, true));
        drop(link);
    });
}

#[test]
fn filters_of_traffic_control_come_back_in_their_order() {
    inside("programs::filters_of_traffic_control_come_back_in_their_order", || {
        let ends = furnish();
        let dropping = program(CLASSIFIER, 0, 2);
        let passing = program(CLASSIFIER, 0, -1);
        pin(&dropping, "/run/bpf/d");
        pin(&passing, "/run/bpf/p");
        script(
            "tc -n a qdisc add dev w0 clsact
             tc -n a filter add dev w0 ingress pref 7 chain 0 bpf da pinned /run/bpf/p
             tc -n a filter add dev w0 ingress pref 7 chain 0 bpf da pinned /run/bpf/d
             tc -n a filter add dev w0 ingress pref 9 protocol ip handle 5 bpf da pinned /run/bpf/p
             tc -n a filter add dev w0 egress pref 3 bpf da pinned /run/bpf/d",
        );
        let shown = || [run("tc -n a filter show dev w0 ingress"), run("tc -n a filter show dev w0 egress")];
        let before = shown();
        println!("{}{}", before[0], before[1]);
        assert_eq!(passes(&ends), (false, false));
        let mut programs = programs();
        let list = programs.list().unwrap();
        assert_eq!(list.len(), 4, "{list:?}");
        let disarmed: Vec<_> = list.iter().map(|one| programs.disarm(one).unwrap()).collect();
        assert_eq!(passes(&ends), (true, true));
        assert!(programs.disarm(&list[0]).is_err(), "another sits there by now");
        disarmed.iter().for_each(|one| programs.rearm(one).unwrap());
        assert_eq!(shown(), before);
        assert_eq!(passes(&ends), (false, false));
        // One that is gone is not made anew.
        let disarmed = programs.disarm(&list[3]).unwrap();
        run("tc -n a filter del dev w0 egress pref 3");
        assert!(programs.rearm(&disarmed).is_err());
        assert_eq!(run("tc -n a filter show dev w0 egress"), "");
        // What is no program is told of, and left.
        run(
            "tc -n a filter add dev w0 egress pref 2 protocol ip u32 match u32 0 0 action mirred egress redirect dev lo",
        );
        let list = programs.list().unwrap();
        let other = list.iter().find(|one| one.program == 0).unwrap();
        let error = programs.disarm(other).unwrap_err();
        println!("{error}");
    });
}

/// The number and the digest of a program, as a plan names it (BPF_OBJ_GET_INFO_BY_FD).
fn identity(program: &OwnedFd) -> (u32, String) {
    let mut info = [0_u8; 64];
    let told = (8, info.as_mut_ptr() as u64, 8);
    bpf(15, &[(0, number(program), 4), (4, info.len() as u64, 4), told]);
    let id = u32::from_ne_bytes(info[4..8].try_into().unwrap());
    (id, format!("{:016x}", u64::from_be_bytes(info[8..16].try_into().unwrap())))
}

#[test]
fn a_plan_takes_programs_off_an_interface() {
    inside("programs::a_plan_takes_programs_off_an_interface", || {
        run("mount -t tmpfs none /mnt");
        run("mkdir /run/bpf");
        run("mount -t bpf none /run/bpf");
        let ends = (UdpSocket::bind("127.0.0.1:9999").unwrap(), UdpSocket::bind("127.0.0.1:9998").unwrap());
        ends.0.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let comes = || {
            ends.1.send_to(b"in", "127.0.0.1:9999").unwrap();
            ends.0.recv(&mut [0; 9]).is_ok()
        };
        // Each throws everything away: of XDP, of a filter of traffic control, of tcx (no link, and none is pinned).
        let thrown = [program(XDP, 0, 1), program(CLASSIFIER, 0, 2), program(CLASSIFIER, 46, 2)];
        pin(&thrown[0], "/run/bpf/x");
        pin(&thrown[1], "/run/bpf/c");
        script(
            "ip link set lo xdpgeneric pinned /run/bpf/x
             tc qdisc add dev lo clsact
             tc filter add dev lo ingress pref 7 bpf da pinned /run/bpf/c
             rm /run/bpf/x /run/bpf/c",
        );
        const TCX_INGRESS: u64 = 46;
        bpf(8, &[(0, 1, 4), (4, number(&thrown[2]), 4), (8, TCX_INGRESS, 4)]);
        assert!(!comes());
        let case = std::path::Path::new("/mnt/case");
        let about = calma_case::About::new("0", "test", calma_case::PlaceKind::Named);
        calma_case::Case::create(case, &about).unwrap();
        let steps = (1..).zip(&thrown).map(|(number, program)| {
            let (id, tag) = identity(program);
            let target = serde_json::json!({ "program": { "id": id, "tag": tag, "name": "answer" } });
            serde_json::json!({ "number": number, "action": "detach-program", "target": target, "ticked": true })
        });
        let steps: Vec<_> = steps.collect();
        let boot = calma_host::ground::boot();
        let plan = serde_json::json!({ "schema": 1, "host": "test", "boot": boot, "made": "2026-01-01T00:00:00Z", "steps": steps });
        std::fs::write("/mnt/plan", plan.to_string()).unwrap();
        let calma = |words: &str| {
            run(&format!("{} {words} --case /mnt/case --yes", calma_testkit::binaries::calma().display()))
        };
        println!("{}", calma("contain --plan /mnt/plan --watch 0"));
        assert!(comes(), "one of them still throws packets away");
        assert!(!run("ip -d link show lo").contains("xdp"));
        assert_eq!(run("tc filter show dev lo ingress"), "");
        // They can not be attached again, which is said; their instructions are in the case.
        let said = calma("undo --all").split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(said.matches("can not be attached again").count(), 3, "{said}");
        assert!(comes());
        assert!(!calma_case::Case::open(case).unwrap().verify().unwrap().is_broken());
        // Two of them have the same instructions.
        assert_eq!(run("find /mnt/case/evidence -name *.zst").lines().count(), 2);
    });
}
