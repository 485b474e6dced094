//! The example's dashboard: every metric that it queries exists, and every existing metric is shown.

use std::collections::BTreeSet;

use serde_json::Value;

const DASHBOARD: &str = include_str!("../../../../examples/grafana/server-sent-events.json");
const DOCUMENTED: &str = include_str!("../../../src/docs/operating.md");

/// The metrics of the documentation's table, which a test compares with the emitted ones; and whether each is a
/// histogram.
fn documented() -> BTreeSet<(String, bool)> {
    let rows = DOCUMENTED.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.map(|row| row.split('|').map(|cell| cell.trim().trim_matches('`')).collect::<Vec<_>>());
    let metrics = cells.filter(|cells| ["counter", "gauge", "histogram"].contains(&cells[1]));
    metrics.map(|cells| (cells[0].to_owned(), cells[1] == "histogram")).collect()
}

/// Every expression that queries a metric.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name == "expr" || name == "query" => found.push(text.to_owned()),
                    _ => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_for_all_that_there_is_and_nothing_else() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() > 10, "{found:?}");
    let words =
        found.iter().flat_map(|text| text.split(|unit: char| !unit.is_ascii_alphanumeric() && unit != '_'));
    let names = words.filter(|word| word.starts_with("sse_"));
    let asked: BTreeSet<_> = names
        .map(|name| {
            name.strip_suffix("_bucket").map_or((name.to_owned(), false), |name| (name.to_owned(), true))
        })
        .collect();
    assert_eq!(asked, documented());
}

#[test]
fn every_panel_has_a_place_of_its_own() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let place = |panel: &Value, side: &str| panel["gridPos"][side].as_u64().expect("a number");
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64()), "{panel}");
        for x in place(panel, "x")..place(panel, "x") + place(panel, "w") {
            for y in place(panel, "y")..place(panel, "y") + place(panel, "h") {
                assert!(x < 24 && taken.insert((x, y)), "{} overlaps", panel["title"]);
            }
        }
    }
}
