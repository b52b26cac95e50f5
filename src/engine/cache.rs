//! The prefix cache: a radix tree of token sequences with their keys and values.
//!
//! Every stretch of tokens is held once, however many prompts begin with it. Leaves that were used
//! longest ago go first when the budget is spent.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::request::Role;
use crate::model::decoder::pass::{Keys, Known};

/// The share of the budget that is freed at once where it is spent. To find the leaves used longest
/// ago all of them are looked at, which must not be done again for every prompt.
const FREED_AT_ONCE: usize = 32;

/// What tells trees apart: another model, or another RoPE for long sequences.
pub type Root = (Role, bool);

struct Node<K> {
    ids: Vec<u32>,
    known: Known<K>,
    parent: Option<usize>,
    /// By their first token.
    children: HashMap<u32, usize>,
    used: u64,
}

/// Known prefixes, at most so many bytes of them.
pub struct PrefixCache<K> {
    nodes: Vec<Option<Node<K>>>,
    free: Vec<usize>,
    roots: HashMap<Root, HashMap<u32, usize>>,
    budget: usize,
    bytes: usize,
    clock: u64,
}

fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn part<K>(known: &Known<K>, tokens: Range<usize>) -> Known<K> {
    let start = known.tokens.start;
    Known {
        keys: Arc::clone(&known.keys),
        tokens: start + tokens.start..start + tokens.end,
    }
}

impl<K: Keys> PrefixCache<K> {
    /// A cache that holds at most `budget` bytes.
    pub fn new(budget: usize) -> Self {
        PrefixCache {
            nodes: Vec::new(),
            free: Vec::new(),
            roots: HashMap::new(),
            budget,
            bytes: 0,
            clock: 0,
        }
    }

    /// Bytes held.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The longest known beginning of `ids`, in stretches from the first token on.
    pub fn longest(&mut self, root: Root, ids: &[u32]) -> Vec<Known<K>> {
        self.clock += 1;
        let clock = self.clock;
        let (mut found, mut at) = (Vec::new(), 0);
        let mut next = self.child(root, None, ids);
        while let Some(place) = next {
            let Some(node) = self.nodes[place].as_mut() else {
                break;
            };
            node.used = clock;
            let shared = common(&node.ids, &ids[at..]);
            found.push(part(&node.known, 0..shared));
            at += shared;
            if shared < node.ids.len() {
                break;
            }
            next = self.child(root, Some(place), &ids[at..]);
        }
        found
    }

    fn child(&self, root: Root, parent: Option<usize>, rest: &[u32]) -> Option<usize> {
        let first = rest.first()?;
        let children = match parent {
            None => self.roots.get(&root)?,
            Some(parent) => &self.nodes[parent].as_ref()?.children,
        };
        children.get(first).copied()
    }

    /// Keeps the keys and values of a sequence, given in stretches from its first token on (as long
    /// as they reach), and drops what was used longest ago where the budget is spent.
    pub fn keep(&mut self, root: Root, ids: &[u32], known: &[Known<K>]) {
        self.clock += 1;
        let (mut parent, mut at) = (None, 0);
        let reach = known.iter().map(|k| k.tokens.len()).sum::<usize>();
        let ids = &ids[..ids.len().min(reach)];
        while at < ids.len() {
            match self.child(root, parent, &ids[at..]) {
                Some(place) => {
                    let shared = self.nodes[place]
                        .as_ref()
                        .map_or(0, |node| common(&node.ids, &ids[at..]));
                    self.split(place, shared);
                    if let Some(node) = self.nodes[place].as_mut() {
                        node.used = self.clock;
                    }
                    parent = Some(place);
                    at += shared;
                }
                None => {
                    // The first stretch that reaches past `at`, from there on.
                    let mut before = 0;
                    for stretch in known {
                        let end = before + stretch.tokens.len();
                        if end > at {
                            let end = end.min(ids.len());
                            let known = part(stretch, at - before..end - before);
                            parent = Some(self.insert(root, parent, ids[at..end].to_vec(), known));
                            at = end;
                            break;
                        }
                        before = end;
                    }
                }
            }
        }
        self.shrink();
    }

    fn insert(
        &mut self,
        root: Root,
        parent: Option<usize>,
        ids: Vec<u32>,
        known: Known<K>,
    ) -> usize {
        self.bytes += ids.len() * known.keys.bytes_per_token();
        let first = ids.first().copied().unwrap_or_default();
        let place = self.put(Node {
            ids,
            known,
            parent,
            children: HashMap::new(),
            used: self.clock,
        });
        self.siblings(root, parent).insert(first, place);
        place
    }

    fn put(&mut self, node: Node<K>) -> usize {
        match self.free.pop() {
            Some(place) => {
                self.nodes[place] = Some(node);
                place
            }
            None => {
                self.nodes.push(Some(node));
                self.nodes.len() - 1
            }
        }
    }

    /// The children of a node, or the beginnings of a tree.
    fn siblings(&mut self, root: Root, parent: Option<usize>) -> &mut HashMap<u32, usize> {
        match parent.and_then(|p| self.nodes[p].as_mut()) {
            Some(node) => &mut node.children,
            None => self.roots.entry(root).or_default(),
        }
    }

    /// Cuts a node after `shared` tokens: it keeps its place and its beginning, and its end becomes
    /// its only child.
    fn split(&mut self, place: usize, shared: usize) {
        let clock = self.clock;
        let Some(node) = self.nodes[place].as_mut() else {
            return;
        };
        if shared == 0 || shared >= node.ids.len() {
            return;
        }
        let rest = node.ids.split_off(shared);
        let end = part(&node.known, shared..shared + rest.len());
        node.known = part(&node.known, 0..shared);
        let children = std::mem::take(&mut node.children);
        let used = node.used.min(clock);
        let first = rest[0];
        let grandchildren: Vec<usize> = children.values().copied().collect();
        let child = self.put(Node {
            ids: rest,
            known: end,
            parent: Some(place),
            children,
            used,
        });
        for grandchild in grandchildren {
            if let Some(node) = self.nodes[grandchild].as_mut() {
                node.parent = Some(child);
            }
        }
        if let Some(node) = self.nodes[place].as_mut() {
            node.children.insert(first, child);
        }
    }

    /// Where the budget is spent, drops leaves, the one used longest ago first, until there is room
    /// for more than the next prompt.
    fn shrink(&mut self) {
        if self.bytes <= self.budget {
            return;
        }
        let mut leaves: Vec<(u64, usize)> = self.leaves().collect();
        leaves.sort_unstable_by(|a, b| b.cmp(a));
        let kept = self.budget - self.budget / FREED_AT_ONCE;
        while self.bytes > kept {
            let Some((_, place)) = leaves.pop() else {
                break;
            };
            if let Some(parent) = self.remove(place)
                && let Some(node) = &self.nodes[parent]
                && node.children.is_empty()
            {
                let at = leaves.partition_point(|leaf| *leaf > (node.used, parent));
                leaves.insert(at, (node.used, parent));
            }
        }
    }

    fn leaves(&self) -> impl Iterator<Item = (u64, usize)> {
        let with_place = self.nodes.iter().enumerate();
        with_place.filter_map(|(place, node)| {
            let node = node.as_ref()?;
            node.children.is_empty().then_some((node.used, place))
        })
    }

    /// Takes a leaf out; gives back its parent.
    fn remove(&mut self, place: usize) -> Option<usize> {
        let node = self.nodes[place].take()?;
        self.free.push(place);
        self.bytes = self
            .bytes
            .saturating_sub(node.ids.len() * node.known.keys.bytes_per_token());
        let first = node.ids.first().copied().unwrap_or_default();
        match node.parent {
            Some(parent) => {
                if let Some(above) = self.nodes[parent].as_mut() {
                    above.children.remove(&first);
                    // A buffer shared with what goes would not be freed: keep a copy of the rest.
                    if Arc::ptr_eq(&above.known.keys, &node.known.keys) {
                        let own = above.known.keys.slice(above.known.tokens.clone());
                        above.known = Known {
                            tokens: 0..above.ids.len(),
                            keys: Arc::new(own),
                        };
                    }
                }
            }
            None => {
                for beginnings in self.roots.values_mut() {
                    if beginnings.get(&first) == Some(&place) {
                        beginnings.remove(&first);
                    }
                }
            }
        }
        node.parent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decoder::pass::fake::Ids;
    use proptest::prelude::*;

    fn spelled(known: &[Known<Ids>]) -> Vec<u32> {
        known
            .iter()
            .flat_map(|k| k.keys.0[k.tokens.clone()].to_vec())
            .collect()
    }

    const ROOT: Root = (Role::Judge, false);

    fn keep(cache: &mut PrefixCache<Ids>, ids: &[u32]) {
        let mut known = cache.longest(ROOT, ids);
        let from = spelled(&known).len();
        let rest = Ids(ids[from..].to_vec());
        known.push(Known {
            tokens: 0..rest.0.len(),
            keys: Arc::new(rest),
        });
        cache.keep(ROOT, ids, &known);
    }

    proptest! {
        #[test]
        fn what_is_found_is_a_true_prefix_and_the_budget_holds(
            prompts in proptest::collection::vec(proptest::collection::vec(0u32..3, 1..12), 1..40),
            budget in 5usize..80,
        ) {
            let mut cache = PrefixCache::new(budget);
            for ids in &prompts {
                keep(&mut cache, ids);
                prop_assert!(cache.bytes() <= budget);
                let held: usize = cache.nodes.iter().flatten().map(|n| n.ids.len()).sum();
                prop_assert_eq!(held, cache.bytes());
                for ids in &prompts {
                    let found = spelled(&cache.longest(ROOT, ids));
                    prop_assert!(ids.starts_with(&found));
                }
            }
        }

        #[test]
        fn without_pressure_everything_is_found(
            prompts in proptest::collection::vec(proptest::collection::vec(0u32..3, 1..12), 1..40),
        ) {
            let mut cache = PrefixCache::new(1 << 20);
            for ids in &prompts {
                keep(&mut cache, ids);
            }
            for ids in &prompts {
                prop_assert_eq!(&spelled(&cache.longest(ROOT, ids)), ids);
            }
            prop_assert!(cache.longest((Role::Policy, false), &prompts[0]).is_empty());
        }
    }

    #[test]
    fn a_spent_budget_makes_room_for_many_prompts() {
        let mut cache = PrefixCache::new(320);
        let mut shrunk = 0;
        for prompt in 0..1000 {
            let before = cache.bytes();
            keep(&mut cache, &[prompt, 1]);
            shrunk += usize::from(cache.bytes() < before + 2);
        }
        // 160 prompts fill it; each time it is spent, six make room for six.
        assert_eq!(shrunk, 140);
    }

    #[test]
    fn the_leaf_used_longest_ago_goes_first() {
        let mut cache = PrefixCache::new(8);
        keep(&mut cache, &[1, 2, 3, 4]);
        keep(&mut cache, &[1, 2, 5, 6]);
        cache.longest(ROOT, &[1, 2, 3, 4]);
        keep(&mut cache, &[7, 8, 9]);
        let found = |cache: &mut PrefixCache<Ids>, ids: &[u32]| spelled(&cache.longest(ROOT, ids));
        assert_eq!(found(&mut cache, &[1, 2, 5, 6]), [1, 2]);
        assert_eq!(found(&mut cache, &[1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(found(&mut cache, &[7, 8, 9]), [7, 8, 9]);
    }
}
