//! The starter's tokenizer: byte-level BPE, single digits, a few markers.

use anyhow::{Result, anyhow};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer};

/// Markers, in id order; only a template can write them.
pub const MARKERS: [&str; 7] = [
    "<|bos|>",
    "<|end|>",
    "<|instruction|>",
    "<|reference|>",
    "<|response|>",
    "<|rate|>",
    "<|choose|>",
];

/// Ids of the markers.
pub const BOS: u32 = 0;
pub const END: u32 = 1;
pub const INSTRUCTION: u32 = 2;
pub const REFERENCE: u32 = 3;
pub const RESPONSE: u32 = 4;
pub const RATE: u32 = 5;
pub const CHOOSE: u32 = 6;

fn failed(error: tokenizers::Error) -> anyhow::Error {
    anyhow!("tokenizer: {error}")
}

/// Learns a vocabulary of `size` from texts.
pub fn train<'a>(texts: impl Iterator<Item = &'a str> + Send, size: usize) -> Result<Tokenizer> {
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(PreTokenizerWrapper::Sequence(Sequence::new(vec![
        PreTokenizerWrapper::Digits(Digits::new(true)),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, true, true)),
    ]))));
    tokenizer.with_decoder(Some(ByteLevel::new(false, true, true)));
    let markers = MARKERS.iter().map(|m| AddedToken::from(*m, true)).collect();
    let trainer = BpeTrainer::builder()
        .vocab_size(size)
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(markers)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    tokenizer
        .train(&mut TrainerWrapper::BpeTrainer(trainer), texts)
        .map_err(failed)?;
    let bos = TemplateProcessing::builder()
        .try_single(format!("{} $A", MARKERS[0]))
        .map_err(|e| anyhow!("tokenizer: {e}"))?
        .special_tokens(vec![(MARKERS[0], BOS)])
        .build()?;
    tokenizer.with_post_processor(Some(bos));
    for (id, marker) in MARKERS.iter().enumerate() {
        if tokenizer.token_to_id(marker) != Some(id as u32) {
            return Err(anyhow!("tokenizer: {marker} did not get id {id}"));
        }
    }
    Ok(tokenizer)
}

/// The ids of a text in which no marker is recognised.
pub fn encode(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    Ok(tokenizer
        .encode_fast(text, false)
        .map_err(failed)?
        .get_ids()
        .to_vec())
}

/// The ids of the digits 0–9.
pub fn digits(tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    (0..10)
        .map(|d| {
            tokenizer
                .token_to_id(&d.to_string())
                .ok_or_else(|| anyhow!("tokenizer: no token for {d}"))
        })
        .collect()
}

/// The ids of " A" and " B".
pub fn choices(tokenizer: &Tokenizer) -> Result<[u32; 2]> {
    let one = |text: &str| match encode(tokenizer, text)?[..] {
        [id] => Ok(id),
        _ => Err(anyhow!("tokenizer: {text:?} is not one token")),
    };
    Ok([one(" A")?, one(" B")?])
}
