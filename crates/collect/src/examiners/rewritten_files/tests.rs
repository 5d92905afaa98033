//! The examiner over in-memory trees.

use crate::Item;
use calma_host::Mem;
use calma_record::{Fact, kinds};

fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(2000)
    .collect()
}

fn facts(host: Mem) -> Vec<kinds::RewrittenFiles> {
    let fact = |item| match item {
        Item::Fact(_, fact) => match *fact {
            Fact::RewrittenFiles(row) => Some(row),
            _ => None,
        },
        _ => None,
    };
    crate::examiner::items(host).into_iter().filter_map(fact).collect()
}

#[test]
fn renamed_files_are_one_fact_with_their_note() {
    let mut host = Mem::new();
    for number in 0..30 {
        let path = format!("/home/u{}/docs/report{number}.docx.k9x", number % 4);
        host = host.file(path, noise(number));
    }
    for user in 0..4 {
        let text = "All your files were encrypted. To decrypt them send bitcoin to this wallet. ";
        host = host.file(format!("/home/u{user}/docs/README_K9X.txt"), text);
    }
    let seen = facts(host);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!((seen[0].what.as_str(), seen[0].files, seen[0].directories), ("renamed", 30, 4));
    assert_eq!(seen[0].random, seen[0].sampled);
    assert_eq!((seen[0].notes, seen[0].examples.len()), (4, 8));
}

#[test]
fn rewritten_content_is_told_and_ordinary_files_are_not() {
    let mut host = Mem::new();
    for number in 0..40 {
        host = host.file(format!("/srv/share/d{}/table{number}.xlsx", number % 5), noise(number));
    }
    assert_eq!(facts(host).iter().filter(|row| row.what == "content").count(), 1);
    let mut host = Mem::new();
    for number in 0..40 {
        let here = format!("/srv/share/d{}", number % 5);
        host = host
            .file(format!("{here}/x{number}.docx"), [b"PK\x03\x04".as_slice(), &noise(number)].concat())
            .file(format!("{here}/x{number}.sql.gz"), [b"\x1f\x8b".as_slice(), &noise(number)].concat())
            .file(format!("{here}/y{number}.html"), "<p>text</p>".repeat(200))
            .file(
                format!("{here}/LICENSE.txt"),
                "Permission is hereby granted to encrypt and decrypt. ".repeat(9),
            );
    }
    assert_eq!(facts(host), []);
}
