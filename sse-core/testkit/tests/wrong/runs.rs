//! Runs that are disturbed, or not stopped.

use std::time::Duration;

use sse_core::Error;
use sse_testkit::{Context, Query};

use super::{Fault, Incoming};

/// Starts or stops a run; returns the status.
pub(crate) async fn runs(
    request: &Incoming,
    app: &Context,
    query: Query,
    fault: Fault,
) -> Result<u16, Error> {
    if request.method == "DELETE" {
        let is_known = fault == Fault::StopsNothing || app.hub.stop_run(query.topics).await?;
        return Ok(if is_known { 204 } else { 404 });
    }
    let work =
        app.produce(app.hub.start_run(query.topics)?, String::from_utf8_lossy(&request.body).into_owned());
    if fault == Fault::RunEndsWithItsReader {
        let hub = app.hub.clone();
        tokio::spawn(async move {
            for has_readers in [true, false] {
                while hub.stats().readers.is_empty() == has_readers {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            work.abort();
        });
    }
    Ok(202)
}
