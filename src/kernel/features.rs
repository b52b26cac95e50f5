//! Which instruction sets the processor offers the kernels.

use super::linear::Format;

/// A variant of a kernel. Each format needs its own extensions for a variant: see [`Isa::has`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isa {
    Avx512,
    Avx2,
    Portable,
}

impl Isa {
    /// All variants, the fastest first.
    const ALL: [Isa; 3] = [Isa::Avx512, Isa::Avx2, Isa::Portable];

    /// Whether this processor can run the variant of a format's kernel.
    pub(super) fn has(self, format: Format) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && match format {
                        Format::F32 => true,
                        Format::Bf16 => is_x86_feature_detected!("avx512bf16"),
                        Format::Int8 => is_x86_feature_detected!("avx512vnni"),
                    }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx512 | Isa::Avx2 => {
                let _ = format;
                false
            }
            Isa::Portable => true,
        }
    }

    /// The fastest variant this processor can run.
    pub(super) fn best(format: Format) -> Isa {
        let mut variants = Isa::ALL.into_iter();
        variants
            .find(|isa| isa.has(format))
            .unwrap_or(Isa::Portable)
    }

    #[cfg(test)]
    pub(super) fn all(format: Format) -> Vec<Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.has(format)).collect()
    }
}

/// The name of the kernel that will run for a format on this processor.
pub fn kernel_name(format: Format) -> &'static str {
    match (Isa::best(format), format) {
        (Isa::Avx512, Format::F32) => "avx512f",
        (Isa::Avx512, Format::Bf16) => "avx512_bf16",
        (Isa::Avx512, Format::Int8) => "avx512_vnni",
        (Isa::Avx2, _) => "avx2",
        (Isa::Portable, _) => "portable",
    }
}
