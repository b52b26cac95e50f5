//! Files that are not as they should be: an error that names what is wrong, never a panic.

use proptest::prelude::*;

use super::super::tensors::Tensors;
use super::tests::golden;
use super::*;

/// A file in the making.
#[derive(Clone)]
struct Draft {
    magic: [u8; 4],
    version: u32,
    values: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    counts: Option<(u64, u64)>,
    data: usize,
}

fn text(text: &str) -> Vec<u8> {
    let length = (text.len() as u64).to_le_bytes();
    [&length[..], text.as_bytes()].concat()
}

fn value(key: &str, kind: u32, bytes: &[u8]) -> Vec<u8> {
    [&text(key)[..], &kind.to_le_bytes(), bytes].concat()
}

fn tensor(name: &str, dims: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut row = text(name);
    row.extend((dims.len() as u32).to_le_bytes());
    dims.iter().for_each(|d| row.extend(d.to_le_bytes()));
    row.extend(kind.to_le_bytes());
    row.extend(offset.to_le_bytes());
    row
}

fn draft() -> Draft {
    Draft {
        magic: *b"GGUF",
        version: 3,
        values: vec![value("general.architecture", 8, &text("llama"))],
        tensors: vec![tensor("token_embd.weight", &[4, 2], 0, 0)],
        counts: None,
        data: 32,
    }
}

impl Draft {
    fn bytes(&self) -> Vec<u8> {
        let here = (self.tensors.len() as u64, self.values.len() as u64);
        let (tensors, values) = self.counts.unwrap_or(here);
        let mut bytes = [&self.magic[..], &self.version.to_le_bytes()].concat();
        bytes.extend(tensors.to_le_bytes());
        bytes.extend(values.to_le_bytes());
        bytes.extend(self.values.concat());
        bytes.extend(self.tensors.concat());
        bytes.resize(bytes.len().next_multiple_of(32) + self.data, 0);
        bytes
    }

    fn error(&self) -> String {
        opened(&self.bytes()).err().unwrap().to_string()
    }
}

/// Opens bytes and reads every tensor.
fn opened(bytes: &[u8]) -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    let gguf = open(&path)?;
    for name in gguf.tensors.names() {
        gguf.tensors.read(&name)?;
    }
    gguf.tokenizer.encode_data("a text", true)?;
    Ok(())
}

fn expect(change: impl FnOnce(&mut Draft), cause: &str) {
    let mut draft = draft();
    change(&mut draft);
    let error = draft.error();
    assert!(error.contains(cause), "{error:?} lacks {cause:?}");
}

#[test]
fn the_head_is_held_to_its_form() {
    // As it stands, everything but the model's shape is there.
    expect(|_| (), "tokenizer.ggml.model");
    expect(|d| d.magic = *b"GGML", "is not a GGUF file");
    expect(|d| d.version = 1, "GGUF version 1");
    expect(|d| d.version = 3u32.swap_bytes(), "big-endian");
    expect(
        |d| d.counts = Some((1, 1 << 60)),
        "metadata entries: 1152921504606846976 × 14 bytes",
    );
    expect(
        |d| d.counts = Some((u64::MAX, 1)),
        "tensors: 18446744073709551615 × 33 bytes",
    );
    let again = draft().values[0].clone();
    expect(
        |d| d.values.push(again),
        "`general.architecture` stands twice",
    );
    expect(
        |d| d.values[0] = value("general.architecture", 8, &text("bloom")),
        "`bloom` is not computed (llama, qwen2",
    );
    expect(
        |d| d.values[0] = value("general.architecture", 4, &[0; 4]),
        "is 0, a text expected",
    );
    expect(
        |d| d.values[0] = value("other", 0, &[1]),
        "`general.architecture` is missing",
    );
}

#[test]
fn values_are_held_to_the_files_size() {
    let with =
        |kind: u32, bytes: Vec<u8>| move |d: &mut Draft| d.values.push(value("key", kind, &bytes));
    let array = |kind: u32, count: u64| [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat();
    let huge = (1u64 << 60).to_le_bytes();
    expect(
        with(8, huge.to_vec()),
        "`key`: 1152921504606846976 × 1 bytes do not fit",
    );
    expect(
        with(9, array(8, 1 << 60)),
        "`key`: 1152921504606846976 × 8 bytes",
    );
    expect(
        with(9, array(12, u64::MAX)),
        "`key`: 18446744073709551615 × 8 bytes",
    );
    expect(with(9, array(9, 1 << 60)), "× 12 bytes");
    expect(with(9, array(77, 1)), "unknown value type 77");
    expect(with(77, vec![0; 8]), "unknown value type 77");
    expect(with(7, vec![2]), "2 is no truth value");
    expect(
        with(8, [&1u64.to_le_bytes()[..], &[0xFF]].concat()),
        "is not UTF-8",
    );
    let nested: Vec<u8> = (0..40).flat_map(|_| array(9, 1)).collect();
    expect(with(9, nested), "nested deeper than 4");
    let long = [&(1u64 << 40).to_le_bytes()[..], b"key"].concat();
    expect(
        |d| d.values.push(long),
        "a metadata key has 1099511627776 bytes",
    );
    for alignment in [0u32, 3, 1 << 31] {
        let change = |d: &mut Draft| {
            d.values
                .push(value("general.alignment", 4, &alignment.to_le_bytes()))
        };
        expect(change, "a power of two");
    }
    expect(
        |d| d.values.push(value("split.count", 2, &[3, 0])),
        "one of 3 parts",
    );
}

#[test]
fn tensors_are_held_to_the_files_size() {
    let one = |row: Vec<u8>| move |d: &mut Draft| d.tensors = vec![row];
    let name = "blk.0.attn_q.weight";
    let named = |cause: &str| format!("`{name}`: {cause}");
    expect(one(tensor(name, &[], 0, 0)), &named("0 dimensions"));
    expect(one(tensor(name, &[1; 5], 0, 0)), &named("5 dimensions"));
    expect(one(tensor(name, &[4, 0], 0, 0)), &named("a dimension of 0"));
    expect(
        one(tensor(name, &[1 << 40, 1 << 40], 0, 0)),
        &named("a dimension of 1099511627776"),
    );
    expect(
        one(tensor(name, &[1 << 62, 1], 0, 0)),
        &named("its size overflows"),
    );
    expect(
        one(tensor(name, &[1 << 20, 1], 0, 0)),
        "4194304 bytes expected at byte",
    );
    expect(one(tensor(name, &[4, 2], 99, 0)), &named("unknown type 99"));
    expect(
        one(tensor(name, &[48, 2], 8, 0)),
        &named("rows of 48 are no whole blocks of 32 (Q8_0)"),
    );
    expect(
        one(tensor(name, &[4, 2], 0, 4)),
        &named("offset 4 is not a multiple of 32"),
    );
    expect(
        one(tensor(name, &[4, 2], 0, u64::MAX - 31)),
        &named("offset 18446744073709551584 overflows"),
    );
    expect(one(tensor(name, &[4, 2], 0, 1 << 40)), "expected at byte");
    expect(
        one(tensor("", &[4, 2], 0, 0)),
        "a tensor's name has 0 bytes",
    );
    let twice = |d: &mut Draft| d.tensors.push(tensor("token_embd.weight", &[4], 0, 0));
    expect(twice, "`token_embd.weight`: stands twice");
    let over = |d: &mut Draft| d.tensors.push(tensor(name, &[4], 0, 0));
    expect(over, "overlaps tensor `token_embd.weight`");
    expect(|d| d.data = 31, "is it cut short?");
}

fn at(bytes: &[u8], what: &str) -> usize {
    let found = bytes.windows(what.len()).position(|w| w == what.as_bytes());
    found.unwrap()
}

#[test]
fn a_file_that_ends_early_is_refused_wherever_it_ends() {
    let whole = std::fs::read(golden("llama3.gguf")).unwrap();
    opened(&whole).unwrap();
    // The last tensor may be followed by padding, which nobody misses.
    let last = whole.len() - 32;
    for end in (0..last).step_by(97).chain([last]) {
        assert!(opened(&whole[..end]).is_err(), "{end}");
    }
}

#[test]
fn what_is_not_computed_is_refused() {
    let whole = std::fs::read(golden("llama3.gguf")).unwrap();
    let with = |from: &str, to: &str| {
        let (mut bytes, at) = (whole.clone(), at(&whole, from));
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        opened(&bytes).err().unwrap().to_string()
    };
    for (from, to, cause) in [
        (
            "blk.0.ffn_up",
            "blk.0.ffn_xx",
            "tensor `blk.0.ffn_xx.weight`: has no place",
        ),
        (
            "llama.rope.freq_base",
            "llama.rope.freq_xxxx",
            "`llama.rope.freq_base` is missing",
        ),
        (
            "llama-bpe",
            "llama-xxx",
            "texts `llama-xxx` (`tokenizer.ggml.pre`) is not known",
        ),
        (
            "tokenizer.ggml.pre",
            "tokenizer.ggml.prx",
            "(`tokenizer.ggml.pre` is missing)",
        ),
        (
            "llama.block_count",
            "llama.block_coxxx",
            "`llama.block_count` is missing",
        ),
        (
            "token_embd.weight",
            "token_embd.weighx",
            "no tensor `token_embd.weight`",
        ),
    ] {
        let error = with(from, to);
        assert!(error.contains(cause), "{error:?} lacks {cause:?}");
    }
    // An embedding of another type than can be decoded: its number stands after two dimensions.
    let mut bytes = whole.clone();
    let kind = at(&whole, "token_embd.weight") + 17 + 4 + 16;
    bytes[kind] = 25;
    let error = opened(&bytes).err().unwrap().to_string();
    assert!(
        error.contains("is stored as I16, which is not read"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    /// Bytes of the head, which is half of this file, at random.
    #[test]
    fn a_damaged_head_is_an_error_or_a_model(
        changes in prop::collection::vec((0usize..9000, any::<u8>()), 1..6),
        name in prop::sample::select(vec!["llama3.gguf", "gemma2.gguf"]),
    ) {
        let mut bytes = std::fs::read(golden(name)).unwrap();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        let _ = opened(&bytes);
    }

    /// Lengths and counts are what damage does most with.
    #[test]
    fn a_damaged_metadata_is_an_error_or_a_model(
        at in 0usize..1500,
        number in prop::sample::select(vec![0u64, 1, 255, 1 << 31, u64::from(u32::MAX), 1 << 60, u64::MAX]),
    ) {
        let mut bytes = std::fs::read(golden("phi3.gguf")).unwrap();
        bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        let _ = opened(&bytes);
    }
}
