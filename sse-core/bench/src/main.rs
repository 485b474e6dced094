//! How far ahead of named peers this workspace is, measured on the reader's own machine.
//!
//! `cargo run --profile bench -p sse-bench -- [encode|decode|fanout|memory|replay|publish|topics|storm|compress|bounds|all] [--quick]`; the
//! README beside this explains what each does and how.

mod bounds;
mod callgrind;
mod compress;
mod corpus;
mod decode;
mod encode;
mod fanout;
mod machine;
mod measure;
mod memory;
mod options;
mod publish;
mod replay;
mod report;
mod servers;
mod storm;
mod topics;

use std::{error, process::ExitCode};

use options::{Command, Options, Work};
use report::{Outcome, Table};

/// Whatever stops a measurement.
pub(crate) type Failure = Box<dyn error::Error + Send + Sync>;

fn main() -> ExitCode {
    let command = match Command::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("sse-bench: {message}");
            return ExitCode::from(2);
        }
    };
    let outcome = match command {
        Command::Help => {
            println!("{}", options::USAGE);
            Ok(())
        }
        Command::Measure(options) => measure(&options),
        Command::Serve(server) => servers::serve(&server),
        Command::Count(work) => count(work),
        Command::Hold(kind, count) => memory::hold(kind, count),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sse-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what was asked for, one after the other, and writes down each as soon as it is done.
fn measure(options: &Options) -> Result<(), Failure> {
    let machine = machine::Machine::look();
    println!("{machine}\n");
    for work in &options.works {
        let tables: Vec<Table> = match work {
            Work::Encode => encode::run(options)?,
            Work::Decode => decode::run(options)?,
            Work::Fanout => fanout::run(options)?,
            Work::Memory => memory::run(options)?,
            Work::Replay => replay::run(options)?,
            Work::Publish => publish::run(options)?,
            Work::Topics => topics::run(options)?,
            Work::Storm => storm::run(options)?,
            Work::Compress => compress::run(options)?,
            Work::Bounds => bounds::run(options)?,
        };
        tables.iter().for_each(Table::print);
        Outcome { work: work.name(), machine: &machine, quick: options.quick, tables: &tables }
            .write(&options.results)?;
    }
    Ok(())
}

/// What callgrind runs: each case of a kind of work, once.
fn count(work: Work) -> Result<(), Failure> {
    match work {
        Work::Encode => encode::count(),
        Work::Decode => decode::count(),
        work => Err(format!("{} is not counted", work.name()).into()),
    }
}
