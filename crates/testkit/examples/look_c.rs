fn main() {
    let kinds: Vec<String> = std::env::args().skip(1).collect();
    let start = std::time::Instant::now();
    let seen = calma_testkit::check(calma_host::Live::new());
    eprintln!("{:?}", start.elapsed());
    for f in &seen.facts {
        if kinds.iter().any(|k| k == f.kind()) {
            println!("{f:?}");
        }
    }
    for g in &seen.gaps {
        println!("GAP {g:?}");
    }
    for f in &seen.findings {
        println!("{} {} {} {:?} {:?}", f.severity, f.certainty, f.title, f.subjects, f.facts);
    }
}
