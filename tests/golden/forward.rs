//! Plain sequences through the decoder, for comparing with other implementations.

use std::path::Path;
use std::sync::Arc;

use juror::kernel::Format;
use juror::model::ModelError;
use juror::model::architecture::DecoderConfig;
use juror::model::decoder::Decoder;
use juror::model::decoder::compute::Compute;
use juror::model::decoder::cpu::Cpu;
use juror::model::decoder::pass::{Known, Link, Pass, Segment, Wanted};
use juror::model::safetensors_folder::SafetensorsFolder;

pub fn open(folder: &Path, format: Format, threads: usize) -> Decoder<Cpu> {
    open_on(folder, Cpu::new(threads, format))
}

pub fn open_on<C: Compute>(folder: &Path, device: C) -> Decoder<C> {
    let config = DecoderConfig::read(&folder.join("config.json")).unwrap();
    let tensors = SafetensorsFolder::open(folder).unwrap();
    Decoder::load(Arc::new(device), config, &tensors, &mut |_, _| ()).unwrap()
}

/// New tokens behind known ones.
pub fn segment<C: Compute>(
    decoder: &Decoder<C>,
    ids: &[u32],
    chain: Vec<Link<C::Keys>>,
    wanted: Wanted,
) -> Segment<C::Keys> {
    Segment {
        ids: ids.to_vec(),
        chain,
        wanted,
        keys: decoder.keys(ids.len()).unwrap(),
    }
}

pub fn long<C: Compute>(decoder: &Decoder<C>, tokens: usize) -> bool {
    let ropes = decoder.config().ropes.iter();
    ropes.filter_map(|r| r.long.as_ref()).any(|l| tokens > l.0)
}

/// Hidden states of all tokens, row-major, and the keys and values for what follows.
#[allow(clippy::type_complexity)]
pub fn hidden<C: Compute>(
    decoder: &Decoder<C>,
    ids: &[u32],
    past: &[Known<C::Keys>],
) -> Result<(Vec<f32>, Known<C::Keys>), ModelError> {
    let chain = past.iter().cloned().map(Link::Known).collect();
    let total = ids.len() + past.iter().map(|k| k.tokens.len()).sum::<usize>();
    let mut pass = Pass {
        segments: vec![segment(decoder, ids, chain, Wanted::All)],
        long: long(decoder, total),
    };
    let rows = decoder.forward(&mut pass, &mut || Ok::<(), ModelError>(()))?;
    let keys = pass.segments.remove(0).keys;
    let known = Known {
        keys: Arc::new(keys),
        tokens: 0..ids.len(),
    };
    Ok((decoder.device().read(&rows)?, known))
}

/// Logits for rows of hidden states.
pub fn logits<C: Compute>(decoder: &Decoder<C>, hidden: &[f32]) -> Vec<f32> {
    let (device, dim) = (decoder.device(), decoder.config().dim);
    let rows = device.rows(hidden.to_vec(), dim).unwrap();
    decoder.logits(&rows, None).unwrap()
}

/// Log-probabilities after the last of some hidden states.
pub fn last_log_probs<C: Compute>(decoder: &Decoder<C>, hidden: &[f32]) -> Vec<f64> {
    let last = &hidden[hidden.len() - decoder.config().dim..];
    let logits = logits(decoder, last);
    let max = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from(l - max).exp()).sum();
    logits
        .iter()
        .map(|l| f64::from(l - max) - sum.ln())
        .collect()
}
