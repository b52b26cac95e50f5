//! Figures in words, the same in tables of the terminal and of a report.

use super::Interval;

/// What stands where there is no number.
pub const NONE: &str = "–";

/// A number with three digits, a dash where there is none.
pub fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.into(), |x| format!("{x:.3}"))
}

/// `0.412 [0.350, 0.470]`; the estimate alone where the interval has no width.
pub fn interval(found: Option<Interval>) -> String {
    match found {
        None => NONE.into(),
        Some(i) if i.low.is_nan() || i.low == i.high => format!("{:.3}", i.estimate),
        Some(i) => format!("{:.3} [{:.3}, {:.3}]", i.estimate, i.low, i.high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_a_dash() {
        assert_eq!((figure(None), interval(None)), ("–".into(), "–".into()));
        assert_eq!(figure(Some(0.5)), "0.500");
        let found = Interval {
            estimate: 0.5,
            low: 0.25,
            high: 0.75,
        };
        assert_eq!(interval(Some(found)), "0.500 [0.250, 0.750]");
        let alone = Interval {
            low: f64::NAN,
            ..found
        };
        assert_eq!(interval(Some(alone)), "0.500");
    }
}
