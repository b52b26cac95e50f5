//! The whole explorer in a terminal of its own, with a judge that makes its scores up.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::sync::mpsc::unbounded_channel;

use super::fixture::{info, judged, records};
use crate::run::live::{Command, Event};
use crate::tui::state::Loaded;
use crate::tui::{ExploreOptions, JudgeLink, run};

/// How long a screen may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A judge that answers at once.
fn judge() -> JudgeLink {
    let (sender, commands) = channel();
    let (events, receiver) = unbounded_channel();
    thread::spawn(move || {
        let _ = events.send(Event::Ready(info()));
        for command in commands {
            let event = match command {
                Command::Score {
                    ticket, subject, ..
                } => Event::Scored {
                    ticket,
                    card: judged(&subject),
                    seconds: 0.01,
                },
                Command::Generate { ticket, .. } => Event::Generated {
                    ticket,
                    text: "Six minutes.".into(),
                },
                Command::Cancel(ticket) => Event::Cancelled { ticket },
                Command::CancelBatch => continue,
            };
            if events.send(event).is_err() {
                return;
            }
        }
    });
    JudgeLink {
        send: Box::new(move |command| {
            let _ = sender.send(command);
        }),
        events: receiver,
    }
}

#[test]
#[ignore = "runs inside the terminals that the tests below open"]
fn play() {
    if std::env::var_os("JUROR_TEST_TERMINAL").is_none() {
        return;
    }
    let panics = std::env::var_os("JUROR_TEST_PANIC").is_some();
    run(ExploreOptions {
        title: "sample_data".into(),
        load: Box::new(|| Ok(Loaded::new(records(), Vec::new()))),
        judge: Some(Box::new(move || {
            assert!(!panics, "asked to panic");
            judge()
        })),
        theme: Some("dark".into()),
        themes: None,
        keymap: None,
        ascii: false,
        threshold: None,
    })
    .unwrap();
}

/// A terminal with the explorer in it.
struct Pty {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
}

impl Pty {
    fn open(panics: bool) -> Self {
        let size = PtySize {
            rows: 40,
            cols: 120,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args([
            "--ignored",
            "--exact",
            "tui::tests::live::play",
            "--nocapture",
        ]);
        command.env("JUROR_TEST_TERMINAL", "1");
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        if panics {
            command.env("JUROR_TEST_PANIC", "1");
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Pty {
            child,
            writer: pair.master.take_writer().unwrap(),
            master: pair.master,
            output,
            parser: vt100::Parser::new(40, 120, 0),
        }
    }

    fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Waits until the screen is as wished.
    fn wait(&mut self, what: &str, wished: impl Fn(&vt100::Screen) -> bool) {
        let start = Instant::now();
        while !wished(self.parser.screen()) {
            if start.elapsed() > PATIENCE {
                panic!("no {what}:\n{}", self.parser.screen().contents());
            }
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
                self.parser.process(&bytes);
            }
        }
    }

    fn wait_for(&mut self, text: &str) {
        self.wait(text, |screen| screen.contents().contains(text));
    }

    /// Waits for the end and checks that the terminal is as it was before.
    fn wait_for_end(&mut self) {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < PATIENCE, "it does not end");
            while let Ok(bytes) = self.output.try_recv() {
                self.parser.process(&bytes);
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.wait("terminal given back", |screen| {
            !screen.alternate_screen()
                && !screen.bracketed_paste()
                && !screen.hide_cursor()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
        });
    }
}

#[test]
fn it_scores_types_and_leaves_the_terminal_as_it_was() {
    let mut pty = Pty::open(false);
    pty.wait_for("Records");
    pty.wait_for("ANSWER");
    assert!(pty.parser.screen().alternate_screen());
    pty.press("i and a pinch of salt");
    pty.wait_for("pinch of salt");
    pty.wait_for("before editing");
    pty.press("\u{1b}[200~ pasted\u{1b}[31m words\u{1b}[201~");
    pty.wait_for("pasted[31m words");
    pty.master
        .resize(PtySize {
            rows: 24,
            cols: 80,
            pixel_width: 0,
            pixel_height: 0,
        })
        .unwrap();
    pty.parser.screen_mut().set_size(24, 80);
    // A key that comes in the same instant as a resize waits in crossterm for the next one.
    pty.wait("narrow layout", |screen| {
        let first = screen.rows(0, 80).next().unwrap_or_default();
        first.trim_end().ends_with("responses")
    });
    pty.press("\u{3}");
    pty.wait_for("Ctrl-C again quits");
    pty.press("\u{3}");
    pty.wait_for_end();
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let mut pty = Pty::open(false);
    pty.wait_for("ANSWER");
    let id = pty.child.process_id().unwrap().to_string();
    let status = std::process::Command::new("kill")
        .args(["-TERM", &id])
        .status();
    assert!(status.unwrap().success());
    pty.wait_for_end();
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_told_there() {
    let mut pty = Pty::open(true);
    pty.wait_for_end();
    pty.wait_for("asked to panic");
}
