//! The set of short stretches of a text, and how much two sets share.

use crate::data::collect::hash::mix;

/// Characters of a shingle.
pub const WIDTH: usize = 5;

/// The shingles of a normal text as sorted hashes, each once. A shorter text is one shingle.
pub fn shingles(normal: &str) -> Vec<u64> {
    let chars: Vec<u32> = normal.chars().map(u32::from).collect();
    let hash = |chars: &[u32]| {
        let fold = |hash: u64, c: &u32| {
            (hash.rotate_left(13) ^ u64::from(*c)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        mix(chars.iter().fold(0x51_7cc1_b727, fold))
    };
    let mut found: Vec<u64> = match chars.len() {
        0 => Vec::new(),
        1..WIDTH => vec![hash(&chars)],
        _ => chars.windows(WIDTH).map(hash).collect(),
    };
    found.sort_unstable();
    found.dedup();
    found
}

/// The share of two sorted sets that they have in common; two empty sets share nothing.
pub fn jaccard(one: &[u64], other: &[u64]) -> f64 {
    let (mut a, mut b, mut shared) = (0, 0, 0usize);
    while let (Some(x), Some(y)) = (one.get(a), other.get(b)) {
        shared += usize::from(x == y);
        a += usize::from(x <= y);
        b += usize::from(y <= x);
    }
    let all = one.len() + other.len() - shared;
    match all {
        0 => 0.0,
        _ => shared as f64 / all as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_compared_exactly() {
        assert_eq!(shingles("").len(), 0);
        assert_eq!(shingles("abc").len(), 1);
        assert_eq!(shingles("abcdef").len(), 2);
        assert_eq!(shingles("aaaaaaaaa").len(), 1);
        // bcdef is shared, abcde and cdefg are not.
        assert_eq!(jaccard(&shingles("abcdef"), &shingles("bcdefg")), 1.0 / 3.0);
        assert_eq!(jaccard(&[], &[]), 0.0);
        assert_eq!(jaccard(&shingles("äöüßé"), &shingles("äöüßé")), 1.0);
    }
}
