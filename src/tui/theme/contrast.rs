//! How well text can be read on a ground: relative luminance and contrast after WCAG 2.

use super::lab::{Lab, Rgb, linear};

/// What text of usual size needs.
pub const TEXT: f64 = 4.5;

/// How bright a colour is, from 0 to 1.
pub fn luminance((r, g, b): Rgb) -> f64 {
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

/// The contrast of two colours, from 1 to 21; their order does not matter.
pub fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// A colour that can be read on all grounds: itself if it can, otherwise moved towards the ink
/// just as far as it takes. Where the ink itself reads worse, the ink.
pub fn readable(colour: Rgb, ink: Rgb, grounds: &[Rgb], least: f64) -> Rgb {
    const STEPS: u32 = 32;
    let (from, to) = (Lab::of(colour), Lab::of(ink));
    let reads = |candidate: &Rgb| {
        grounds
            .iter()
            .all(|ground| contrast(*candidate, *ground) >= least)
    };
    if reads(&colour) {
        return colour;
    }
    (1..STEPS)
        .map(|step| from.towards(to, f64::from(step) / f64::from(STEPS)).rgb())
        .find(reads)
        .unwrap_or(ink)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_goes_from_1_to_21() {
        assert!((contrast((0, 0, 0), (255, 255, 255)) - 21.0).abs() < 1e-9);
        assert!((contrast((9, 9, 9), (9, 9, 9)) - 1.0).abs() < 1e-9);
        // The grey that is known to be the lightest one for text on white.
        assert!(contrast((118, 118, 118), (255, 255, 255)) >= TEXT);
        assert!(contrast((119, 119, 119), (255, 255, 255)) < TEXT);
    }

    #[test]
    fn what_cannot_be_read_moves_towards_the_ink_and_no_further() {
        let (ground, ink) = ((20, 20, 20), (220, 220, 220));
        let faint = (80, 80, 110);
        let lifted = readable(faint, ink, &[ground], TEXT);
        let reached = contrast(lifted, ground);
        assert!((TEXT..TEXT + 0.6).contains(&reached), "{reached}");
        assert!(lifted.2 > lifted.0, "it keeps its hue");
        assert_eq!(readable(ink, ink, &[ground], TEXT), ink);
        assert_eq!(readable(faint, (90, 90, 90), &[ground], TEXT), (90, 90, 90));
    }
}
