//! Bars, one panel a column, drawn by hand: a plot is a few rectangles.

use super::table::{Row, Table, number};

const WIDTH: usize = 900;
const LABEL: usize = 300;
const BAR: usize = 18;
const HEAD: usize = 44;
const GAP: usize = 18;

/// Room for the figure behind the longest bar.
const FIGURE: usize = 90;

/// One picture of all tables.
pub(super) fn svg(tables: &[Table]) -> String {
    let mut body = String::new();
    let mut y = GAP;
    for table in tables {
        for (column, name) in table.columns.iter().enumerate() {
            y = panel(&mut body, table, column, name, y) + GAP;
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y}\" viewBox=\"0 0 {WIDTH} {y}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

/// Draws one column's bars from `top` on; returns where they end.
fn panel(body: &mut String, table: &Table, column: usize, name: &str, top: usize) -> usize {
    let figure = |row: &Row| row.cells.get(column).copied().flatten().map(|cell| cell.median);
    let mut rows: Vec<(&Row, f64)> = table.rows.iter().filter_map(|row| Some((row, figure(row)?))).collect();
    if rows.is_empty() {
        return top;
    }
    rows.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let most = rows.last().map_or(1.0, |(_, figure)| *figure).max(f64::MIN_POSITIVE);
    let room = (WIDTH - LABEL - FIGURE) as f64;
    let title = escaped(&format!("{} - {name} ({}, shorter is better)", table.title, table.unit));
    body.push_str(&format!("<text x=\"10\" y=\"{}\" font-weight=\"bold\">{title}</text>\n", top + 16));
    let mut y = top + HEAD - 14;
    for (row, figure) in rows {
        let width = (figure / most * room).max(1.0);
        let fill = if row.ours { "#1a7f5a" } else { "#9aa5b1" };
        let text = y + BAR - 5;
        let label = escaped(&row.label);
        body.push_str(&format!(
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{label}</text>\
             <rect x=\"{LABEL}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{fill}\"/>\
             <text x=\"{:.1}\" y=\"{text}\">{}</text>\n",
            LABEL - 8,
            BAR - 4,
            LABEL as f64 + width + 6.0,
            number(figure),
        ));
        y += BAR;
    }
    y
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
