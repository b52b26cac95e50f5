//! Whatever can go wrong with a server: what passes is tried again, what stays is an error of its row.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Place;
use super::server::{Fault, Server, digits};
use crate::score::said;

#[test]
fn every_passing_fault_is_tried_again() {
    let faults = [
        ("429", Fault::Status(429, "Retry-After: 0\r\n", "{}")),
        ("503", Fault::Status(503, "Retry-After: 0\r\n", "")),
        (
            "500",
            Fault::Status(500, "", r#"{"error":{"message":"hm"}}"#),
        ),
        ("half-closed", Fault::Cut(20)),
        ("closed", Fault::Close),
        ("malformed", Fault::Body("<html>busy</html>")),
        ("truncated", Fault::Body(r#"{"choices": [{"message"#)),
        ("no choices", Fault::Body("{}")),
        (
            "wrong shape",
            Fault::Body(r#"{"choices":[{"message":{"content":"7"},"logprobs":null}]}"#),
        ),
        (
            "wrong kinds",
            Fault::Body(r#"{"choices":[{"logprobs":{"content":[{"top_logprobs":"x"}]}}]}"#),
        ),
        ("no list", Fault::Body("[1, 2")),
    ];
    let (server, place) = (Server::start(digits), Place::new(12));
    let (_, whole) = place.score(&server.name(), &["--no-cache"]);
    let count = faults.len();
    server.with(|state| state.faults = faults.into_iter().map(|(_, fault)| fault).collect());
    let (summary, rows) = place.score(&server.name(), &["--no-cache"]);
    assert_eq!(rows, whole, "as if nothing had been");
    assert_eq!(summary["server"]["retries"], count);
    assert_eq!(summary["errors"], 0);
}

#[test]
fn what_stays_wrong_is_an_error_of_its_row_and_never_kept() {
    let (server, place) = (Server::start(digits), Place::new(8));
    let said_so = r#"{"error":{"message":"maximum context length is 10 tokens"}}"#;
    server.with(|state| state.always = Some(("Response 3", Fault::Status(400, "", said_so))));
    let (summary, rows) = place.score(&server.name(), &[]);
    assert_eq!(
        (summary["rows"].as_u64(), summary["errors"].as_u64()),
        (Some(8), Some(1))
    );
    let cause = rows[3]["error"].as_str().unwrap();
    assert!(
        cause.contains("400") && cause.contains("maximum context length"),
        "{cause}"
    );
    assert!(rows[3]["signals"]["self_eval"].is_null());
    assert_eq!(
        server.asked().len(),
        8,
        "a refusal for good is not tried again"
    );
    // Later it is well again: only the failed row is asked.
    server.with(|state| state.always = None);
    let (_, rows) = place.score(&server.name(), &[]);
    assert_eq!(server.asked().len(), 9);
    assert!(rows.iter().all(|row| row["error"].is_null()));
    // What passes is tried only so often.
    server.with(|state| state.always = Some(("Response 5", Fault::Body("{}"))));
    let (summary, rows) = place.score(&server.name(), &["--no-cache", "--retries", "1"]);
    assert_eq!(summary["errors"], 1);
    assert!(rows[5]["error"].as_str().unwrap().contains("2 attempts"));
}

#[test]
fn a_storm_of_refusals_slows_the_run_and_fails_nothing() {
    let (server, place) = (Server::start(digits), Place::new(60));
    server.with(|state| {
        state.most = Some((3, "Retry-After: 0.05\r\n"));
        state.delay = Duration::from_millis(10);
    });
    let (summary, rows) = place.score(&server.name(), &["--max-in-flight", "24"]);
    assert!(rows.iter().all(|row| row["error"].is_null()));
    let (refused, most) = server.with(|state| (state.refused, state.most_under_way));
    assert!(refused > 0 && most <= 3);
    assert_eq!(summary["server"]["retries"], refused);
    // Fewer at a time are asked then: not every second request is refused.
    assert!(refused < 30, "{refused}");
}

#[test]
fn a_wait_that_the_server_asks_for_is_kept() {
    let (server, place) = (Server::start(digits), Place::new(1));
    let wait = Fault::Status(429, "Retry-After: 1\r\n", "{}");
    server.with(|state| state.faults.push_back(wait));
    let began = Instant::now();
    place.score(&server.name(), &[]);
    assert!(began.elapsed() >= Duration::from_secs(1));
    // Nobody waits for hours.
    let wait = Fault::Status(503, "Retry-After: 9999\r\n", "{}");
    server.with(|state| state.faults.push_back(wait));
    let (_, rows) = place.score(&server.name(), &["--no-cache"]);
    assert!(rows[0]["error"].as_str().unwrap().contains("503"));
}

#[test]
fn a_slow_server_is_given_up_after_the_timeout() {
    let (server, place) = (Server::start(digits), Place::new(2));
    server.with(|state| state.delay = Duration::from_secs(30));
    let began = Instant::now();
    let (_, rows) = place.score(&server.name(), &["--timeout", "1", "--retries", "0"]);
    assert!(began.elapsed() < Duration::from_secs(15));
    let cause = rows[0]["error"].as_str().unwrap();
    assert!(cause.contains("timeout"), "{cause}");
}

#[test]
fn no_server_is_said_at_once() {
    let place = Place::new(1);
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = place.try_score(&format!("http://{free}/v1#ours"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("is the server running"),
        "{}",
        said(&output)
    );
    let output = place.try_score("http://somewhere.example/v1#ours", &[]);
    assert!(said(&output).contains("use https"), "{}", said(&output));
    let output = place.try_score("https://somewhere.example/v1", &[]);
    assert!(said(&output).contains("not named"), "{}", said(&output));
}

#[test]
fn one_of_two_servers_may_fall_silent() {
    let (one, other, place) = (Server::start(digits), Server::start(digits), Place::new(20));
    one.with(|state| state.always = Some(("Response", Fault::Close)));
    let names = format!("{},{}", one.name(), other.name());
    let (summary, rows) = place.score(&names, &[]);
    let failed = |row: &&Value| !row["error"].is_null();
    assert_eq!(rows.iter().filter(failed).count(), 0);
    assert!(summary["server"]["retries"].as_u64().unwrap() > 0);
}
