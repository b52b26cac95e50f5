//! How the memory of very many threads comes from the system.

/// Threads that may have huge pages.
#[cfg(target_os = "linux")]
const FEW: usize = 64;

/// Before very many threads start: memory comes in small pages from now on. The allocator keeps pages of each size for each
/// thread, in places of their own; where each place is a huge page (2 MiB), hundreds of threads that wait for servers hold
/// gigabytes of which they use little. Programs started from here inherit it. Nothing happens where a system has no such switch.
pub fn spare(threads: usize) {
    #[cfg(target_os = "linux")]
    if threads > FEW {
        let _ = rustix::thread::disable_transparent_huge_pages(true);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = threads;
}
