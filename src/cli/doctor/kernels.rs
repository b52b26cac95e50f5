//! Which kernels compute on this machine.

use crate::kernel::{Format, kernel_name};
use serde::Serialize;

/// What is computed, and by what.
#[derive(Serialize)]
pub struct Line {
    pub what: String,
    pub kernel: String,
}

/// One line a kind of kernel. Kernels for further weight formats report themselves here.
pub fn kernel_lines() -> Vec<Line> {
    let line = |what: &str, kernel: String| Line {
        what: what.to_owned(),
        kernel,
    };
    let vectors = vectors();
    let best = match Format::best() {
        Format::F32 => "f32",
        Format::Bf16 => "bf16",
        Format::Int8 => "int8",
    };
    vec![
        line("f32 weights", kernel_name(Format::F32).to_owned()),
        line("bf16 weights", kernel_name(Format::Bf16).to_owned()),
        line("int8 weights", kernel_name(Format::Int8).to_owned()),
        line("--dtype auto", best.to_owned()),
        line("training", format!("gemm, {vectors}")),
        line("f32 vectors", vectors.to_owned()),
    ]
}

/// The clone that `crate::kernel::vector` picks; the same targets in the same order.
fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        if has!("avx512f") && has!("avx512vl") && has!("fma") {
            return "avx512f+avx512vl+fma";
        }
        if has!("avx2") && has!("fma") {
            return "avx2+fma";
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        return "neon";
    }
    "scalar"
}
