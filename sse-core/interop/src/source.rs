use serde_json::json;
use sse_testkit::{Failed, Outcome};
use tokio::{
    task::JoinHandle,
    time::{Duration, interval},
};

use crate::{App, Session};

/// Opens a `ResumableSource` and keeps what it dispatches. In a module script, as a page has it.
const READER: &str = r"
    const [url, options, from] = arguments;
    const script = document.createElement('script');
    script.type = 'module';
    script.textContent = `
        import { ResumableSource } from '${from}/resumable.js';
        const read = { numbers: [], ids: [], states: [], gaps: [], ends: 0, opens: 0, errors: 0, statuses: [] };
        addEventListener('pageshow', ({ persisted }) => { read.isRestored = persisted; });
        try {
            const source = read.source = new ResumableSource(${JSON.stringify(url)}, ${options});
            source.onmessage = ({ data, lastEventId }) => {
                read.numbers.push(Number(data));
                read.ids.push(lastEventId);
            };
            source.onopen = () => { read.opens += 1; };
            source.onerror = () => { read.errors += 1; };
            source.onend = () => { read.ends += 1; };
            source.ongap = ({ reason }) => { read.gaps.push(reason); };
            source.onstate = ({ state, reason }) => { read.states.push(reason ? state + ': ' + reason : state); };
        } catch (error) {
            read.failure = String(error);
        }
        window.read = read;`;
    window.read = undefined;
    document.documentElement.append(script);";

/// Opens a source in the current tab, with options in JavaScript, and waits until the module has loaded. The page has to
/// be of the server of the module, unless an origin is given.
///
/// # Errors
/// If the module does not load.
pub(crate) async fn open(page: &Session, url: &str, options: &str, from: &str) -> Outcome {
    page.run(READER, json!([url, options, from])).await?;
    page.until("window.read !== undefined").await
}

/// The numbers that the source of the current tab has received.
///
/// # Errors
/// If the page cannot report them.
pub(crate) async fn numbers(page: &Session) -> Outcome<Vec<u64>> {
    Ok(serde_json::from_value(page.value("read.numbers").await?)?)
}

/// Fails unless the current tab received every number from its first to `last`, in order and each once; returns how
/// many.
///
/// # Errors
/// The numbers that are missing, or that came again.
pub(crate) async fn holds_all(page: &Session, last: u64) -> Outcome<usize> {
    page.until(&format!("read.numbers.at(-1) >= {last}")).await?;
    let numbers = numbers(page).await?;
    let first = numbers.first().copied().unwrap_or(last);
    let expected = first..first + numbers.len() as u64;
    if expected.clone().eq(numbers.iter().copied()) {
        return Ok(numbers.len());
    }
    let lost: Vec<_> = (first..last).filter(|number| !numbers.contains(number)).collect();
    let twice: Vec<_> = numbers.windows(2).filter(|pair| pair[0] >= pair[1]).collect();
    let states = page.value("read.states").await?;
    Err(Failed::new(format!("lost {lost:?}, out of order or twice {twice:?}; states: {states}")))
}

/// Publishes the numbers from 0 on, 25 a second, until it is stopped or dropped.
#[derive(Debug)]
pub(crate) struct Counter {
    publishing: JoinHandle<Outcome>,
    published: tokio::sync::watch::Receiver<u64>,
}

impl Counter {
    /// Starts to publish to topic `a`.
    pub(crate) fn start(app: &App) -> Self {
        let (tx, published) = tokio::sync::watch::channel(0);
        let address = app.address();
        let publishing = tokio::spawn(async move {
            let mut ticks = interval(Duration::from_millis(40));
            loop {
                ticks.tick().await;
                let number = *tx.borrow();
                App::publish_at(address, "a", &number.to_string()).await?;
                tx.send_modify(|number| *number += 1);
            }
        });
        Self { publishing, published }
    }

    /// Waits for this many further numbers.
    ///
    /// # Errors
    /// If they are not published.
    pub(crate) async fn more(&mut self, count: u64) -> Outcome {
        let wanted = *self.published.borrow() + count;
        self.published.wait_for(|number| *number >= wanted).await?;
        Ok(())
    }

    /// Stops, and returns the last number that was published.
    ///
    /// # Errors
    /// If the application did not accept one.
    pub(crate) async fn stop(self) -> Outcome<u64> {
        self.publishing.abort();
        match self.publishing.await {
            Ok(failed) => failed?,
            Err(_aborted) => {}
        }
        let last = self.published.borrow().checked_sub(1);
        last.ok_or_else(|| Failed::new("nothing was published"))
    }
}
