//! What a teacher's tokens may come to.

use serde::Serialize;

use super::writer::Reply;

/// Prices for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prices {
    pub prompt: f64,
    pub written: f64,
}

/// Tokens that a teacher took, of earlier runs as well where their replies are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spent {
    /// Replies that were asked for in this run.
    pub calls: usize,
    /// Replies of earlier runs.
    pub reused: usize,
    pub prompt_tokens: usize,
    pub written_tokens: usize,
    /// Whether some of the tokens are our estimate.
    pub estimated: bool,
}

impl Spent {
    /// Prompts and texts.
    pub fn tokens(&self) -> usize {
        self.prompt_tokens + self.written_tokens
    }

    /// What they cost.
    pub fn cost(&self, prices: Prices) -> f64 {
        let of = |tokens: usize, price: f64| tokens as f64 * price / 1e6;
        of(self.prompt_tokens, prices.prompt) + of(self.written_tokens, prices.written)
    }
}

/// Tokens that may be spent: a prompt is sent only while the longest text behind it fits.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    cap: Option<usize>,
    pub spent: Spent,
    /// For what is under way.
    held: usize,
}

/// What a chat template may put around a prompt.
const AROUND: usize = 64;

impl Budget {
    /// At most so many tokens, or any number.
    pub fn new(cap: Option<usize>) -> Self {
        Budget {
            cap,
            ..Budget::default()
        }
    }

    /// No prompt is more tokens than bytes.
    fn most(prompt: &str, max_tokens: usize) -> usize {
        prompt.len() + AROUND + max_tokens
    }

    /// Sets aside what a prompt may come to, if that is left.
    pub fn hold(&mut self, prompt: &str, max_tokens: usize) -> bool {
        let most = Self::most(prompt, max_tokens);
        let fits = self
            .cap
            .is_none_or(|cap| self.spent.tokens() + self.held + most <= cap);
        if fits {
            self.held += most;
        }
        fits
    }

    /// Whether something is under way that may turn out to come to less.
    pub fn holds(&self) -> bool {
        self.held > 0
    }

    /// A prompt that was held for came to this, or to nothing.
    pub fn settle(&mut self, prompt: &str, max_tokens: usize, reply: Option<&Reply>) {
        self.held = self.held.saturating_sub(Self::most(prompt, max_tokens));
        if let Some(reply) = reply {
            self.spent.calls += 1;
            self.count(reply);
        }
    }

    /// A reply of an earlier run.
    pub fn reuse(&mut self, reply: &Reply) {
        self.spent.reused += 1;
        self.count(reply);
    }

    fn count(&mut self, reply: &Reply) {
        self.spent.prompt_tokens += reply.prompt_tokens;
        self.spent.written_tokens += reply.written_tokens;
        self.spent.estimated |= reply.is_estimated;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_that_might_exceed_the_cap() {
        let mut budget = Budget::new(Some(300));
        let prompt = "x".repeat(36);
        assert!(budget.hold(&prompt, 100));
        assert!(!budget.hold(&prompt, 100), "400 at most");
        let reply = Reply {
            prompt_tokens: 10,
            written_tokens: 20,
            ..Reply::default()
        };
        budget.settle(&prompt, 100, Some(&reply));
        assert!(!budget.holds() && budget.spent.tokens() == 30);
        assert!(budget.hold(&prompt, 100));
        let prices = Prices {
            prompt: 1e5,
            written: 1e6,
        };
        assert_eq!(budget.spent.cost(prices), 21.0);
    }
}
