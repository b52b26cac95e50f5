//! Self-rejection by tournament (SELF-JUDGE; Lee et al. 2024, arXiv 2402.11253, §3): of N responses the judge picks one
//! with N − 1 judgments.
//!
//! Pure bookkeeping: who meets whom. Each round the responses that are left are shuffled anew, neighbours meet, winners go
//! on; with an odd count the first gets the bye and heads the next list.

use sha2::{Digest, Sha256};

use crate::stats::bootstrap::SplitMix64;

/// A match: places of two responses, and of the one that goes on.
pub type Match = [usize; 3];

/// One record's tournament under way.
#[derive(Clone, Debug)]
pub struct Tournament {
    seed: u64,
    id: String,
    /// Places of the responses that are left, those of this round in its order.
    left: Vec<usize>,
    /// Finished rounds.
    rounds: Vec<Vec<Match>>,
}

impl Tournament {
    /// A tournament of `count` responses to a record. Its shuffles depend on the seed, the record's id and the round
    /// alone.
    pub fn new(seed: u64, id: &str, count: usize) -> Self {
        let mut tournament = Tournament {
            seed,
            id: id.to_owned(),
            left: (0..count).collect(),
            rounds: Vec::new(),
        };
        tournament.shuffle();
        tournament
    }

    fn shuffle(&mut self) {
        if self.left.len() < 2 {
            return;
        }
        let mut random = random(self.seed, &self.id, self.rounds.len() + 1);
        for at in (1..self.left.len()).rev() {
            self.left.swap(at, random.below(at + 1));
        }
    }

    /// Who goes on without a match this round.
    pub fn bye(&self) -> Option<usize> {
        self.left
            .first()
            .copied()
            .filter(|_| self.left.len() % 2 == 1)
    }

    /// The matches of this round; none once it is over.
    pub fn matches(&self) -> Vec<[usize; 2]> {
        let playing = &self.left[self.left.len() % 2..];
        playing.as_chunks::<2>().0.to_vec()
    }

    /// Ends the round; `first_wins` tells for each of its matches whether its first response goes on. A match without a
    /// word counts for its first.
    pub fn advance(&mut self, first_wins: &[bool]) {
        let matches = self.matches();
        if matches.is_empty() {
            return;
        }
        let won = first_wins.iter().copied().chain(std::iter::repeat(true));
        let played: Vec<Match> = matches
            .iter()
            .zip(won)
            .map(|([a, b], first)| [*a, *b, if first { *a } else { *b }])
            .collect();
        let winners = played.iter().map(|[_, _, winner]| *winner);
        self.left = self.bye().into_iter().chain(winners).collect();
        self.rounds.push(played);
        self.shuffle();
    }

    /// The last one left; `None` before, and where there was nobody.
    pub fn champion(&self) -> Option<usize> {
        match self.left[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Finished rounds, with the matches of each in their order.
    pub fn rounds(&self) -> &[Vec<Match>] {
        &self.rounds
    }

    /// Judgments so far.
    pub fn judgments(&self) -> usize {
        self.rounds.iter().map(Vec::len).sum()
    }
}

/// The generator of a round, counted from 1: SplitMix64 from the first eight bytes, little-endian, of the SHA-256 of
/// `SEED\0ID\0ROUND` (numbers in decimal).
fn random(seed: u64, id: &str, round: usize) -> SplitMix64 {
    let digest = Sha256::digest(format!("{seed}\0{id}\0{round}"));
    let mut bytes = [0; 8];
    for (byte, hashed) in bytes.iter_mut().zip(digest) {
        *byte = hashed;
    }
    SplitMix64(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays to the end; the larger place wins.
    fn play(mut tournament: Tournament) -> Tournament {
        while tournament.champion().is_none() && !tournament.matches().is_empty() {
            let won: Vec<bool> = tournament.matches().iter().map(|[a, b]| a > b).collect();
            tournament.advance(&won);
        }
        tournament
    }

    #[test]
    fn n_responses_take_n_minus_one_judgments_and_the_best_wins() {
        for n in 1..70 {
            for seed in 0..3 {
                let over = play(Tournament::new(seed, "x", n));
                assert_eq!(over.champion(), Some(n - 1));
                assert_eq!(over.judgments(), n - 1);
                assert_eq!(over.rounds().len(), n.next_power_of_two().ilog2() as usize);
            }
        }
        assert_eq!(Tournament::new(0, "x", 0).champion(), None);
        assert!(Tournament::new(0, "x", 0).matches().is_empty());
    }

    #[test]
    fn the_bye_heads_the_next_list() {
        let mut tournament = Tournament::new(5, "odd", 7);
        let bye = tournament.bye().unwrap();
        let matches = tournament.matches();
        assert_eq!(matches.len(), 3);
        assert!(matches.iter().flatten().all(|place| *place != bye));
        tournament.advance(&[true, false]);
        let mut next = vec![bye, matches[0][0], matches[1][1], matches[2][0]];
        // The next round shuffles them anew.
        let mut random = random(5, "odd", 2);
        for at in (1..4).rev() {
            next.swap(at, random.below(at + 1));
        }
        assert_eq!(tournament.matches().concat(), next);
    }

    #[test]
    fn shuffles_depend_on_seed_record_and_round() {
        let of = |seed, id: &str| Tournament::new(seed, id, 16).matches();
        assert_eq!(of(1, "a"), of(1, "a"));
        assert_ne!(of(1, "a"), of(2, "a"));
        assert_ne!(of(1, "a"), of(1, "b"));
        let over = play(Tournament::new(1, "a", 16));
        assert_ne!(over.rounds()[0], over.rounds()[1]);
    }
}
