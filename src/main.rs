//! `juror`: parse, run, exit code.

fn main() -> std::process::ExitCode {
    juror::cli::main(std::env::args_os())
}
