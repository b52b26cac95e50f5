//! From hidden states to one unit vector a text.

/// Scales to length one; a zero vector stays.
pub fn normalize(vector: &mut [f32]) {
    let length = vector
        .iter()
        .map(|x| f64::from(*x).powi(2))
        .sum::<f64>()
        .sqrt();
    if length > 0.0 {
        vector
            .iter_mut()
            .for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
}

/// The average of chunk embeddings (each of length one) weighted by their token counts, of length
/// one again.
pub fn average(chunks: &[(Vec<f32>, usize)]) -> Vec<f32> {
    let mut sum = vec![0.0; chunks.first().map_or(0, |c| c.0.len())];
    for (chunk, tokens) in chunks {
        for (s, x) in sum.iter_mut().zip(chunk) {
            *s += x * *tokens as f32;
        }
    }
    normalize(&mut sum);
    sum
}

/// `a·b / (|a|·|b|)`, in `[−1, 1]`; 0 if either is zero.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter()
            .zip(y)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum()
    };
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 {
        (dot(a, b) / lengths).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_weigh_by_their_tokens() {
        let one = average(&[(vec![1.0, 0.0], 3), (vec![0.0, 1.0], 4)]);
        assert!((one[0] - 0.6).abs() < 1e-6 && (one[1] - 0.8).abs() < 1e-6);
        assert!((cosine(&one, &[3.0, 4.0]) - 1.0).abs() < 1e-6);
        assert_eq!(cosine(&[0.0], &[1.0]), 0.0);
    }
}
