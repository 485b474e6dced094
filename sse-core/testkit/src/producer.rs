use std::sync::Arc;

use sse_core::{Event, Run, error::RunError};
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::Context;

/// A producer fails at this word.
pub(crate) const CRASH: &str = "crash";

/// How many words the producers of runs may still send.
#[derive(Debug, Clone)]
pub(crate) struct Pace(Arc<Semaphore>);

impl Default for Pace {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Pace {
    /// Allows `words` more words.
    pub(crate) fn allow(&self, words: usize) {
        self.0.add_permits(words);
    }
}

impl Context {
    /// Produces a run, whether it is read or not: the words of the text, each when the case allows it. If stopped,
    /// it sends a last event and finishes.
    pub fn produce(&self, run: Run, text: String) -> JoinHandle<Result<(), RunError>> {
        let Pace(pace) = self.pace.clone();
        let run = match self.settings.silence {
            Some(silence) => run.expire_after(silence),
            None => run,
        };
        tokio::spawn(async move {
            for word in text.split(' ') {
                tokio::select! {
                    () = run.stopped() => {
                        run.publish(Event::message("stopped")).await?;
                        break;
                    }
                    Ok(permit) = pace.acquire() => permit.forget(),
                }
                if word == CRASH {
                    return Ok(());
                }
                run.publish(Event::message(word)).await?;
            }
            run.finish().await.map(drop)
        })
    }
}
