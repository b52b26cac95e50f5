//! Self-evaluation and similarity as one number.

/// `(1 − w)·(s − low)/(high − low) + w·(cosine + 1)/2`, in `[0, 1]`: the `range` normaliser, which
/// needs no data set (Ye & Ng 2024, §3.3: the sum of the two normalised scores).
pub fn range(self_eval: f64, ends: (f64, f64), cosine: f64, weight: f64) -> f64 {
    let (low, high) = ends;
    (1.0 - weight) * (self_eval - low) / (high - low) + weight * f64::midpoint(cosine, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_weights() {
        assert_eq!(range(9.0, (0.0, 9.0), 1.0, 0.5), 1.0);
        assert_eq!(range(0.0, (0.0, 9.0), -1.0, 0.5), 0.0);
        assert_eq!(range(3.0, (1.0, 5.0), 0.0, 0.0), 0.5);
        assert_eq!(range(3.0, (1.0, 5.0), 0.5, 1.0), 0.75);
    }
}
