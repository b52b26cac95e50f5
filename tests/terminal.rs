//! The real program in a terminal of its own: real data, the real starter, real keys.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use juror::tui::{ExploreOptions, Loaded, run};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long a screen may take to come on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// A terminal with a program in it.
pub struct Pty {
    pub child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// Where the program remembers things; gone with the test unless another takes it over.
    pub home: Option<tempfile::TempDir>,
}

impl Pty {
    fn juror(arguments: &[&str], cols: u16, rows: u16) -> Self {
        Self::at_home(tempfile::tempdir().unwrap(), arguments, cols, rows)
    }

    /// With what an earlier one remembered.
    pub fn at_home(home: tempfile::TempDir, arguments: &[&str], cols: u16, rows: u16) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_juror"));
        command.args(arguments);
        Self::open_at(home, command, cols, rows)
    }

    fn open(command: CommandBuilder, cols: u16, rows: u16) -> Self {
        Self::open_at(tempfile::tempdir().unwrap(), command, cols, rows)
    }

    fn open_at(home: tempfile::TempDir, mut command: CommandBuilder, cols: u16, rows: u16) -> Self {
        command.env("JUROR_HOME", home.path());
        let pair = native_pty_system().openpty(size(cols, rows)).unwrap();
        command.cwd(env!("CARGO_MANIFEST_DIR"));
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
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
            parser: vt100::Parser::new(rows, cols, 0),
            home: Some(home),
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    fn resize(&mut self, cols: u16, rows: u16) {
        self.master.resize(size(cols, rows)).unwrap();
        self.parser.screen_mut().set_size(rows, cols);
    }

    pub fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// Waits until the screen is as wished.
    pub fn wait(&mut self, what: &str, wished: impl Fn(&vt100::Screen) -> bool) {
        let start = Instant::now();
        while !wished(self.parser.screen()) {
            assert!(start.elapsed() < PATIENCE, "no {what}:\n{}", self.text());
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
                self.parser.process(&bytes);
            }
        }
    }

    /// Takes what comes until the screen is as wished or a moment has come; whether it is as wished.
    pub fn until(&mut self, moment: Instant, wished: impl Fn(&str) -> bool) -> bool {
        loop {
            if wished(&self.text()) {
                return true;
            }
            let left = moment.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.parser.process(&bytes),
                Err(_) => return false,
            }
        }
    }

    /// Ends it without a farewell, as if the machine had lost its power; takes what it had drawn before.
    #[cfg(unix)]
    pub fn kill(&mut self) {
        signal(self, "KILL");
        self.child.wait().unwrap();
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
            self.parser.process(&bytes);
        }
    }

    pub fn wait_for(&mut self, text: &str) {
        self.wait(text, |screen| screen.contents().contains(text));
    }

    /// Waits for a verdict on the score card that nothing marks as old.
    fn wait_for_score(&mut self) {
        self.wait("score", |screen| {
            let text = screen.contents();
            let verdict = text.contains("ANSWER") || text.contains("DECLINE");
            verdict && text.contains("self-eval") && text.contains("cosine")
        });
    }

    /// Waits for the end and checks that the terminal is as it was before.
    pub fn wait_for_end(&mut self) {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(
                start.elapsed() < PATIENCE,
                "it does not end:\n{}",
                self.text()
            );
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
fn it_scores_what_is_there_and_what_is_typed_and_leaves_the_terminal_as_it_was() {
    let mut pty = Pty::juror(&[], 120, 40);
    pty.wait_for("Records");
    pty.wait_for("starter");
    pty.wait_for_score();
    assert!(pty.parser.screen().alternate_screen());
    pty.press("i and a pinch of salt");
    pty.wait_for("pinch of salt");
    pty.press("\u{1b}[200~ pasted\u{1b}[31m words\u{1b}[201~");
    pty.wait_for("pasted[31m");
    pty.wait_for_score();
    pty.resize(80, 24);
    pty.wait("narrow layout", |screen| {
        let first = screen.rows(0, 80).next().unwrap_or_default();
        first.trim_end().ends_with("responses")
    });
    pty.press("\u{3}");
    pty.wait_for("Ctrl-C again quits");
    pty.press("\u{3}");
    pty.wait_for_end();
    assert!(pty.child.wait().unwrap().success());
}

#[test]
fn a_response_is_written_and_can_be_stopped() {
    let mut pty = Pty::juror(&["sample_data/common.jsonl"], 120, 40);
    pty.wait_for_score();
    pty.press("\u{7}");
    pty.wait_for("Your own response");
    // Either it is still being written, and Ctrl-C stops it, or it has ended and Ctrl-C asks.
    pty.press("\u{3}");
    pty.wait("stop or question", |screen| {
        let text = screen.contents();
        text.contains("topped") || text.contains("Ctrl-C again quits")
    });
    pty.press("\u{1b}");
    thread::sleep(Duration::from_millis(300));
    pty.press("\u{1b}q");
    thread::sleep(Duration::from_millis(300));
    pty.press("\u{3}\u{3}");
    pty.wait_for_end();
}

#[test]
fn without_a_judge_browsing_goes_on() {
    let mut pty = Pty::juror(&["--judge", "nowhere"], 80, 24);
    pty.wait_for("no such folder");
    pty.press("\u{1b}j");
    pty.wait_for("Records");
    pty.press("q");
    pty.wait_for_end();
}

#[test]
fn a_terminal_too_small_is_told_the_size_it_needs() {
    let mut pty = Pty::juror(&["--no-judge"], 39, 9);
    pty.wait_for("40");
    pty.resize(40, 10);
    pty.wait_for("1/126");
    pty.press("q");
    pty.wait_for_end();
}

#[cfg(unix)]
fn signal(pty: &Pty, name: &str) {
    let id = pty.child.process_id().unwrap().to_string();
    let sent = std::process::Command::new("kill")
        .args([&format!("-{name}"), &id])
        .status();
    assert!(sent.unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_signal_gives_the_terminal_back() {
    let mut pty = Pty::juror(&[], 120, 40);
    pty.wait_for("Records");
    signal(&pty, "TERM");
    pty.wait_for_end();
}

#[cfg(unix)]
#[test]
fn what_was_stopped_takes_the_terminal_again_and_draws_everything() {
    let mut pty = Pty::juror(&["--no-judge"], 120, 40);
    pty.wait_for("Records");
    for _ in 0..2 {
        signal(&pty, "STOP");
        // A shell has the terminal meanwhile: modes of its own, and another screen.
        pty.parser
            .process(b"\x1b[?1049l\x1b[?2004l\x1b[?1000l\x1b[2J");
        assert!(!pty.text().contains("Records"));
        signal(&pty, "CONT");
        pty.wait("everything drawn", |screen| {
            let text = screen.contents();
            screen.alternate_screen()
                && screen.bracketed_paste()
                && text.contains("Records")
                && text.contains("F6 Runs")
        });
    }
    pty.press("q");
    pty.wait_for_end();
}

#[cfg(unix)]
#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_until_fg() {
    let mut command = CommandBuilder::new("sh");
    command.arg("-i");
    command.env("PS1", "the shell: ");
    command.env("JUROR", env!("CARGO_BIN_EXE_juror"));
    let mut pty = Pty::open(command, 120, 40);
    pty.wait_for("the shell:");
    pty.press("$JUROR --no-judge\r");
    pty.wait_for("F6 Runs");
    for _ in 0..2 {
        pty.press("\u{1a}");
        pty.wait("the shell again", |screen| {
            let asks = screen.contents().trim_end().ends_with("the shell:");
            asks && !screen.alternate_screen() && !screen.bracketed_paste()
        });
        // What is typed now is the shell's.
        pty.press("echo $((40 + 2)) lines\r");
        pty.wait_for("42 lines");
        pty.press("fg\r");
        pty.wait("the explorer again", |screen| {
            screen.alternate_screen() && screen.contents().contains("F6 Runs")
        });
    }
    pty.press("q");
    // What is typed before the shell asks may still be read by the explorer.
    pty.wait("left for good", |screen| {
        !screen.alternate_screen() && screen.contents().trim_end().ends_with("the shell:")
    });
    pty.press("exit\r");
    pty.wait_for_end();
}

#[cfg(unix)]
#[test]
fn ctrl_z_without_a_shell_says_so_and_nothing_stops() {
    let mut pty = Pty::juror(&["--no-judge"], 120, 40);
    pty.wait_for("Records");
    pty.press("\u{1a}");
    pty.wait_for("No shell would bring the explorer back");
    signal(&pty, "TSTP");
    pty.press("J");
    pty.wait_for("2/126");
    pty.press("q");
    pty.wait_for_end();
}

#[test]
#[ignore = "runs inside the terminal that the next test opens"]
fn explorer_that_panics() {
    if std::env::var_os("JUROR_TEST_PANIC").is_none() {
        return;
    }
    run(ExploreOptions {
        title: "nothing".into(),
        load: Box::new(|tell| {
            tell(Loaded::default());
            Ok(())
        }),
        judge: Some(Box::new(|_| panic!("asked to panic"))),
        theme: None,
        remembered_theme: None,
        themes: None,
        colours: None,
        keymap: None,
        ascii: false,
        threshold: None,
        judge_name: None,
        judges: Vec::new(),
        store: None,
        annotator: None,
        scale: None,
        seed: 0,
    })
    .unwrap();
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_told_there() {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args([
        "--ignored",
        "--exact",
        "terminal::explorer_that_panics",
        "--nocapture",
    ]);
    command.env("JUROR_TEST_PANIC", "1");
    let mut pty = Pty::open(command, 120, 40);
    pty.wait_for_end();
    pty.wait_for("asked to panic");
}

#[cfg(unix)]
#[test]
fn a_terminal_that_hangs_up_ends_it_in_good_order() {
    let mut pty = Pty::juror(&["--no-judge", "--annotator", "ada"], 100, 30);
    pty.wait_for("Records");
    pty.press("\u{1b}[15~");
    pty.wait_for("0 of 504");
    pty.press("7");
    pty.wait_for("1 of 504");
    let home = pty.home.take().unwrap();
    let Pty {
        mut child,
        writer,
        master,
        output,
        ..
    } = pty;
    // The thread that reads ends with the next frame, and with it all that held the terminal.
    drop(output);
    master.resize(size(90, 28)).unwrap();
    drop((writer, master));
    let status = child.wait().unwrap();
    // By the signal, or by what could not be read or drawn before it came; never by a panic.
    let known = status.signal() == Some("Hangup") || [0, 2].contains(&status.exit_code());
    assert!(known, "{status:?}");
    assert_eq!(labels(home.path()), 1);
}

/// How many labels the database holds.
fn labels(home: &std::path::Path) -> usize {
    let store = juror::store::Store::at(&home.join("juror.db")).unwrap();
    let journal = juror::store::Journal::of(store.events().unwrap());
    journal
        .all()
        .filter(|(_, _, said)| !said.labels.is_empty())
        .count()
}

#[cfg(unix)]
#[test]
fn what_was_rated_outlives_a_kill() {
    let data = [
        "sample_data/common.jsonl",
        "--no-judge",
        "--annotator",
        "ada",
    ];
    let mut pty = Pty::juror(&data, 100, 30);
    pty.wait_for("Records");
    pty.press("\u{1b}[15~");
    pty.wait_for("0 of 168");
    for done in 1..=10 {
        pty.press(&(done % 10).to_string());
        pty.wait_for(&format!("{done} of 168"));
    }
    pty.press("cunclear\r");
    pty.wait_for("unclear");
    pty.kill();
    let home = pty.home.take().unwrap();
    assert_eq!(labels(home.path()), 10);
    let mut pty = Pty::at_home(home, &data, 100, 30);
    // Where one was is where one returns.
    pty.wait_for("10 of 168");
    pty.wait_for("unclear");
    pty.press("u");
    pty.wait_for("Undone");
    pty.press("u");
    pty.wait_for("9 of 168");
    pty.press("q");
    pty.wait_for_end();
    assert_eq!(labels(pty.home.as_ref().unwrap().path()), 9);
}

#[test]
fn scores_are_not_computed_twice() {
    let mut pty = Pty::juror(&["sample_data/common.jsonl"], 120, 40);
    pty.wait_for_score();
    pty.press("\u{1b}[17~s");
    pty.wait_for("done");
    pty.press("\u{1b}OPq");
    pty.wait_for_end();
    let home = pty.home.take().unwrap();
    let runs = std::fs::read_dir(home.path().join("runs"))
        .unwrap()
        .flatten();
    let rows = runs.map(|file| std::fs::read_to_string(file.path()).unwrap());
    let rows: Vec<String> = rows.collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].lines().count(), 168);
    // The second time nothing has to be computed, so no rate is shown.
    let mut pty = Pty::at_home(home, &["sample_data/common.jsonl"], 120, 40);
    pty.wait_for("Records");
    pty.press("\u{1b}OS");
    pty.wait_for("168 scored");
    assert!(!pty.text().contains("tok/s"), "{}", pty.text());
    pty.press("q");
    pty.wait_for_end();
}

#[cfg(unix)]
#[test]
fn ctrl_c_in_the_persons_editor_is_the_editors() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let editor = home.path().join("editor");
    // What a terminal does at Ctrl-C: the signal goes to everyone in the foreground.
    let script =
        "#!/bin/sh\ntrap '' INT\nkill -INT 0\nsleep 0.2\nprintf ' Written outside.' >> \"$1\"\n";
    std::fs::write(&editor, script).unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_juror"));
    command.env("EDITOR", &editor);
    command.env_remove("VISUAL");
    let mut pty = Pty::open_at(home, command, 120, 40);
    pty.wait_for_score();
    pty.press("\x1bOQ");
    pty.wait_for("F2");
    pty.press("e");
    pty.wait_for("Written outside.");
    // All is drawn again, not only what has changed.
    pty.wait_for("F6 Runs");
    pty.press("q");
    pty.wait_for("q again quits");
    pty.press("q");
    pty.wait_for_end();
}
