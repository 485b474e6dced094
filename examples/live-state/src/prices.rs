//! Prices, of which only the latest is relevant.

use axum::extract::{Path, State};
use sse_axum::{Event, Pattern, Result, Sse, SseRequest, Start, Topic};

use crate::App;

/// `GET /prices`: sends the latest price of each symbol; a reader that lags gets no older ones.
pub(crate) async fn read(State(App { hub, .. }): State<App>, request: SseRequest) -> Result {
    let latest = hub.subscribe(Pattern::new("prices.*")?).request(request).start(Start::Earliest);
    Ok(Sse::new(latest.conflate_by(|event| event.topics().first().cloned()).await?))
}

/// `POST /prices/SYMBOL`: publishes a new price.
pub(crate) async fn publish(
    State(App { hub, .. }): State<App>,
    Path(symbol): Path<String>,
    price: String,
) -> Result<String> {
    let receipt =
        hub.publish(Topic::from_parts(["prices", &symbol])?, Event::message(price).event(symbol)).await?;
    Ok(receipt.cursor.to_string())
}
