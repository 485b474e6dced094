//! The client against the cases of `cases/*.json`, over real sockets: a small server plays each case's connections
//! and checks the requests, and the client's events are compared with the case's expectations.
//!
//! Prints the cases that were run, those that only a browser can run, and how the client behaves where the standard
//! leaves a choice.

#![cfg(feature = "client")]

mod case;
mod run;
mod server;

use std::{collections::BTreeMap, time::Instant};

use futures_util::{StreamExt, stream};

use case::Kind;

/// Cases where the standard leaves a choice and the client differs from the case, with the reason.
const CHOICES: [(&str, &str); 2] = [
    ("x/reconnect-id-byte-0x01", "an id that HTTP cannot carry is not sent; the client goes on"),
    ("x/reconnect-id-byte-0x7f", "an id that HTTP cannot carry is not sent; the client goes on"),
];

/// Number of cases that run in parallel: most of their time is waiting.
const AT_ONCE: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g16_every_applicable_case() {
    let began = Instant::now();
    let mut failures = Vec::new();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut count = |file, what| *counts.entry((file, what)).or_default() += 1;
    let cases = case::all();
    let outcomes =
        stream::iter(&cases).map(async |case| (case, run::run(case).await)).buffer_unordered(AT_ONCE);
    let outcomes: Vec<_> = outcomes.collect().await;
    for (case, outcome) in outcomes {
        let choice = CHOICES.iter().find(|(name, _)| *name == case.name).map(|(_, why)| *why);
        match (case.kind(), outcome) {
            (Kind::Elsewhere(why), _) => {
                count(case.file, "elsewhere");
                println!("not for this test: {} ({why})", case.name);
            }
            (_, Ok(())) if case.spec == "ambiguous" => {
                count(case.file, "passed");
                println!("left open by the standard, as the case suggests: {}", case.name);
                if choice.is_some() {
                    failures.push(format!("{}: does what the case suggests after all", case.name));
                }
            }
            (_, Ok(())) => count(case.file, "passed"),
            (_, Err(differences)) if case.spec == "ambiguous" && choice.is_some() => {
                count(case.file, "by choice");
                println!("left open by the standard: {}: {}", case.name, choice.unwrap_or_default());
                println!("    {differences}");
            }
            (_, Err(differences)) => {
                count(case.file, "failed");
                failures.push(format!("{}: {differences}", case.name));
            }
        }
    }
    for ((file, what), count) in &counts {
        println!("{file}: {count} {what}");
    }
    println!("{} cases in {:.1?}", cases.len(), began.elapsed());
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    let run =
        counts.iter().filter(|((_, what), _)| *what != "elsewhere").map(|(_, count)| count).sum::<usize>();
    assert!(run >= 200, "only {run} were run");
}
