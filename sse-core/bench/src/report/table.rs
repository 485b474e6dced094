use serde::Serialize;

/// Figures of several contestants in several disciplines.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) title: String,
    /// What a figure counts; a lower one is better.
    pub(crate) unit: &'static str,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) targets: Vec<Target>,
    pub(crate) notes: Vec<String>,
}

/// One contestant.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) label: String,
    pub(crate) ours: bool,
    pub(crate) cells: Vec<Option<Cell>>,
}

/// The median of several rounds, and between what most of them lay.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Cell {
    pub(crate) median: f64,
    /// A tenth of the rounds was below.
    pub(crate) low: f64,
    /// A tenth of the rounds was above.
    pub(crate) high: f64,
}

/// A ratio that was aimed at, and what it is.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) ratio: f64,
    pub(crate) wanted: f64,
}

/// Rounds that lie further apart than this are called noisy.
const NOISE: f64 = 0.25;

impl Cell {
    /// The figures of the samples of all rounds.
    pub(crate) fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (samples.len().saturating_sub(1)) as f64 * share;
            samples.get(place.round() as usize).copied().unwrap_or(f64::NAN)
        };
        Self { median: at(0.5), low: at(0.1), high: at(0.9) }
    }

    /// A figure that does not vary.
    pub(crate) fn exactly(figure: f64) -> Self {
        Self { median: figure, low: figure, high: figure }
    }

    fn spread(&self) -> f64 {
        if self.median > 0.0 { (self.high - self.low) / self.median } else { 0.0 }
    }
}

impl Table {
    /// The figure of the row so labelled, up to a version, in a column.
    pub(crate) fn figure(&self, label: &str, column: usize) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.label.starts_with(label))?;
        row.cells.get(column).copied().flatten().map(|cell| cell.median)
    }

    /// Notes how `ours` compares with `theirs` in a column, if both were measured.
    pub(crate) fn aim(&mut self, ours: &str, theirs: &str, column: usize, wanted: f64) {
        if let (Some(own), Some(other)) = (self.figure(ours, column), self.figure(theirs, column)) {
            let discipline = self.columns.get(column).map_or("", String::as_str);
            let what = format!("{discipline}: {ours} against {theirs}");
            self.targets.push(Target { what, ratio: other / own, wanted });
        }
    }

    /// Notes how a figure compares with an upper limit.
    pub(crate) fn limit(&mut self, ours: &str, column: usize, limit: f64) {
        if let Some(own) = self.figure(ours, column) {
            let discipline = self.columns.get(column).map_or("", String::as_str);
            let what = format!("{discipline}: {ours}, at most {} {}", number(limit), self.unit);
            self.targets.push(Target { what, ratio: limit / own, wanted: 1.0 });
        }
    }

    /// Prints it, each peer's figure with how many times ours it is.
    pub(crate) fn print(&self) {
        println!("{} ({})", self.title, self.unit);
        let reference: Vec<Option<f64>> = (0..self.columns.len())
            .map(|column| {
                let ours = self.rows.iter().find(|row| row.ours)?;
                ours.cells.get(column).copied().flatten().map(|cell| cell.median)
            })
            .collect();
        let mut lines = vec![vec![String::new()]];
        if let Some(head) = lines.first_mut() {
            head.extend(self.columns.iter().cloned());
        }
        for row in &self.rows {
            let mut line =
                vec![if row.ours { format!("* {}", row.label) } else { format!("  {}", row.label) }];
            for (cell, reference) in row.cells.iter().zip(&reference) {
                line.push(match (cell, reference) {
                    (None, _) => "-".to_owned(),
                    (Some(cell), Some(reference)) if *reference > 0.0 => {
                        let noise = if cell.spread() > NOISE { "~" } else { "" };
                        format!("{}{noise} ({:.2}x)", number(cell.median), cell.median / reference)
                    }
                    (Some(cell), _) => number(cell.median),
                });
            }
            lines.push(line);
        }
        print_aligned(&lines);
        for target in &self.targets {
            let verdict = if target.ratio >= target.wanted { "reached" } else { "MISSED" };
            println!("  {}: {:.2}x, target {}x {verdict}", target.what, target.ratio, number(target.wanted));
        }
        self.notes.iter().for_each(|note| println!("  {note}"));
        println!();
    }
}

fn print_aligned(lines: &[Vec<String>]) {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            lines
                .iter()
                .filter_map(|line| line.get(column))
                .map(|text| text.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for line in lines {
        let mut text = String::new();
        for (place, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let padding = " ".repeat(width - cell.chars().count());
            if place == 0 {
                text.push_str(&format!("{cell}{padding}"));
            } else {
                text.push_str(&format!("  {padding}{cell}"));
            }
        }
        println!("{}", text.trim_end());
    }
}

/// Three significant digits, and no more decimals than they need.
pub(super) fn number(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}
