//! The verdicts of each order alone.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::number;

/// What answer a won in each order, and how far the order mattered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// 1, ½ or 0 where a was shown first.
    pub first: f64,
    /// The same where a was shown second.
    pub second: f64,
    /// How much more the first place got than the second, mean of both orders: −1 … 1.
    pub shift: f64,
}

/// Of rows of `juror pair` by their `orders`, of data by `order_votes` (1 for a, −1 for b, 0 for a tie, in the order a b and
/// in the order b a).
pub fn of(row: &Map<String, Value>) -> Option<Order> {
    if let Some(votes) = row.get("order_votes").and_then(Value::as_array) {
        let votes: Vec<f64> = votes.iter().map(|vote| number(Some(vote))).collect();
        let &[first, second] = votes.as_slice() else {
            return None;
        };
        return (first.abs() <= 1.0 && second.abs() <= 1.0).then(|| Order {
            first: won([first].into_iter()),
            second: won([second].into_iter()),
            shift: (first - second) / 2.0,
        });
    }
    // By principle how far position A leads in each order.
    let mut leads: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
    for entry in row.get("orders")?.as_array()? {
        let principle = entry.get("principle").and_then(Value::as_str);
        let lead = number(entry.get("p_a")) - number(entry.get("p_b"));
        let both = leads
            .entry(principle.unwrap_or_default())
            .or_insert([f64::NAN; 2]);
        both[place(entry.get("order")?)?] = lead;
    }
    let all: Vec<[f64; 2]> = leads.into_values().collect();
    if all.is_empty() || all.iter().flatten().any(|lead| lead.is_nan()) {
        return None;
    }
    let sum: f64 = all.iter().flatten().sum();
    Some(Order {
        first: won(all.iter().map(|both| both[0])),
        // There b stands in position A.
        second: won(all.iter().map(|both| -both[1])),
        shift: sum / (2.0 * all.len() as f64),
    })
}

/// 0 for the order in which a stands first.
fn place(order: &Value) -> Option<usize> {
    match order {
        Value::Number(number) => (number.as_u64()? as usize)
            .checked_sub(1)
            .filter(|o| *o < 2),
        Value::String(text) => match text.to_lowercase().as_str() {
            "ab" | "a,b" | "1" | "first" => Some(0),
            "ba" | "b,a" | "2" | "second" => Some(1),
            _ => None,
        },
        _ => None,
    }
}

/// Who wins by leads of a on several principles: more of them, else the larger sum (methods.md §4).
fn won(leads: impl Iterator<Item = f64> + Clone) -> f64 {
    let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
    let principles: f64 = leads.clone().map(sign).sum();
    let decided = match principles {
        0.0 => sign(leads.sum()),
        more => sign(more),
    };
    (decided + 1.0) / 2.0
}
