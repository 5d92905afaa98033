//! Digests as words that can be said over a telephone: proquints (Wilkerson, arXiv:0901.4016).

/// Sixteen bits as five letters: consonant, vowel, consonant, vowel, consonant.
fn word(value: u16) -> String {
    const CONSONANTS: [char; 16] =
        ['b', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z'];
    const VOWELS: [char; 4] = ['a', 'i', 'o', 'u'];
    let consonant = |shift: u32| CONSONANTS.get(usize::from((value >> shift) & 15));
    let vowel = |shift: u32| VOWELS.get(usize::from((value >> shift) & 3));
    [consonant(12), vowel(10), consonant(6), vowel(4), consonant(0)].into_iter().flatten().collect()
}

/// The first 96 bits of a digest as six words.
pub(crate) fn phrase(digest: &calma_record::Digest) -> String {
    let mut words = Vec::with_capacity(6);
    for pair in digest.0.chunks_exact(2).take(6) {
        if let [high, low] = pair {
            words.push(word(u16::from_be_bytes([*high, *low])));
        }
    }
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_paper() {
        // 127.0.0.1 and 63.84.220.193 of the paper's table.
        for (address, words) in
            [([127, 0, 0, 1], ["lusab", "babad"]), ([63, 84, 220, 193], ["gutih", "tugad"])]
        {
            let [a, b, c, d] = address;
            assert_eq!([word(u16::from_be_bytes([a, b])), word(u16::from_be_bytes([c, d]))], words);
        }
    }
}
