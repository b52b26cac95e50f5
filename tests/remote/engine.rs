//! The engine's handle, with its models on a server.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use juror::engine::{Answer, Ask, Engine, Job, Lane, Options, Role, Task};
use juror::model::tokenizer::Tokenizer;

use super::server::{Server, digits};

fn job(id: u64, lane: Lane, reply: &std::sync::mpsc::Sender<Answer>) -> Job {
    let ids = |text: &str| Tokenizer::characters().encode_data(text, true).unwrap().ids;
    let labels = ["1", "2"].map(|label| label.chars().map(u32::from).collect());
    let ask = Ask::Labels {
        labels: labels.to_vec(),
        mass: true,
        top: None,
    };
    Job {
        id,
        lane,
        tasks: vec![Task {
            role: Role::Judge,
            ids: ids("a text"),
            ask,
        }],
        reply: reply.clone(),
    }
}

fn engine(server: &Server) -> Engine {
    let options = Options {
        judge: server.name(),
        ..Options::default()
    };
    Engine::load(options, |_, _, _| ()).unwrap().0
}

#[test]
fn cancelling_closes_the_request_and_the_engine_goes_on() {
    let server = Server::start(digits);
    let engine = engine(&server);
    server.with(|state| state.delay = Duration::from_secs(20));
    let (reply, answers) = channel();
    engine.submit(job(1, Lane::Batch, &reply));
    while server.asked().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let began = Instant::now();
    engine.cancel(1);
    assert_eq!(
        answers.recv_timeout(Duration::from_secs(5)),
        Ok(Answer::Cancelled { id: 1 })
    );
    while server.with(|state| state.abandoned) == 0 {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "the connection stays open"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    server.with(|state| state.delay = Duration::ZERO);
    engine.submit(job(2, Lane::Batch, &reply));
    assert!(matches!(
        answers.recv_timeout(Duration::from_secs(5)),
        Ok(Answer::Done { id: 2, .. })
    ));
}

#[test]
fn what_is_typed_supersedes_what_was_typed_and_dropping_ends_all() {
    let server = Server::start(digits);
    let engine = engine(&server);
    server.with(|state| state.delay = Duration::from_secs(20));
    let (reply, answers) = channel();
    engine.submit(job(1, Lane::Interactive, &reply));
    while server.asked().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    engine.submit(job(2, Lane::Interactive, &reply));
    assert_eq!(
        answers.recv_timeout(Duration::from_secs(5)),
        Ok(Answer::Cancelled { id: 1 })
    );
    let began = Instant::now();
    drop(engine);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(
        answers.recv_timeout(Duration::from_secs(5)),
        Ok(Answer::Cancelled { id: 2 })
    );
}
