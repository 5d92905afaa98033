//! Where the dynamic loader finds a library that is named by itself or with tokens.

use calma_host::{Tree, join};

/// Directories of libraries, in the order in which the loader usually looks (ld.so(8)).
fn directories(tree: &dyn Tree) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for base in [&b"/lib"[..], b"/usr/lib", b"/usr/local/lib"] {
        for entry in tree.list(base).unwrap_or_default() {
            if entry.name.as_bytes().ends_with(b"-linux-gnu")
                || entry.name.as_bytes().windows(7).any(|w| w == b"-linux-")
            {
                all.push(join(base, entry.name.as_bytes()));
            }
        }
        all.push(base.to_vec());
    }
    all.extend(
        [&b"/lib64"[..], b"/usr/lib64", b"/usr/local/lib64", b"/lib32", b"/usr/lib32"].map(<[u8]>::to_vec),
    );
    all
}

/// The file a library's name resolves to. `$LIB` and `$PLATFORM` stand for several directories; the first that has the
/// file counts. A path without such tokens resolves to itself, whether or not it is there.
pub(crate) fn find(tree: &dyn Tree, name: &[u8]) -> Option<Vec<u8>> {
    if name.starts_with(b"/") && !name.contains(&b'$') {
        return Some(name.to_vec());
    }
    if !name.contains(&b'/') {
        return directories(tree)
            .iter()
            .map(|directory| join(directory, name))
            .find(|path| tree.meta(path).is_ok());
    }
    let tokens: [&[u8]; 4] = [b"${LIB}", b"$LIB", b"${PLATFORM}", b"$PLATFORM"];
    let values: [&[u8]; 7] = [
        b"lib/x86_64-linux-gnu",
        b"lib64",
        b"lib",
        b"lib/aarch64-linux-gnu",
        b"x86_64",
        b"haswell",
        b"aarch64",
    ];
    let token = tokens
        .iter()
        .find_map(|token| Some((name.windows(token.len()).position(|w| w == *token)?, token.len())));
    let (at, length) = token?;
    let (before, after) = (name.get(..at)?, name.get(at + length..)?);
    values.iter().map(|value| [before, value, after].concat()).find(|path| tree.meta(path).is_ok())
}

/// Every file that the loader may take for a library's bare name: in each directory, and below it those for processors that
/// can do more, which win (ld.so(8), glibc-hwcaps).
pub(crate) fn all(tree: &dyn Tree, name: &[u8]) -> Vec<Vec<u8>> {
    if name.contains(&b'/') {
        return find(tree, name).into_iter().collect();
    }
    let mut places = Vec::new();
    for directory in directories(tree) {
        let above = join(&directory, b"glibc-hwcaps");
        let able = tree.list(&above).unwrap_or_default();
        places.extend(able.iter().take(16).map(|entry| join(&above, entry.name.as_bytes())));
        places.push(directory);
    }
    let paths = places.iter().map(|place| join(place, name));
    paths.filter(|path| tree.meta(path).is_ok()).collect()
}
