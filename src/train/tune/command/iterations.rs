//! Trainings that start where others have ended: on-policy self-training again and again.
//!
//! Each but the last has its own folder `iteration-N` in the output, with its adapter, its checkpoints and its samples;
//! the last has the output itself. The model of each is that of the one before, with that one's adapter: so is its judge.

use std::path::PathBuf;

use crate::train::tune::config::{Config, Task};

/// The configuration of each, in their order.
pub fn of(config: &Config) -> Vec<Config> {
    let count = match &config.task {
        Task::SelfTraining(wanted) => wanted.iterations.max(1),
        _ => 1,
    };
    let mut all: Vec<Config> = Vec::new();
    for number in 1..=count {
        all.push(Config {
            model: all.last().map_or_else(|| config.model.clone(), name),
            output: match number == count {
                true => config.output.clone(),
                false => folder(config, number),
            },
            // Other orders and other draws than before.
            seed: config.seed.wrapping_add(number - 1),
            ..config.clone()
        });
    }
    all
}

fn folder(config: &Config, number: u64) -> PathBuf {
    config.output.join(format!("iteration-{number}"))
}

/// What the model is called that a training leaves.
pub fn name(config: &Config) -> String {
    let output = config.output.display();
    match config.lora {
        Some(_) => format!("{}+{output}", config.model),
        None => output.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::tune::config::Kind;

    #[test]
    fn each_goes_on_from_the_one_before() {
        let text = "model = 'starter'\noutput = 'out'\nprompts = 'x'\nseed = 5\niterations = 3";
        let config = Config::parse(Kind::SelfTraining, "f", text).unwrap();
        let all = of(&config);
        let each: Vec<(&str, &str, u64)> = all
            .iter()
            .map(|c| (c.model.as_str(), c.output.to_str().unwrap(), c.seed))
            .collect();
        let second = "starter+out/iteration-1";
        let third = "starter+out/iteration-1+out/iteration-2";
        assert_eq!(
            each,
            [
                ("starter", "out/iteration-1", 5),
                (second, "out/iteration-2", 6),
                (third, "out", 7)
            ]
        );
        assert_eq!(name(&all[2]), format!("{third}+out"));
        let full = Config::parse(Kind::Sft, "f", "model = 'm'\noutput = 'out'\ndata = 'x'");
        let full = full.unwrap();
        assert_eq!((of(&full).len(), name(&full)), (1, "out".to_owned()));
    }
}
