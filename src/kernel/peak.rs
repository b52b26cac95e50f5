//! The processor's own limit for a format: the kernels' instruction in registers, nothing else.

use super::features::Isa;
use super::linear::Format;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Independent chains: as many accumulators as a kernel has.
const CHAINS: usize = 24;

/// Runs the multiply–add instruction of the format's fastest kernel `CHAINS · rounds` times on one
/// thread and gives back how many operations (a product or a sum) that was. Zero where there is no
/// loop for this processor.
pub fn spin(format: Format, rounds: usize) -> f64 {
    let lanes = match (Isa::best(format), format) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has the variant.
        (Isa::Avx512, Format::F32) => unsafe {
            spin_f32(rounds);
            16
        },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        (Isa::Avx512, Format::Bf16) => unsafe {
            spin_bf16(rounds);
            32
        },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        (Isa::Avx512, Format::Int8) => unsafe {
            spin_int8(rounds);
            64
        },
        _ => 0,
    };
    (2 * CHAINS * rounds * lanes) as f64
}

/// Defines a loop of one instruction.
#[cfg(target_arch = "x86_64")]
macro_rules! spin {
    ($name:ident, $features:literal, $zero:expr, $one:expr, $step:expr) => {
        #[target_feature(enable = $features)]
        fn $name(rounds: usize) {
            let one = std::hint::black_box($one);
            let mut acc = [$zero; CHAINS];
            for _ in 0..rounds {
                for acc in &mut acc {
                    *acc = $step(*acc, one, one);
                }
                // Opaque to the optimiser, which would otherwise fold the rounds.
                std::hint::black_box(());
            }
            std::hint::black_box(acc);
        }
    };
}

#[cfg(target_arch = "x86_64")]
spin!(
    spin_f32,
    "avx512f",
    _mm512_setzero_ps(),
    _mm512_set1_ps(1e-3),
    |c, a, b| _mm512_fmadd_ps(a, b, c)
);
#[cfg(target_arch = "x86_64")]
spin!(
    spin_bf16,
    "avx512f,avx512bf16",
    _mm512_setzero_ps(),
    // SAFETY: both are 64 bytes of plain bits.
    unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(0x3c00_3c00)) },
    |c, a, b| _mm512_dpbf16_ps(c, a, b)
);
#[cfg(target_arch = "x86_64")]
spin!(
    spin_int8,
    "avx512f,avx512vnni",
    _mm512_setzero_si512(),
    _mm512_set1_epi32(0x0101_0101),
    |c, a, b| _mm512_dpbusd_epi32(c, a, b)
);
