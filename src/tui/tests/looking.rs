//! Looking closer: templates, prompts, sentences, samples, a second judge, runs.

use super::fixture::{Bench, TEMPLATE, card, info, judged, peak, records};
use super::screens::{SIZES, snapshot};
use crate::data::{Record, Response, SubjectKey};
use crate::judge::attribution::{Attribution, Sentence};
use crate::judge::inspect::{Inspection, Likely, Token};
use crate::run::live::{Command, Event, JudgeInfo};
use crate::store::RunState;
use crate::tui::effect::{Effect, Keep, Target, Write};
use crate::tui::message::Message;
use crate::tui::state::JudgeStatus;

fn other(identity: &str, template: &str) -> JudgeInfo {
    JudgeInfo {
        identity: identity.into(),
        template: ("edited".into(), template.into()),
        ..info()
    }
}

#[test]
fn a_template_is_edited_with_live_scores() {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all().keys("]m<f2>t");
    assert!(
        bench.screen().contains("name = \"standard\""),
        "{}",
        bench.screen()
    );
    bench.take();
    bench.keys("#");
    let effects = bench.take();
    let text = format!("#{TEMPLATE}");
    let sent = Effect::Judge(Command::Template {
        text: text.trim_end_matches('\n').into(),
    });
    let told = effects.iter().any(|e| match (e, &sent) {
        (
            Effect::Judge(Command::Template { text: a }),
            Effect::Judge(Command::Template { text: b }),
        ) => a.trim_end() == b,
        _ => false,
    });
    assert!(told, "{effects:?}");
    let first = bench.state.scores.rows().len();
    assert!(first > 10);
    bench.tell(Event::Ready(other("new", "x")));
    assert_eq!(
        bench.state.scores.rows().len(),
        0,
        "scores of another template"
    );
    let asked = bench.asked();
    assert!(
        !asked.is_empty() && asked.len() <= 2,
        "the pinned row, and what is under the cursor"
    );
    for (ticket, subject, _) in asked {
        let mut card = judged(&subject);
        card.self_eval_ref = Some(peak(0.0));
        bench.tell(Event::Scored {
            ticket,
            card,
            seconds: 0.1,
        });
    }
    bench.judge_all();
    let screen = bench.screen();
    assert!(
        screen.contains("pinned") && screen.contains("0.6"),
        "{screen}"
    );
    // Back to the first template, its scores are there again.
    bench.tell(Event::Ready(info()));
    assert_eq!(bench.state.scores.rows().len(), first);
    bench.tell(Event::TemplateFailed {
        cause: "no slot {response}".into(),
    });
    assert!(bench.screen().contains("no slot {response}"));
    bench.keys("<esc><esc>");
    assert!(bench.screen().contains("in no file"));
    bench.keys("<esc>");
    assert!(bench.state.template.is_none());
}

#[test]
fn sentences_are_marked_by_their_worth() {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all().keys("]a");
    let asked = bench.take();
    let [
        Effect::Judge(Command::Attribute {
            ticket,
            subject,
            with_reference: true,
        }),
    ] = asked.as_slice()
    else {
        panic!("{asked:?}");
    };
    assert!(subject.response.starts_with("Around six minutes"));
    let sentence = |start, end, drop| Sentence { start, end, drop };
    let attribution = Attribution {
        sentences: vec![sentence(0, 37, 2.25), sentence(37, 99, -0.1)],
        whole: 3.0,
    };
    bench.tell(Event::Attributed {
        ticket: *ticket,
        attribution,
    });
    let screen = bench.screen();
    assert!(
        screen.contains("[+2.2]") && screen.contains("[-0.1]"),
        "{screen}"
    );
    // It follows the cursor, and each is asked for once.
    bench.keys("j");
    assert!(
        bench
            .take()
            .iter()
            .any(|e| matches!(e, Effect::Judge(Command::Attribute { .. })))
    );
    bench.keys("k");
    bench.take();
    bench.keys("]");
    assert!(
        !bench
            .take()
            .iter()
            .any(|e| matches!(e, Effect::Judge(Command::Attribute { .. })))
    );
    bench.keys("a");
    assert!(!bench.screen().contains("[+2.2]"));
}

#[test]
fn the_prompt_is_shown_as_the_judge_sees_it() {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all().keys("I");
    assert!(bench.screen().contains("Looking"));
    let asked = bench.take();
    let [Effect::Judge(Command::Inspect { ticket, .. })] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    let token = |text: &str, slot| Token {
        id: 5,
        text: text.into(),
        slot,
    };
    let likely = |text: &str, probability, label: Option<&str>| Likely {
        id: 7,
        text: text.into(),
        probability,
        label: label.map(str::to_owned),
    };
    let inspection = Inspection {
        with_reference: true,
        tokens: vec![
            token("<s>", None),
            token("Rate:\n", None),
            token("Six\u{1b}", Some("response")),
        ],
        likely: vec![likely("8", 0.6, Some("8")), likely(" the", 0.25, None)],
        mass: 0.6,
        truncated: true,
    };
    bench.tell(Event::Inspected {
        ticket: *ticket,
        inspection: Box::new(inspection),
    });
    let screen = bench.screen();
    for text in [
        "3 tokens with reference, cut to fit",
        "60.0000 %",
        "label 8",
        "Rate:⏎",
        "Six␛",
        "read here",
    ] {
        assert!(screen.contains(text), "{text}\n{screen}");
    }
    bench.keys("<esc>");
    assert!(bench.state.overlay.is_none());
}

#[test]
fn samples_are_written_scored_and_ranked() {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all().keys("<f2>s");
    let tickets: Vec<u64> = bench
        .take()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Judge(Command::Generate { ticket, .. }) => Some(ticket),
            _ => None,
        })
        .collect();
    assert_eq!(tickets.len(), 4);
    assert!(bench.screen().contains("being written"));
    for (place, ticket) in tickets.iter().enumerate() {
        let text = "word ".repeat(5 + 9 * place);
        bench.tell(Event::Generated {
            ticket: *ticket,
            text,
        });
    }
    assert!(bench.screen().contains("being scored"));
    bench.judge_all();
    let entries = bench.state.entries(&crate::tui::state::Listed::Samples, "");
    assert!(
        entries[0].text.starts_with("4 "),
        "longer answers do better: {entries:?}"
    );
    bench.keys("<enter>");
    assert_eq!(bench.state.draft().unwrap().text(), "word ".repeat(32));
    bench.judge_all().keys("s");
    assert!(
        !bench
            .take()
            .iter()
            .any(|e| matches!(e, Effect::Judge(Command::Generate { .. }))),
        "they stay"
    );
}

#[test]
fn another_judge_takes_the_place_of_the_first() {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all();
    let before = bench.state.scores.rows().len();
    bench.state.known_judges = vec![("starter".into(), "ships".into())];
    bench.keys("M/models/other<enter>");
    let load = Effect::Load {
        second: false,
        judge: Some("/models/other".into()),
    };
    assert!(bench.take().contains(&load));
    assert!(matches!(bench.state.judge, JudgeStatus::Loading { .. }));
    bench.tell(Event::Ready(other("other", TEMPLATE)));
    assert_eq!(bench.state.scores.rows().len(), 0);
    bench.judge_all();
    bench.keys("Mstarter<enter>");
    bench.tell(Event::Ready(info()));
    assert_eq!(
        bench.state.scores.rows().len(),
        before,
        "nothing is computed twice"
    );
}

#[test]
fn two_judges_side_by_side() {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all().keys("Wother<enter>");
    let load = Effect::Load {
        second: true,
        judge: Some("other".into()),
    };
    assert!(bench.take().contains(&load));
    assert!(bench.screen().contains("loading"));
    bench.send(Message::Second(Box::new(Event::Ready(other(
        "other", TEMPLATE,
    )))));
    let asked = bench.take();
    let [Effect::Second(Command::Score { ticket, .. })] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    bench.send(Message::Second(Box::new(Event::Scored {
        ticket: *ticket,
        card: card(2.0, 2.0, Some((0.1, 0.33))),
        seconds: 0.1,
    })));
    let screen = bench.screen();
    assert!(
        screen.contains("self-eval 2.0") && screen.contains("other ──"),
        "{screen}"
    );
    bench.keys("W");
    assert!(bench.take().contains(&Effect::Load {
        second: true,
        judge: None
    }));
    assert!(!bench.screen().contains("self-eval 2.0"));
}

#[test]
fn a_job_scores_everything_and_writes_its_rows() {
    let mut bench = Bench::ready(120, 40);
    bench.keys("<f6>s");
    let effects = bench.take();
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::Keep(Keep::Run(run)) if run.state == RunState::Running))
    );
    bench.effects = effects;
    assert!(bench.screen().contains("scoring"));
    let mut written = None;
    for round in 0..200 {
        let asked: Vec<_> = bench
            .take()
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Judge(Command::Score {
                    ticket, subject, ..
                }) => Some((ticket, subject)),
                Effect::Write(write) => {
                    written = Some(*write);
                    None
                }
                _ => None,
            })
            .collect();
        if written.is_some() {
            break;
        }
        for (ticket, subject) in asked {
            let event = match round == 0 && subject.response.starts_with("Twelve") {
                true => Event::Failed {
                    ticket,
                    error: "too long".into(),
                },
                false => Event::Scored {
                    ticket,
                    card: judged(&subject),
                    seconds: 0.1,
                },
            };
            bench.tell(event);
        }
    }
    let Some(Write::Scores { run, rows, .. }) = written else {
        panic!("nothing was written");
    };
    assert_eq!(
        (run.state, run.done, run.errors),
        (RunState::Done, rows.len() - 1, 1)
    );
    assert_eq!(rows[0].score, Err("too long".into()));
    assert!(bench.screen().contains("1 failed"));
    // What failed is tried again.
    bench.keys("t");
    let asked = bench.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].1.response.starts_with("Twelve"));
}

#[test]
fn a_job_can_be_stopped() {
    let mut bench = Bench::ready(120, 40);
    bench.keys("<f6>sx");
    let effects = bench.take();
    assert!(effects.contains(&Effect::Judge(Command::CancelBatch)));
    let stopped = effects.iter().any(|effect| match effect {
        Effect::Write(write) => {
            matches!(&**write, Write::Scores { run, .. } if run.state == RunState::Cancelled)
        }
        _ => false,
    });
    assert!(stopped && bench.state.runs.job.is_none());
}

#[test]
fn two_responses_stand_side_by_side() {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all().keys("<f3>");
    let screen = bench.screen();
    assert!(
        screen.contains("a by moth-mini") && screen.contains("b by quill-7b"),
        "{screen}"
    );
    assert!(screen.contains("right ahead: people 5.0"));
    bench.keys("<tab>]");
    assert_eq!(bench.state.compare, (0, 2));
    assert!(bench.screen().contains("c by larch-2"));
    bench.keys("J");
    assert_eq!(bench.state.compare, (0, 1));
    let key = SubjectKey::of(&records()[1], &records()[1].responses[0].text);
    assert!(bench.state.item(1).unwrap().keys.contains(&key));
    bench.keys("J");
    assert!(bench.screen().contains("no other response") || bench.screen().contains("1/1"));
}

#[test]
fn a_preset_is_saved_for_the_command_line() {
    let mut bench = Bench::ready(120, 40);
    bench.keys("<f4>").judge_all().keys("{{w");
    assert!(bench.screen().contains("threshold.toml"));
    bench.keys("<ctrl-u>cut.toml<enter>");
    let preset = bench.take().into_iter().find_map(|effect| match effect {
        Effect::Write(write) => match *write {
            Write::Preset { path, preset } => Some((path, preset)),
            _ => None,
        },
        _ => None,
    });
    let (path, preset) = preset.unwrap();
    assert_eq!(path.to_str(), Some("cut.toml"));
    assert_eq!((preset.signal.as_str(), preset.threshold), ("fused", 0.4));
    assert_eq!(preset.judge, info().identity);
    assert_eq!(preset.fusion.as_deref(), Some("range 0.5"));
    let shown = ["fused"];
    assert_eq!(
        preset.mismatch(&shown, &info().identity, &info().source),
        None
    );
}

#[test]
fn the_persons_own_editor_changes_the_draft() {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all().keys("]e");
    let text = records()[0].responses[1].text.clone();
    let target = bench.state.draft_id().unwrap();
    assert!(bench.take().contains(&Effect::External {
        text,
        target: Target::Draft(target),
    }));
    let target = Target::Draft(target);
    bench.send(Message::Edited {
        target,
        text: Ok("Another\u{1b} answer.\n".into()),
    });
    assert_eq!(bench.state.draft().unwrap().text(), "Another answer.");
    bench.send(Message::Edited {
        target,
        text: Err("vi: not found".into()),
    });
    assert!(bench.screen().contains("vi: not found"));
    bench.keys("uu");
    assert_eq!(
        bench.state.draft().unwrap().text(),
        records()[0].responses[1].text
    );
}

#[test]
fn a_job_ends_with_its_judge() {
    let mut bench = Bench::ready(120, 40);
    bench.keys("<f6>s");
    bench.take();
    bench.keys("Mother<enter>");
    let effects = bench.take();
    let written = effects.iter().find_map(|effect| match effect {
        Effect::Write(write) => match &**write {
            Write::Scores { run, .. } => Some(run.clone()),
            _ => None,
        },
        _ => None,
    });
    let run = written.unwrap();
    assert_eq!(
        (run.state, run.identity),
        (RunState::Cancelled, info().identity)
    );
    assert!(bench.state.runs.job.is_none());
}

#[test]
fn a_promise_holds_for_what_it_was_solved_for() {
    let mut bench = Bench::ready(120, 40);
    bench.keys("<f4>").judge_all();
    // Every answer is good enough, so that there is a promise to make.
    bench.keys(",,,,,,");
    bench.state.target = 0.4;
    bench.keys("s");
    let saved = |bench: &mut Bench| {
        bench.take();
        bench.keys("w<enter>");
        let preset = bench.take().into_iter().find_map(|effect| match effect {
            Effect::Write(write) => match *write {
                Write::Preset { preset, .. } => Some(preset),
                _ => None,
            },
            _ => None,
        });
        preset.unwrap()
    };
    assert_eq!(saved(&mut bench).target_risk, Some(0.4));
    bench.keys(".");
    let moved = saved(&mut bench);
    assert_eq!(
        (moved.target_risk, moved.guarantee),
        (None, None),
        "good is something else now"
    );
    bench.keys(",");
    assert_eq!(saved(&mut bench).target_risk, Some(0.4));
}

#[test]
fn what_reflection_made_of_a_sample() {
    let numbers = |ifd: f64| {
        serde_json::json!({"instruction": "Boil an egg.", "input": "", "output": "Six minutes.",
            "ifd_ppl": ifd, "rifd_ppl": 0.5, "ifd_loss": 0.75, "rifd_loss": null})
    };
    let mut record = Record {
        id: "egg".into(),
        instruction: "Boil an egg so that its yolk stays runny.".into(),
        responses: vec![Response {
            text: "Six minutes in simmering water.".into(),
            ..Response::default()
        }],
        ..Record::default()
    };
    let meta = [
        ("decision", "QA*".into()),
        ("dropped", serde_json::Value::Null),
        (
            "forms",
            serde_json::json!({"original": numbers(0.8), "Q*": numbers(0.9), "A*": {"cause": "no_marker"},
                "QA*": numbers(0.95)}),
        ),
    ];
    let meta = meta.map(|(name, value)| (name.to_owned(), value));
    record.meta = meta.into_iter().collect();
    for (width, height) in SIZES {
        let mut bench = Bench::new(width, height);
        bench.load(vec![record.clone()]);
        bench.tell(Event::Ready(info())).judge_all().keys("d");
        snapshot("reflection", &bench);
        if width == 120 {
            let screen = bench.screen();
            for text in [
                "KEPT  as QA*",
                "instruction before",
                "response before",
                "no_marker",
                "0.95",
            ] {
                assert!(screen.contains(text), "{text}\n{screen}");
            }
        }
    }
}

#[test]
fn everything_is_scored_with_an_edited_template_too() {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all().keys("<f2>]tx<esc>");
    bench.tell(Event::Ready(other("t+2", TEMPLATE)));
    bench.judge_all();
    bench.keys("<f6>s").judge_all();
    assert!(bench.state.runs.job.is_none(), "the job has ended");
    assert_eq!(bench.state.scores.rows().len(), 80);
    // No file has the template yet.
    bench.keys("q");
    assert!(bench.screen().contains("The edited template is in no file"));
    bench.keys("<f2><esc>");
    assert!(bench.state.template.is_some(), "it is asked for first");
    bench.take();
    bench.keys("w<enter>");
    let saved = bench.take().into_iter().any(|effect| match effect {
        Effect::Write(write) => {
            matches!(*write, Write::Template { ref text, .. } if text.contains('x'))
        }
        _ => false,
    });
    assert!(saved);
    bench.keys("<esc>");
    assert!(bench.state.template.is_none());
}

#[test]
fn what_is_on_screen_above_the_cursor_is_scored_too() {
    let mut bench = Bench::ready(120, 40);
    bench.keys("G").judge_all();
    let top = bench.state.list_top;
    let record = bench.state.record_at(top).unwrap();
    assert!(top < bench.state.cursor);
    assert!(bench.state.row_card(record, 0).is_some());
    // The response one was looking at is one of the two that are compared.
    bench.keys("gg]]<f3>");
    assert_eq!(bench.state.compare, (0, 2));
}

#[test]
fn a_cut_set_by_hand_promises_nothing_and_names_its_modes() {
    let mut bench = Bench::ready(120, 40);
    bench.keys("<f4>").judge_all();
    bench.take();
    bench.keys("w<enter>");
    let preset = bench.take().into_iter().find_map(|effect| match effect {
        Effect::Write(write) => match *write {
            Write::Preset { preset, .. } => Some(preset),
            _ => None,
        },
        _ => None,
    });
    let preset = preset.unwrap();
    assert_eq!((preset.calibrated_on, preset.guarantee), (0, None));
    assert_eq!(preset.modes, ["reference"], "it is on the fused score");
}
