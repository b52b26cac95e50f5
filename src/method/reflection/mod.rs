//! Selective Reflection-Tuning (Li et al. 2024, arXiv 2402.10110, `tianyi-lab/Reflection_Tuning`): a teacher rewrites
//! instructions and responses, a student's statistics decide what of it is kept.

pub mod reply;
pub mod request;
pub mod selection;
pub mod statistics;
