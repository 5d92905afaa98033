//! Boots a disposable server and runs a line in it: `cargo run -p calma-testkit --example bed -- bookworm 'LINE'`.
//!
//! calma stands there as /root/calma. A second argument `plants=SEED:ROUND` plants a round first.
#![allow(clippy::disallowed_methods, clippy::panic, clippy::unwrap_used, reason = "a development tool")]

use calma_testkit::bed::{Bed, Release};
use calma_testkit::plants;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let release =
        if words.first().is_some_and(|word| word == "trixie") { Release::Trixie } else { Release::Bookworm };
    let bed = Bed::booted(release);
    bed.calma(&["--version"]);
    for word in words.iter().skip(1) {
        if let Some((seed, round)) = word.strip_prefix("plants=").and_then(|rest| rest.split_once(':')) {
            let planted = plants::round(seed.parse().unwrap(), round.parse().unwrap());
            planted.into_iter().for_each(|mut plant| plant.apply(&bed));
        } else {
            println!("{}", bed.run(word));
        }
    }
}
