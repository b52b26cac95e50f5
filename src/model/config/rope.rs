//! Rotary embeddings, from both generations' ways of writing them.

use std::f64::consts::TAU;

use super::super::Result;
use super::super::architecture::Rope;
use super::fields::Fields;

const ORIGINAL: &str = "original_max_position_embeddings";

/// What surrounds a rotary embedding in a configuration.
pub(super) struct Surroundings<'f, 'a> {
    pub top: &'f Fields<'a>,
    pub head_dim: usize,
    /// `max_position_embeddings`.
    pub context: usize,
    /// Phi 3 may rotate a part of each head, and calls its long RoPE by three names.
    pub is_phi: bool,
}

/// The embedding of a model that has one: `rope_parameters` (transformers 5), or `rope_theta` and
/// `rope_scaling` (transformers 4).
pub(super) fn only(around: &Surroundings) -> Result<Rope> {
    let top = around.top;
    let (new, old) = (top.inside("rope_parameters")?, top.inside("rope_scaling")?);
    if new.is_some() && old.is_some() {
        return Err(top.wrong("rope_scaling", "no second one beside `rope_parameters`"));
    }
    let inner = new.or(old);
    let written_inside = match &inner {
        Some(inner) => inner.optional_number("rope_theta")?,
        None => None,
    };
    // The outer base is read in any case, so that it does not count as unknown.
    let outer = top.optional_number("rope_theta")?;
    let Some(theta) = written_inside.or(outer) else {
        return Err(top.wrong("rope_theta", "a positive number"));
    };
    scaled(around, inner.as_ref(), theta)
}

/// Gemma 3's two embeddings: of the layers with a window, and of those without.
pub(super) fn local_and_global(around: &Surroundings) -> Result<[Rope; 2]> {
    let top = around.top;
    let Some(both) = top.inside("rope_parameters")? else {
        // Transformers 4: only the global one is ever scaled.
        let local = scaled(around, None, top.number("rope_local_base_freq")?)?;
        let scaling = top.inside("rope_scaling")?;
        let global = scaled(around, scaling.as_ref(), top.number("rope_theta")?)?;
        return Ok([local, global]);
    };
    let one = |name: &str| -> Result<Rope> {
        let inner = both
            .inside(name)?
            .ok_or_else(|| both.wrong(name, "an object"))?;
        scaled(around, Some(&inner), inner.number("rope_theta")?)
    };
    let ropes = [one("sliding_attention")?, one("full_attention")?];
    both.finish()?;
    Ok(ropes)
}

fn scaled(around: &Surroundings, scaling: Option<&Fields>, theta: f64) -> Result<Rope> {
    // Phi 3 writes it even where nothing is scaled, and then nothing depends on it.
    around.top.value(ORIGINAL);
    let dims = rotated_dims(around, scaling)?;
    // Rounded where transformers rounds: at position 1,500 a last bit of a frequency moves an angle by
    // 1e-4.
    let powers: Vec<f32> = (0..dims / 2)
        .map(|i| theta.powf(f64::from((2 * i) as f32 / dims as f32)) as f32)
        .collect();
    let base: Vec<f64> = powers.iter().map(|p| f64::from(1.0 / p)).collect();
    let plain = |frequencies| Rope {
        frequencies,
        long: None,
        scale: 1.0,
    };
    let Some(scaling) = scaling else {
        return Ok(plain(base));
    };
    scaling.value("rope_theta");
    scaling.value(ORIGINAL);
    // `type` is the older name; both may be there.
    let older = scaling.text("type")?;
    let kind = scaling.text("rope_type")?.or(older).unwrap_or("default");
    let name = match scaling.has("rope_type") {
        true => "rope_type",
        false => "type",
    };
    let rope = match (kind, around.is_phi) {
        ("default", _) => plain(base),
        ("longrope", _) | ("su" | "yarn", true) => long(around, scaling, &powers)?,
        ("linear", false) => {
            let factor = scaling.number("factor")?;
            plain(base.iter().map(|f| f / factor).collect())
        }
        ("llama3", false) => plain(llama3(around, scaling, &base)?),
        ("yarn", false) => yarn(around, scaling, &base, theta)?,
        // `dynamic` among them: its frequencies change with every token of a sequence.
        (_, true) => return Err(scaling.not_computed(name, "default and longrope are")),
        (_, false) => {
            let known = "default, linear, llama3, yarn and longrope are";
            return Err(scaling.not_computed(name, known));
        }
    };
    scaling.finish()?;
    Ok(rope)
}

/// How many of a head's dimensions are rotated.
fn rotated_dims(around: &Surroundings, scaling: Option<&Fields>) -> Result<usize> {
    const NAME: &str = "partial_rotary_factor";
    let mut dims = around.head_dim;
    // Read both so that neither counts as unknown; the inner one holds.
    let outer = around.top.optional_number(NAME)?.map(|x| (around.top, x));
    let inner = match scaling {
        Some(fields) => fields.optional_number(NAME)?.map(|x| (fields, x)),
        None => None,
    };
    if let Some((fields, factor)) = inner.or(outer) {
        if factor > 1.0 {
            return Err(fields.wrong(NAME, "at most 1"));
        }
        if factor < 1.0 && !around.is_phi {
            // Transformers ignores it here for some scalings and obeys for others.
            return Err(fields.not_computed(NAME, "1 is, and less in phi3"));
        }
        dims = (dims as f64 * factor) as usize;
    }
    if !dims.is_multiple_of(2) {
        let cause = format!("{dims} rotated dimensions a head: an even number expected");
        return Err(around.top.unsupported(cause));
    }
    Ok(dims)
}

/// The context that a scaled model was first trained with. The outer one holds where both are
/// written, as in transformers.
fn original_context(around: &Surroundings, scaling: &Fields) -> Result<usize> {
    let outer = around.top.optional_size(ORIGINAL)?;
    let inner = scaling.optional_size(ORIGINAL)?;
    match (outer, inner) {
        (Some(outer), _) => Ok(outer),
        // Transformers would take 4096 for phi 3, whatever the inner one says.
        (None, _) if around.is_phi => Err(around.top.wrong(ORIGINAL, "a positive integer")),
        (None, Some(inner)) => Ok(inner),
        // Transformers' own default.
        (None, None) => Ok(around.context),
    }
}

/// Llama 3.1: slow rotations are slowed by a factor, fast ones stay, between them a blend.
fn llama3(around: &Surroundings, scaling: &Fields, base: &[f64]) -> Result<Vec<f64>> {
    let factor = scaling.number("factor")?;
    let (low, high) = (
        scaling.number("low_freq_factor")?,
        scaling.number("high_freq_factor")?,
    );
    if high <= low {
        let expected = format!("more than `low_freq_factor` ({low})");
        return Err(scaling.wrong("high_freq_factor", &expected));
    }
    let context = original_context(around, scaling)? as f64;
    let one = |f: &f64| {
        // Turns that fit into the original context.
        let turns = context * f / TAU;
        let keep = ((turns - low) / (high - low)).clamp(0.0, 1.0);
        (1.0 - keep) * f / factor + keep * f
    };
    Ok(base.iter().map(one).collect())
}

/// YaRN: a blend by dimension, and a factor on cosine and sine.
fn yarn(around: &Surroundings, scaling: &Fields, base: &[f64], theta: f64) -> Result<Rope> {
    let context = original_context(around, scaling)? as f64;
    let factor = match scaling.optional_number("factor")? {
        Some(factor) => factor,
        None => around.context as f64 / context,
    };
    let by_factor = |scale: f64| match factor <= 1.0 {
        true => 1.0,
        false => 0.1 * scale * factor.ln() + 1.0,
    };
    let mscale = scaling.optional_number("mscale")?;
    let mscale_all = scaling.optional_number("mscale_all_dim")?;
    let scale = match (
        scaling.optional_number("attention_factor")?,
        mscale,
        mscale_all,
    ) {
        (Some(given), _, _) => given,
        (None, Some(one), Some(all)) => by_factor(one) / by_factor(all),
        (None, _, _) => by_factor(1.0),
    };
    let fast = scaling.optional_number("beta_fast")?.unwrap_or(32.0);
    let slow = scaling.optional_number("beta_slow")?.unwrap_or(1.0);
    let dims = 2.0 * base.len() as f64;
    let dim_of = |turns: f64| dims * (context / (turns * TAU)).ln() / (2.0 * theta.ln());
    let (mut from, mut to) = (dim_of(fast), dim_of(slow));
    if scaling.flag("truncate", true)? {
        (from, to) = (from.floor(), to.ceil());
    }
    (from, to) = (from.max(0.0), to.min(dims - 1.0));
    if from == to {
        to += 0.001;
    }
    let one = |(i, f): (usize, &f64)| {
        let slowed = ((i as f64 - from) / (to - from)).clamp(0.0, 1.0);
        f / factor * slowed + f * (1.0 - slowed)
    };
    Ok(Rope {
        frequencies: base.iter().enumerate().map(one).collect(),
        long: None,
        scale,
    })
}

/// Phi 3's long RoPE: one divisor a frequency, from one of two lists by the sequence's length.
fn long(around: &Surroundings, scaling: &Fields, powers: &[f32]) -> Result<Rope> {
    if !around.is_phi && !scaling.has(ORIGINAL) && !around.top.has(ORIGINAL) {
        return Err(scaling.wrong(ORIGINAL, "a positive integer"));
    }
    let context = original_context(around, scaling)?;
    let factor = match scaling.optional_number("factor")? {
        Some(factor) => factor,
        None => around.context as f64 / context as f64,
    };
    let scale = match scaling.optional_number("attention_factor")? {
        Some(given) => given,
        None if factor <= 1.0 => 1.0,
        None => (1.0 + factor.ln() / (context as f64).ln()).sqrt(),
    };
    let divided = |name: &str| -> Result<Vec<f64>> {
        let by = scaling.numbers(name, powers.len())?;
        let one = |(power, by): (&f32, f64)| f64::from(1.0 / (by as f32 * power));
        Ok(powers.iter().zip(by).map(one).collect())
    };
    Ok(Rope {
        frequencies: divided("short_factor")?,
        long: Some((context, divided("long_factor")?)),
        scale,
    })
}
