//! The command `sse`: prints the events of an SSE endpoint, one JSON object per line.
//!
//! ```sh
//! cargo run -p example-client -- http://127.0.0.1:3000/events?topic=metrics.cpu --max-events 3
//! ```

mod options;
mod shown;
mod state;

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use futures_util::StreamExt;
use serde_json::json;
use sse_core::{
    EventSource,
    client::{Attempts, ClientError, ClientEvent, Events, InvalidRequest},
    decode::Message,
};

use options::{Asked, IdleTimeout, Options};
use shown::shown;
use state::State;

/// Maximum number of printed characters of a refusal's body.
const MAX_EXCERPT: usize = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Asked::Run(options)) => options,
        Ok(Asked::Help) => {
            println!("{}", Options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(2, &error),
    };
    let mut state = match State::open(options.state.as_deref()) {
        Ok(state) => state,
        Err(error) => return fail(2, &error),
    };
    let events = match connect(&options, &state) {
        Ok(events) => events,
        Err(error) => return fail(2, &error),
    };
    match read(events, options.max_events, &mut state).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = fail(1, &*error);
            // The server's own message: for example which parameter was wrong, or when the quota ends.
            let refusal = error.downcast_ref::<ClientError>().and_then(ClientError::refusal);
            let excerpt = refusal.map(|refusal| refusal.excerpt(MAX_EXCERPT)).unwrap_or_default();
            if !excerpt.is_empty() {
                eprintln!("{excerpt}");
            }
            code
        }
    }
}

/// Builds the client from the command-line options.
fn connect(options: &Options, state: &State) -> Result<Events, InvalidRequest> {
    let mut source = match &options.data {
        None => EventSource::get(&options.url),
        Some(data) => EventSource::post(&options.url).body(data.clone()),
    };
    if options.data.is_some()
        && !options.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        source = source.header("content-type", "text/plain; charset=utf-8");
    }
    for (name, value) in &options.headers {
        source = source.header(name, value);
    }
    if options.once {
        source = source.first_connection(Attempts::once()).reconnection(Attempts::unlimited().tries(0));
    }
    source = match options.idle_timeout {
        None => source,
        Some(IdleTimeout::Never) => source.connect_timeout(None).idle_timeout(None),
        Some(IdleTimeout::After(time)) => source.connect_timeout(time).idle_timeout(time),
    };
    // A cursor stored by an earlier run is newer than the one on the command line.
    let stored = Some(state.last_event_id()).filter(|id| !id.is_empty());
    source.last_event_id(stored.or(options.last_event_id.as_deref()).unwrap_or_default()).events()
}

/// Prints messages until the server ends the stream, or until `max_events`.
async fn read(mut events: Events, max_events: Option<u64>, state: &mut State) -> Result<(), Box<dyn Error>> {
    let mut printed = 0;
    while max_events.is_none_or(|most| printed < most) {
        let Some(event) = events.next().await else { break };
        match event? {
            ClientEvent::Message(message) => {
                print(&message)?;
                printed += 1;
            }
            ClientEvent::Gap { gap, message } => {
                let missed =
                    gap.missed.map_or("an unknown number".to_owned(), |missed| format!("up to {missed}"));
                eprintln!(
                    "gap ({}): {missed} of events are missing, going on after {}",
                    gap.reason, gap.resumed_at
                );
                print(&message)?;
                printed += 1;
            }
            ClientEvent::Open(opened) => eprintln!("open: {}", shown(&opened.uri)),
            ClientEvent::Disconnected { cause, retry_in: Some(wait) } => {
                eprintln!("disconnected: {}; trying again in {wait:.1?}", shown(cause));
            }
            ClientEvent::Disconnected { cause, retry_in: None } => eprintln!("closed: {}", shown(cause)),
            ClientEvent::Skipped { error, .. } => eprintln!("left out: {}", shown(error)),
            _ => {}
        }
        // Only after the line is printed: if this process dies in between, the message comes again rather than never.
        state.save(events.last_event_id())?;
    }
    Ok(())
}

fn print(message: &Message) -> io::Result<()> {
    let line = json!({
        "type": message.event_type(),
        "data": message.data(),
        "lastEventId": message.last_event_id(),
    });
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", shown(line))?;
    stdout.flush()
}

fn fail(code: u8, error: &(impl Error + ?Sized)) -> ExitCode {
    eprintln!("sse: {}", shown(error));
    ExitCode::from(code)
}
