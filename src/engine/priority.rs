//! Which threads run first where there are more of them than cores.

/// How many steps of niceness lie between threads that answer a person and threads that compute.
#[cfg(target_os = "linux")]
const STEPS: i32 = 5;

/// Lets the program's other threads run before this one and before those that it will start. Nothing happens where a system
/// knows the niceness of whole programs alone, or refuses.
pub fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(STEPS);
}
