//! Where weights come from, one tensor at a time, so that a model is never in memory twice.

use super::{ModelError, Result};

/// Named tensors under Hugging Face's names (`model.layers.0.self_attn.q_proj.weight`, …) and in
/// Hugging Face's layout, whatever file they lie in.
pub trait Tensors {
    /// The shape of a tensor, outermost dimension first; `None` if there is no such tensor.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;

    /// Its values in f32, row-major.
    ///
    /// # Errors
    /// A tensor that is missing or whose bytes cannot be read, named with its file.
    fn read(&self, name: &str) -> Result<Vec<f32>>;

    /// All names, sorted.
    fn names(&self) -> Vec<String>;

    /// SHA-256 over everything that shapes the model's output, in hexadecimal. Calls
    /// `progress(done, total)` in bytes as it goes: gigabytes take their time.
    ///
    /// # Errors
    /// A file that cannot be read.
    fn hash_with(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<String>;

    /// [`Tensors::hash_with`], told nothing on the way.
    ///
    /// # Errors
    /// As there.
    fn hash(&self) -> Result<String> {
        self.hash_with(&mut |_, _| ())
    }
}

impl<T: Tensors + ?Sized> Tensors for Box<T> {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        (**self).shape(name)
    }

    fn read(&self, name: &str) -> Result<Vec<f32>> {
        (**self).read(name)
    }

    fn names(&self) -> Vec<String> {
        (**self).names()
    }

    fn hash_with(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<String> {
        (**self).hash_with(progress)
    }
}

/// Reads weights, counting them and checking their shapes.
pub struct Reader<'a> {
    tensors: &'a dyn Tensors,
    /// Weights read so far.
    pub parameters: u64,
}

impl<'a> Reader<'a> {
    /// Nothing read yet.
    pub fn new(tensors: &'a dyn Tensors) -> Self {
        Reader {
            tensors,
            parameters: 0,
        }
    }

    /// A tensor of this shape, row-major.
    ///
    /// # Errors
    /// One that is missing, has another shape, or cannot be read.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        match self.tensors.shape(name) {
            None => {
                return Err(ModelError::Text(format!(
                    "the weights have no tensor `{name}`"
                )));
            }
            Some(found) if found != shape => {
                return Err(ModelError::Text(format!(
                    "tensor `{name}` is {found:?}, {shape:?} expected by the configuration"
                )));
            }
            Some(_) => (),
        }
        self.parameters += shape.iter().map(|n| *n as u64).product::<u64>();
        let values = self.tensors.read(name)?;
        if values.len() != shape.iter().product::<usize>() {
            return Err(ModelError::Text(format!(
                "tensor `{name}` has {} values, {shape:?} expected",
                values.len()
            )));
        }
        Ok(values)
    }

    /// Whether there is such a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.shape(name).is_some()
    }

    /// Several matrices below one another, or the one they are fused into in the file.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn stacked(
        &mut self,
        at: &str,
        fused: &str,
        parts: &[(&str, usize)],
        inputs: usize,
    ) -> Result<(Vec<f32>, usize)> {
        let outputs = parts.iter().map(|(_, n)| n).sum();
        let fused = format!("{at}.{fused}.weight");
        if self.has(&fused) {
            return Ok((self.take(&fused, &[outputs, inputs])?, outputs));
        }
        let mut all = Vec::with_capacity(outputs * inputs);
        for (part, n) in parts {
            all.extend(self.take(&format!("{at}.{part}.weight"), &[*n, inputs])?);
        }
        Ok((all, outputs))
    }

    /// The biases of several projections, where there are any.
    ///
    /// # Errors
    /// As [`Reader::take`].
    pub fn biases(
        &mut self,
        at: &str,
        parts: &[(&str, usize)],
        there: bool,
    ) -> Result<Option<Vec<f32>>> {
        if !there {
            return Ok(None);
        }
        let mut all = Vec::new();
        for (part, n) in parts {
            all.extend(self.take(&format!("{at}.{part}.bias"), &[*n])?);
        }
        Ok(Some(all))
    }
}
