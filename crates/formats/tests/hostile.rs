//! Feeds every parser each truncation of its samples and many mutations: none may panic, hang or grow without bound.
#![allow(clippy::indexing_slicing, reason = "a test")]

mod mutate;

use mutate::{Random, mutated, truncated};

type Parser = (&'static str, &'static [&'static [u8]], fn(&[u8]));

/// What users bring along, which stands beside the formats of a host.
const OTHERS: &[Parser] = &[
    (
        "lists of signs",
        &[
            b"# list\n192.0.2.7\n198.51.100.0/24 c2\nevil.example\n/tmp/.x*\nSHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
            b"type,value,comment\nmd5,d41d8cd98f00b204e9800998ecf8427e,\"a \"\"quoted\"\" one\"\nip-dst,192.0.2.7,=1+1\n",
            br#"{"Event":{"info":"x","Attribute":[{"type":"filename|md5","value":"a|d41d8cd98f00b204e9800998ecf8427e","comment":"c2"}]}}"#,
            br#"{"type":"bundle","objects":[{"type":"indicator","name":"n","pattern_type":"stix","pattern":"[ipv4-addr:value = '192.0.2.7' OR file:hashes.'SHA-256' = 'aa'] FOLLOWEDBY [file:name LIKE 'x%']"}]}"#,
        ],
        |bytes| calma_formats::signs::read(bytes, &mut |found| drop(found)),
    ),
    (
        "rules in the YARA language",
        &[
            br#"include "x" rule a : t { meta: m = 1 strings: $a = "x" nocase wide $b = { 41 ?? [2-4] (42|43) } $c = /a[0-9]{2,8}b/i condition: any of them and filesize < 1MB }"#,
            b"/* a */ private rule p { condition: uint16(0) == 0x457f } // b\nrule q { condition: p and for any i in (1..4) : (i == 3) }\n",
        ],
        |bytes| drop(calma_formats::yara::check(bytes)),
    ),
];

fn parsers() -> impl Iterator<Item = Parser> {
    let formats = calma_formats::ALL.iter().map(|format| (format.name, format.samples, format.feed));
    formats.chain(OTHERS.iter().copied())
}

#[test]
fn every_truncation_of_every_sample_is_survived() {
    for (name, samples, feed) in parsers() {
        assert!(!samples.is_empty(), "{name} has no samples");
        truncated(samples, &feed);
    }
}

#[test]
fn mutated_samples_are_survived_in_time() {
    let mut random = Random(0x5eed_ca1a);
    for (name, samples, feed) in parsers() {
        mutated(name, samples, &mut random, &feed);
    }
}
