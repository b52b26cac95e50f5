//! Which rows of a pass attend together, and to what.
//!
//! A device that starts one operation after another is slow at many small ones: segments in a row
//! attend together over all that any of them sees, behind a mask. That computes scores nobody asks
//! for, so segments part where these become too many.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::AcceleratorKeys;
use crate::model::Result;
use crate::model::decoder::pass::{Keys, Link, Pass};

/// Scores (of one head) that are computed together however few of them are asked for.
const SMALL: usize = 1 << 18;

/// Beyond that: how many are computed for each that is asked for.
const WASTE: usize = 2;

/// Scores of all heads that are held at a time.
const HELD: usize = 1 << 27;

/// What a hidden score becomes. Its exponential is zero beside any other; infinity is not safe from
/// fast arithmetic.
const HIDDEN: f32 = -1e30;

/// What is before a segment, as far as it says who attends to what.
#[derive(Clone, Debug, PartialEq)]
enum LinkShape {
    /// Keys are told apart by their address, which stands for nothing longer than a pass lives:
    /// only the pattern of which are the same enters the result.
    Known(usize, Range<usize>),
    Within(usize),
}

#[derive(Clone, Debug, PartialEq)]
struct SegmentShape {
    tokens: usize,
    held: usize,
    chain: Vec<LinkShape>,
}

/// All that [`Joint`] depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    segments: Vec<SegmentShape>,
    asking: Option<Vec<usize>>,
    window: Option<usize>,
    heads: usize,
}

impl Shape {
    pub fn of(
        pass: &Pass<AcceleratorKeys>,
        asking: Option<&[usize]>,
        window: Option<usize>,
        heads: usize,
    ) -> Self {
        let link = |link: &Link<AcceleratorKeys>| match link {
            Link::Known(known) => {
                LinkShape::Known(Arc::as_ptr(&known.keys) as usize, known.tokens.clone())
            }
            Link::Within(other) => LinkShape::Within(*other),
        };
        let segments = pass.segments.iter().map(|s| SegmentShape {
            tokens: s.ids.len(),
            held: s.keys.len(),
            chain: s.chain.iter().map(link).collect(),
        });
        Shape {
            segments: segments.collect(),
            asking: asking.map(<[usize]>::to_vec),
            window,
            heads,
        }
    }
}

/// Where keys and values are found.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// New tokens: rows of the pass.
    New(Range<usize>),
    /// The first tokens in a segment's own keys.
    Held { segment: usize, tokens: usize },
    /// A link of a segment's chain.
    Known { segment: usize, link: usize },
}

/// Some of a group's asking rows, and what each of them may see: all, where there is no mask.
pub struct Chunk {
    /// Among the asking rows.
    pub rows: Range<usize>,
    /// `[rows, keys]`, to be added to scores.
    pub mask: Option<Tensor>,
}

/// Segments that attend together.
pub struct Group {
    pub sources: Vec<Source>,
    pub chunks: Vec<Chunk>,
}

/// All attention of a layer.
pub struct Joint {
    pub groups: Vec<Group>,
}

/// What tells stretches of keys apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stretch {
    New(usize),
    Held(usize),
    Known(usize, Range<usize>),
}

/// A stretch that a segment sees, and the position of its first token.
struct Run {
    stretch: Stretch,
    source: Source,
    position: usize,
    len: usize,
}

/// A segment and what it sees, in order; its own new tokens come last.
struct Viewer {
    runs: Vec<Run>,
    /// Its asking rows, among all asking rows.
    asking: Range<usize>,
    /// The position of its first new token, and the row.
    start: usize,
    first_row: usize,
}

impl Viewer {
    fn width(&self) -> usize {
        self.runs.iter().map(|r| r.len).sum()
    }
}

fn viewers(shape: &Shape) -> Vec<Viewer> {
    let mut row = 0;
    let rows: Vec<Range<usize>> = shape
        .segments
        .iter()
        .map(|s| {
            row += s.tokens;
            row - s.tokens..row
        })
        .collect();
    let mut asked = 0;
    let mut all = Vec::with_capacity(rows.len());
    for (at, segment) in shape.segments.iter().enumerate() {
        let mut position = 0;
        let mut runs = Vec::new();
        let mut see = |stretch, source, len| {
            if len > 0 {
                runs.push(Run {
                    stretch,
                    source,
                    position,
                    len,
                });
            }
            position += len;
            position
        };
        let new = |of: usize| (Stretch::New(of), Source::New(rows[of].clone()));
        for (link, before) in segment.chain.iter().enumerate() {
            match before {
                LinkShape::Known(address, tokens) => {
                    let stretch = Stretch::Known(*address, tokens.clone());
                    let source = Source::Known { segment: at, link };
                    see(stretch, source, tokens.len());
                }
                LinkShape::Within(other) => {
                    let (stretch, source) = new(*other);
                    see(stretch, source, rows[*other].len());
                }
            }
        }
        let held = Source::Held {
            segment: at,
            tokens: segment.held,
        };
        let start = see(Stretch::Held(at), held, segment.held);
        let (stretch, source) = new(at);
        see(stretch, source, segment.tokens);
        let end = match &shape.asking {
            None => rows[at].end,
            Some(asking) => asking.partition_point(|row| *row < rows[at].end),
        };
        all.push(Viewer {
            runs,
            asking: asked..end,
            start,
            first_row: rows[at].start,
        });
        asked = end;
    }
    all.retain(|v| !v.asking.is_empty());
    all
}

/// Stretches side by side, each once.
#[derive(Default)]
struct Columns {
    at: HashMap<Stretch, usize>,
    sources: Vec<Source>,
    width: usize,
}

impl Columns {
    /// Columns that `viewer` would add.
    fn more(&self, viewer: &Viewer) -> usize {
        let new = viewer.runs.iter();
        new.filter(|run| !self.at.contains_key(&run.stretch))
            .map(|run| run.len)
            .sum()
    }

    fn add(&mut self, viewer: &Viewer) {
        for run in &viewer.runs {
            if self.at.contains_key(&run.stretch) {
                continue;
            }
            self.at.insert(run.stretch.clone(), self.width);
            self.width += run.len;
            // Rows that follow one another are taken at once.
            match (self.sources.last_mut(), &run.source) {
                (Some(Source::New(before)), Source::New(rows)) if before.end == rows.start => {
                    before.end = rows.end;
                }
                _ => self.sources.push(run.source.clone()),
            }
        }
    }
}

impl Joint {
    pub fn new(shape: &Shape, device: &Device) -> Result<Self> {
        let viewers = viewers(shape);
        let mut groups = Vec::new();
        let mut rest = viewers.as_slice();
        while !rest.is_empty() {
            let mut columns = Columns::default();
            let (mut count, mut rows, mut needed) = (0, 0, 0);
            for viewer in rest {
                let asking = viewer.asking.len();
                let computed = (rows + asking) * (columns.width + columns.more(viewer));
                needed += asking * viewer.width();
                if count > 0 && computed > SMALL.max(WASTE * needed) {
                    break;
                }
                columns.add(viewer);
                rows += asking;
                count += 1;
            }
            let (group, others) = rest.split_at(count);
            groups.push(Group {
                chunks: chunks(shape, group, &columns, device)?,
                sources: columns.sources,
            });
            rest = others;
        }
        Ok(Joint { groups })
    }
}

fn chunks(
    shape: &Shape,
    group: &[Viewer],
    columns: &Columns,
    device: &Device,
) -> Result<Vec<Chunk>> {
    let width = columns.width;
    let most = (HELD / (width * shape.heads).max(1)).max(1);
    let rows: Vec<(&Viewer, usize)> = group
        .iter()
        .flat_map(|viewer| viewer.asking.clone().map(move |asking| (viewer, asking)))
        .collect();
    let mut chunks = Vec::new();
    for rows in rows.chunks(most) {
        let mut mask = vec![HIDDEN; rows.len() * width];
        let mut seen = 0;
        for ((viewer, asking), mask) in rows.iter().zip(mask.chunks_mut(width.max(1))) {
            let row = shape.asking.as_ref().map_or(*asking, |rows| rows[*asking]);
            let end = viewer.start + row - viewer.first_row + 1;
            let from = shape.window.map_or(0, |w| end.saturating_sub(w));
            for run in &viewer.runs {
                let Some(column) = columns.at.get(&run.stretch) else {
                    continue;
                };
                let first = from.clamp(run.position, run.position + run.len) - run.position;
                let last = end.clamp(run.position, run.position + run.len) - run.position;
                if first < last {
                    mask[column + first..column + last].fill(0.0);
                    seen += last - first;
                }
            }
        }
        let mask = match seen == rows.len() * width {
            true => None,
            false => Some(Tensor::from_vec(mask, (rows.len(), width), device)?),
        };
        let first = rows.first().map_or(0, |(_, asking)| *asking);
        chunks.push(Chunk {
            rows: first..first + rows.len(),
            mask,
        });
    }
    Ok(chunks)
}
