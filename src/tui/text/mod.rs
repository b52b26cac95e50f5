//! Text made safe for a terminal, measured and broken into lines.

mod inert;
mod wrap;

pub use inert::{clean, inert};
pub use wrap::{truncate, truncate_start, width, wrap};

/// `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
