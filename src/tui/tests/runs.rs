//! Runs in a list, and what changed between two of them.

use super::fixture::{Bench, records};
use super::screens::snapshot;
use crate::store::{Run, RunState};
use crate::tui::effect::Effect;
use crate::tui::layout::Screen;
use crate::tui::message::{Kept, Message};
use crate::tui::state::{Changed, Changes, Held};

/// A day in the summer of 2025.
pub const NOW: i64 = 1_751_362_200_000;

pub fn run(id: i64, minutes: i64, template: &str) -> Run {
    Run {
        id,
        started: NOW - minutes * 60_000,
        ended: Some(NOW),
        title: "sample_data".into(),
        judge: "starter".into(),
        template: template.into(),
        identity: "a+b".into(),
        mode: "auto".into(),
        output: Some("x".into()),
        done: 3,
        total: 3,
        errors: 0,
        state: RunState::Done,
        version: "0".into(),
    }
}

fn bench() -> Bench {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all();
    bench.state.clock = NOW;
    let runs = vec![run(2, 5, "strict"), run(1, 190, "standard")];
    bench.send(Message::Kept(Box::new(Kept::Runs(runs))));
    bench.keys("<f6>");
    bench
}

fn changed(id: &str, response: &str, before: f64, after: f64) -> Changed {
    let held = |fused| Held {
        fused: Some(fused),
        with_reference: Some(0.9),
        free: Some(0.9),
    };
    Changed {
        id: id.into(),
        response_id: response.into(),
        before,
        after,
        held: [held(before), held(after)],
    }
}

#[test]
fn two_runs_are_compared() {
    let mut bench = bench();
    bench.keys("cjc");
    let compare = bench.take().into_iter().find_map(|effect| match effect {
        Effect::CompareRuns { before, after } => Some((before.id, after.id)),
        _ => None,
    });
    assert_eq!(
        compare,
        Some((1, 2)),
        "the older one is what things changed from"
    );
    // Records without a reference among them are compared by self-evaluation; a cut is told all the same.
    let mut free = changed("common-002", "a", 3.0, 7.0);
    let held = |free| Held {
        free: Some(free),
        ..Held::default()
    };
    free.held = [held(0.33), held(0.78)];
    let changes = Changes {
        signal: "self_eval".into(),
        rows: vec![
            changed("common-001", "a", 0.6, 0.9),
            free,
            changed("coding-001", "b", 0.55, 0.45),
        ],
        ..Changes::default()
    };
    bench.send(Message::Compared {
        between: (1, 2),
        found: Box::new(Ok(changes)),
    });
    let screen = bench.screen();
    for text in [
        "2 of 3 verdicts are others at τ 0.50.",
        "run 1 → run 2",
        "2 of 3",
        "1 to ANSWER, 1 to DECLINE",
        "flipped",
    ] {
        assert!(screen.contains(text), "{text}\n{screen}");
    }
    snapshot("compared_runs", &bench);
    bench.keys("r");
    assert!(
        bench.screen().contains("1 of 3"),
        "only one is decided otherwise without references"
    );
    bench.keys("r}}}");
    assert!(bench.screen().contains("2 to ANSWER, 0 to DECLINE"));
    bench.keys("{{{<enter>");
    assert_eq!(bench.state.screen, Screen::Explore);
    assert_eq!(bench.state.record().unwrap().id, "common-002");
    bench.keys("j");
    assert_eq!(bench.state.record().unwrap().id, "coding-001");
    bench.keys("j");
    assert_eq!(
        bench.state.record().unwrap().id,
        "common-001",
        "what changed more but not its verdict comes after"
    );
}

#[test]
fn rows_say_when_and_by_which_template() {
    let mut bench = bench();
    let screen = bench.screen();
    for text in ["5 min ago", "3 hours ago", "strict", "standard"] {
        assert!(screen.contains(text), "{text}\n{screen}");
    }
    assert!(screen.contains("2025-07-01 09:25 UTC, 5 min ago"));
    bench.keys("cj");
    assert!(bench.screen().contains("Now choose the other one"));
    let alone = vec![run(1, 0, "standard")];
    bench.send(Message::Kept(Box::new(Kept::Runs(alone))));
    assert!(bench.screen().contains("There is no other"));
}

#[test]
fn a_run_under_way_counts_as_it_goes() {
    let mut bench = Bench::ready(120, 40);
    bench.load(records());
    bench.judge_all().keys("<f6>s");
    let mut own = bench.state.runs.job.clone().unwrap().run;
    own.id = 1;
    bench.send(Message::Kept(Box::new(Kept::Runs(vec![own]))));
    let (done, total) = bench.state.job_progress().unwrap();
    assert!(done > 0 && done < total);
    let screen = bench.screen();
    assert!(
        screen.contains(&format!("{done}/{total} running")),
        "{screen}"
    );
    assert!(!screen.contains(&format!(" 0/{total}")));
}
