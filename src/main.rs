//! `juror`: parse, run, exit code.

/// Training and inference allocate and free large buffers all the time; this allocator keeps its
/// pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    juror::cli::main(std::env::args_os())
}
