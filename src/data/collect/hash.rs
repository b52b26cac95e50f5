//! Hashes that stay the same from version to version: the classifier's weights are found by them.

use std::hash::{BuildHasherDefault, Hasher};

/// Tables of what is a hash or a digest: such keys are random already.
pub type Hashed = BuildHasherDefault<AsItIs>;

/// Hashes a hash to itself.
#[derive(Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 ^ u64::from(*byte);
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = self.0.rotate_left(32) ^ u64::from(number);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 ^= number;
    }
}

/// Mixes the bits of a number so that each depends on all.
pub fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// Of a text (FNV-1a, mixed).
pub fn text_hash(text: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mix(text.bytes().fold(0xcbf2_9ce4_8422_2325, fold))
}

/// Of two hashes in their order.
pub fn join(one: u64, other: u64) -> u64 {
    mix(one.rotate_left(23) ^ other.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
