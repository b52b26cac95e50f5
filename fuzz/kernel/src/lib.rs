//! The only module of Juror with `unsafe`, alone, so that a sanitizer or Miri has little to build: see
//! `benches/README.md`, "The kernels under sanitizers".

#[path = "../../../src/kernel/mod.rs"]
pub mod kernel;
