//! The forward on tensors: prefixes, trees and generations against plain sequences.

use std::sync::Arc;

use candle_core::Device;
use juror::kernel::Format;
use juror::model::ModelError;
use juror::model::decoder::Decoder;
use juror::model::decoder::accelerator::{Accelerator, AcceleratorKeys};
use juror::model::decoder::compute::Compute;
use juror::model::decoder::cpu::Cpu;
use juror::model::decoder::pass::{Keys, Known, Link, Pass, Segment, Wanted};

use super::{forward, here, ids, json, sample_data, weights};

const CLOSE: f32 = 1e-4;

type Keyed = Known<AcceleratorKeys>;

fn on_tensors(format: Format) -> Accelerator {
    Accelerator::new(Device::Cpu, format).unwrap()
}

/// Calls `check` with every architecture.
fn each(check: impl Fn(&str, &Decoder<Accelerator>)) {
    for case in weights::cases() {
        let folder = tempfile::tempdir().unwrap();
        weights::write_model(&case, folder.path());
        let decoder = forward::open_on(folder.path(), on_tensors(Format::F32));
        check(case.file_name().unwrap().to_str().unwrap(), &decoder);
    }
}

fn tokens(decoder: &Decoder<Accelerator>, seed: u64, len: usize) -> Vec<u32> {
    weights::prompt_ids(seed, len, decoder.config().vocab)
}

fn equal(name: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{name}");
    let worst = got.iter().zip(want).map(|(g, w)| (g - w).abs());
    let worst = worst.fold(0.0, f32::max);
    assert!(worst < CLOSE, "{name}: {worst}");
}

fn last<'a>(decoder: &Decoder<Accelerator>, hidden: &'a [f32]) -> &'a [f32] {
    &hidden[hidden.len() - decoder.config().dim..]
}

#[test]
fn a_prefix_computed_before_changes_little() {
    each(|name, decoder| {
        let ids = tokens(decoder, 1, 180);
        let (whole, _) = forward::hidden(decoder, &ids, &[]).unwrap();
        let (_, known) = forward::hidden(decoder, &ids[..120], &[]).unwrap();
        let sliced = Keyed {
            keys: Arc::new(known.keys.slice(50..100)),
            tokens: 0..50,
        };
        let first = Keyed {
            tokens: 0..50,
            ..known
        };
        let (rest, _) = forward::hidden(decoder, &ids[100..], &[first, sliced]).unwrap();
        equal(name, &rest, &whole[whole.len() - rest.len()..]);
    });
}

#[test]
fn a_tree_at_once_equals_one_after_another() {
    each(|name, decoder| {
        let (root, other) = (tokens(decoder, 2, 90), tokens(decoder, 3, 250));
        let (_, known) = forward::hidden(decoder, &other, &[]).unwrap();
        let before = Keyed {
            tokens: 0..240,
            ..known
        };
        let behind = |keys: &Keyed| vec![Link::Known(keys.clone())];
        let part = |seed, len| tokens(decoder, seed, len);
        // Two trees, the second behind known tokens and with a branch of its own; enough of them
        // not to fit into one group.
        let parts: Vec<(Vec<u32>, Vec<Link<AcceleratorKeys>>, Wanted)> = vec![
            (root.clone(), Vec::new(), Wanted::None),
            (part(4, 120), vec![Link::Within(0)], Wanted::Last),
            (part(5, 1), vec![Link::Within(0)], Wanted::Last),
            (part(6, 200), behind(&before), Wanted::All),
            (
                part(7, 110),
                vec![Link::Known(before.clone()), Link::Within(3)],
                Wanted::Last,
            ),
            (part(8, 150), behind(&before), Wanted::Last),
        ];
        let alone: Vec<Vec<u32>> = vec![
            [root.clone(), part(4, 120)].concat(),
            [root, part(5, 1)].concat(),
            [other[..240].to_vec(), part(6, 200)].concat(),
            [other[..240].to_vec(), part(6, 200), part(7, 110)].concat(),
            [other[..240].to_vec(), part(8, 150)].concat(),
        ];
        let segments = parts
            .into_iter()
            .map(|(ids, chain, wanted)| forward::segment(decoder, &ids, chain, wanted));
        let mut pass = Pass {
            segments: segments.collect(),
            long: forward::long(decoder, 550),
        };
        let rows = decoder.forward(&mut pass, &mut || Ok::<(), ModelError>(()));
        let rows = decoder.device().read(&rows.unwrap()).unwrap();
        let mut got = rows.chunks(decoder.config().dim);
        for (at, ids) in alone.iter().enumerate() {
            let (want, _) = forward::hidden(decoder, ids, &[]).unwrap();
            let got = match at {
                2 => got.by_ref().take(200).last().unwrap(),
                _ => got.next().unwrap(),
            };
            equal(&format!("{name} {at}"), got, last(decoder, &want));
        }
    });
}

#[test]
fn a_generation_equals_the_whole() {
    each(|name, decoder| {
        let ids = tokens(decoder, 9, 70);
        let (_, known) = forward::hidden(decoder, &ids[..50], &[]).unwrap();
        let mut pass = Pass {
            segments: vec![Segment {
                ids: Vec::new(),
                chain: vec![Link::Known(known)],
                wanted: Wanted::Last,
                keys: decoder.keys(3).unwrap(),
            }],
            long: false,
        };
        let mut got = Vec::new();
        for id in &ids[50..] {
            pass.segments[0].ids = vec![*id];
            let row = decoder.forward(&mut pass, &mut || Ok::<(), ModelError>(()));
            got.extend(decoder.device().read(&row.unwrap()).unwrap());
        }
        assert_eq!(pass.segments[0].keys.len(), 20);
        let (whole, _) = forward::hidden(decoder, &ids, &[]).unwrap();
        equal(name, &got, &whole[whole.len() - got.len()..]);
    });
}

#[test]
fn a_pass_of_which_nothing_is_wanted_leaves_keys() {
    let decoder = forward::open_on(&here("llama"), on_tensors(Format::F32));
    let ids = tokens(&decoder, 10, 12);
    let mut pass = Pass {
        segments: vec![forward::segment(&decoder, &ids, Vec::new(), Wanted::None)],
        long: false,
    };
    let rows = decoder.forward(&mut pass, &mut || Ok::<(), ModelError>(()));
    assert!(decoder.device().read(&rows.unwrap()).unwrap().is_empty());
    let keys = pass.segments.remove(0).keys;
    let known = Known {
        keys: Arc::new(keys),
        tokens: 0..11,
    };
    let (got, _) = forward::hidden(&decoder, &ids[11..], &[known]).unwrap();
    let (whole, _) = forward::hidden(&decoder, &ids, &[]).unwrap();
    equal("llama", &got, last(&decoder, &whole));
}

/// How far the probabilities of the starter's next tokens are from those in f32.
fn furthest_from_f32<C: Compute>(device: C) -> f64 {
    let starter = sample_data().join("starter");
    let exact = forward::open(&starter, Format::F32, 2);
    let rounded = forward::open_on(&starter, device);
    let mut worst: f64 = 0.0;
    for case in json(here("starter.json"))
        .as_array()
        .unwrap()
        .iter()
        .take(3)
    {
        let ids = ids(&case["ids"]);
        let (hidden, _) = forward::hidden(&exact, &ids, &[]).unwrap();
        let want = forward::last_log_probs(&exact, &hidden);
        let (hidden, _) = forward::hidden(&rounded, &ids, &[]).unwrap();
        let got = forward::last_log_probs(&rounded, &hidden);
        let differences = got
            .iter()
            .zip(&want)
            .map(|(g, w)| (g.exp() - w.exp()).abs());
        worst = differences.fold(worst, f64::max);
    }
    worst
}

#[test]
fn bf16_is_near() {
    let on_tensors = furthest_from_f32(on_tensors(Format::Bf16));
    let on_the_cpu = furthest_from_f32(Cpu::new(2, Format::Bf16));
    println!("bf16 probabilities: {on_tensors:.1e} on tensors, {on_the_cpu:.1e} on the CPU");
    assert!(on_tensors < 0.05, "{on_tensors}");
}

#[test]
fn int8_is_refused() {
    let refused = Accelerator::new(Device::Cpu, Format::Int8).err().unwrap();
    assert!(refused.to_string().contains("int8 is for the CPU"));
}
