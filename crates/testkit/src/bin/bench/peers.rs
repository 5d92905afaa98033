//! A whole look beside what administrators run today, on one booted server with web applications.

use crate::{TRIAGE, best, row};
use calma_testkit::bed::{Bed, Release};

/// `chkrootkit` and `rkhunter` look once each: they take minutes.
pub(crate) fn peers() {
    let bed = Bed::booted(Release::Apps);
    bed.calma(&["--version"]);
    let files = bed.run("find / -xdev | wc -l").text().trim().to_owned();
    let calma = best(&bed, TRIAGE);
    let polite = best(&bed, "/root/calma triage --json --case /run/bench");
    row(
        &format!("whole triage of a booted server with web applications ({files} files), with the pid range"),
        format!("{calma:.2} s"),
        "a tenth of chkrootkit's and rkhunter's",
        format!("without `--hurry`: {polite:.2} s"),
    );
    for (name, line) in [("chkrootkit", "chkrootkit"), ("rkhunter", "rkhunter --check --sk --nocolors")] {
        let script = format!("S=$(date +%s%N); {line} >/run/{name}.txt 2>&1; echo $(($(date +%s%N)-S))");
        let output = bed.run(&script);
        let lines: usize = bed.run(&format!("wc -l </run/{name}.txt")).text().trim().parse().unwrap_or(0);
        // It must have run to its end: both print a line for each of some hundred tests.
        assert!(lines > 50, "{name}: {output} {}", bed.run(&format!("tail /run/{name}.txt")));
        let seconds = output.text().trim().parse::<f64>().unwrap_or_else(|_| panic!("{output}")) / 1e9;
        row(
            &format!("`{line}` on the same server"),
            format!("{seconds:.1} s"),
            "",
            format!("calma is {:.0} × faster", seconds / calma),
        );
    }
}
