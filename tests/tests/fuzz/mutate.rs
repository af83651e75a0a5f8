//! Mutates inputs.

/// The usual maximum length, except for inputs that are long on purpose.
const USUAL_BYTES: usize = 4096;
/// The length of those. Quadratic parsers take minutes for it, others moments.
const LONG_BYTES: usize = 1 << 16;

/// Words that often confuse parsers.
const WORDS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"=",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"-1",
    b"0.5",
    b"18446744073709551616",
    b"\\u0000",
    b"\\ud800",
    b"\\u00e9",
    b"${",
    b"%{",
    b"<<EOT\n",
    b"/*",
    b"#",
    b"<!--",
    b"<![CDATA[",
    b"&amp;",
    b"&#0;",
    b"</",
    b"../",
    b"%2F",
    b"%00",
    b"%",
    b"?ID=",
    b"{}",
    b"[]",
    b"\"\"",
    b"\xe2\x80\xa8",
    b"\x7f\xff\xff\xff",
];

/// Deterministic random numbers: SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `limit`; 0 if there is none.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or_default()
    }
}

/// Returns the next input from a corpus.
pub(crate) fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(4) {
        mutate(&mut input, corpus, random);
    }
    input.truncate(USUAL_BYTES);
    if random.below(256) == 0 {
        lengthen(&mut input, random);
    }
    input
}

fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = at + random.below((input.len() - at).min(64) + 1);
    match random.below(8) {
        // Flip a bit.
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        // Replace a byte.
        1 if at < input.len() => input[at] = u8::try_from(random.below(256)).unwrap_or_default(),
        2 => drop(input.drain(at..end)),
        3 => input.truncate(at),
        // Repeat a part.
        4 => {
            let part = input[at..end].to_vec();
            let to = random.below(input.len() + 1);
            input.splice(to..to, part).for_each(drop);
        }
        // Append the end of another input.
        5 => {
            let other = &corpus[random.below(corpus.len())];
            input.truncate(at);
            input.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
        // Replace a part by a word, or insert one.
        _ => {
            let word = WORDS[random.below(WORDS.len())];
            let end = if random.below(2) == 0 { at } else { end };
            input.splice(at..end, word.iter().copied()).for_each(drop);
        }
    }
}

/// Repeats a part very often, in its place.
fn lengthen(input: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = at + random.below((input.len() - at).min(256) + 1);
    let part = &input[at..end];
    if !part.is_empty() {
        let repeated = part.repeat(LONG_BYTES / part.len());
        input.splice(at..end, repeated).for_each(drop);
    }
}

/// Without this, repeating a seed would be useless.
pub(crate) fn is_deterministic() {
    let corpus = [b"{\"a\": [1, 2]}".to_vec(), b"terraform {}".to_vec(), Vec::new()];
    let tried = |seed| {
        let mut random = Random(seed);
        (0..1000).map(|_| mutated(&corpus, &mut random)).collect::<Vec<_>>()
    };
    assert_eq!(tried(7), tried(7));
    assert_ne!(tried(7), tried(8));
    let longest = tried(7).iter().map(Vec::len).max().unwrap_or_default();
    assert!(longest > LONG_BYTES / 2, "{longest} bytes are not long");
}
