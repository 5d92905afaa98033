//! The same on Debian's own kernel in a guest, which is older and has more kinds of links, and radios.

use calma_testkit::guest::Guest;
use calma_testkit::skip_outside_the_soak;

const SCRIPT: &str = "
cd /run/share
modprobe -a 8021q vrf dummy ipip ip_gre
modprobe mac80211_hwsim radios=2
export TMPDIR=/run
run() { ./wires --nocapture --test-threads 1 \"$@\" 2>&1; echo \"$*: $?\" >>ended; }
run links:: --skip thousand
run filter:: --skip fifty --skip thousand --skip stays
run connections:: --skip thousand
# tcx is of Linux 6.6.
run programs:: --skip hold_programs --skip off_an_interface
run --ignored radios::
";

#[test]
fn on_debians_own_kernel() {
    if skip_outside_the_soak("on_debians_own_kernel") {
        return;
    }
    if std::env::consts::ARCH != "x86_64" || std::env::var_os("CALMA_TEST_INSIDE").is_some() {
        eprintln!("skipped: on_debians_own_kernel (the guest is for x86_64)");
        return;
    }
    let own = std::env::current_exe().unwrap();
    let guest = Guest::run_beside(SCRIPT, &[("wires", own.as_path())]);
    let log = guest.text("log");
    println!("{log}");
    let ended = guest.text("ended");
    assert_eq!(ended.lines().count(), 5, "{}\n{ended}", guest.text("console"));
    assert!(ended.lines().all(|line| line.ends_with(": 0")), "{ended}");
    assert!(log.contains("also: vlan vlan dummy vrf ipip gre"));
    assert!(log.contains("2 radios blocked and freed"));
}
