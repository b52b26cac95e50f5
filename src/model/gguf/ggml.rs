//! ggml's table of tensor types: what each is called, how large its blocks are, what is decoded.

use super::super::formats::Format;

/// One type.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    id: u32,
    pub name: &'static str,
    /// Values in a block.
    pub values: usize,
    /// Bytes of a block.
    pub bytes: usize,
    /// `None` where it is not decoded here.
    pub format: Option<Format>,
}

const fn kind(id: u32, name: &'static str, block: (usize, usize), format: Option<Format>) -> Kind {
    Kind {
        id,
        name,
        values: block.0,
        bytes: block.1,
        format,
    }
}

static KINDS: [Kind; 33] = [
    kind(0, "F32", (1, 4), Some(Format::F32)),
    kind(1, "F16", (1, 2), Some(Format::F16)),
    kind(2, "Q4_0", (32, 18), Some(Format::Q4_0)),
    kind(3, "Q4_1", (32, 20), Some(Format::Q4_1)),
    kind(6, "Q5_0", (32, 22), Some(Format::Q5_0)),
    kind(7, "Q5_1", (32, 24), Some(Format::Q5_1)),
    kind(8, "Q8_0", (32, 34), Some(Format::Q8_0)),
    kind(9, "Q8_1", (32, 40), None),
    kind(10, "Q2_K", (256, 84), None),
    kind(11, "Q3_K", (256, 110), None),
    kind(12, "Q4_K", (256, 144), Some(Format::Q4K)),
    kind(13, "Q5_K", (256, 176), Some(Format::Q5K)),
    kind(14, "Q6_K", (256, 210), Some(Format::Q6K)),
    kind(15, "Q8_K", (256, 292), None),
    kind(16, "IQ2_XXS", (256, 66), None),
    kind(17, "IQ2_XS", (256, 74), None),
    kind(18, "IQ3_XXS", (256, 98), None),
    kind(19, "IQ1_S", (256, 50), None),
    kind(20, "IQ4_NL", (32, 18), None),
    kind(21, "IQ3_S", (256, 110), None),
    kind(22, "IQ2_S", (256, 82), None),
    kind(23, "IQ4_XS", (256, 136), None),
    kind(24, "I8", (1, 1), None),
    kind(25, "I16", (1, 2), None),
    kind(26, "I32", (1, 4), None),
    kind(27, "I64", (1, 8), None),
    kind(28, "F64", (1, 8), None),
    kind(29, "IQ1_M", (256, 56), None),
    kind(30, "BF16", (1, 2), Some(Format::Bf16)),
    kind(34, "TQ1_0", (256, 54), None),
    kind(35, "TQ2_0", (256, 66), None),
    kind(39, "MXFP4", (32, 17), None),
    kind(40, "NVFP4", (64, 36), None),
];

/// The type with a number.
pub fn kind_of(id: u32) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.id == id)
}
