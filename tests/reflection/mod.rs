//! Reflection: what teachers reply, and `juror reflect` as a user runs it.

mod run;
mod server;

use juror::method::reflection::reply;
use serde_json::Value;

/// Replies that we wrote, with what is to be read out of each.
fn replies() -> Vec<Value> {
    let text = include_str!("replies.jsonl");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn forty_replies_are_read_or_refused_for_their_cause() {
    let all = replies();
    assert_eq!(all.len(), 40);
    for row in &all {
        let (text, is_cut) = (row["reply"].as_str().unwrap(), row["cut"] == true);
        let read = match row["on"] == "instruction" {
            true => reply::instruction_of(text, is_cut).map(|(q, a)| (Some(q), a)),
            false => reply::response_of(text, is_cut).map(|a| (None, a)),
        };
        let of = |name: &str| row[name].as_str().map(str::to_owned);
        match (read, of("cause")) {
            (Err(cause), Some(want)) => assert_eq!(cause.name(), want, "{}", row["why"]),
            (Ok((question, answer)), None) => {
                assert_eq!(question, of("instruction"), "{}", row["why"]);
                assert_eq!(Some(answer), of("answer"), "{}", row["why"]);
            }
            (read, want) => panic!("{}: {read:?}, {want:?} expected", row["why"]),
        }
    }
}
