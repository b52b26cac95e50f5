//! What servers answer, whole and in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| juror::engine::remote::read_anything(input));
