//! Libraries that assert what a damaged file gets wrong: their panics are errors like any other.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// Does what may panic; `None` where it did, of which nothing is printed. What it was at is in no state to be asked again.
pub fn fenced<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !WITHIN.get() {
                usual(info);
            }
        }));
    });
    let outer = WITHIN.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    WITHIN.set(outer);
    done.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_nothing_and_the_next_is_done() {
        assert_eq!(fenced(|| 5), Some(5));
        let none: Option<u8> = fenced(|| panic!("what is in it contradicts itself"));
        assert_eq!(none, None);
        assert_eq!(fenced(|| fenced(|| 6)), Some(Some(6)));
        assert!(!WITHIN.get());
    }
}
