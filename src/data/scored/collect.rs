//! Columns of rows as they are scored, without a file between.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::{Scored, Wanted};

/// Takes lines of scored rows and keeps their columns; the bytes go on to `out`, where there is one.
pub struct Collector<'a> {
    wanted: Wanted,
    scored: Scored,
    line: Vec<u8>,
    out: Option<&'a mut dyn Write>,
}

impl<'a> Collector<'a> {
    /// Nothing collected yet.
    pub fn new(wanted: Wanted, out: Option<&'a mut dyn Write>) -> Self {
        Collector {
            wanted,
            scored: Scored::default(),
            line: Vec::new(),
            out,
        }
    }

    /// The columns of what came.
    pub fn finish(mut self) -> Scored {
        self.scored.finish();
        self.scored
    }

    fn take_line(&mut self) -> io::Result<()> {
        let row: Map<String, Value> = serde_json::from_slice(&self.line)?;
        self.line.clear();
        self.scored
            .push(&row, &self.wanted)
            .map_err(io::Error::other)
    }
}

impl Write for Collector<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.split_inclusive(|b| *b == b'\n');
        for part in taken {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.take_line()?;
            }
        }
        if let Some(out) = &mut self.out {
            out.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), |out| out.flush())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_columns_and_go_on() {
        let mut copy = Vec::new();
        let wanted = Wanted {
            label: Some("p".into()),
            ..Wanted::default()
        };
        let mut collector = Collector::new(wanted, Some(&mut copy));
        let lines = "{\"id\":\"a\",\"signals\":{\"self_eval\":2},\"labels\":{\"p\":1}}\n{\"id\":\"b\",\"signals\":{}}\n";
        let (start, end) = lines.split_at(20);
        collector.write_all(start.as_bytes()).unwrap();
        collector.write_all(end.as_bytes()).unwrap();
        let scored = collector.finish();
        assert_eq!(scored.len(), 2);
        assert_eq!(scored.label[0], 1.0);
        assert!(scored.signals["self_eval"][1].is_nan());
        assert_eq!(copy, lines.as_bytes());
        let mut collector = Collector::new(Wanted::default(), None);
        assert!(collector.write_all(b"no row\n").is_err());
    }
}
