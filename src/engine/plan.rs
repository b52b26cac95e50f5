//! What has to be computed for a batch of prompts: a tree of their common beginnings, less what is
//! known already, cut into passes.

use std::sync::Arc;

use crate::model::decoder::pass::{Keys, Known, Link, Pass, Segment, Wanted};

/// A prompt, and the known beginning of it.
pub struct Prompt<'a, K> {
    pub ids: &'a [u32],
    /// The first token whose hidden state is wanted, and with it those of all after it; one of the
    /// prompt's own.
    pub from: usize,
    pub known: Vec<Known<K>>,
}

/// A stretch of tokens that several prompts share.
struct Node<K> {
    ids: Vec<u32>,
    parent: Option<usize>,
    /// The chain before a node without a parent.
    before: Vec<Known<K>>,
    /// Prompts that end with it.
    ends: Vec<usize>,
    /// Tokens before its first.
    start: usize,
    /// Prompts that want hidden states of it, each with its first wanted token.
    wanting: Vec<(usize, usize)>,
    keys: Option<Arc<K>>,
}

impl<K> Node<K> {
    /// A node has its boundaries where wishes begin, so all of it is wanted by someone, or its last
    /// token alone, or nothing.
    fn wanted(&self) -> Wanted {
        let end = self.start + self.ids.len();
        match self.wanting.iter().map(|(_, from)| *from).min() {
            None => Wanted::None,
            Some(from) if from + 1 == end => Wanted::Last,
            Some(_) => Wanted::All,
        }
    }
}

/// What comes before a node to be.
#[derive(Clone, Copy)]
enum Before {
    /// Another node.
    Node(usize),
    /// Known tokens, of which this prompt knows all.
    Known(Option<usize>),
}

/// Nodes in an order in which parents come before their children.
pub struct Plan<K> {
    nodes: Vec<Node<K>>,
    next: usize,
}

/// A wanted hidden state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its token's place in its prompts.
    pub at: usize,
    /// Who wants it.
    pub prompts: Vec<usize>,
}

/// One pass of a plan: which of its nodes, and what its wanted rows are, in the pass's order.
pub struct Step {
    nodes: std::ops::Range<usize>,
    pub rows: Vec<Row>,
}

fn len<K>(known: &[Known<K>]) -> usize {
    known.iter().map(|k| k.tokens.len()).sum()
}

/// The first `tokens` of a chain.
fn first<K>(chain: &[Known<K>], tokens: usize) -> Vec<Known<K>> {
    let (mut kept, mut left) = (Vec::new(), tokens);
    for known in chain {
        if left == 0 {
            break;
        }
        let take = known.tokens.len().min(left);
        kept.push(Known {
            keys: Arc::clone(&known.keys),
            tokens: known.tokens.start..known.tokens.start + take,
        });
        left -= take;
    }
    kept
}

impl<K> Prompt<'_, K> {
    fn first_wanted(&self) -> usize {
        self.from.min(self.ids.len() - 1)
    }
}

impl<K: Keys> Plan<K> {
    /// Plans prompts (none of them empty); no node is longer than `longest` tokens. A token whose
    /// hidden state is wanted is always computed, and so is a prompt's last one.
    pub fn new(prompts: &[Prompt<'_, K>], longest: usize) -> Self {
        let mut order: Vec<usize> = (0..prompts.len()).collect();
        order.sort_unstable_by_key(|p| prompts[*p].ids);
        let mut plan = Plan {
            nodes: Vec::new(),
            next: 0,
        };
        plan.grow(prompts, &order, 0, Before::Known(None), longest.max(1));
        plan
    }

    /// Adds the nodes of prompts that agree on their first `at` tokens.
    fn grow(
        &mut self,
        prompts: &[Prompt<'_, K>],
        group: &[usize],
        at: usize,
        before: Before,
        longest: usize,
    ) {
        let mut rest = group;
        while let Some((leader, _)) = rest.split_first() {
            let ids = prompts[*leader].ids;
            if at >= ids.len() {
                // It ended with the parent.
                rest = &rest[1..];
                continue;
            }
            let count = rest
                .iter()
                .take_while(|p| prompts[**p].ids.get(at) == ids.get(at))
                .count();
            let (branch, others) = rest.split_at(count);
            rest = others;
            // Sorted, so the first and the last differ the most; an end makes a node too.
            let last = prompts[branch[count - 1]].ids;
            let shared = ids[at..]
                .iter()
                .zip(&last[at..])
                .take_while(|(a, b)| a == b)
                .count();
            let mut end = at + shared;
            let mut start = at;
            let firsts = branch.iter().map(|p| prompts[*p].first_wanted());
            let wanted = firsts.min().unwrap_or(end);
            let (mut parent, mut chain): (Option<usize>, Vec<Known<K>>) = (None, Vec::new());
            match before {
                Before::Node(node) => parent = Some(node),
                Before::Known(above) => {
                    let best = branch
                        .iter()
                        .max_by_key(|p| len(&prompts[**p].known))
                        .copied()
                        .unwrap_or(*leader);
                    let known = len(&prompts[best].known);
                    if known >= end && wanted >= end {
                        // All of it is known, and of no prompt the end.
                        self.grow(prompts, branch, end, Before::Known(Some(best)), longest);
                        continue;
                    }
                    // From the first wanted token on all is computed in any case.
                    start = known.clamp(at, end.min(wanted).max(at));
                    // Up to `at` another prompt's known beginning serves where its own is shorter.
                    let giver = if known >= start {
                        best
                    } else {
                        above.unwrap_or(best)
                    };
                    chain = first(&prompts[giver].known, start);
                }
            }
            end = end.min(start + longest);
            // Before the first wanted token nothing is, and of a node only all or the last can be.
            if wanted > start && wanted + 1 < end {
                end = wanted;
            }
            let wanting = branch
                .iter()
                .map(|p| (*p, prompts[*p].first_wanted()))
                .filter(|(_, from)| *from < end)
                .collect();
            let ends = branch
                .iter()
                .filter(|p| prompts[**p].ids.len() == end)
                .copied()
                .collect();
            self.nodes.push(Node {
                ids: ids[start..end].to_vec(),
                parent,
                before: chain,
                ends,
                start,
                wanting,
                keys: None,
            });
            let node = self.nodes.len() - 1;
            self.grow(prompts, branch, end, Before::Node(node), longest);
        }
    }

    /// Tokens to compute in all.
    #[cfg(test)]
    pub fn tokens(&self) -> usize {
        self.nodes.iter().map(|n| n.ids.len()).sum()
    }

    /// The next pass of about `tokens` tokens, while there is one.
    ///
    /// # Errors
    /// When there is no room for keys and values.
    pub fn pass<E>(
        &mut self,
        tokens: usize,
        long: bool,
        room: impl Fn(usize) -> Result<K, E>,
    ) -> Result<Option<(Pass<K>, Step)>, E> {
        let start = self.next;
        if start == self.nodes.len() {
            return Ok(None);
        }
        let mut segments = Vec::new();
        let (mut rows, mut total) = (Vec::new(), 0);
        while let Some(node) = self.nodes.get(self.next) {
            if total > 0 && total + node.ids.len() > tokens {
                break;
            }
            total += node.ids.len();
            let wanted = node.wanted();
            let end = node.start + node.ids.len();
            let first = match wanted {
                Wanted::None => end,
                Wanted::Last => end - 1,
                Wanted::All => node.start,
            };
            rows.extend((first..end).map(|at| {
                Row {
                    at,
                    prompts: node
                        .wanting
                        .iter()
                        .filter(|(_, from)| *from <= at)
                        .map(|(prompt, _)| *prompt)
                        .collect(),
                }
            }));
            segments.push(Segment {
                chain: self.chain(self.next, start),
                ids: node.ids.clone(),
                wanted,
                keys: room(node.ids.len())?,
            });
            self.next += 1;
        }
        let nodes = start..self.next;
        Ok(Some((Pass { segments, long }, Step { nodes, rows })))
    }

    /// What comes before a node; nodes from `within` on are in the same pass.
    fn chain(&self, node: usize, within: usize) -> Vec<Link<K>> {
        let mut chain = Vec::new();
        let mut at = node;
        while let Some(parent) = self.nodes[at].parent {
            at = parent;
            match &self.nodes[at].keys {
                Some(keys) => chain.push(Link::Known(Known {
                    keys: Arc::clone(keys),
                    tokens: 0..self.nodes[at].ids.len(),
                })),
                None => chain.push(Link::Within(at - within)),
            }
        }
        let before = self.nodes[at].before.iter().rev().cloned();
        chain.extend(before.map(Link::Known));
        chain.reverse();
        chain
    }

    /// Takes the keys and values of a computed pass.
    pub fn computed(&mut self, step: &Step, pass: Pass<K>) {
        for (node, segment) in self.nodes[step.nodes.clone()].iter_mut().zip(pass.segments) {
            node.keys = Some(Arc::new(segment.keys));
        }
    }

    /// Tokens computed for each prompt; what several share counts for one of them.
    pub fn shares(&self, prompts: usize) -> Vec<usize> {
        let mut shares = vec![0; prompts];
        let mut counted = vec![false; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(prompt) = node.ends.first() else {
                continue;
            };
            let mut next = Some(at);
            while let Some(at) = next.filter(|at| !counted[*at]) {
                counted[at] = true;
                shares[*prompt] += self.nodes[at].ids.len();
                next = self.nodes[at].parent;
            }
        }
        shares
    }

    /// The whole chain of each prompt, when all is computed.
    pub fn chains(&self, prompts: usize) -> Vec<Vec<Known<K>>> {
        let mut chains: Vec<Vec<Known<K>>> = (0..prompts).map(|_| Vec::new()).collect();
        for (at, node) in self.nodes.iter().enumerate() {
            for prompt in &node.ends {
                let mut chain: Vec<Known<K>> = self
                    .chain(at, 0)
                    .into_iter()
                    .filter_map(|link| match link {
                        Link::Known(known) => Some(known),
                        Link::Within(_) => None,
                    })
                    .collect();
                if let Some(keys) = &node.keys {
                    chain.push(Known {
                        keys: Arc::clone(keys),
                        tokens: 0..node.ids.len(),
                    });
                }
                chains[*prompt] = chain;
            }
        }
        chains
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decoder::pass::fake::Ids;
    use proptest::prelude::*;
    use std::ops::Range;

    proptest! {
        /// Running the plan spells every prompt, computes every stretch once and nothing known.
        #[test]
        fn a_plan_spells_its_prompts(
            prompts in proptest::collection::vec(proptest::collection::vec(0u32..3, 1..14), 1..12),
            known in proptest::collection::vec(0usize..14, 12),
            from in proptest::collection::vec(0usize..20, 12),
            longest in 1usize..6, tokens in 1usize..20,
        ) {
            let planned: Vec<Prompt<'_, Ids>> = prompts
                .iter()
                .zip(known.iter().zip(&from))
                .map(|(ids, (known, from))| {
                    let n = (*known).min(ids.len());
                    let half = n / 2;
                    let stretch = |r: Range<usize>| Known {
                        tokens: 0..r.len(),
                        keys: Arc::new(Ids(ids[r].to_vec())),
                    };
                    let known = vec![stretch(0..half), stretch(half..n)];
                    Prompt { ids, from: *from, known }
                })
                .collect();
            let mut plan = Plan::new(&planned, longest);
            let mut distinct = std::collections::HashSet::new();
            for ids in &prompts {
                for end in 1..=ids.len() {
                    distinct.insert(&ids[..end]);
                }
            }
            prop_assert!(plan.tokens() <= distinct.len());
            let mut answered: Vec<Vec<usize>> = vec![Vec::new(); prompts.len()];
            while let Some((mut pass, step)) =
                plan.pass(tokens, false, |_| Ok::<_, ()>(Ids(Vec::new()))).unwrap()
            {
                prop_assert!(pass.tokens() <= tokens.max(longest));
                let wanted = pass.wanted_rows();
                prop_assert_eq!(wanted.len(), step.rows.len());
                let spelled: Vec<Vec<u32>> = (0..pass.segments.len())
                    .map(|at| spell(&pass, at))
                    .collect();
                // Every new token with all before it.
                let texts: Vec<&[u32]> = pass.segments.iter().zip(&spelled).flat_map(|(s, text)| {
                    (text.len() - s.ids.len()..text.len()).map(|at| &text[..=at])
                }).collect();
                for (row, of) in wanted.iter().zip(&step.rows) {
                    prop_assert_eq!(texts[*row].len(), of.at + 1);
                    for prompt in &of.prompts {
                        prop_assert_eq!(texts[*row], &prompts[*prompt][..=of.at]);
                        answered[*prompt].push(of.at);
                    }
                }
                for segment in &mut pass.segments {
                    segment.keys.0 = segment.ids.clone();
                }
                plan.computed(&step, pass);
            }
            for (answered, prompt) in answered.iter_mut().zip(&planned) {
                answered.sort_unstable();
                let wanted: Vec<usize> = (prompt.first_wanted()..prompt.ids.len()).collect();
                prop_assert_eq!(&*answered, &wanted);
            }
            prop_assert_eq!(plan.shares(prompts.len()).iter().sum::<usize>(), plan.tokens());
            for (chain, ids) in plan.chains(prompts.len()).iter().zip(&prompts) {
                let text: Vec<u32> = chain
                    .iter()
                    .flat_map(|k| k.keys.0[k.tokens.clone()].to_vec())
                    .collect();
                prop_assert_eq!(&text, ids);
            }
        }
    }

    fn spell(pass: &Pass<Ids>, at: usize) -> Vec<u32> {
        let segment = &pass.segments[at];
        let mut text = Vec::new();
        for link in &segment.chain {
            match link {
                Link::Known(known) => text.extend(&known.keys.0[known.tokens.clone()]),
                Link::Within(other) => text.extend(&pass.segments[*other].ids),
            }
        }
        text.extend(&segment.ids);
        text
    }
}
