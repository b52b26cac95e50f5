//! The engine's handle, with its models on a server.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use juror::engine::{Answer, Ask, Engine, Job, Lane, Options, Role, Task};
use juror::model::sampling::Sampling;
use juror::model::tokenizer::Tokenizer;

use super::server::{Fault, Server, digits};

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

#[test]
fn a_text_is_told_while_it_is_written_and_once_only() {
    let server = Server::start(digits);
    let options = Options {
        judge: server.name(),
        policy: Some(server.name()),
        ..Options::default()
    };
    let engine = Engine::load(options, |_, _, _| ()).unwrap().0;
    // The first attempt breaks off in the middle of its second piece, the next one in its JSON.
    server.with(|state| {
        state.faults = [
            Fault::Cut(160),
            Fault::Status(200, "Content-Type: text/event-stream\r\n", "data: {\n\n"),
        ]
        .into();
    });
    let (reply, answers) = channel();
    let ids = Tokenizer::characters()
        .encode_data("Go on.", true)
        .unwrap()
        .ids;
    let sampling = Sampling {
        temperature: 0.0,
        top_p: 1.0,
        seed: 5,
        max_tokens: 20,
    };
    let ask = Ask::Generate {
        sampling,
        end: Vec::new(),
    };
    engine.submit(Job {
        id: 1,
        lane: Lane::Interactive,
        tasks: vec![Task {
            role: Role::Policy,
            ids,
            ask,
        }],
        reply,
    });
    let (mut told, mut pieces) = (String::new(), 0);
    let outcomes = loop {
        match answers.recv_timeout(Duration::from_secs(20)).unwrap() {
            Answer::Token { token, .. } => {
                told.push(char::from_u32(token).unwrap());
                pieces += 1;
            }
            Answer::Done { outcomes, .. } => break outcomes,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told, "written 5");
    assert_eq!(pieces, 9);
    let ids = told.chars().map(u32::from).collect();
    let computed = match outcomes.as_slice() {
        [juror::engine::Outcome::Generated { computed, .. }] => *computed,
        other => panic!("{other:?}"),
    };
    let ended = true;
    assert_eq!(
        outcomes,
        [juror::engine::Outcome::Generated {
            ids,
            ended,
            computed
        }]
    );
    assert_eq!(server.asked().len(), 3);
    assert!(
        server
            .asked()
            .iter()
            .all(|seen| seen.body["stream"] == true)
    );
}
