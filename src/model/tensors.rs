//! Where weights come from, one tensor at a time, so that a model is never in memory twice.

use super::Result;

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
