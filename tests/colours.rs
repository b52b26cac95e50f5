//! Colours and themes in a terminal of their own: how many colours are written, what is asked of
//! the terminal and what becomes of its answer, themes saved while the explorer runs.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long a screen may take to come on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Asks for the background.
const QUESTION: &[u8] = b"\x1b]11;?\x07";

/// A terminal with the explorer in it, without a judge.
struct Pty {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    // Kept open: closing it hangs up.
    _master: Box<dyn MasterPty + Send>,
    output: Receiver<Vec<u8>>,
    written: Vec<u8>,
    parser: vt100::Parser,
    _home: tempfile::TempDir,
}

impl Pty {
    fn open(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let (rows, cols) = (24, 100);
        let size = PtySize {
            rows,
            cols,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_juror"));
        command.args(["--no-judge"]);
        command.args(arguments);
        command.cwd(env!("CARGO_MANIFEST_DIR"));
        for name in ["NO_COLOR", "COLORTERM", "COLORFGBG"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        // Nothing of an earlier run is remembered.
        let home = tempfile::tempdir().unwrap();
        command.env("JUROR_HOME", home.path());
        for (name, value) in environment {
            command.env(name, value);
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
            _master: pair.master,
            output,
            written: Vec::new(),
            parser: vt100::Parser::new(rows, cols, 0),
            _home: home,
        }
    }

    fn send(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    fn take(&mut self) {
        if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
            self.parser.process(&bytes);
            self.written.extend(bytes);
        }
    }

    fn wait(&mut self, what: &str, wished: impl Fn(&Pty) -> bool) {
        let start = Instant::now();
        while !wished(self) {
            let text = self.parser.screen().contents();
            assert!(start.elapsed() < PATIENCE, "no {what}:\n{text}");
            self.take();
        }
    }

    fn wait_for(&mut self, text: &str) {
        self.wait(text, |pty| pty.parser.screen().contents().contains(text));
    }

    /// The background in the middle of the screen.
    fn ground(&self) -> vt100::Color {
        self.parser.screen().cell(20, 70).unwrap().bgcolor()
    }

    fn wait_for_ground(&mut self, ground: vt100::Color) {
        self.wait(&format!("{ground:?}"), |pty| pty.ground() == ground);
    }

    fn has_written(&self, bytes: &[u8]) -> bool {
        self.written.windows(bytes.len()).any(|part| part == bytes)
    }

    fn end(mut self) {
        self.send("q");
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < PATIENCE, "it does not end");
            self.take();
        }
    }
}

const DARK: vt100::Color = vt100::Color::Rgb(0x14, 0x17, 0x1f);
const LIGHT: vt100::Color = vt100::Color::Rgb(0xfb, 0xfa, 0xf7);
const FULL: (&str, &str) = ("COLORTERM", "truecolor");

#[test]
fn only_colours_that_the_terminal_has_are_written() {
    let full = b"8;2;";
    let mut pty = Pty::open(&["--theme", "dark"], &[FULL]);
    pty.wait_for("1/126");
    assert_eq!(pty.ground(), DARK);
    assert!(pty.has_written(full) && !pty.has_written(QUESTION));
    pty.end();
    let mut pty = Pty::open(&["--theme", "dark"], &[]);
    pty.wait_for("1/126");
    assert!(matches!(pty.ground(), vt100::Color::Idx(16..)));
    assert!(!pty.has_written(full));
    pty.end();
    let mut pty = Pty::open(&["--theme", "dark", "--colours", "16"], &[FULL]);
    pty.wait_for("1/126");
    assert_eq!(pty.ground(), vt100::Color::Idx(0));
    assert!(!pty.has_written(full));
    pty.end();
    // A flag is a later word than the environment's.
    let mut pty = Pty::open(
        &["--theme", "dark", "--colours", "24"],
        &[("NO_COLOR", "1")],
    );
    pty.wait_for("1/126");
    assert_eq!(pty.ground(), DARK);
    pty.end();
    let mut pty = Pty::open(&["--theme", "dark"], &[FULL, ("NO_COLOR", "1")]);
    pty.wait_for("1/126");
    assert_eq!(pty.ground(), vt100::Color::Default);
    assert!(!pty.has_written(full) && !pty.has_written(b"8;5;"));
    pty.end();
}

#[test]
fn the_background_is_asked_for_behind_the_first_frame_and_its_answer_is_no_keys() {
    let mut pty = Pty::open(&[], &[FULL]);
    pty.wait("question", |pty| pty.has_written(QUESTION));
    let place = |bytes: &[u8]| {
        pty.written
            .windows(bytes.len())
            .position(|part| part == bytes)
    };
    assert!(place(b"Explore") < place(QUESTION), "the frame comes first");
    assert_eq!(pty.ground(), DARK);
    pty.wait_for("1/126");
    // With keys before and behind it, as somebody types who does not wait.
    pty.send("j\x1b]11;rgb:fbfb/fafa/f7f7\x07j");
    pty.wait_for_ground(LIGHT);
    pty.wait_for("3/126");
    pty.end();
}

#[test]
fn without_an_answer_the_first_guess_stays_and_late_ones_count() {
    let mut pty = Pty::open(&[], &[FULL, ("COLORFGBG", "0;15")]);
    pty.wait_for("1/126");
    assert_eq!(pty.ground(), LIGHT);
    pty.send("jj");
    pty.wait_for("3/126");
    thread::sleep(Duration::from_millis(2500));
    pty.send("\x1b]11;rgb:0000/0000");
    thread::sleep(Duration::from_millis(200));
    pty.send("/0000\x1b\\");
    pty.wait_for_ground(DARK);
    pty.wait_for("3/126");
    pty.end();
}

#[test]
fn with_256_colours_the_answer_chooses_and_with_16_nothing_is_asked() {
    let mut pty = Pty::open(&[], &[]);
    pty.wait("question", |pty| pty.has_written(QUESTION));
    assert_eq!(pty.ground(), vt100::Color::Default);
    pty.send("\x1b]11;rgb:ffff/ffff/ffff\x1b\\");
    pty.wait("light ground", |pty| {
        matches!(pty.ground(), vt100::Color::Idx(231 | 255))
    });
    pty.end();
    let mut pty = Pty::open(&[], &[("TERM", "xterm")]);
    pty.wait_for("1/126");
    assert!(!pty.has_written(QUESTION));
    pty.end();
}

#[test]
fn a_theme_that_is_saved_is_seen_and_a_broken_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml");
    let scheme = |ground: &str| {
        let colours = (1..16).map(|n| format!("base{n:02X}: \"{:02x}8080\"\n", n * 16));
        format!("base00: \"{ground}\"\n{}", colours.collect::<String>())
    };
    std::fs::write(&file, scheme("101010")).unwrap();
    let path = folder.path().display().to_string();
    let mut pty = Pty::open(&["--themes", &path, "--theme", "mine"], &[FULL]);
    pty.wait_for("1/126");
    pty.wait_for_ground(vt100::Color::Rgb(16, 16, 16));
    let start = Instant::now();
    std::fs::write(&file, scheme("000030")).unwrap();
    pty.wait_for_ground(vt100::Color::Rgb(0, 0, 0x30));
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    std::fs::write(&file, scheme("none")).unwrap();
    pty.wait_for("mine.yaml:1: base00");
    assert_eq!(pty.ground(), vt100::Color::Rgb(0, 0, 0x30));
    std::fs::write(&file, scheme("003000")).unwrap();
    pty.wait_for_ground(vt100::Color::Rgb(0, 0x30, 0));
    pty.end();
}
