//! Each variant against a scalar twin on random shapes, and rows against their surroundings.

use super::*;
use proptest::prelude::*;

const FORMATS: [Format; 3] = [Format::F32, Format::Bf16, Format::Int8];

pub fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// A row of activations as the kernel sees it.
fn seen(x: &[f32], format: Format) -> Vec<f64> {
    let nearest_bf16 = |x: f32| {
        let below = x.to_bits() & 0xffff_0000;
        let rest = x.to_bits() & 0xffff;
        let up = rest > 0x8000 || rest == 0x8000 && below & 0x1_0000 != 0;
        f32::from_bits(if up { below + 0x1_0000 } else { below })
    };
    match format {
        Format::F32 => x.iter().map(|x| f64::from(*x)).collect(),
        Format::Bf16 => x.iter().map(|x| f64::from(nearest_bf16(*x))).collect(),
        Format::Int8 => x
            .chunks(128)
            .flat_map(|group| {
                let largest = group.iter().fold(0.0f32, |max, x| max.max(x.abs()));
                group.iter().map(move |x| {
                    let q = (x * (127.0 / largest)).round_ties_even();
                    f64::from(q) * f64::from(largest / 127.0)
                })
            })
            .collect(),
    }
}

fn product(isa: Isa, threads: usize, x: &[f32], rows: usize, w: &Linear) -> Vec<f32> {
    let mut activations = Activations::new();
    activations.set(x, rows, w.inputs(), w.format());
    let mut out = vec![f32::NAN; rows * w.outputs()];
    Product::new(isa, &activations, w).run(&Pool::new(threads), &mut out);
    out
}

/// Checks every variant of a format's kernel against sums in `f64` of what the kernel sees.
fn check(format: Format, rows: usize, outputs: usize, inputs: usize, seed: u64) {
    let (x, weights) = (
        numbers(seed, rows * inputs),
        numbers(seed + 1, outputs * inputs),
    );
    let w = Linear::pack(&weights, outputs, inputs, format);
    let mut row = vec![0.0; inputs];
    let x_seen: Vec<Vec<f64>> = x.chunks(inputs).map(|x| seen(x, format)).collect();
    let products: Vec<_> = Isa::all(format)
        .into_iter()
        .map(|isa| (isa, product(isa, 2, &x, rows, &w)))
        .collect();
    for output in 0..outputs {
        w.row(output, &mut row);
        let given = seen(&weights[output * inputs..][..inputs], format);
        for (row, given) in row.iter().zip(given) {
            assert!((f64::from(*row) - given).abs() <= 1e-6, "{row} {given}");
        }
        for (r, x) in x_seen.iter().enumerate() {
            let terms = x.iter().zip(&row).map(|(x, w)| x * f64::from(*w));
            let (want, size) = terms.fold((0.0, 0.0), |(sum, size), term: f64| {
                (sum + term, size + term.abs())
            });
            for (isa, out) in &products {
                let got = f64::from(out[r * outputs + output]);
                assert!(
                    (got - want).abs() <= 1e-5 * size,
                    "{format:?} {isa:?} row {r} output {output}: {got} for {want}"
                );
            }
        }
    }
    if format == Format::Int8 {
        for (isa, out) in &products {
            assert_eq!(out, &products[0].1, "{isa:?}: int8 is exact");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_variant_equals_the_scalar_twin(
        rows in 1usize..70, outputs in 1usize..100, inputs in 1usize..400, seed in 0u64..1000,
    ) {
        for format in FORMATS {
            check(format, rows, outputs, inputs, seed);
        }
    }

    #[test]
    fn long_rows_equal_the_scalar_twin(
        rows in 1usize..15, outputs in 1usize..40, inputs in 1usize..5000, seed in 0u64..1000,
    ) {
        for format in FORMATS {
            check(format, rows, outputs, inputs, seed);
        }
    }

    #[test]
    fn a_row_does_not_depend_on_batch_position_threads_or_pick(
        rows in 1usize..70, outputs in 1usize..200, inputs in 1usize..2500,
        from in 0usize..70, picked in prop::collection::vec(0usize..200, 0..20),
    ) {
        for format in FORMATS {
            let x = numbers(7, rows * inputs);
            let w = Linear::pack(&numbers(8, outputs * inputs), outputs, inputs, format);
            for isa in Isa::all(format) {
                let whole = product(isa, 1, &x, rows, &w);
                prop_assert_eq!(&whole, &product(isa, 3, &x, rows, &w));
                let from = from % rows;
                let part = product(isa, 2, &x[from * inputs..], rows - from, &w);
                prop_assert_eq!(&whole[from * outputs..], &part[..]);
                let alone = product(isa, 2, &x[from * inputs..][..inputs], 1, &w);
                prop_assert_eq!(&whole[from * outputs..][..outputs], &alone[..]);

                let picked: Vec<u32> = picked.iter().map(|p| (p % outputs) as u32).collect();
                let mut activations = Activations::new();
                activations.set(&x, rows, inputs, format);
                let mut out = vec![f32::NAN; rows * picked.len()];
                Product::new(isa, &activations, &w).run_picked(&picked, &mut out);
                for (row, out) in out.chunks(picked.len().max(1)).enumerate() {
                    for (output, out) in picked.iter().zip(out) {
                        prop_assert_eq!(*out, whole[row * outputs + *output as usize]);
                    }
                }
            }
        }
    }
}

#[test]
fn many_rows_and_panels_make_the_same_blocks() {
    // More than one row block, more than one stretch of steps, more than one panel to a task.
    for format in FORMATS {
        let (rows, outputs, inputs) = (601, 1000, 520 * format.width());
        let x = numbers(1, rows * inputs);
        let w = Linear::pack(&numbers(2, outputs * inputs), outputs, inputs, format);
        let isa = Isa::best(format);
        let whole = product(isa, 2, &x, rows, &w);
        for row in [0, 11, 12, 239, 240, 300, 600] {
            let alone = product(isa, 1, &x[row * inputs..][..inputs], 1, &w);
            assert_eq!(whole[row * outputs..][..outputs], alone, "{format:?} {row}");
        }
    }
}

#[test]
fn numbers_that_are_not_finite_are_not_lost() {
    for format in FORMATS {
        for isa in Isa::all(format) {
            for bad in [f32::NAN, f32::INFINITY] {
                let mut x = vec![0.5; 3 * 150];
                x[150 + 140] = bad;
                let w = Linear::pack(&[1.0; 150 * 5], 5, 150, format);
                let out = product(isa, 1, &x, 3, &w);
                assert!(out[..5].iter().all(|x| (x - 75.0).abs() < 0.1), "{out:?}");
                assert!(out[5..10].iter().all(|x| !x.is_finite()), "{out:?}");
                assert_eq!(out[..5], out[10..]);
            }
        }
    }
}

#[test]
fn empty_operands_are_fine_and_zeros_stay_zero() {
    for format in FORMATS {
        let w = Linear::pack(&[], 0, 8, format);
        assert!(product(Isa::best(format), 2, &[0.0; 24], 3, &w).is_empty());
        let w = Linear::pack(&[], 5, 0, format);
        assert_eq!(product(Isa::best(format), 2, &[], 3, &w), [0.0; 15]);
        let w = Linear::pack(&[1.0; 40], 5, 8, format);
        assert!(product(Isa::best(format), 2, &[], 0, &w).is_empty());
        assert_eq!(product(Isa::best(format), 2, &[0.0; 8], 1, &w), [0.0; 5]);
        let w = Linear::pack(&[0.0; 40], 5, 8, format);
        assert_eq!(product(Isa::best(format), 2, &[1.0; 8], 1, &w), [0.0; 5]);
    }
}

#[test]
#[should_panic(expected = "formats of the two operands")]
fn operands_of_two_formats_are_refused() {
    let mut x = Activations::new();
    x.set(&[1.0; 4], 1, 4, Format::F32);
    let w = Linear::pack(&[1.0; 4], 1, 4, Format::Bf16);
    linear(&Pool::new(1), &x, &w, &mut [0.0]);
}
