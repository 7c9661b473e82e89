//! The main queries of four members as a picture: one row per query, one mark per variant, milliseconds on a
//! logarithmic scale.

use crate::book::Book;
use crate::print::Facts;
use crate::race::Timing;
use crate::session::Result;
use plotters::prelude::*;
use std::path::Path;

/// Who is shown, from which section, and what counts as the best that is possible for them.
const GROUPS: [(&str, &str, &str); 4] = [
    ("narrow", "rep", "limit"),
    ("middle", "director", "ideal"),
    ("wide", "ceo", "unprotected"),
    ("everything", "analyst", "unprotected"),
];
const QUERIES: [&str; 5] = ["count", "newest 50", "dashboard", "by e-mail", "by id"];

/// The marks, in the order of the legend; colours that are told apart without red and green.
const MARKS: [(&str, &str, RGBColor); 5] = [
    (
        "best",
        "the best there is: a table of only the visible rows (rep), literal ids (director), no protection",
        RGBColor(120, 120, 120),
    ),
    ("leadguard", "leadguard", RGBColor(0, 114, 178)),
    ("any array", "policy with = ANY (ARRAY(SELECT ...))", RGBColor(230, 159, 0)),
    ("exists", "policy with EXISTS", RGBColor(213, 94, 0)),
    ("function", "policy with a PL/pgSQL function", RGBColor(204, 121, 167)),
];

/// Where the legend's entries stand; the longest text has a line of its own.
const LEGEND: [(i32, i32); 5] = [(30, 14), (30, 36), (330, 36), (30, 58), (330, 58)];

struct Row<'a> {
    member: &'static str,
    label: String,
    marks: Vec<(usize, &'a Timing)>,
}

/// False when nothing of what is shown was measured.
pub fn draw(book: &Book, facts: &Facts, path: &Path) -> Result<bool> {
    let rows = rows(book);
    if rows.is_empty() {
        return Ok(false);
    }
    paint(&rows, facts, path).map_err(|e| format!("cannot draw {}: {e}", path.display()))?;
    Ok(true)
}

fn rows(book: &Book) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (section, member, best) in GROUPS {
        for query in QUERIES {
            let mark = |(i, (name, ..)): (usize, &(&str, &str, RGBColor))| {
                let variant = if *name == "best" { best } else { *name };
                let entry = book.entries.iter().find(|e| {
                    let spot = &e.spot;
                    spot.section == section && spot.member == member && spot.query == query && e.timing.name == variant
                });
                entry.map(|e| (i, &e.timing))
            };
            let marks: Vec<_> = MARKS.iter().enumerate().filter_map(mark).collect();
            if !marks.is_empty() {
                rows.push(Row { member, label: format!("{member}: {query}\u{a0}\u{a0}"), marks });
            }
        }
    }
    rows
}

type Painted = std::result::Result<(), Box<dyn std::error::Error>>;

fn paint(rows: &[Row], facts: &Facts, path: &Path) -> Painted {
    let medians = || rows.iter().flat_map(|r| r.marks.iter().map(|(_, t)| t.median()));
    let (low, high) = (medians().fold(f64::INFINITY, f64::min) / 1.5, medians().fold(0.0, f64::max) * 1.5);
    let count = rows.len() as u32;
    // The first row is the topmost.
    let level = |i: usize| SegmentValue::CenterOf(count - 1 - i as u32);

    let root = SVGBackend::new(path, (960, 180 + 26 * count)).into_drawing_area();
    root.fill(&WHITE)?;
    let (head, body) = root.split_vertically(56);
    let title = "What a query costs: medians in milliseconds, warm, planning included";
    head.draw(&Text::new(title, (16, 10), ("sans-serif", 19)))?;
    let caption = format!("{}; {}", facts.data, facts.server);
    head.draw(&Text::new(caption, (16, 34), ("sans-serif", 12).into_font().color(&RGBColor(90, 90, 90))))?;
    let (chart_area, legend) = body.split_vertically(26 * count + 42);

    let mut chart = ChartBuilder::on(&chart_area)
        .margin_right(24)
        .x_label_area_size(36)
        .y_label_area_size(150)
        .build_cartesian_2d((low..high).log_scale(), (0..count).into_segmented())?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .x_labels(8)
        .set_tick_mark_size(LabelAreaPosition::Left, 0)
        .y_labels(rows.len() + 1)
        .light_line_style(RGBColor(236, 236, 236))
        .bold_line_style(RGBColor(205, 205, 205))
        .label_style(("sans-serif", 13))
        .x_label_formatter(&|ms| if *ms >= 1000.0 { format!("{} s", ms / 1000.0) } else { format!("{ms} ms") })
        .y_label_formatter(&|place| match place {
            SegmentValue::CenterOf(i) | SegmentValue::Exact(i) if *i < count => {
                rows[(count - 1 - i) as usize].label.clone()
            }
            _ => String::new(),
        })
        .draw()?;

    for i in (1..rows.len()).filter(|i| rows[*i].member != rows[i - 1].member) {
        let between = SegmentValue::Exact(count - i as u32);
        let line = PathElement::new([(low, between.clone()), (high, between)], RGBColor(120, 120, 120).stroke_width(1));
        chart.draw_series(std::iter::once(line))?;
    }
    for (i, row) in rows.iter().enumerate() {
        let ends = row.marks.iter().map(|(_, t)| t.median());
        let (from, to) = (ends.clone().fold(f64::INFINITY, f64::min), ends.fold(0.0, f64::max));
        let thin = RGBColor(190, 190, 190).stroke_width(1);
        chart.draw_series(std::iter::once(PathElement::new([(from, level(i)), (to, level(i))], thin)))?;
        // leadguard last, on top of whatever it equals.
        let order = row.marks.iter().filter(|(m, _)| *m != 1).chain(row.marks.iter().filter(|(m, _)| *m == 1));
        for (mark, timing) in order {
            let at = (timing.median(), level(i));
            chart.draw_series(std::iter::once(dot(*mark, at, timing.over)))?;
        }
    }

    for (i, (_, text, _)) in MARKS.iter().enumerate() {
        let (x, y) = LEGEND[i];
        legend.draw(&dot(i, (x, y), false))?;
        legend.draw(&Text::new(*text, (x + 14, y - 7), ("sans-serif", 13)))?;
    }
    root.present()?;
    Ok(())
}

/// Hollow for a statement that was given up at the time limit.
fn dot<C>(mark: usize, at: C, over: bool) -> Circle<C, i32> {
    let colour = MARKS[mark].2;
    let size = if MARKS[mark].0 == "leadguard" { 6 } else { 5 };
    Circle::new(at, size, if over { colour.stroke_width(2) } else { colour.filled() })
}
