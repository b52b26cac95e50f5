//! Attention against a softmax in `f64`, and rows against their surroundings.

use super::*;
use crate::kernel::linear::tests::numbers;
use proptest::prelude::*;

/// Cuts keys and values into stretches of the lengths given, the last taking the rest.
fn cut<'a>(k: &'a [f32], v: &'a [f32], head_dim: usize, lengths: &[usize]) -> Vec<Stretch<'a>> {
    let (mut keys, mut values, mut all) = (k, v, Vec::new());
    for len in lengths {
        let at = (len * head_dim).min(keys.len());
        let (key, value);
        (key, keys) = keys.split_at(at);
        (value, values) = values.split_at(at);
        all.push(Stretch {
            keys: key,
            values: value,
        });
    }
    all.push(Stretch { keys, values });
    all
}

struct Case {
    head_dim: usize,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    visible: Vec<Range<usize>>,
    cap: Option<f32>,
}

impl Case {
    fn new(rows: usize, head_dim: usize, keys: usize, cap: Option<f32>, seed: u64) -> Self {
        let random = numbers(seed, rows * 2);
        let place = |x: f32| ((x + 1.0) / 2.0 * (keys as f32 + 0.99)) as usize;
        let visible = random
            .chunks(2)
            .map(|ends| place(ends[0].min(ends[1]))..place(ends[0].max(ends[1])));
        let strong = |mut x: Vec<f32>| {
            x.iter_mut().for_each(|x| *x *= 3.0);
            x
        };
        Self {
            head_dim,
            q: strong(numbers(seed + 1, rows * head_dim)),
            k: strong(numbers(seed + 2, keys * head_dim)),
            v: numbers(seed + 3, keys * head_dim),
            visible: visible.collect(),
            cap,
        }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    /// The rows asked for, one after the other, with the keys cut as given.
    fn run(&self, isa: Isa, rows: &[usize], lengths: &[usize]) -> Vec<Vec<f32>> {
        let d = self.head_dim;
        let (q_stride, out_stride) = (d + 3, d + 1);
        let mut q = vec![f32::NAN; rows.len() * q_stride];
        for (q, row) in q.chunks_mut(q_stride).zip(rows) {
            q[..d].copy_from_slice(&self.q[row * d..][..d]);
        }
        let visible: Vec<_> = rows.iter().map(|row| self.visible[*row].clone()).collect();
        let mut out = vec![9.0; rows.len() * out_stride];
        let shape = Rows {
            rows: rows.len(),
            head_dim: d,
            q_stride,
            out_stride,
        };
        let stretches = cut(&self.k, &self.v, d, lengths);
        let mut scratch = Scratch::new();
        for buffer in [&mut scratch.keys, &mut scratch.values, &mut scratch.scores] {
            buffer.resize(64 * 128);
            buffer.f32s_mut().fill(f32::NAN); // What an earlier call left must not matter.
        }
        attend_with(
            isa,
            &q,
            shape,
            &stretches,
            &visible,
            self.scale(),
            self.cap,
            &mut out,
            &mut scratch,
        );
        let rows = out.chunks(out_stride);
        assert!(
            rows.clone().all(|row| row[d..] == [9.0]),
            "writes between rows"
        );
        rows.map(|row| row[..d].to_vec()).collect()
    }

    fn twin(&self, row: usize) -> Vec<f64> {
        let d = self.head_dim;
        let q = &self.q[row * d..][..d];
        let mut scores: Vec<f64> = self.visible[row]
            .clone()
            .map(|key| {
                let k = &self.k[key * d..][..d];
                let dot: f64 = q
                    .iter()
                    .zip(k)
                    .map(|(q, k)| f64::from(*q) * f64::from(*k))
                    .sum();
                let score = dot * f64::from(self.scale());
                match self.cap.map(f64::from) {
                    Some(cap) => cap * (score / cap).tanh(),
                    None => score,
                }
            })
            .collect();
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        scores.iter_mut().for_each(|x| *x = (*x - max).exp());
        let sum: f64 = scores.iter().sum();
        let mut out = vec![0.0; d];
        for (key, weight) in self.visible[row].clone().zip(scores) {
            for (out, v) in out.iter_mut().zip(&self.v[key * d..]) {
                *out += weight / sum * f64::from(*v);
            }
        }
        out
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn attention_is_the_softmax_of_the_scores(
        rows in 1usize..40, head_dim in 1usize..140, keys in 0usize..300,
        cap in prop_oneof![Just(None), Just(Some(5.0f32)), Just(Some(50.0))], seed in 0u64..1000,
    ) {
        let case = Case::new(rows, head_dim, keys, cap, seed);
        let order: Vec<usize> = (0..rows).collect();
        for isa in Isa::all(Format::F32) {
            for (row, got) in case.run(isa, &order, &[]).iter().enumerate() {
                for (got, want) in got.iter().zip(case.twin(row)) {
                    prop_assert!((f64::from(*got) - want).abs() < 1e-5, "{isa:?} {got} {want}");
                }
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_the_cuts_or_the_rows_beside_it(
        rows in 1usize..40, head_dim in 1usize..100, keys in 1usize..300, seed in 0u64..1000,
        lengths in prop::collection::vec(0usize..150, 0..5),
        others in prop::collection::vec(0usize..40, 1..30),
    ) {
        let case = Case::new(rows, head_dim, keys, None, seed);
        let order: Vec<usize> = (0..rows).collect();
        let others: Vec<usize> = others.iter().map(|row| row % rows).collect();
        for isa in Isa::all(Format::F32) {
            let whole = case.run(isa, &order, &[]);
            prop_assert_eq!(&whole, &case.run(isa, &order, &lengths));
            for (row, got) in others.iter().zip(case.run(isa, &others, &lengths)) {
                prop_assert_eq!(&whole[*row], &got);
            }
            let alone = case.run(isa, &others[..1], &lengths);
            prop_assert_eq!(&whole[others[0]], &alone[0]);
        }
    }
}

#[test]
fn keys_that_are_not_seen_add_nothing_even_if_they_would_win() {
    let mut case = Case::new(5, 64, 200, None, 3);
    case.visible.fill(70..131);
    let order = [0, 1, 2, 3, 4];
    let isa = Isa::best(Format::F32);
    let before = case.run(isa, &order, &[]);
    for key in (0..70).chain(131..200) {
        case.k[key * 64..][..64].fill(1e30);
        case.v[key * 64..][..64].fill(f32::NAN);
    }
    assert_eq!(before, case.run(isa, &order, &[]));
    case.visible[2] = 70..70;
    assert_eq!(case.run(isa, &order, &[])[2], [0.0; 64]);
}
