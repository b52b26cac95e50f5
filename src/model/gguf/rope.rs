//! Rotary embeddings from GGUF metadata: a base, and factors that a converter worked out.

use super::super::Result;
use super::super::architecture::Rope;
use super::config::Source;
use super::names::Family;

/// A model's embeddings, and which layers use which.
pub struct Ropes {
    pub all: Vec<Rope>,
    /// Layers with a window use the second one.
    local: bool,
}

impl Ropes {
    /// The index for a layer with this window.
    pub fn of(&self, window: Option<usize>) -> usize {
        usize::from(self.local && window.is_some())
    }
}

/// Radians a position for each pair, before scaling.
fn frequencies(base: f64, dims: usize) -> Vec<f64> {
    (0..dims / 2)
        .map(|i| base.powf(-((2 * i) as f64) / dims as f64))
        .collect()
}

fn divided(frequencies: &[f64], factors: &[f32]) -> Vec<f64> {
    frequencies
        .iter()
        .zip(factors)
        .map(|(frequency, factor)| frequency / f64::from(*factor))
        .collect()
}

/// Reads them.
///
/// # Errors
/// A missing base, factors that do not fit, or a scaling that is not computed.
pub fn read(
    s: &Source,
    head_dim: usize,
    rotary: &dyn Fn(&str) -> Result<Option<Vec<f32>>>,
) -> Result<Ropes> {
    let dims = s.optional("rope.dimension_count")?.unwrap_or(head_dim);
    if dims > head_dim || dims % 2 == 1 {
        let key = s.key("rope.dimension_count");
        let expected = format!("an even number up to the heads' width {head_dim}");
        return Err(s.metadata.wrong(&key, &expected));
    }
    let plain = frequencies(base(s)?, dims);
    let factors = |name: &str| -> Result<Option<Vec<f32>>> {
        let Some(factors) = rotary(name)? else {
            return Ok(None);
        };
        let usable = |f: &f32| f.is_finite() && *f > 0.0;
        if factors.len() != dims / 2 || !factors.iter().all(usable) {
            return Err(s.unsupported(format!(
                "tensor `{name}` does not hold {} positive factors",
                dims / 2
            )));
        }
        Ok(Some(factors))
    };
    let scale = s.number("rope.scaling.attn_factor")?.unwrap_or(1.0);
    let mut global = plain.clone();
    linear(s, &mut global)?;
    // Llama 3's scaling is worked out by the converter, factor by factor.
    if let Some(factors) = factors("rope_freqs.weight")? {
        global = divided(&global, &factors);
    }
    let long = match (
        factors("rope_factors_short.weight")?,
        factors("rope_factors_long.weight")?,
    ) {
        (Some(short), Some(long)) => {
            let from = s.size("rope.scaling.original_context_length")?;
            let long = divided(&global, &long);
            global = divided(&global, &short);
            Some((from, long))
        }
        (None, None) => None,
        _ => {
            return Err(s.unsupported(
                "of the tensors `rope_factors_short.weight` and `rope_factors_long.weight` one is \
                 missing"
                    .into(),
            ));
        }
    };
    let mut all = vec![Rope {
        frequencies: global,
        long,
        scale,
    }];
    let local = match s.family {
        // Layers with a window keep their own base, unscaled.
        Family::Gemma3 => Some(s.number("rope.freq_base_swa")?.unwrap_or(1e4)),
        _ => None,
    };
    if let Some(base) = local {
        let base = positive(s, "rope.freq_base_swa", Some(base))?;
        all.push(Rope {
            frequencies: frequencies(base, dims),
            long: None,
            scale: 1.0,
        });
    }
    Ok(Ropes {
        local: all.len() > 1,
        all,
    })
}

fn base(s: &Source) -> Result<f64> {
    let key = "rope.freq_base";
    let found = match (s.number(key)?, s.family) {
        // The converter leaves it out for this one alone.
        (None, Family::Gemma2) => Some(1e4),
        (found, _) => found,
    };
    positive(s, key, found)
}

fn positive(s: &Source, key: &str, found: Option<f64>) -> Result<f64> {
    found
        .filter(|n| *n > 0.0)
        .ok_or_else(|| s.metadata.wrong(&s.key(key), "a positive number"))
}

/// Applies linear scaling, where there is one; refuses what is not computed.
fn linear(s: &Source, frequencies: &mut [f64]) -> Result<()> {
    let key = s.key("rope.scaling.type");
    let kind = s.metadata.text(&key)?;
    match kind {
        // Its factors lie in tensors.
        Some("none" | "longrope") => return Ok(()),
        None | Some("linear") => (),
        Some(other) => {
            return Err(s.unsupported(format!("RoPE scaling `{other}` is not computed")));
        }
    }
    // Old converters used the other key.
    for key in ["rope.scaling.factor", "rope.scale_linear"] {
        match s.number(key)? {
            // Zero stands for none.
            Some(factor) if factor != 0.0 => {
                let factor = positive(s, key, Some(factor))?;
                frequencies.iter_mut().for_each(|f| *f /= factor);
                return Ok(());
            }
            _ => (),
        }
    }
    match kind {
        None => Ok(()),
        Some(_) => Err(s
            .metadata
            .wrong(&s.key("rope.scaling.factor"), "a positive number")),
    }
}
